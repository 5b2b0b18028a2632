import { expect, test } from "vitest";
import { checkOptions, checkValues } from "../../../src/options/check-options.js";
import {
  callback,
  choice,
  flag,
  integer,
  nested,
  number,
  required,
  signal,
  text,
} from "../../../src/options/kinds.js";

const specs = {
  name: required(text()),
  title: text({ default: "none" }),
  count: integer({ min: 1, max: 10, default: 3 }),
  limit: integer({ min: 1, max: 10 }),
  factor: number({ min: 1, max: 2, default: 1.5 }),
  mode: choice(["fast", "safe"], { default: "safe" }),
  isOn: flag({ default: true }),
  onEnd: callback(),
  signal: signal(),
  inner: nested<{ readonly size?: number | undefined }>()({ size: integer({ min: 0, max: 1, default: 0 }) }),
};

test("what is not given gets its default, and what is given stays", () => {
  expect(checkOptions("Options", { name: "a" }, specs)).toEqual({
    name: "a",
    title: "none",
    count: 3,
    limit: undefined,
    factor: 1.5,
    mode: "safe",
    isOn: true,
    onEnd: undefined,
    signal: undefined,
    inner: undefined,
  });
  const given = {
    ...{ name: "a", title: "b", count: 1, limit: 10, factor: 2, mode: "fast", isOn: false },
    ...{ onEnd: () => 1, signal: new AbortController().signal, inner: { size: 1 } },
  };
  expect(checkOptions("Options", Object.freeze(given), specs)).toEqual(given);
});

test("an option within another that is not given gets its default", () => {
  expect(checkOptions("Options", { name: "a", inner: {} }, specs).inner).toEqual({ size: 0 });
});

test.each<[string, string, unknown]>([
  ["Options", "expected an object of options", "name"],
  ["Options.nam", "no such option; there are name, title, count", { nam: "a" }],
  ["name", "is required", {}],
  ["name", "expected a text that is not empty", { name: "" }],
  ["title", "expected a text that is not empty, got 1", { name: "a", title: 1 }],
  ["count", "expected a whole number from 1 to 10, got 11", { name: "a", count: 11 }],
  ["count", "expected a whole number from 1 to 10, got null", { name: "a", count: null }],
  ["factor", "expected a number from 1 to 2, got NaN", { name: "a", factor: Number.NaN }],
  ["mode", 'expected one of fast, safe, got "slow"', { name: "a", mode: "slow" }],
  ["isOn", "expected true or false, got null", { name: "a", isOn: null }],
  ["onEnd", "expected a function, got true", { name: "a", onEnd: true }],
  ["signal", "expected an AbortSignal, got an object", { name: "a", signal: {} }],
  ["inner", "expected an object of options, got null", { name: "a", inner: null }],
  ["inner.sise", "no such option; there are size", { name: "a", inner: { sise: 1 } }],
  ["inner.size", "expected a whole number from 0 to 1, got 2", { name: "a", inner: { size: 2 } }],
])("%s: %s", (field, message, given) => {
  expect(() => checkOptions("Options", given, specs)).toThrow(
    expect.objectContaining({ code: "CONFIG", field, message: expect.stringContaining(message) }),
  );
});

test("options of others beside them are left alone where that is asked for", () => {
  expect(checkValues({ size: 1, name: "a" }, { size: integer({ min: 0, max: 1 }) })).toEqual({ size: 1 });
});
