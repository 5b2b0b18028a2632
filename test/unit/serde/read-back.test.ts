import { isDeepStrictEqual } from "node:util";
import { type } from "arktype";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { jsonOf } from "../../../src/serde/json.js";
import { arktypeLook } from "../../../src/serde/arktype-looks.js";
import { lookAtAnything, lookAtDescribed } from "../../../src/serde/looks.js";
import { valibotLook } from "../../../src/serde/valibot-looks.js";
import { zodLook } from "../../../src/serde/zod-looks.js";
import type { SerdeContext } from "../../../src/serde/serde.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";

const context: SerdeContext = { topic: "t", part: "value" };

/** What a reader gets of a value that is sent. */
function readBack(schema: StandardSchemaV1, value: unknown): unknown {
  const serde = jsonOf(schema, "value");
  const bytes = serde.serialize(value, context) as Buffer;
  return serde.deserialize(bytes, context);
}

const isoDate = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});
const safe = z.codec(z.number(), z.bigint(), { decode: BigInt, encode: Number });
const gone = { a: undefined };
const named = (json: string): unknown => JSON.parse(json);
const secret = Symbol("secret");
const text = z.string().optional();
/** An option without `b` takes it once `c`, which is no text, has been left out, and makes {} of it. */
const misread = { b: 1, c: 5 };
class Point {
  readonly x = 1;
}

describe("undefined under a name that has to be there is refused", () => {
  test.each<[string, StandardSchemaV1]>([
    ["z.unknown", z.object({ a: z.unknown() })],
    ["z.any", z.object({ a: z.any() })],
    ["z.custom", z.object({ a: z.custom(() => true) })],
    ["z.undefined", z.object({ a: z.undefined() })],
    ["z.void", z.object({ a: z.void() })],
    ["a literal", z.object({ a: z.literal([1, undefined]) })],
    ["a union", z.object({ a: z.string().or(z.undefined()) })],
    ["a nullable literal", z.object({ a: z.nullable(z.literal(undefined)) })],
    ["a readonly", z.object({ a: z.unknown().readonly() })],
    ["a lazy", z.object({ a: z.lazy(() => z.unknown()) })],
    ["a pipe", z.object({ a: z.unknown().pipe(z.any()) })],
    ["a refinement", z.object({ a: z.unknown().refine(() => true) })],
    ["a catchall", z.object({}).catchall(z.any())],
    ["a loose object", z.looseObject({})],
    ["a record", z.record(z.string(), z.any())],
    ["a record of optionals", z.record(z.string(), z.string().optional())],
    ["an intersection", z.intersection(z.object({ a: z.unknown() }), z.object({}))],
    ["an option of a union", z.union([z.number(), z.object({ a: z.unknown() })])],
    ["an optional with a default", z.object({ a: z.string().default("x").optional() })],
    ["a refinement that asks for the name", z.object({ a: z.string().optional() }).refine((o) => "a" in o)],
    ["valibot's unknown", v.object({ a: v.unknown() })],
    ["valibot's undefinedable", v.object({ a: v.undefinedable(v.string()) })],
    ["valibot's record", v.record(v.string(), v.unknown())],
    ["arktype's unknown", type({ a: "unknown" })],
    ["arktype's record", type({ "[string]": "unknown" })],
    ["arktype's union", type({ a: "string | undefined" })],
  ])("%s", (_, schema) => {
    expect(() => readBack(schema, gone)).toThrow(/^a: undefined|^a: it would be read as another/);
  });
});

describe("undefined under an optional name is left out", () => {
  test.each<[string, StandardSchemaV1]>([
    ["z.optional", z.object({ a: z.string().optional() })],
    ["z.nullish", z.object({ a: z.string().nullish() })],
    ["an optional unknown", z.object({ a: z.unknown().optional() })],
    ["an optional codec", z.object({ a: isoDate.optional() })],
    ["an optional with a catch", z.object({ a: z.string().optional().catch("x") })],
    ["a refined object", z.object({ a: z.string().optional() }).refine(() => true)],
    ["a loose object", z.looseObject({ a: z.string().optional() })],
    ["a union", z.union([z.number(), z.object({ a: z.string().optional() })])],
    ["a record of known names", z.record(z.enum(["a"]), z.string().optional())],
    ["valibot's optional", v.object({ a: v.optional(v.string()) })],
    ["valibot's optional unknown", v.object({ a: v.optional(v.unknown()) })],
    ["arktype's optional", type({ "a?": "string | undefined" })],
    ["arktype's optional unknown", type({ "a?": "unknown" })],
    ["an option of arktype's union", type({ k: "'x'" }).or({ "a?": "unknown" })],
  ])("%s", (_, schema) => {
    expect(readBack(schema, gone)).toEqual({});
  });
});

describe("what would be read as another value is refused", () => {
  test.each<[string, StandardSchemaV1, unknown]>([
    ["undefined deep in an unknown", z.object({ a: z.unknown() }), { a: { b: undefined } }],
    ["a hole in an array", z.array(z.unknown()), Array(1)],
    ["an instance of a class", z.unknown(), new Point()],
    ["an instance of a class, of arktype", type({ x: "number" }), new Point()],
    ["a boxed string", z.unknown(), Object("x")],
    ["a typed array", z.unknown(), new Uint8Array(2)],
    ["a name that is a symbol", z.unknown(), { [Symbol("s")]: 1 }],
    ["an array with properties", z.unknown(), "x".match(/x/)],
    ["a name that is a symbol in an array", z.unknown(), Object.assign([1], { [secret]: 1 })],
    ["the same in a long one", z.unknown(), Object.assign(Array(100).fill(1), { [secret]: 1 })],
    ["the same of arktype", type({ a: "unknown[]" }), { a: Object.assign([1], { [secret]: 1 }) }],
    ["a symbol that arktype asks for", type({ a: "string", [secret]: "string" }), { a: "x", [secret]: "y" }],
    [
      "what an option before makes less of",
      z.union([z.object({ c: text }), z.object({ b: z.number() })]),
      misread,
    ],
    [
      "the same deep in an option",
      z.union([z.object({ d: z.object({ c: text }) }), z.object({ d: z.object({ b: z.number() }) })]),
      { d: misread },
    ],
    [
      "the same in valibot",
      v.union([v.object({ c: v.optional(v.string()) }), v.object({ b: v.number() })]),
      misread,
    ],
    [
      "the same beside valibot's unknown",
      v.union([v.object({ c: v.optional(v.string()) }), v.object({ b: v.unknown() })]),
      misread,
    ],
    ["Infinity in valibot", v.object({ a: v.array(v.number()) }), { a: [Infinity] }],
    ["undefined in an array of valibot", v.array(v.optional(v.string())), [undefined]],
    [
      "undefined that a check of valibot asks for",
      v.pipe(
        v.object({ a: v.optional(v.string()) }),
        v.check((o) => "a" in o),
      ),
      gone,
    ],
    ["toJSON", z.unknown(), { toJSON: () => 1 }],
    ["toJSON in valibot's any", v.object({ a: v.any() }), { a: { toJSON: () => 1 } }],
    ["NaN in valibot's any", v.object({ a: v.any() }), { a: NaN }],
    ["__proto__ in a record", z.record(z.string(), z.any()), named('{"__proto__":1}')],
    ["__proto__ in a loose object", z.looseObject({}), named('{"__proto__":1}')],
    ["constructor in valibot's record", v.record(v.string(), v.any()), { constructor: 1 }],
    ["a text that is trimmed too short", z.object({ a: z.string().min(1).trim() }), { a: " " }],
    ["the same in valibot", v.pipe(v.string(), v.minLength(1), v.trim()), " "],
    [
      "the same before a codec",
      z.codec(z.string().min(1).trim(), z.number(), { decode: Number, encode: () => " " }),
      1,
    ],
    ["a change that is made twice", z.number().overwrite((n) => n + 1), 1],
    [
      "valibot's transform",
      v.pipe(
        v.string(),
        v.transform((text) => `${text}!`),
      ),
      "x",
    ],
    ["arktype's morph", type("string").pipe((text: string) => `${text}!`), "x"],
    ["a codec behind its own wire side", z.union([z.string(), isoDate]), new Date(0)],
    ["a bigint behind a number", z.union([z.number(), safe]), 5n],
    [
      "a default in an option before",
      z.union([z.object({ a: z.string().default("x") }), z.object({ b: z.string() })]),
      { b: "" },
    ],
    ["names that become one", z.record(z.string().toLowerCase(), z.number()), { A: 1, a: 2 }],
    ["an undefined toString", z.object({ toString: z.string().optional() }), { toString: undefined }],
    ["an undefined item", z.tuple([z.string(), z.string().optional()]), ["a", undefined]],
    [
      "a value that holds itself",
      z.unknown(),
      (() => {
        const o: unknown[] = [];
        o.push(o);
        return o;
      })(),
    ],
  ])("%s", (_, schema, value) => {
    expect(() => readBack(schema, value)).toThrow();
  });
});

describe("what looks odd and is kept is sent", () => {
  test.each<[string, StandardSchemaV1, unknown]>([
    ["-0", z.object({ a: z.number(), b: z.unknown() }), { a: -0, b: [-0] }],
    ["-0 in valibot", v.object({ a: v.number() }), { a: -0 }],
    ["__proto__ in an unknown", z.unknown(), named('{"__proto__":{"x":1}}')],
    ["a record of names that objects have", z.record(z.string(), z.any()), { constructor: 1, toString: 2 }],
    ["half of a surrogate pair", z.unknown(), "\ud800"],
    ["a codec told apart by its wire side", z.union([isoDate, z.number()]), new Date(0)],
    ["null beside a codec", z.nullable(isoDate), null],
  ])("%s", (_, schema, value) => {
    expect(readBack(schema, value)).toStrictEqual(value);
  });

  test("a text that is trimmed, beside a codec", () => {
    const schema = z.object({ a: z.string().min(1).trim(), at: isoDate });
    expect(readBack(schema, { a: " x", at: new Date(1) })).toEqual({ a: "x", at: new Date(1) });
  });
});

test("a -0 in a key is refused: it would be another key than 0", () => {
  const serde = jsonOf(z.object({ id: z.number() }), "key");
  expect(() => serde.serialize({ id: -0 }, { topic: "t", part: "key" })).toThrow(/^id: -0/);
});

test.each<[string, StandardSchemaV1]>([
  ["zod", z.union([z.object({ a: z.unknown() }), z.record(z.string(), z.unknown())])],
  ["valibot", v.union([v.object({ a: v.undefinedable(v.string()) }), v.record(v.string(), v.any())])],
])("a name of one option of a union is none of another option by which it is read: %s", (_, schema) => {
  const serde = jsonOf(schema, "value");
  // What was found out about one value says nothing about the next one.
  expect(serde.serialize({ a: "x" }, context)).toEqual(Buffer.from('{"a":"x"}'));
  expect(() => serde.serialize({ a: undefined }, context)).toThrow(/^a: undefined/);
});

test("an asynchronous schema is read back as well", async () => {
  const schema = z.object({ a: z.unknown() }).refine(async () => Promise.resolve(true));
  await expect(jsonOf(schema, "value").serialize(gone, context)).rejects.toThrow(/^a: undefined/);
});

test("nothing is looked at where the schema proves it", () => {
  const proven = z.object({
    a: z.string(),
    b: z.boolean().optional(),
    c: z.array(z.object({ d: z.enum(["x"]) })),
    at: isoDate,
  });
  expect(zodLook(proven as never, "json", true)).toBeUndefined();
});

test("nothing is looked at where a valibot schema proves it", () => {
  const proven = v.object({
    a: v.pipe(v.string(), v.minLength(1), v.brand("A")),
    b: v.optional(v.boolean()),
    c: v.array(v.object({ d: v.picklist(["x"]), e: v.nullable(v.literal(1)) })),
    f: v.tuple([v.string(), v.strictObject({ g: v.string() })]),
  });
  expect(valibotLook(proven)).toBeUndefined();
});

test("arktype's objects are asked for symbols where the schema lets anything pass, and only there", () => {
  const described = type({ a: "string|undefined", b: { "c?": "number[]" }, d: "'x'|1" }).narrow(() => true);
  const lets = [type({ a: "unknown" }), type({ a: "object" }), type({ a: "unknown[]" }), type({ a: "Date" })];
  expect(arktypeLook(described)).toBe(lookAtDescribed);
  expect(lets.map(arktypeLook)).toEqual(lets.map(() => lookAtAnything));
  expect(readBack(described, { a: "x", b: {}, d: 1, [secret]: 1 })).toEqual({ a: "x", b: {}, d: 1 });
});

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withSparseArray: true,
  withBoxedValues: true,
});

test.each<[string, StandardSchemaV1]>([
  ["z.unknown", z.unknown()],
  ["z.object of unknown", z.object({ a: z.unknown() })],
  ["z.record", z.record(z.string(), z.any())],
  ["z.array", z.array(z.any())],
  [
    "z.union",
    z.union([z.object({ a: z.unknown() }), z.array(z.unknown()), z.record(z.string(), z.unknown())]),
  ],
  ["z.json", z.json()],
  ["valibot's any", v.any()],
  ["valibot's record", v.record(v.string(), v.any())],
  ["arktype's unknown", type("unknown")],
  ["arktype's object", type({ a: "unknown" })],
])(
  "any value is refused, or read as it was sent: %s",
  (_, schema) => {
    const serde = jsonOf(schema, "value");
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          fc.record({ a: anything }),
          fc.array(anything),
          fc.dictionary(fc.string(), anything),
        ),
        (value) => {
          let bytes: Buffer;
          try {
            bytes = serde.serialize(value, context) as Buffer;
          } catch {
            return;
          }
          const validated = (schema["~standard"].validate(value) as { readonly value: unknown }).value;
          expect(
            isDeepStrictEqual(withPrototypes(serde.deserialize(bytes, context)), withPrototypes(validated)),
          ).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  },
  60_000,
);

/** The same data, whose objects all have the one prototype: an object without one is read as one that has it. */
function withPrototypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withPrototypes);
  if (typeof value !== "object" || value === null) return value;
  if (Object.getPrototypeOf(value) !== null && Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withPrototypes(each)]));
}
