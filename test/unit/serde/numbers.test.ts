import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes } from "../../../src/serde/bytes.js";
import { double, integer } from "../../../src/serde/numbers.js";
import type { Serde, SerdeContext } from "../../../src/serde/serde.js";
import { string } from "../../../src/serde/string.js";

const context: SerdeContext = { topic: "t", part: "key" };
const hex = <T>(serde: Serde<T>, value: T): string =>
  (serde.serialize(value, context) as Buffer).toString("hex");
const read = <T>(serde: Serde<T>, text: string): T =>
  serde.deserialize(Buffer.from(text, "hex"), context) as T;
const untyped = <T>(serde: Serde<T>) => serde as Serde<unknown>;

describe("integer", () => {
  it.each([
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

  it.each([2_147_483_648, -2_147_483_649, 1.5, NaN, Infinity, "1", null, undefined, 1n, {}, Symbol("s")])(
    "refuses to write %s",
    (value) => {
      expect(() => untyped(integer()).serialize(value, context)).toThrow(
        /expected a whole number from -2147483648/,
      );
    },
  );

  it.each(["", "000000", "0000000000"])("refuses to read the bytes %j", (text) => {
    expect(() => read(integer(), text)).toThrow(/an integer is 4 bytes/);
  });
});

describe("double", () => {
  it.each([
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

  it("refuses what is no number, and other lengths", () => {
    expect(() => untyped(double()).serialize("1", context)).toThrow(/expected a number, got a string/);
    expect(() => read(double(), "00000000")).toThrow(/a double is 8 bytes, these are 4/);
  });
});

describe("string", () => {
  it("gives back every string that has UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(string().deserialize(string().serialize(text, context) as Buffer, context)).toBe(text);
      }),
    );
  });

  it("reads the replacement character itself", () => {
    expect(read(string(), "efbfbd")).toBe("\uFFFD");
  });

  it.each(["ff", "c3", "eda080", "c080", "61ffefbfbd"])(
    "refuses the bytes %s, which are not UTF-8",
    (text) => {
      expect(() => read(string(), text)).toThrow(/not UTF-8/);
    },
  );

  it("refuses half of a surrogate pair and what is no string", () => {
    expect(() => string().serialize("a\uD800", context)).toThrow(/surrogate/);
    expect(() => untyped(string()).serialize(1, context)).toThrow("expected a string, got 1");
    expect(() => untyped(string()).serialize({}, context)).toThrow("expected a string, got an object");
  });
});

describe("bytes", () => {
  it("hands them on as they are", () => {
    const given = Buffer.from([0, 255]);
    expect(bytes().serialize(given, context)).toBe(given);
    expect(bytes().deserialize(given, context)).toBe(given);
  });

  it("refuses what is no Buffer", () => {
    expect(() => untyped(bytes()).serialize("a", context)).toThrow("expected a Buffer, got a string");
    expect(() => untyped(bytes()).serialize(new Uint8Array(1), context)).toThrow(
      "expected a Buffer, got a Uint8Array",
    );
  });
});
