import { describe, expect, test } from "vitest";
import { bytes } from "../../../src/serde/bytes.js";
import { double, integer, long } from "../../../src/serde/numbers.js";
import type { Serde, SerdeContext } from "../../../src/serde/serde.js";

const context: SerdeContext = { topic: "t", part: "key" };
const hex = <T>(serde: Serde<T>, value: T): string =>
  (serde.serialize(value, context) as Buffer).toString("hex");
const read = <T>(serde: Serde<T>, text: string): T =>
  serde.deserialize(Buffer.from(text, "hex"), context) as T;
const untyped = <T>(serde: Serde<T>) => serde as Serde<unknown>;

describe("integer", () => {
  test.each([
    [0, "00000000"],
    [1, "00000001"],
    [-1, "ffffffff"],
    [305_419_896, "12345678"],
    [2_147_483_647, "7fffffff"],
    [-2_147_483_648, "80000000"],
  ])("writes and reads %d as Java's IntegerSerializer does", (value, text) => {
    expect(hex(integer(), value)).toBe(text);
    expect(read(integer(), text)).toBe(value);
  });

  test.each([2_147_483_648, -2_147_483_649, 1.5, NaN, Infinity, "1", null, undefined, 1n, {}, Symbol("s")])(
    "refuses to write %s",
    (value) => {
      expect(() => untyped(integer()).serialize(value, context)).toThrow(
        /expected a whole number from -2147483648/,
      );
    },
  );

  test.each(["", "000000", "0000000000"])("refuses to read the bytes %j", (text) => {
    expect(() => read(integer(), text)).toThrow(/an integer is 4 bytes/);
  });
});

describe("long", () => {
  const greatest = 9_223_372_036_854_775_807n;

  test.each([
    [0n, "0000000000000000"],
    [1n, "0000000000000001"],
    [-1n, "ffffffffffffffff"],
    [81_985_529_216_486_895n, "0123456789abcdef"],
    [9_007_199_254_740_993n, "0020000000000001"],
    [greatest, "7fffffffffffffff"],
    [-greatest - 1n, "8000000000000000"],
  ])("writes and reads %d as Java's LongSerializer does", (value, text) => {
    expect(hex(long(), value)).toBe(text);
    expect(read(long(), text)).toBe(value);
  });

  test.each([
    [greatest + 1n, "9223372036854775808n"],
    [-greatest - 2n, "-9223372036854775809n"],
    [1, "1"],
    ["1", "a string"],
    [null, "null"],
    [undefined, "undefined"],
  ])("refuses to write %s", (value, shown) => {
    expect(() => untyped(long()).serialize(value, context)).toThrow(
      `expected a bigint from -9223372036854775808n to 9223372036854775807n, got ${shown}`,
    );
  });

  test.each(["", "00000000", "000000000000000000"])("refuses to read the bytes %j", (text) => {
    expect(() => read(long(), text)).toThrow(/a long is 8 bytes/);
  });
});

describe("double", () => {
  test.each([
    [0, "0000000000000000"],
    [-0, "8000000000000000"],
    [1, "3ff0000000000000"],
    [-2.5, "c004000000000000"],
    [Math.PI, "400921fb54442d18"],
    [Infinity, "7ff0000000000000"],
    [NaN, "7ff8000000000000"],
  ])("writes and reads %d as Java's DoubleSerializer does", (value, text) => {
    expect(hex(double(), value)).toBe(text);
    expect(read(double(), text)).toBe(value);
  });

  test("refuses what is no number, and other lengths", () => {
    expect(() => untyped(double()).serialize("1", context)).toThrow(/expected a number, got a string/);
    expect(() => read(double(), "00000000")).toThrow(/a double is 8 bytes, these are 4/);
  });
});

describe("bytes", () => {
  test("hands them on as they are", () => {
    const given = Buffer.from([0, 255]);
    expect(bytes().serialize(given, context)).toBe(given);
    expect(bytes().deserialize(given, context)).toBe(given);
  });

  test("refuses what is no Buffer", () => {
    expect(() => untyped(bytes()).serialize("a", context)).toThrow("expected a Buffer, got a string");
    expect(() => untyped(bytes()).serialize(new Uint8Array(1), context)).toThrow(
      "expected a Buffer, got a Uint8Array",
    );
  });
});
