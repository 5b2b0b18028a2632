import { describe, expect, test } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import { ConfigError } from "../../../src/errors.js";
import { zodLook } from "../../../src/serde/zod-looks.js";
import { inspectZod, isZod, type Wire } from "../../../src/serde/zod-structure.js";

const isoDate = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

function inspect(schema: unknown, wire: Wire = "json") {
  if (!isZod(schema as z.ZodType)) throw new Error("not zod");
  const { encodes } = inspectZod(schema as never, wire, "value");
  return { encodes, looks: zodLook(schema as never, wire, encodes) !== undefined };
}

function refusalOf(schema: unknown, wire: Wire = "json"): ConfigError {
  try {
    inspect(schema, wire);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

describe("a transform that is no codec", () => {
  const transform = z.string().transform((text) => text.length);
  interface Tree {
    children: Tree[];
  }
  const tree: z.ZodType<Tree> = z.lazy(() => z.object({ children: z.array(tree), bad: transform }));
  const getter = z.object({
    get next() {
      return getter.optional();
    },
    bad: transform,
  });

  test.each([
    ["value", "at the top", transform],
    ["value", "preprocess", z.preprocess((given) => given, z.string())],
    ["value", "success", z.success(z.string())],
    ["value.a", "in an object", z.object({ a: transform })],
    ["value.a.b", "in an object in an object", z.object({ a: z.object({ b: transform }) })],
    ["value[]", "in an array", z.array(transform)],
    ["value[1]", "in a tuple", z.tuple([z.string(), transform])],
    ["value[]", "in a tuple's rest", z.tuple([z.string()], transform)],
    ["value[]", "in a record", z.record(z.string(), transform)],
    [
      "value[key]",
      "in a record's keys",
      z.record(
        z.string().transform((text) => text.trim()),
        z.string(),
      ),
    ],
    ["value", "in a union", z.union([z.number(), transform])],
    ["value", "in an intersection", z.intersection(z.object({}), transform)],
    ["value.a", "in an optional", z.object({ a: transform.optional() })],
    ["value.a", "in a nullable", z.object({ a: transform.nullable() })],
    ["value.a", "in a default", z.object({ a: transform.default(1) })],
    ["value.a", "in a prefault", z.object({ a: transform.prefault("x") })],
    ["value.a", "in a catch", z.object({ a: transform.catch(1) })],
    ["value.a", "in a readonly", z.object({ a: transform.readonly() })],
    ["value.a", "in a nonoptional", z.object({ a: transform.optional().nonoptional() })],
    ["value.a", "in a brand", z.object({ a: transform.brand("b") })],
    ["value.a", "in a pipe", z.object({ a: transform.pipe(z.number()) })],
    ["value[]", "in a catchall", z.object({}).catchall(transform)],
    ["value.bad", "in a lazy recursive schema", tree],
    ["value.next.bad", "in a recursive schema with a getter", getter],
    [
      "value.a",
      "behind a codec",
      z.object({ a: z.codec(z.string(), transform, { decode: (a) => a, encode: (a) => a }) }),
    ],
    [
      "value.a",
      "in zod mini",
      mini.object({
        a: mini.pipe(
          mini.string(),
          mini.transform((text) => text.length),
        ),
      }),
    ],
  ])("is refused at %s, %s", (field, _, schema) => {
    const refusal = refusalOf(schema);
    expect(refusal.field).toBe(field);
    expect(refusal.message).toContain("one way only");
    expect(refusal.message).toContain("z.codec(");
  });
});

describe("a wire side that is not JSON", () => {
  test.each([
    ["value.a", z.object({ a: z.date() })],
    ["value.a", z.object({ a: z.coerce.date() })],
    ["value.a", z.object({ a: z.bigint().optional() })],
    ["value.a", z.object({ a: z.int64() })],
    ["value.a", z.object({ a: z.map(z.string(), z.string()) })],
    ["value.a", z.object({ a: z.set(z.string()) })],
    ["value.a", z.object({ a: z.symbol() })],
    ["value.a", z.object({ a: z.nan() })],
    ["value.a", z.object({ a: z.file() })],
    ["value.a", z.object({ a: z.function() })],
    ["value.a", z.object({ a: z.promise(z.string()) })],
    ["value.a", z.object({ a: z.instanceof(Date) })],
    ["value.a", z.object({ a: z.literal(1n) })],
    ["value.a", z.object({ a: z.union([z.string(), z.date()]) })],
    [
      "value.a",
      z.object({ a: z.codec(z.date(), z.number(), { decode: Number, encode: (n) => new Date(n) }) }),
    ],
    ["value.a", z.object({ a: z.date().pipe(z.date()) })],
    ["value.a", z.object({ a: z.unknown().pipe(z.date()) })],
    ["value[key]", z.record(z.symbol(), z.string())],
    ["value[0]", z.tuple([z.date()])],
    ["value", z.undefined()],
    ["value", z.string().optional()],
    ["value[]", z.array(z.string().optional())],
    ["value[]", z.array(z.undefined())],
    ["value", z.object({ [Symbol("s")]: z.string() })],
    ["value.a", mini.object({ a: mini.date() })],
  ])("is refused at %s (%#)", (field, schema) => {
    expect(refusalOf(schema).field).toBe(field);
  });

  test("comes with its cure", () => {
    expect(refusalOf(z.object({ at: z.date() })).message).toMatch(
      /^value\.at: z\.date\(\) is not JSON.*z\.codec\(z\.iso\.datetime/,
    );
    expect(refusalOf(z.object({ n: z.bigint() })).message).toContain("z.codec(z.string(), z.bigint()");
  });
});

describe("a schema that goes both ways", () => {
  const category = z.object({
    name: z.string(),
    get children() {
      return z.array(category);
    },
  });

  test.each([
    ["plain", z.object({ a: z.string(), b: z.number(), c: z.boolean().optional(), d: z.null() })],
    ["undefined properties", z.object({ a: z.undefined(), b: z.literal([undefined, "x"]), c: z.void() })],
    ["recursive", category],
    ["json", z.json()],
    [
      "enums and literals",
      z.object({
        a: z.enum(["x", "y"]),
        b: z.literal([1, null, true]),
        c: z.templateLiteral(["a", z.number()]),
      }),
    ],
    [
      "trimmed and refined",
      z.object({
        a: z
          .string()
          .trim()
          .refine((text) => text !== ""),
      }),
    ],
    ["coerced", z.object({ a: z.coerce.number() })],
    ["records", z.record(z.enum(["a", "b"]), z.array(z.tuple([z.string()], z.number())))],
    ["readonly", z.object({ a: z.array(z.string()).readonly() }).readonly()],
    ["a pipe without a transform", z.string().pipe(z.email())],
  ])("is validated only, if it is %s", (_, schema) => {
    expect(inspect(schema).encodes).toBe(false);
  });

  test.each([
    ["a codec", z.object({ at: isoDate })],
    ["a codec in a recursive schema", z.lazy(() => z.object({ at: isoDate }))],
    ["stringbool", z.stringbool()],
    ["a default", z.object({ a: z.string().default("x") })],
    ["a prefault", z.object({ a: z.string().prefault("x") })],
    ["a catch", z.object({ a: z.string().catch("x") })],
    ["a codec piped on", isoDate.pipe(z.date())],
    [
      "one codec piped on twice",
      z.object({ a: isoDate.pipe(z.date().min(0)), b: isoDate.pipe(z.date().max(1)) }),
    ],
    [
      "a codec to a Map",
      z.codec(z.array(z.string()), z.map(z.string(), z.string()), {
        decode: () => new Map(),
        encode: () => [],
      }),
    ],
    [
      "a codec in zod mini",
      mini.object({
        at: mini.codec(mini.string(), mini.date(), {
          decode: (a) => new Date(a),
          encode: (a) => a.toISOString(),
        }),
      }),
    ],
  ])("is encoded, if it holds %s", (_, schema) => {
    expect(inspect(schema).encodes).toBe(true);
  });

  test.each([
    ["unknown", z.object({ a: z.unknown() })],
    ["any", z.array(z.any())],
    ["custom", z.custom<string>()],
    ["a loose object", z.looseObject({})],
    ["a tuple with an optional item", z.tuple([z.string(), z.string().optional()])],
  ])("is looked at in each value, if it holds %s", (_, schema) => {
    expect(inspect(schema)).toEqual({ encodes: false, looks: true });
  });
});

describe("a schema of headers", () => {
  test.each([
    ["strings", z.object({ a: z.string(), b: z.string().optional(), c: z.enum(["x"]), d: z.literal("y") })],
    ["a record", z.record(z.string(), z.string())],
    [
      "codecs of strings",
      z.object({ at: isoDate, n: z.codec(z.string(), z.number(), { decode: Number, encode: String }) }),
    ],
    ["a union of objects", z.union([z.object({ a: z.string() }), z.looseObject({ b: z.string() })])],
  ])("may be of %s", (_, schema) => {
    expect(() => inspect(schema, "headers")).not.toThrow();
  });

  test.each([
    ["value.a", z.object({ a: z.number() })],
    ["value.a", z.object({ a: z.string().nullable() })],
    ["value.a", z.object({ a: z.object({}) })],
    ["value.a", z.object({ a: z.array(z.string()) })],
    ["value.a", z.object({ a: z.literal(["x", 1]) })],
    ["value.a", z.object({ a: z.date() })],
    ["value.a", z.object({ a: z.string().transform(Number) })],
    ["value", z.array(z.string())],
    ["value", z.string()],
    ["value[]", z.record(z.string(), z.number())],
  ])("is refused at %s (%#)", (field, schema) => {
    expect(refusalOf(schema, "headers").field).toBe(field);
  });
});
