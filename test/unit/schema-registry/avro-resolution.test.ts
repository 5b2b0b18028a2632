import { readFileSync } from "node:fs";
import avsc from "avsc";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { avro } from "../../../src/schema-registry/avro.js";
import { AvroInput } from "../../../src/schema-registry/avro-input.js";
import { resolve } from "../../../src/schema-registry/avro-resolution.js";
import { AvroTypes } from "../../../src/schema-registry/avro-types.js";
import { schemaRegistry } from "../../../src/schema-registry/registry.js";
import { SerdeFailure } from "../../../src/serde/failure.js";
import { startFakeRegistry } from "../../support/fake-registry.js";
import { failureOf, roundTrip, value } from "./context.js";

const fake = await startFakeRegistry();
afterAll(() => fake[Symbol.asyncDispose]());
const types = new AvroTypes("number");
const plain = (schema: unknown, options = {}) =>
  avro(schemaRegistry({ url: fake.url }), schema as object, z.unknown(), options);

/** Reads bytes that have no header. */
function read(writer: unknown, reader: unknown, bytes: Buffer): unknown {
  const input = new AvroInput(bytes, 0);
  const given = resolve(types.typeOf(writer), types.typeOf(reader)).read(input);
  expect(input.left).toBe(0);
  return given;
}

let names = 0;
/** Bytes as another client writes them under this schema. */
function written(schema: unknown, given: unknown): Buffer {
  const id = fake.register(`written-${(names += 1)}`, schema as object);
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return Buffer.concat([header, avsc.Type.forSchema(schema as never).toBuffer(given)]);
}

interface Reading {
  readonly what: string;
  readonly writer: unknown;
  readonly reader: unknown;
  readonly bytes: string;
  readonly java: { readonly value?: unknown };
  readonly python: { readonly value?: unknown };
}

describe("the same bytes are read as Apache Avro for Java reads them, and fastavro for Python", () => {
  const lines = readFileSync(new URL("./avro-readings.jsonl", import.meta.url), "utf8")
    .trim()
    .split("\n");
  const readings = lines.map((line) => JSON.parse(line) as Reading);
  test.each(readings.map((each) => [each.what, each.bytes, each] as const))("%s (%s)", (_, __, each) => {
    const bytes = Buffer.from(each.bytes, "hex");
    // Where they differ, Java is right: fastavro rounds no float, and renames no field that another one is named like.
    const expected = [each.java, each.python].find((reading) => "value" in reading);
    if (expected === undefined) expect(() => read(each.writer, each.reader, bytes)).toThrow(SerdeFailure);
    else expect(comparable(read(each.writer, each.reader, bytes))).toEqual(comparable(expected.value));
  });

  /** Bytes as hexadecimal text, union values unwrapped, properties in one order. */
  function comparable(given: unknown): unknown {
    if (typeof given !== "object" || given === null) return given;
    if (Buffer.isBuffer(given)) return [["bytes", given.toString("hex")]];
    if (Array.isArray(given)) return given.map(comparable);
    const entries = Object.entries(given);
    const [only] = entries;
    if (entries.length === 1 && only !== undefined && /^(shop\.\w+|int|long|double)$/.test(only[0]))
      return comparable(only[1]);
    return entries
      .map(([name, item]) => [name, comparable(item)] as const)
      .sort(([one], [other]) => (one < other ? -1 : 1));
  }
});

describe("what cannot be read", () => {
  const state = (symbols: readonly string[]) => ({ type: "enum", name: "shop.State", symbols });
  const order = (line: unknown) => ({
    type: "record",
    name: "shop.Order",
    fields: [
      {
        name: "lines",
        type: {
          type: "array",
          items: { type: "record", name: "shop.Line", fields: [{ name: "f", type: line }] },
        },
      },
    ],
  });
  const orderOf = (...lines: unknown[]) => ({ lines: lines.map((f) => ({ f })) });

  test.each([
    [
      "a symbol",
      state(["A", "C"]),
      state(["A"]),
      "A",
      "C",
      /the symbol C is not one of shop.State: add it, or give the enum a default/,
    ],
    [
      "a branch",
      ["null", "int"],
      "int",
      { int: 1 },
      null,
      /null was written, which cannot be read as int: make it nullable/,
    ],
    [
      "a type",
      ["int", "string"],
      "int",
      { int: 1 },
      { string: "x" },
      /string was written, which cannot be read as int: add string/,
    ],
    ["a long", "long", "long", 1, 2 ** 53 - 1, undefined],
  ])(
    "%s: its value alone is invalid, and the error names the path and what to do",
    async (_, writer, reader, good, bad, message) => {
      const writerType = avsc.Type.forSchema(order(writer) as never, { wrapUnions: Array.isArray(writer) });
      const bytes = (...lines: unknown[]): Buffer => {
        const id = fake.register("orders", order(writer));
        return Buffer.concat([Buffer.from([0, 0, 0, 0, id]), writerType.toBuffer(orderOf(...lines))]);
      };
      const serde = plain(order(reader));
      const unwrapped = typeof good === "object" ? Object.values(good)[0] : good;
      expect(await serde.deserialize(bytes(good), value)).toEqual(orderOf(unwrapped));
      if (message === undefined) return;
      const error = await failureOf(() => serde.deserialize(bytes(good, bad), value));
      expect(error.message).toMatch(message);
      expect(error.message).toMatch(/^lines\[1\]\.f: what was written with schema id \d+ cannot be read/);
      expect(await serde.deserialize(bytes(good, good), value)).toEqual(orderOf(unwrapped, unwrapped));
    },
  );

  test("a long beyond 2^53 is an error with its path, and is no matter where nobody reads it", () => {
    const writer = order("long");
    const bytes = Buffer.from("02feffffffffffffffff0100", "hex");
    expect(() =>
      read(
        writer,
        { ...order("long"), fields: [...order("long").fields, { name: "x", type: "int", default: 0 }] },
        bytes,
      ),
    ).toThrow(/lines\[0\]\.f: a long beyond 2\^53 was written: read it with \{ longs: "bigint" \}/);
    expect(read(writer, { type: "record", name: "Order", fields: [] }, bytes)).toEqual({});
  });

  test("bytes that are cut off, or go on, or are none of Avro's", async () => {
    const serde = plain({
      type: "record",
      name: "shop.N",
      fields: [
        { name: "n", type: "string" },
        { name: "more", type: "int", default: 0 },
      ],
    });
    const bytes = written(
      { type: "record", name: "shop.N", fields: [{ name: "n", type: "string" }] },
      { n: "abc" },
    );
    expect(await serde.deserialize(bytes, value)).toEqual({ n: "abc", more: 0 });
    expect(() => serde.deserialize(bytes.subarray(0, -1), value)).toThrow(/cut off/);
    expect(() => serde.deserialize(Buffer.concat([bytes, bytes]), value)).toThrow(/left over/);
    const nulls = { type: "array", items: "null" };
    const endless = Buffer.from("feffffffffffffffff01", "hex");
    expect(() => read(nulls, nulls, endless)).toThrow();
    expect(() =>
      read({ type: "array", items: "string" }, { type: "array", items: "bytes" }, endless),
    ).toThrow();
    expect(() => read(["null", "int"], "int", Buffer.from([8]))).toThrow(/no branch 4/);
  });

  test("with registration latest, a value that this schema could not read again is refused", async () => {
    fake.register("latest-state", state(["A", "C"]));
    const serde = plain(state(["A"]), { registration: "latest", subject: () => "latest-state" });
    expect(await roundTrip(serde, "A")).toBe("A");
    expect((await failureOf(() => serde.serialize("C", value))).message).toMatch(
      /what the subject's latest schema \(id \d+\) writes cannot be read as the topic's Avro schema: the symbol C/,
    );
  });
});

test("a long of 53 bits keeps its last digit and its sign, which avsc loses", async () => {
  const long = { type: "record", name: "shop.L", fields: [{ name: "f", type: ["null", "long"] }] };
  const serde = plain(long);
  const big = plain(long, { longs: "bigint" });
  for (const f of [2 ** 52, 2 ** 53 - 1, -(2 ** 52), -(2 ** 52) - 1, -(2 ** 53) + 1]) {
    for (let times = 0; times < 2; times++) expect(await roundTrip(serde, { f })).toEqual({ f });
    const bytes = await serde.serialize({ f }, value);
    expect(await big.deserialize(bytes, value)).toEqual({ f: BigInt(f) });
    expect(bytes).toEqual(await big.serialize({ f: BigInt(f) }, value));
  }
});

describe("names", () => {
  const inherited = ["constructor", "toString", "hasOwnProperty", "__proto__", "isPrototypeOf", "prototype"];
  const record = (fields: readonly object[]) => ({ type: "record", name: "shop.Named", fields });
  const own = (name: string, property: unknown) => Object.fromEntries([[name, property]]);

  test.each(inherited)(
    "a field named %s goes and comes back, as the first record and later",
    async (name) => {
      const serde = plain(record([{ name, type: "int" }]));
      for (let times = 0; times < 2; times++) {
        const back = await roundTrip(serde, own(name, 5));
        expect(Object.entries(back as object)).toEqual([[name, 5]]);
      }
      expect(() => serde.serialize({}, value)).toThrow(SerdeFailure);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    },
  );

  test.each(inherited)("a field named %s that is left out has its default", async (name) => {
    const serde = plain(
      record([
        { name, type: "int", default: 3 },
        { name: "list", type: { type: "array", items: "int" } },
      ]),
    );
    for (let times = 0; times < 2; times++)
      expect(Object.entries((await roundTrip(serde, { list: [1] })) as object)).toEqual([
        [name, 3],
        ["list", [1]],
      ]);
  });

  test.each(inherited)("a map's key %s goes and comes back", async (name) => {
    const serde = plain({ type: "map", values: { type: "map", values: "int" } });
    const given = Object.fromEntries([
      [name, own(name, 1)],
      ["other", { a: 2 }],
    ]);
    for (let times = 0; times < 2; times++) {
      const back = (await roundTrip(serde, given)) as object;
      expect(Object.entries(back).map(([key, item]) => [key, Object.entries(item as object)])).toEqual([
        [name, [[name, 1]]],
        ["other", [["a", 2]]],
      ]);
      expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    }
  });

  test.each(inherited)(
    "%s is no symbol of an enum without it, and no field of a record without it",
    async (name) => {
      const symbols = plain({ type: "enum", name: "shop.State", symbols: ["A"] });
      expect(await failureOf(() => symbols.serialize(name, value))).toBeInstanceOf(SerdeFailure);
      const fields = plain(record([{ name: "a", type: "int" }]));
      const given = { a: 1, ...own(name, 5) };
      Object.defineProperty(given, name, { value: 5, enumerable: true });
      expect((await failureOf(() => fields.serialize(given, value))).message).toContain(
        `${name}: no such field`,
      );
      const union = plain([record([{ name: "a", type: "int" }]), { ...record([]), name: "shop.Other" }]);
      expect(await failureOf(() => union.serialize(own(name, {}), value))).toBeInstanceOf(SerdeFailure);
    },
  );

  test("symbols that every object inherits go and come back, alone and in unions, and as another enum's", async () => {
    const state = (symbols: readonly string[], more = {}) => ({
      type: "enum",
      name: "shop.S",
      symbols,
      ...more,
    });
    const symbols = ["toString", "A", "constructor", "__proto__"];
    const serde = plain({ type: "array", items: ["null", state(symbols)] });
    for (let times = 0; times < 2; times++)
      expect(await roundTrip(serde, [null, ...symbols])).toEqual([null, ...symbols]);
    expect((await failureOf(() => serde.serialize(["valueOf"], value))).message).toMatch(
      /expected Avro's .*shop.S/,
    );
    const fewer = { type: "array", items: state(["constructor", "B"], { default: "constructor" }) };
    const bytes = await serde.serialize(["__proto__", "A", "constructor"], value);
    expect(await plain(fewer).deserialize(bytes, value)).toEqual([
      "constructor",
      "constructor",
      "constructor",
    ]);
  });

  test("names of Java's inner classes are read, although avsc knows none with a $", async () => {
    const type = {
      type: "record",
      name: "Inner",
      namespace: "shop.Outer$",
      fields: [{ name: "f", type: "int" }],
    };
    const bytes = Buffer.from([0, 0, 0, 0, fake.register("inner", type), 4]);
    expect(await plain({ ...type, namespace: "shop" }).deserialize(bytes, value)).toEqual({ f: 2 });
  });

  test("a record is an object like any other", async () => {
    const back = await roundTrip(plain(record([{ name: "a", type: "int" }])), { a: 1 });
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    const evolved = plain(record([{ name: "a", type: "long" }]));
    const read = await evolved.deserialize(written(record([{ name: "a", type: "int" }]), { a: 1 }), value);
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });
});

test("defaults of a writer that avsc does not allow are no matter to a reader", async () => {
  const type = {
    type: "record",
    name: "shop.D",
    fields: [{ name: "f", type: ["null", "string"], default: "x" }],
  };
  const bytes = Buffer.from([0, 0, 0, 0, fake.register("defaults", type), 2, 2, 0x78]);
  const serde = plain({ type: "record", name: "shop.D", fields: [{ name: "f", type: "string" }] });
  expect(await serde.deserialize(bytes, value)).toEqual({ f: "x" });
});

describe("logical types", () => {
  const millis = { type: "long", logicalType: "timestamp-millis" };
  const decimal = (type: object) => ({ ...type, logicalType: "decimal", precision: 9, scale: 2 });
  const at = (type: unknown) => ({ type: "record", name: "shop.At", fields: [{ name: "at", type }] });
  const wide = (type: unknown) => ({
    ...at(type),
    fields: [...at(type).fields, { name: "more", type: "int", default: 0 }],
  });

  test.each([
    ["made nullable", ["null", millis], millis, 5, new Date(5)],
    ["nullable no more", millis, ["null", millis], 5, new Date(5)],
    ["written without it", "long", millis, 5, new Date(5)],
    ["written as an int", "int", millis, 5, new Date(5)],
    ["read without it", ["null", millis], ["null", "double"], 5, 5],
    [
      "a decimal of another size",
      decimal({ type: "fixed", name: "D", size: 4 }),
      decimal({ type: "bytes" }),
      Buffer.from([0, 0, 4, 1]),
      "10.25",
    ],
  ])("%s", async (_, writer, reader, given, expected) => {
    const bytes = written(at(writer), { at: given });
    expect(await plain(wide(reader)).deserialize(bytes, value)).toEqual({ at: expected, more: 0 });
  });

  test("bigints: longs, what is promoted to them, and what they are promoted to", async () => {
    const bytes = written(at("int"), { at: 5 });
    expect(await plain(wide(["null", "long"]), { longs: "bigint" }).deserialize(bytes, value)).toEqual({
      at: 5n,
      more: 0,
    });
    const long = written(at(["null", "long"]), { at: 5 });
    expect(await plain(wide("long"), { longs: "bigint" }).deserialize(long, value)).toEqual({
      at: 5n,
      more: 0,
    });
    expect(await plain(wide("double"), { longs: "bigint" }).deserialize(long, value)).toEqual({
      at: 5,
      more: 0,
    });
    expect(await plain(wide(millis), { longs: "bigint" }).deserialize(long, value)).toEqual({
      at: new Date(5),
      more: 0,
    });
  });
});

/** A type as it is written and as it is read, and values with what they are read as. */
interface Evolved {
  readonly writer: unknown;
  readonly reader: unknown;
  readonly values: fc.Arbitrary<{ readonly written: unknown; readonly read: unknown }>;
}

test("a schema that evolved, whatever its changes: what the value says is what is read", () => {
  const same = (
    type: string,
    values: fc.Arbitrary<unknown>,
    reader = type,
    read = (v: unknown): unknown => v,
  ) =>
    fc.constant<Evolved>({
      writer: type,
      reader,
      values: values.map((v) => ({ written: v, read: read(v) })),
    });
  const int = fc.integer();
  const long = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
  const bytes = fc.uint8Array().map((each) => Buffer.from(each));
  const float = fc.float({ noNaN: true });
  const double = fc.double({ noNaN: true });
  const text = fc.string({ unit: "grapheme" });
  const leaf = fc.oneof(
    same("null", fc.constant(null)),
    same("boolean", fc.boolean()),
    same("int", int),
    same("int", int, "long"),
    same("int", int, "float", (n) => Math.fround(n as number)),
    same("int", int, "double"),
    same("long", long),
    same("long", long, "double"),
    same("float", float),
    same("float", float, "double"),
    same("double", double),
    same("string", text),
    same("string", text, "bytes", (t) => Buffer.from(t as string)),
    same("bytes", bytes),
    same(
      "bytes",
      text.map((t) => Buffer.from(t)),
      "string",
      (b) => String(b),
    ),
    fc
      .record({ known: fc.uniqueArray(fc.constantFrom("A", "B", "C"), { minLength: 1 }), by: fc.boolean() })
      .map(({ known, by }): Evolved => {
        const name = `shop.Enum${(names += 1)}`;
        const [byDefault = "A"] = known;
        const writer = { type: "enum", name, symbols: [...known, "NEW"].reverse() };
        const reader = {
          type: "enum",
          name: name.slice(5),
          symbols: known,
          ...(by && { default: byDefault }),
        };
        const symbols = fc.constantFrom(...known, ...(by ? ["NEW"] : []));
        return {
          writer,
          reader,
          values: symbols.map((s) => ({ written: s, read: s === "NEW" ? byDefault : s })),
        };
      }),
  );
  const fieldNames = fc.uniqueArray(fc.constantFrom("a", "b", "constructor", "toString", "__proto__", "c"), {
    minLength: 1,
    maxLength: 4,
  });
  const isNull = ({ writer, reader }: Evolved): boolean =>
    [writer, reader].some((type) => type === "null" || Array.isArray(type));

  function evolved(depth: number): fc.Arbitrary<Evolved> {
    if (depth === 0) return leaf;
    const inner = evolved(depth - 1);
    const branch = inner.filter((each) => !isNull(each));
    const wrapped = ({ writer, values }: Evolved): Evolved["values"] => {
      const name = avsc.Type.forSchema(writer as never).branchName ?? "";
      return values.map(({ written: v, read: r }) => ({ written: { [name]: v }, read: r }));
    };
    return fc.oneof(
      leaf,
      branch.map((each) => ({ writer: ["null", each.writer], reader: each.reader, values: wrapped(each) })),
      branch.map((each) => ({ writer: each.writer, reader: [each.reader, "null"], values: each.values })),
      branch.map((each) => ({
        writer: [{ type: "fixed", name: `shop.New${(names += 1)}`, size: 1 }, each.writer, "null"],
        reader: ["null", each.reader],
        values: fc.oneof(wrapped(each), fc.constant({ written: null, read: null })),
      })),
      inner.map((each) => ({
        writer: { type: "array", items: each.writer },
        reader: { type: "array", items: each.reader },
        values: fc
          .array(each.values, { maxLength: 3 })
          .map((list) => ({ written: list.map((v) => v.written), read: list.map((v) => v.read) })),
      })),
      inner.map((each) => ({
        writer: { type: "map", values: each.writer },
        reader: { type: "map", values: each.reader },
        values: fc
          .uniqueArray(fc.tuple(fc.oneof(text, fc.constant("__proto__")), each.values), {
            maxLength: 3,
            selector: ([key]) => key,
          })
          .map((entries) => ({
            written: Object.fromEntries(entries.map(([key, v]) => [key, v.written])),
            read: Object.fromEntries(entries.map(([key, v]) => [key, v.read])),
          })),
      })),
      fc
        .record({
          fields: fieldNames.chain((list) =>
            fc.tuple(...list.map((name) => fc.tuple(fc.constant(name), inner, fc.boolean()))),
          ),
          turned: fc.boolean(),
        })
        .map(({ fields, turned }): Evolved => {
          const name = `Record${(names += 1)}`;
          const readNames = fields.map(([field, , renamed]) => (renamed ? `${field}_` : field));
          const writerFields = fields.map(([field, { writer }]) => ({ name: field, type: writer }));
          const readerFields = fields.map(([field, { reader }, renamed], index) => ({
            name: readNames[index],
            type: reader,
            ...(renamed && { aliases: [field] }),
          }));
          const writer = {
            type: "record",
            name: `old.${name}`,
            fields: [{ name: "gone", type: { type: "array", items: "string" } }, ...writerFields],
          };
          const reader = {
            type: "record",
            name: `New${name}`,
            aliases: [`old.${name}`],
            fields: [
              ...(turned ? readerFields.reverse() : readerFields),
              { name: "valueOf", type: { type: "map", values: "int" }, default: { x: 1 } },
            ],
          };
          const values = fc
            .tuple(fc.array(text), ...fields.map(([, each]) => each.values))
            .map(([gone, ...list]) => ({
              written: Object.fromEntries([
                ["gone", gone],
                ...fields.map(([field], index) => [field, list[index]?.written]),
              ]),
              read: Object.fromEntries([
                ...readNames.map((field, index) => [field, list[index]?.read] as const),
                ["valueOf", { x: 1 }],
              ]),
            }));
          return { writer, reader, values };
        }),
    );
  }

  const cases = evolved(3).chain(({ writer, reader, values }) =>
    values.map((each) => ({ writer, reader, ...each })),
  );
  fc.assert(
    fc.property(cases, ({ writer, reader, written: given, read: expected }) => {
      const encoded = avsc.Type.forSchema(writer as never, { wrapUnions: true }).toBuffer(given);
      const actual = read(writer, reader, encoded);
      expect(actual).toEqual(expected);
      // What is read can be written as the reader's, and read as itself.
      const own = types.typeOf(reader);
      expect(read(reader, reader, own.toBuffer(actual))).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});
