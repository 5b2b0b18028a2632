import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { errorCodes } from "../../../src/driver/error-codes.js";

const page = readFileSync("docs/errors.md", "utf8");
const source = readFileSync("src/errors.ts", "utf8");

const codes = [...(/export type KafkaErrorCode =([^;]+);/.exec(source)?.[1] ?? "").matchAll(/"(\w+)"/g)].map(
  ([, code = ""]) => code,
);
/** The cells of each row of the table under a heading, without the two rows of its head. */
const rowsUnder = (heading: string): readonly (readonly string[])[] =>
  (page.split(`\n${heading}\n`)[1] ?? "")
    .replace(/\n## .*/s, "")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

describe("the page of errors", () => {
  test.each([
    "ECONNREFUSED",
    "ENOTFOUND",
    "ETIMEDOUT",
    "ECONNRESET",
    "leader not available",
    "broker transport failure",
    "certificate verify failed",
    "unknown topic",
    "message too large",
    "max.poll.interval.ms",
    "offset out of range",
    "rebalance",
    "group.instance.id",
  ])("is found by the words that people see elsewhere: %s", (words) => {
    expect(page.toLowerCase()).toContain(words.toLowerCase());
  });

  test("has every code that there is, under a heading and in the table, and no other", () => {
    expect(codes.length).toBeGreaterThan(20);
    const headings = [...page.matchAll(/^### `(\w+)`$/gm)].map(([, code]) => code);
    const listed = rowsUnder("# Errors").map(([cell = ""]) => /^\[`(\w+)`\]\(#(.+)\)$/.exec(cell)?.slice(1));
    expect([...headings].sort()).toEqual([...codes].sort());
    expect(listed).toEqual(headings.map((code) => [code, code?.toLowerCase()]));
  });

  test("names the class that an error of the code has", () => {
    const classOf = new Map(
      rowsUnder("# Errors").map(([cell = "", name = ""]) => [/`(\w+)`/.exec(cell)?.[1], name]),
    );
    const classes = source.split(/^export class /m).slice(1);
    expect(classes.length).toBeGreaterThan(10);
    for (const text of classes) {
      const name = /^\w+/.exec(text)?.[0] ?? "";
      const code = /super\((?:context\.code \?\? )?"(\w+)"/.exec(text)?.[1];
      if (code !== undefined) expect(classOf.get(code)).toContain(`\`${name}\``);
    }
  });

  test("says of each of Kafka's error codes which code it has here", () => {
    const inPage = rowsUnder("## Kafka's error codes").flatMap(([code = "", names = ""]) =>
      [...names.matchAll(/`(\w+)` \((-?\d+)\)/g)].map(([, name, number]) => `${number} ${name}: ${code}`),
    );
    // Every other is `BROKER`; the library's own number comes from no broker.
    const inSource = [...errorCodes]
      .filter(([number, { code }]) => code !== "BROKER" && number !== -10_000)
      .map(([number, { name, code }]) => `${number} ${name}: \`${code}\``);
    expect(inPage.sort()).toEqual(inSource.sort());
  });
});
