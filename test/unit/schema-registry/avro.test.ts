import avsc from "avsc";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../../src/errors.js";
import { avro, type AvroOptions, type AvroSchema } from "../../../src/schema-registry/avro.js";
import { decimalBytes, decimalText } from "../../../src/schema-registry/avro-types.js";
import { schemaRegistry } from "../../../src/schema-registry/registry.js";
import type { SubjectContext } from "../../../src/schema-registry/serde-options.js";
import { startFakeRegistry } from "../../support/fake-registry.js";
import { failureOf, key, roundTrip, value } from "./context.js";

const fake = await startFakeRegistry();
afterAll(() => fake[Symbol.asyncDispose]());
beforeEach(() => {
  fake.fault = () => undefined;
  fake.requests.length = 0;
});
let names = 0;
const record = (fields: readonly object[], name = `Record${(names += 1)}`) => ({
  type: "record",
  name,
  namespace: "school",
  fields,
});
const student = record(
  [
    { name: "id", type: "long" },
    { name: "name", type: "string" },
  ],
  "Student",
);
const studentType = z.object({ id: z.int(), name: z.string() });
const registry = () => schemaRegistry({ url: fake.url });
const students = (options?: AvroOptions) => avro(registry(), student, studentType, options);
/** Without a second opinion, to see what Avro makes of values. */
const plain = (schema: AvroSchema, options?: AvroOptions) => avro(registry(), schema, z.unknown(), options);
/** A serde that reads what another Avro schema wrote. */
const reader = (schema: AvroSchema, options?: AvroOptions) => plain(schema, options);

/** Bytes as another client writes them under this schema. */
function written(schema: object, given: unknown, references?: readonly unknown[]): Buffer {
  const id = fake.register(`writer-${(names += 1)}`, schema, undefined, references);
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return Buffer.concat([header, avsc.Type.forSchema(schema as never).toBuffer(given)]);
}

describe("writing", () => {
  test("is the magic byte, the id and the Avro bytes", async () => {
    const bytes = await students().serialize({ id: 3, name: "Ann" }, value);
    const id = fake.subject("students-value").at(-1)?.id ?? -1;
    expect(bytes).toEqual(Buffer.from([0, 0, 0, 0, id, 6, 6, 0x41, 0x6e, 0x6e]));
  });

  test("asks once for each topic and part, however many ask at the same time, and needs no promise then", async () => {
    const serde = students();
    const given = { id: 1, name: "Ann" };
    await Promise.all(Array.from({ length: 50 }, async () => serde.serialize(given, value)));
    expect(fake.requests).toEqual(["POST /subjects/students-value/versions"]);
    expect(serde.serialize(given, value)).toBeInstanceOf(Buffer);
    expect(serde.serialize(given, { ...value })).toBeInstanceOf(Buffer);
    expect(serde.serialize(given, key)).toBeInstanceOf(Promise);
    expect(serde.serialize(given, { ...value, topic: "others" })).toBeInstanceOf(Promise);
  });

  test("a value that waits for its id is what it was when it was given", async () => {
    const serde = students();
    const given = { id: 1, name: "before" };
    const bytes = serde.serialize(given, value);
    given.name = "after";
    expect(await serde.deserialize(await bytes, value)).toEqual({ id: 1, name: "before" });
  });

  test("a value of any length", async () => {
    const serde = plain("string");
    for (const length of [0, 16_378, 16_379, 16_380, 16_384, 100_000]) {
      const given = "x".repeat(length);
      expect(await roundTrip(serde, given)).toBe(given);
    }
  });

  test("what does not fit the Avro schema names the field, and asks nothing", async () => {
    const nested = record([
      { name: "items", type: { type: "array", items: record([{ name: "count", type: "int" }], "Item") } },
    ]);
    const error = await failureOf(() =>
      plain(nested).serialize({ items: [{ count: 1 }, { count: 1.5 }] }, value),
    );
    expect(error.message).toContain("items[1].count: expected Avro's int, got 1.5");
    expect(fake.requests).toEqual([]);
  });

  test("a field that the Avro schema lacks is refused, first and later: it would not be read again", async () => {
    const serde = plain(student);
    const more = { id: 1, name: "Ann", email: "ann@example.org" };
    expect((await failureOf(() => serde.serialize(more, value))).message).toContain("email: no such field");
    await serde.serialize({ id: 1, name: "Ann" }, value);
    expect((await failureOf(() => serde.serialize(more, value))).message).toContain("email: no such field");
  });

  test("the schema given as the text of a file is the same", async () => {
    const serde = avro(registry(), JSON.stringify(student), studentType);
    expect(await roundTrip(serde, { id: 1, name: "Ann" })).toEqual({ id: 1, name: "Ann" });
  });

  test("a schema that is none is refused when the serde is made", () => {
    expect(() => plain({ type: "record", name: "A", fields: [{ name: "b", type: "Unknown" }] })).toThrow(
      ConfigError,
    );
    expect(() => plain("{")).toThrow(/avroSchema/);
    expect(() => avro(registry(), "string", z.string().transform(Number) as never)).toThrow(/one way/);
    expect(() => students({ longs: "bignum" as never })).toThrow(/longs/);
  });
});

describe("registration", () => {
  test("lookup finds what is there, and registers nothing", async () => {
    const serde = students({ registration: "lookup", subject: () => "looked-up" });
    const error = await failureOf(() => serde.serialize({ id: 1, name: "Ann" }, value));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/subject looked-up does not have this schema/);
    expect(fake.subject("looked-up")).toEqual([]);
    const id = fake.register("looked-up", student);
    expect((await serde.serialize({ id: 1, name: "Ann" }, value)).readInt32BE(1)).toBe(id);
  });

  test("latest writes with the newest schema of the subject", async () => {
    const wider = record([...student.fields, { name: "course", type: "string", default: "none" }], "Student");
    const id = fake.register("latest-subject", wider);
    const serde = students({ registration: "latest", subject: () => "latest-subject" });
    const bytes = await serde.serialize({ id: 1, name: "Ann" }, value);
    expect(bytes.readInt32BE(1)).toBe(id);
    const type = avsc.Type.forSchema(wider as never);
    expect(type.fromBuffer(bytes.subarray(5))).toEqual({ id: 1, name: "Ann", course: "none" });
    expect(serde.serialize({ id: 1, name: "Ann" }, value)).toEqual(bytes);
    expect(await serde.deserialize(bytes, value)).toEqual({ id: 1, name: "Ann" });
  });

  test("latest is refused where this serde could not read again what it wrote, and where there is none", async () => {
    fake.register("narrow", record([{ name: "id", type: "long" }], "Student"));
    const narrow = students({ registration: "latest", subject: () => "narrow" });
    const given = { id: 1, name: "Ann" };
    expect((await failureOf(() => narrow.serialize(given, value))).message).toMatch(
      /name: no such field in the subject's latest schema/,
    );
    const none = students({ registration: "latest", subject: () => "nothing-here" });
    expect(await failureOf(() => none.serialize(given, value))).toBeInstanceOf(ConfigError);
  });

  test("an incompatible schema is an error that names subject and reason", async () => {
    fake.fault = () => ({ status: 409, body: { error_code: 409, message: "READER_FIELD_MISSING: name" } });
    const error = await failureOf(() => students().serialize({ id: 1, name: "Ann" }, value));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/students-value.*not compatible.*READER_FIELD_MISSING/);
  });

  test.each([
    [undefined, "students-value"],
    ["topic", "students-value"],
    ["record", "school.Student"],
    ["topic-record", "students-school.Student"],
    [
      ({ topic, part, recordName }: SubjectContext) => `${topic}/${part}/${recordName ?? ""}`,
      "students/value/school.Student",
    ],
  ] as const)("the subject is made as asked for", async (subject, expected) => {
    await students({ subject, normalize: true }).serialize({ id: 1, name: "Ann" }, value);
    expect(fake.requests).toEqual([`POST /subjects/${encodeURIComponent(expected)}/versions`]);
  });

  test("a schema without a name has no subject by it", () => {
    expect(() => plain("string", { subject: "record" })).toThrow(/subject/);
  });
});

describe("reading", () => {
  test("asks once for each id, however many ask at the same time, and needs no promise then", async () => {
    const bytes = written(student, { id: 1, name: "Ann" });
    const serde = students();
    const all = await Promise.all(Array.from({ length: 50 }, async () => serde.deserialize(bytes, value)));
    expect(all).toEqual(all.map(() => ({ id: 1, name: "Ann" })));
    expect(fake.requests).toHaveLength(1);
    expect(serde.deserialize(bytes, value)).toEqual({ id: 1, name: "Ann" });
  });

  test("what an older and a newer version wrote: defaults, promotions, aliases, fields that are gone", async () => {
    const now = record(
      [
        { name: "id", type: "long" },
        { name: "fullName", aliases: ["name"], type: "string" },
        { name: "course", type: ["null", "string"], default: null },
      ],
      "Student",
    );
    const serde = reader(now);
    const old = record(
      [
        { name: "id", type: "int" },
        { name: "name", type: "string" },
      ],
      "Student",
    );
    expect(await serde.deserialize(written(old, { id: 7, name: "Ann" }), value)).toEqual({
      id: 7,
      fullName: "Ann",
      course: null,
    });
    const newer = record([...now.fields, { name: "level", type: "int" }], "Student");
    const bytes = written(newer, { id: 7, fullName: "Ann", course: "Data", level: 3 });
    expect(await serde.deserialize(bytes, value)).toEqual({ id: 7, fullName: "Ann", course: "Data" });
  });

  test("what cannot be resolved is an error with the id and the reason, and is worked out once", async () => {
    const bytes = written(record([{ name: "id", type: "string" }], "Student"), { id: "x" });
    const serde = students();
    const error = await failureOf(() => serde.deserialize(bytes, value));
    expect(error.message).toMatch(new RegExp(`schema id ${bytes.readInt32BE(1)} cannot be read.*: `));
    expect(error).not.toBeInstanceOf(ConfigError);
    expect(() => serde.deserialize(bytes, value)).toThrow(error.message);
  });

  test("a schema that refers to others is put together", async () => {
    const course = record([{ name: "title", type: "string" }], "Course");
    fake.register("courses", course);
    const whole = record([{ name: "course", type: course }], "Enrolment");
    const bytes = written(whole, { course: { title: "Data" } });
    const id = fake.register(
      "enrolments",
      record([{ name: "course", type: "school.Course" }], "Enrolment"),
      undefined,
      [{ name: "school.Course", subject: "courses", version: 1 }],
    );
    bytes.writeInt32BE(id, 1);
    expect(await reader(whole).deserialize(bytes, value)).toEqual({ course: { title: "Data" } });
    expect(fake.requests).toEqual([`GET /schemas/ids/${id}`, "GET /subjects/courses/versions/1"]);
  });

  test("an id that is not there says so, and is asked for again with the next record", async () => {
    const serde = students();
    const bytes = Buffer.from([0, 0, 0, 0x27, 0x0f, 2]);
    expect((await failureOf(() => serde.deserialize(bytes, value))).message).toMatch(
      /schema id 9999 is not in/,
    );
    await failureOf(() => serde.deserialize(bytes, value));
    expect(fake.requests).toHaveLength(2);
  });

  test("bytes of another format, cut off, or too many", async () => {
    const serde = students();
    const bytes = written(student, { id: 1, name: "Ann" });
    await serde.deserialize(bytes, value);
    expect(() => serde.deserialize(Buffer.from('{"id":1}'), value)).toThrow(/do not begin with 0/);
    expect(() => serde.deserialize(bytes.subarray(0, -1), value)).toThrow(/cut off/);
    expect(() => serde.deserialize(Buffer.concat([bytes, Buffer.from([0])]), value)).toThrow(/left over/);
    const id = fake.register("json", "{}", "JSON");
    const other = Buffer.from([0, 0, 0, 0, id, 2]);
    expect((await failureOf(() => serde.deserialize(other, value))).message).toMatch(/JSON, not of Avro/);
  });

  test("what was read is no view of the record's bytes", async () => {
    const bytes = written({ type: "bytes" }, Buffer.from("abc"));
    const read = (await reader("bytes").deserialize(bytes, value)) as Buffer;
    bytes.fill(0);
    expect(read.toString()).toBe("abc");
  });
});

describe("values", () => {
  const milliseconds = { type: "long", logicalType: "timestamp-millis" };

  test.each([
    ["a Date", milliseconds, new Date(1_700_000_000_123)],
    ["a local time", { type: "long", logicalType: "local-timestamp-millis" }, new Date(1)],
    ["a day", { type: "int", logicalType: "date" }, new Date("2026-02-28T00:00:00Z")],
    ["a decimal", { type: "bytes", logicalType: "decimal", precision: 10, scale: 2 }, "-12345.60"],
    [
      "a decimal of fixed size",
      { type: "fixed", name: "D", size: 6, logicalType: "decimal", precision: 12, scale: 3 },
      "-1.005",
    ],
    ["microseconds", { type: "long", logicalType: "timestamp-micros" }, 1_700_000_000_123_456],
    ["a uuid", { type: "string", logicalType: "uuid" }, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
    ["bytes", "bytes", Buffer.from([0, 255])],
    ["a fixed", { type: "fixed", name: "F", size: 2 }, Buffer.from([1, 2])],
    ["an enum", { type: "enum", name: "E", symbols: ["LOW", "HIGH"] }, "HIGH"],
    ["a map", { type: "map", values: "int" }, { a: 1, b: 2 }],
    ["a union's value", ["null", "string", milliseconds], new Date(5)],
    ["a union's null", ["null", "string"], null],
    [
      "a union of records",
      [record([{ name: "a", type: "int" }], "A"), record([{ name: "b", type: "int" }], "B")],
      { "school.B": { b: 1 } },
    ],
  ])("%s goes and comes back", async (_, schema, given) => {
    const serde = plain(schema);
    expect(await roundTrip(serde, given)).toEqual(given);
    expect(await roundTrip(serde, given)).toEqual(given);
  });

  test.each([
    ["a day with a time", { type: "int", logicalType: "date" }, new Date("2026-02-28T00:00:01Z")],
    ["a Date that is none", milliseconds, new Date(NaN)],
    [
      "more digits than the precision",
      { type: "bytes", logicalType: "decimal", precision: 3, scale: 2 },
      "12.50",
    ],
    [
      "more digits than the scale",
      { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 },
      "1.005",
    ],
    ["a decimal as a number", { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 }, 1.5],
    ["a long beyond 2^53", "long", 2 ** 53 + 2],
    ["a bigint without the option", "long", 1n],
  ])("%s is refused", async (_, schema, given) => {
    expect((await failureOf(() => plain(schema).serialize(given, value))).message).toMatch(/expected Avro's/);
  });

  test("longs beyond 2^53 are whole as bigint, and refused as number", async () => {
    const bytes = Buffer.concat([
      written({ type: "long" }, 0).subarray(0, 5),
      Buffer.from("feffffffffffffffff01", "hex"),
    ]);
    const big = plain("long", { longs: "bigint" });
    expect(await big.deserialize(bytes, value)).toBe(2n ** 63n - 1n);
    expect(await failureOf(() => plain("long").deserialize(bytes, value))).toBeInstanceOf(Error);
    for (const given of [-(2n ** 63n), -1n, 0n, 2n ** 53n + 1n])
      expect(await roundTrip(big, given)).toBe(given);
    expect(await failureOf(() => big.serialize(2n ** 63n, value))).toBeInstanceOf(Error);
    const nullable = plain(["null", "long"], { longs: "bigint" });
    expect(await roundTrip(nullable, 5n)).toBe(5n);
    expect(await roundTrip(nullable, null)).toBeNull();
    expect(await roundTrip(plain(milliseconds, { longs: "bigint" }), new Date(5))).toEqual(new Date(5));
  });

  test("a logical type is read from what was written without it, but not from another unit or scale", async () => {
    const at = (type: unknown) => record([{ name: "at", type }], "Event");
    const dates = reader(at(milliseconds));
    expect(await dates.deserialize(written(at("long"), { at: 5 }), value)).toEqual({ at: new Date(5) });
    const micros = written(at({ type: "long", logicalType: "timestamp-micros" }), { at: 5 });
    expect((await failureOf(() => dates.deserialize(micros, value))).message).toMatch(/cannot be read/);
    const nullable = record(
      [
        { name: "at", type: ["null", milliseconds] },
        { name: "more", type: "int" },
      ],
      "Event",
    );
    const bytes = written(nullable, { at: 5, more: 1 });
    expect(await reader(at(["null", milliseconds])).deserialize(bytes, value)).toEqual({ at: new Date(5) });
    const numbers = reader(at("long"));
    expect(await numbers.deserialize(written(at(milliseconds), { at: 5 }), value)).toEqual({ at: 5 });

    const amount = (scale: number) => at({ type: "bytes", logicalType: "decimal", precision: 9, scale });
    const cents = written(amount(2), { at: Buffer.from([1, 0]) });
    expect(await reader(amount(2)).deserialize(cents, value)).toEqual({ at: "2.56" });
    expect((await failureOf(() => reader(amount(3)).deserialize(cents, value))).message).toMatch(
      /cannot be read/,
    );
  });

  test("zod codecs make something else of them", async () => {
    const epoch = z.codec(z.date(), z.number(), {
      decode: (date) => date.getTime(),
      encode: (ms) => new Date(ms),
    });
    const serde = avro(registry(), record([{ name: "at", type: milliseconds }]), z.object({ at: epoch }));
    expect(await roundTrip(serde, { at: 5 })).toEqual({ at: 5 });
  });

  test("decimals come back as they went, whatever they are", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
        fc.nat({ max: 12 }),
        (unscaled, scale) => {
          const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
          const whole = `${unscaled < 0n ? "-" : ""}${digits.slice(0, digits.length - scale)}`;
          const text = scale === 0 ? whole : `${whole}.${digits.slice(-scale)}`;
          const bytes = decimalBytes(text, 40, scale, undefined);
          expect(bytes && decimalText(bytes, scale)).toBe(text);
          const fixed = decimalBytes(text, 40, scale, 16);
          expect(fixed?.length).toBe(16);
          expect(fixed && decimalText(fixed, scale)).toBe(text);
        },
      ),
    );
  });
});
