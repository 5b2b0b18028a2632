import { type } from "arktype";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../../src/errors.js";
import type { Serde, SerdeContext } from "../../../src/serde/serde.js";
import { string } from "../../../src/serde/string.js";

const context: SerdeContext = { topic: "t", part: "key" };
const sent = <T>(serde: Serde<T>, value: T): string => (serde.serialize(value, context) as Buffer).toString();
const read = <T>(serde: Serde<T>, text: string, encoding: BufferEncoding = "utf8"): T =>
  serde.deserialize(Buffer.from(text, encoding), context) as T;
const untyped = <T>(serde: Serde<T>) => serde as Serde<unknown>;

describe("string", () => {
  test("gives back every string that has UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(string().deserialize(string().serialize(text, context) as Buffer, context)).toBe(text);
      }),
    );
  });

  test("reads the replacement character itself", () => {
    expect(read(string(), "efbfbd", "hex")).toBe("\uFFFD");
  });

  test.each(["ff", "c3", "eda080", "c080", "61ffefbfbd"])(
    "refuses the bytes %s, which are not UTF-8",
    (text) => {
      expect(() => read(string(), text, "hex")).toThrow(/not UTF-8/);
    },
  );

  test("refuses half of a surrogate pair and what is no string", () => {
    expect(() => string().serialize("a\uD800", context)).toThrow(/surrogate/);
    expect(() => untyped(string()).serialize(1, context)).toThrow("expected a string, got 1");
    expect(() => untyped(string()).serialize({}, context)).toThrow("expected a string, got an object");
  });
});

describe("string of a schema", () => {
  const id = "0b2cd8f4-9a05-4a5a-8c5a-0c2b7c1a9f10";

  test("is the text itself, as Java's StringSerializer writes it, and not JSON", () => {
    const serde = string(z.uuid());
    expect(sent(serde, id)).toBe(id);
    expect(read(serde, id)).toBe(id);
  });

  test("checks in both directions", () => {
    const serde = string(z.uuid());
    expect(() => serde.serialize("1", context)).toThrow(/Invalid UUID/);
    expect(() => read(serde, `"${id}"`)).toThrow(/Invalid UUID/);
    expect(() => read(serde, "ff", "hex")).toThrow(/not UTF-8/);
    expect(() => untyped(serde).serialize(1, context)).toThrow(/expected string/);
    expect(() => string(z.string()).serialize("a\uD800", context)).toThrow(/surrogate/);
  });

  test("takes whatever is a string on the wire: literals, unions, formats, codecs", () => {
    expect(read(string(z.enum(["a", "b"])), "a")).toBe("a");
    expect(read(string(z.union([z.literal("a"), z.email()])), "a")).toBe("a");
    expect(read(string(z.templateLiteral(["order-", z.number()])), "order-1")).toBe("order-1");
    const number = string(z.codec(z.string().regex(/^\d+$/), z.bigint(), { decode: BigInt, encode: String }));
    expect(sent(number, 12n)).toBe("12");
    expect(read(number, "12")).toBe(12n);
  });

  test("takes schemas of other vendors", () => {
    expect(read(string(v.pipe(v.string(), v.uuid())), id)).toBe(id);
    expect(() => read(string(v.pipe(v.string(), v.uuid())), "1")).toThrow(/Invalid UUID/);
    expect(sent(string(type("'a' | 'b'")), "a")).toBe("a");
  });

  test("costs no promise, unless the schema is asynchronous", async () => {
    const serde = string(z.string().refine(async (text) => Promise.resolve(text !== "no")));
    const bytes = serde.serialize("yes", context);
    expect(bytes).toBeInstanceOf(Promise);
    await expect(serde.deserialize(await bytes, context)).resolves.toBe("yes");
    await expect(serde.serialize("no", context)).rejects.toThrow("Invalid input");
  });

  test.each<[string, z.ZodType]>([
    ["a transform", z.string().transform((text) => text.length)],
    ["a transform that keeps the type", z.string().transform((text) => text.trim())],
    ["a number", z.number()],
    ["an object", z.object({ id: z.string() })],
    ["null", z.string().nullable()],
    ["undefined", z.string().optional()],
    ["a codec from a number", z.codec(z.number(), z.string(), { decode: String, encode: Number })],
    ["a literal that is no string", z.literal(["a", 1])],
  ])("refuses %s", (_, schema) => {
    expect(() => string(schema as never)).toThrow(ConfigError);
    expect(() => string(schema as never)).toThrow(/^schema: /);
  });

  test("refuses what is no schema, and what a schema gives that is no string", () => {
    expect(() => string({} as never)).toThrow(ConfigError);
    expect(() => untyped(string(z.any())).serialize(1, context)).toThrow("expected a string, got 1");
  });
});
