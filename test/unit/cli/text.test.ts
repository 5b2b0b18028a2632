import { expect, test } from "vitest";
import { printTable } from "../../../src/cli/text.js";

const printed = (rows: readonly (readonly (string | number)[])[]) => {
  const lines: string[] = [];
  const terminal = { out: (line: string) => void lines.push(line), isColoured: false };
  printTable(terminal, ["KEY", "OFFSET", "ERROR"], rows);
  return lines;
};

test("columns are as wide as they need, numbers at the right", () => {
  expect(
    printed([
      ["a", 7, "x"],
      ["longer", 1_000_000, "y"],
    ]),
  ).toEqual(["KEY      OFFSET  ERROR", "a             7  x", "longer  1000000  y"]);
});

test("signs that take two columns of a terminal, or none, move no column", () => {
  expect(
    printed([
      ["学生", 1, "x"],
      ["🎓a", 2, "x"],
      ["e\u0301e\u0301e\u0301e\u0301", 3, "x"],
      ["abcd", 4, "x"],
    ]),
  ).toEqual([
    "KEY   OFFSET  ERROR",
    "学生       1  x",
    "🎓a        2  x",
    "e\u0301e\u0301e\u0301e\u0301       3  x",
    "abcd       4  x",
  ]);
});
