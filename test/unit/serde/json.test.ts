import { type } from "arktype";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import { json } from "../../../src/serde/json.js";
import type { Serde, SerdeContext } from "../../../src/serde/serde.js";

const context: SerdeContext = { topic: "t", part: "value" };

function sent<T>(serde: Serde<T>, value: T): string {
  const bytes = serde.serialize(value, context);
  if (bytes instanceof Promise) throw new Error("a promise");
  return bytes.toString();
}

function read<T>(serde: Serde<T>, text: string): T {
  const value = serde.deserialize(Buffer.from(text), context);
  if (value instanceof Promise) throw new Error("a promise");
  return value;
}

/** What a caller without types may give. */
const untyped = <T>(serde: Serde<T>): Serde<unknown> => serde as Serde<unknown>;

const isoDate = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});
const bigint = z.codec(z.string().regex(/^-?\d+$/), z.bigint(), { decode: BigInt, encode: String });

describe("json", () => {
  const student = json(z.object({ id: z.number().int(), name: z.string() }));

  test("writes what the schema describes, and leaves out what it does not name", () => {
    const given = Object.freeze({ id: 1, name: "Samwel", password: "secret" });
    expect(sent(student, given)).toBe('{"id":1,"name":"Samwel"}');
  });

  test("gives the value, not a promise", () => {
    expect(read(student, '{"id":1,"name":"é"}')).toEqual({ id: 1, name: "é" });
  });

  test("names the fields that are wrong, in both directions", () => {
    expect(() => untyped(student).serialize({ id: "1" }, context)).toThrow(/id: .*number.*; name: .*string/);
    expect(() => read(student, '{"id":1.5,"name":null}')).toThrow(/id: .*int.*; name: .*string/);
  });

  test.each(["", "{", "undefined", '{"id":1}x', "\uFEFF"])(
    "refuses to read %j, which is not JSON",
    (text) => {
      expect(() => read(student, text)).toThrow(/^not JSON: /);
    },
  );

  test("reads JSON behind a byte order mark, as .NET and Jackson may write one", () => {
    expect(read(student, '\uFEFF{"id":1,"name":"a"}')).toEqual({ id: 1, name: "a" });
  });

  test("refuses to read bytes that are not UTF-8", () => {
    expect(() => student.deserialize(Buffer.from([0x22, 0xff, 0x22]), context)).toThrow(/not UTF-8/);
  });

  test("gives back every value of a schema with codecs", () => {
    const schema = z.object({
      at: isoDate,
      amount: bigint,
      tags: z.array(z.string()),
      scores: z.record(z.string(), z.number().nullable()),
      pair: z.tuple([z.boolean(), isoDate]),
      kind: z.discriminatedUnion("type", [
        z.object({ type: z.literal("a"), since: isoDate.optional() }),
        z.object({ type: z.literal("b"), total: bigint.nullable() }),
      ]),
    });
    const serde = json(schema);
    const date = fc.date({ noInvalidDate: true, min: new Date("0000-01-01"), max: new Date("9999-12-31") });
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    // zod drops a key of this name, so such a record is refused.
    const name = fc.string({ unit: "binary" }).filter((text) => text !== "__proto__");
    const value = fc.record(
      {
        at: date,
        amount: fc.bigInt(),
        tags: fc.array(fc.string({ unit: "binary" })),
        scores: fc.dictionary(name, fc.option(number), { noNullPrototype: true }),
        pair: fc.tuple(fc.boolean(), date),
        kind: fc.oneof(
          fc.record(
            { type: fc.constant("a" as const), since: date },
            { requiredKeys: ["type"], noNullPrototype: true },
          ),
          fc.record(
            { type: fc.constant("b" as const), total: fc.option(fc.bigInt()) },
            { noNullPrototype: true },
          ),
        ),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(value, (given) => {
        expect(read(serde, sent(serde, given as z.output<typeof schema>))).toStrictEqual(given);
      }),
    );
  });

  test("gives back every JSON value of z.json()", () => {
    const serde = json(z.json());
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (given) => {
        fc.pre(!JSON.stringify(given).includes("__proto__"));
        const kept: unknown = JSON.parse(JSON.stringify(given));
        expect(read(serde, sent(serde, kept as never))).toStrictEqual(kept);
      }),
    );
  });

  test("refuses an application value that its codec cannot write, naming the field", () => {
    const serde = untyped(json(z.object({ at: isoDate, n: z.object({ amount: bigint }) })));
    expect(() => serde.serialize({ at: "2026-01-01T00:00:00Z", n: { amount: 1 } }, context)).toThrow(
      /at: Invalid input: expected date, received string; n\.amount: Invalid input: expected bigint/,
    );
    expect(() => serde.serialize({ at: new Date(NaN), n: { amount: 1n } }, context)).toThrow(/at: /);
  });

  test("uses the schema's own message in both directions", () => {
    const serde = untyped(
      json(z.object({ at: isoDate.refine((date) => date.getTime() > 0, "must be after 1970") })),
    );
    expect(() => serde.serialize({ at: new Date(-1) }, context)).toThrow("at: must be after 1970");
    const plain = untyped(json(z.object({ a: z.string("a text, please"), b: z.string().default("") })));
    expect(() => plain.serialize({ a: 1, b: "" }, context)).toThrow("a: a text, please");
  });

  test("does not fill in a default or a catch on the way out, but on the way in", () => {
    const serde = json(z.object({ a: z.string().default("x"), b: z.number().catch(0) }));
    expect(sent(serde, { a: "y", b: 1 })).toBe('{"a":"y","b":1}');
    expect(() => untyped(serde).serialize({ b: 1 }, context)).toThrow(/a: /);
    expect(() => untyped(serde).serialize({ a: "y", b: "1" }, context)).toThrow(/b: /);
    expect(read(serde, '{"b":"1"}')).toEqual({ a: "x", b: 0 });
  });

  test("does not freeze what it is given", () => {
    const tags = { list: ["a"] };
    const serde = json(z.object({ tags: z.unknown().readonly() }).readonly());
    expect(sent(serde, { tags })).toBe('{"tags":{"list":["a"]}}');
    expect(Object.isFrozen(tags)).toBe(false);
  });

  test("works with zod mini", () => {
    const serde = json(
      mini.object({
        at: mini.codec(mini.string(), mini.date(), {
          decode: (text) => new Date(text),
          encode: (date) => date.toISOString(),
        }),
      }),
    );
    const at = new Date(0);
    expect(read(serde, sent(serde, { at }))).toEqual({ at });
    expect(() => untyped(serde).serialize({ at: "x" }, context)).toThrow(/^at: /);
  });

  test("keeps every digit of an integer that travels as a string; one that is too large for a number is refused by z.int()", () => {
    expect(read(json(bigint), '"9007199254740993"')).toBe(9_007_199_254_740_993n);
    expect(() => read(json(z.int()), "9007199254740993")).toThrow("Too big");
    expect(read(json(z.number()), "9007199254740993")).toBe(2 ** 53);
  });

  test("works with recursive schemas", () => {
    const category = z.object({
      name: z.string(),
      get children() {
        return z.array(category);
      },
    });
    const serde = json(category);
    const value = { name: "a", children: [{ name: "b", children: [] }] };
    expect(read(serde, sent(serde, value))).toEqual(value);
  });
});

describe("what no schema proves", () => {
  const anything = untyped(json(z.object({ a: z.unknown() })));
  test.each([
    ["a: NaN is not JSON", NaN],
    ["a: Infinity is not JSON", Infinity],
    ["a: a bigint is not JSON", 1n],
    ["a: a function is not JSON", () => 1],
    ["a: a symbol is not JSON", Symbol("s")],
    ["a: a Date is not JSON", new Date(0)],
    ["a: a Map is not JSON", new Map()],
    ["a: a Set is not JSON", new Set()],
    ["a: a RegExp is not JSON", /x/],
    ["a: a Buffer is not JSON", Buffer.of(1)],
    ["a: a URL is not JSON", new URL("http://x")],
    ["a[1]: undefined is not JSON", [1, undefined]],
    ["a.b[0].c: NaN is not JSON", { b: [{ c: NaN }] }],
    ["a.x: a Date is not JSON", Object.assign(Object.create(null) as object, { x: new Date(0) })],
  ])("is refused where it would be lost: %s", (message, a) => {
    expect(() => anything.serialize({ a }, context)).toThrow(message);
  });

  test("passes where it is JSON", () => {
    expect(sent(anything, { a: { list: [1, "x", null, true, -0], point: { x: 1 } } })).toBe(
      '{"a":{"list":[1,"x",null,true,-0],"point":{"x":1}}}',
    );
  });

  test("is refused where it holds itself", () => {
    const a: Record<string, unknown> = {};
    a["a"] = a;
    expect(() => anything.serialize({ a }, context)).toThrow();
  });
});

describe("schemas of other vendors", () => {
  test("work with valibot", () => {
    const serde = json(v.object({ id: v.number(), note: v.optional(v.string()) }));
    expect(read(serde, sent(serde, { id: 1 }))).toEqual({ id: 1 });
    expect(sent(serde, { id: 1, extra: 2 } as { id: number })).toBe('{"id":1}');
    expect(() => untyped(serde).serialize({ id: "1" }, context)).toThrow(
      /^id: Invalid type: Expected number/,
    );
    expect(() => serde.serialize({ id: Infinity }, context)).toThrow(/^id: Infinity is not JSON/);
    expect(() => read(serde, "{}")).toThrow(/^id: /);
  });

  test("work with arktype, whose schemas are functions", () => {
    const serde = json(type({ id: "number.integer", "tags?": "string[]" }));
    expect(read(serde, sent(serde, { id: 1, tags: ["a"] }))).toEqual({ id: 1, tags: ["a"] });
    expect(() => read(serde, '{"id":1,"tags":[1]}')).toThrow(/^tags\[0\]: /);
  });

  test("may be asynchronous", async () => {
    const serde = json(
      v.objectAsync({
        id: v.pipeAsync(
          v.number(),
          v.checkAsync(async (id) => Promise.resolve(id > 0), "over 0"),
        ),
      }),
    );
    const bytes = serde.serialize({ id: 1 }, context);
    expect(bytes).toBeInstanceOf(Promise);
    await expect(serde.deserialize(await bytes, context)).resolves.toEqual({ id: 1 });
    await expect(serde.serialize({ id: 0 }, context)).rejects.toThrow("id: over 0");
  });
});

describe("asynchronous zod schemas", () => {
  test("are awaited in both directions, with and without a codec", async () => {
    for (const at of [isoDate, z.iso.datetime()]) {
      const serde = untyped(json(z.object({ at }).refine(async () => Promise.resolve(true))));
      const given = { at: at === isoDate ? new Date(0) : new Date(0).toISOString() };
      for (let round = 0; round < 2; round++) {
        const bytes = await serde.serialize(given, context);
        expect(bytes.toString()).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
        await expect(serde.deserialize(bytes, context)).resolves.toEqual(given);
      }
      expect(() => serde.serialize({ at: 1 }, context)).toThrow(/at: /);
    }
  });

  test("may have asynchronous codecs", async () => {
    const serde = json(
      z.object({
        at: z.codec(z.string(), z.date(), {
          decode: async (text) => Promise.resolve(new Date(text)),
          encode: async (date) => Promise.resolve(date.toISOString()),
        }),
      }),
    );
    const at = new Date(0);
    for (let round = 0; round < 2; round++) {
      const bytes = await serde.serialize({ at }, context);
      await expect(serde.deserialize(bytes, context)).resolves.toEqual({ at });
    }
  });
});
