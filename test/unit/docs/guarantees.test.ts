import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { guaranteeRows, type Promised } from "../../../scripts/guarantees.mjs";

const read = (file: string): string => readFileSync(file, "utf8");
const mutantsOf = (name: string) => JSON.parse(read(`test/mutants/${name}`)) as readonly Promised[];
const promises = mutantsOf("promises.json");
const mutants = readdirSync("test/mutants").flatMap(mutantsOf);

test("the page of guarantees has every promise, with its test and its mutant: `node scripts/mutants.mjs --page`", () => {
  const cells = (row: string) => row.split(/(?<!\\)\|/u).map((cell) => cell.trim());
  const [, ...rows] = guaranteeRows(promises)
    .map(cells)
    .filter(([, first]) => first !== "---");
  const [, ...shown] = read("docs/guarantees.md")
    .split("\n")
    .filter((line) => /^\| (?!-)/u.test(line))
    .map(cells);
  expect(promises.length).toBeGreaterThanOrEqual(25);
  expect(shown).toEqual(rows);
});

describe.each(promises)("the promise $promise", ({ tests: [test_ = ""], proves, where }) => {
  test("has its test, and a page that makes it", () => {
    expect(read(test_)).toContain(proves);
    expect(existsSync(`docs/${/\((.+)\)/u.exec(where)?.[1] ?? ""}`)).toBe(true);
  });
});

test.each(mutants)("the mutant of $file changes one place: $find", ({ file, find, replace, tests }) => {
  expect(read(file).split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
  for (const one of tests) expect(existsSync(one), one).toBe(true);
});
