import { describe, expect, test } from "vitest";
import { argumentsOf, numberOf, positionOf, subjectOf } from "../../../src/cli/arguments.js";
import { UsageError } from "../../../src/cli/command.js";

describe("positions", () => {
  test.each([
    ["beginning", "earliest"],
    ["earliest", "earliest"],
    ["end", "latest"],
    ["0", { offset: 0 }],
    ["17", { offset: 17 }],
    ["-10", { last: 10 }],
    ["2026-01-31T12:00:00Z", { time: new Date(Date.UTC(2026, 0, 31, 12)) }],
    ["2026-01-31", { time: new Date(Date.UTC(2026, 0, 31)) }],
    ["s@1767225600000", { time: new Date(1_767_225_600_000) }],
  ])("%s", (text, expected) => expect(positionOf("from", text)).toEqual(expected));

  test.each(["", "-0", "-", "1.5", "soon", "2026-13-01", "1e3", "99999999999999999999", "1969-01-01"])(
    "is none: %s",
    (text) => expect(() => positionOf("from", text)).toThrow(UsageError),
  );
});

test("a negative number is the value of the option before it", () => {
  const options = { from: { type: "string", short: "o" }, follow: { type: "boolean", short: "f" } } as const;
  expect(argumentsOf(["t", "-o", "-10"], options).values.from).toBe("-10");
  expect(argumentsOf(["t", "--from", "-10", "-f"], options).values).toMatchObject({
    from: "-10",
    follow: true,
  });
  expect(() => argumentsOf(["-f", "-10"], options)).toThrow();
});

test("numbers are whole, and none is rounded", () => {
  expect(numberOf("limit", "12")).toBe(12);
  for (const text of ["", "-1", "1.5", "9007199254740993", "many", "0x10"])
    expect(() => numberOf("limit", text)).toThrow(UsageError);
});

test("a subject is given as a word or with its flag, and once", () => {
  expect(subjectOf("--group", ["a"], undefined)).toBe("a");
  expect(subjectOf("--group", [], "a")).toBe("a");
  expect(() => subjectOf("--group", ["a"], "b")).toThrow("--group is given twice");
});
