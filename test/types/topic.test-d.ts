import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import type { ConsumerRecord, DefaultHeaders } from "../../src/record.js";
import { json } from "../../src/serde/json.js";
import { long } from "../../src/serde/numbers.js";
import type { Serde } from "../../src/serde/serde.js";
import { string } from "../../src/serde/string.js";
import {
  type AnyTopic,
  defineTopic,
  type HeadersOf,
  type KeyOf,
  type ProducerRecord,
  type RecordOf,
  type Topic,
  type ValueOf,
} from "../../src/topic.js";

interface Student {
  id: number;
  name: string;
  course: string;
}

const student = z.object({ id: z.number().int(), name: z.string(), course: z.string() });
const students = defineTopic("students", { value: student, keyOf: (value) => String(value.id) });
const courses = defineTopic("courses", { value: z.object({ title: z.string() }), tombstones: true });

const isoDate = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

const bigintCodec = z.codec(z.string(), z.bigint(), { decode: BigInt, encode: String });

declare const stringSerde: Serde<string>;
declare const numberSerde: Serde<number>;

describe("what a definition infers", () => {
  test("keeps the literal name and the types", () => {
    expectTypeOf(students).toEqualTypeOf<Topic<Student, string, DefaultHeaders, "students">>();
    expectTypeOf(students.name).toEqualTypeOf<"students">();
    expectTypeOf<ValueOf<typeof students>>().toEqualTypeOf<Student>();
    expectTypeOf<KeyOf<typeof students>>().toEqualTypeOf<string>();
    expectTypeOf<HeadersOf<typeof students>>().toEqualTypeOf<DefaultHeaders>();
  });

  test("adds null to the value of a topic with tombstones", () => {
    expectTypeOf<ValueOf<typeof courses>>().toEqualTypeOf<{ title: string } | null>();
    expectTypeOf<Parameters<NonNullable<(typeof courses)["keyOf"]>>[0]>().toEqualTypeOf<{ title: string }>();
  });

  test("gives keyOf the value that is not null", () => {
    defineTopic("c", {
      value: z.object({ title: z.string() }),
      tombstones: true,
      keyOf: (value) => {
        expectTypeOf(value).toEqualTypeOf<{ title: string }>();
        return value.title;
      },
    });
  });

  test("takes the application's side of a codec", () => {
    const topic = defineTopic("t", { value: z.object({ at: isoDate }) });
    expectTypeOf<ValueOf<typeof topic>>().toEqualTypeOf<{ at: Date }>();
  });

  test("takes serdes, valibot, arktype and zod mini", () => {
    const topic = defineTopic("t", { value: stringSerde, key: numberSerde, keyOf: (text) => text.length });
    expectTypeOf(topic).toEqualTypeOf<Topic<string, number, DefaultHeaders, "t">>();
    const valibot = defineTopic("t", { value: v.object({ id: v.number(), note: v.optional(v.string()) }) });
    expectTypeOf<ValueOf<typeof valibot>>().toEqualTypeOf<{ id: number; note?: string | undefined }>();
    const arktype = defineTopic("t", { value: type({ id: "number", "note?": "string" }) });
    expectTypeOf<ValueOf<typeof arktype>>().toEqualTypeOf<{ id: number; note?: string }>();
    const small = defineTopic("t", { value: mini.object({ id: mini.number() }) });
    expectTypeOf<ValueOf<typeof small>>().toEqualTypeOf<{ id: number }>();
  });

  test("keeps the type of a string's schema, and of a long", () => {
    const branded = defineTopic("t", { value: student, key: string(z.uuid().brand<"StudentId">()) });
    expectTypeOf<KeyOf<typeof branded>>().toEqualTypeOf<string & z.core.$brand<"StudentId">>();
    expectTypeOf(string(z.enum(["a", "b"]))).toEqualTypeOf<Serde<"a" | "b">>();
    expectTypeOf(string(v.picklist(["a", "b"]))).toEqualTypeOf<Serde<"a" | "b">>();
    expectTypeOf(string(bigintCodec)).toEqualTypeOf<Serde<bigint>>();
    expectTypeOf(string()).toEqualTypeOf<Serde<string>>();
    const counted = defineTopic("t", { value: long() });
    expectTypeOf<ValueOf<typeof counted>>().toEqualTypeOf<bigint>();
  });

  test("takes a serde written in place", () => {
    const topic = defineTopic("t", {
      value: { serialize: (value: number) => Buffer.of(value), deserialize: (bytes) => bytes.readUInt8() },
    });
    expectTypeOf<ValueOf<typeof topic>>().toEqualTypeOf<number>();
  });

  test("takes recursive, branded, unknown, record and intersected schemas", () => {
    const category = z.object({
      name: z.string(),
      get children() {
        return z.array(category);
      },
    });
    defineTopic("t", { value: category });
    defineTopic("t", { value: z.object({ id: z.string().brand<"Id">(), any: z.unknown(), rest: z.any() }) });
    defineTopic("t", { value: z.record(z.string(), z.union([z.string(), z.number()])) });
    defineTopic("t", {
      value: z.intersection(z.object({ a: z.string() }), z.object({ b: z.string().optional() })),
    });
    defineTopic("t", {
      value: z.object({ a: z.string().default("x"), b: z.tuple([z.string(), z.number()]) }),
    });
    defineTopic("t", { value: z.tuple([z.string(), z.string().optional()]) });
    defineTopic("t", { value: z.json() });
    defineTopic("t", { value: z.string().nullable() });
    defineTopic("t", {
      value: z.discriminatedUnion("k", [z.object({ k: z.literal(1) }), z.object({ k: z.literal(2) })]),
    });
    defineTopic("t", { value: z.strictObject({ a: z.string() }).readonly() });
    defineTopic("t", { value: z.looseObject({ a: z.string() }) });
  });

  test("works for topics made by a generic function", () => {
    const versioned = <Name extends string>(name: Name) => defineTopic(name, { value: student });
    expectTypeOf(versioned("a")).toEqualTypeOf<Topic<Student, string, DefaultHeaders, "a">>();
    const enveloped = <T>(schema: z.ZodType<T>) => defineTopic("envelopes", { value: schema });
    expectTypeOf(enveloped(student)).toEqualTypeOf<Topic<Student, string, DefaultHeaders, "envelopes">>();
    const encoded = <T>(serde: Serde<T>) => defineTopic("encoded", { value: serde });
    expectTypeOf(encoded(numberSerde)).toEqualTypeOf<Topic<number, string, DefaultHeaders, "encoded">>();
    const inJson = <T>(schema: z.ZodType<T>) => defineTopic("json", { value: json(schema) });
    expectTypeOf(inJson(student)).toEqualTypeOf<Topic<Student, string, DefaultHeaders, "json">>();
  });
});

describe("what does not compile", () => {
  test("a one-way transform", () => {
    // @ts-expect-error value.id: a transform goes one way only
    defineTopic("t", { value: z.object({ id: z.string().transform((text) => text.length) }) });
    // @ts-expect-error value: a transform goes one way only
    defineTopic("t", { value: z.string().transform((text) => text.length) });
    // @ts-expect-error value: a transform goes one way only
    defineTopic("t", { value: z.preprocess((given) => given, z.string()) });
    defineTopic("t", {
      // @ts-expect-error value.ids[]: a transform that keeps the type is one way too
      value: z.object({ ids: z.array(z.string().transform((text) => text.trim())).optional() }),
    });
    // @ts-expect-error value: another input type than output type
    defineTopic("t", { value: v.object({ id: v.pipe(v.string(), v.transform(Number)) }) });
    // @ts-expect-error value: another input type than output type
    defineTopic("t", { value: type({ id: "string.numeric.parse" }) });
    // @ts-expect-error key: a transform goes one way only
    defineTopic("t", { value: student, key: z.string().transform(Number) });
    defineTopic("t", {
      // @ts-expect-error value.a: a transform goes one way only
      value: mini.object({
        a: mini.pipe(
          mini.string(),
          mini.transform((s) => s.length),
        ),
      }),
    });
  });

  test("a wire side that is not JSON", () => {
    // @ts-expect-error value.at: a Date is not JSON
    defineTopic("t", { value: z.object({ at: z.date() }) });
    // @ts-expect-error value: a Date is not JSON
    defineTopic("t", { value: z.date() });
    // @ts-expect-error value.n: a bigint is not JSON
    defineTopic("t", { value: z.object({ n: z.bigint().optional() }) });
    // @ts-expect-error value.tags: a Set is not JSON
    defineTopic("t", { value: z.object({ tags: z.set(z.string()) }) });
    // @ts-expect-error value.map[]: a Map is not JSON
    defineTopic("t", { value: z.object({ map: z.array(z.map(z.string(), z.string())) }) });
    // @ts-expect-error value.at: a Date is not JSON
    defineTopic("t", { value: v.object({ at: v.date() }) });
    // @ts-expect-error value.at: a Date is not JSON
    defineTopic("t", { value: type({ at: "Date" }) });
    // @ts-expect-error value: a Date is not JSON, in properties beyond those of the shape too
    defineTopic("t", { value: z.object({ id: z.string() }).catchall(z.date()) });
    // @ts-expect-error value.range[]: a Date is not JSON, in what a tuple ends with too
    defineTopic("t", { value: z.object({ range: z.tuple([z.string()], z.date()) }) });
    // @ts-expect-error value.n: a bigint is not JSON, as a literal too
    defineTopic("t", { value: z.object({ n: z.literal(1n) }) });
    // @ts-expect-error value.at: a Date is not JSON, in one option of a union too
    defineTopic("t", { value: z.object({ at: z.union([z.string(), z.date()]).nullable() }) });
    // @ts-expect-error value.list[]: undefined is not JSON, and what has a default may be that
    defineTopic("t", { value: z.object({ list: z.array(z.string().default("a")) }) });
    // @ts-expect-error value.list[]: undefined is not JSON
    defineTopic("t", { value: z.object({ list: z.array(z.string().optional()) }) });
    // @ts-expect-error value.at: an object with methods is not JSON
    defineTopic("t", { value: z.object({ at: z.instanceof(URL) }) });
  });

  test("a string of a schema whose wire side is no string, or that goes one way", () => {
    // @ts-expect-error a number
    string(z.number());
    // @ts-expect-error null is no string
    string(z.string().nullable());
    // @ts-expect-error an object
    string(z.object({ id: z.string() }));
    // @ts-expect-error a transform goes one way only
    string(z.string().transform(Number));
    // @ts-expect-error another input type than output type
    string(v.pipe(v.string(), v.transform(Number)));
    // @ts-expect-error a key of another brand
    defineTopic("t", { value: student, key: string(z.string().brand<"Id">()), keyOf: ({ name }) => name });
  });

  test("a definition that does not fit together", () => {
    // @ts-expect-error keyOf gives a number where the key is a string
    defineTopic("t", { value: student, keyOf: (value) => value.id });
    // @ts-expect-error a field that there is not
    defineTopic("t", { value: student, keyof: () => "" });
    // @ts-expect-error a nullable schema cannot have tombstones
    defineTopic("t", { value: student.nullable(), tombstones: true });
    // @ts-expect-error headers are strings on the wire
    defineTopic("t", { value: student, headers: z.object({ n: z.number() }) });
    // @ts-expect-error there is no value
    defineTopic("t", {});
    defineTopic("t", {
      // @ts-expect-error a serde that gives another type than it takes
      value: {
        serialize: (value: number) => Buffer.of(value),
        deserialize: (bytes: Buffer) => bytes.toString(),
      },
    });
  });

  test("a topic of one type as a topic of another", () => {
    const any: AnyTopic = students;
    void any;
    // @ts-expect-error another value
    const other: Topic<{ id: number }, string> = students;
    void other;
    // @ts-expect-error a wider value
    const wider: Topic<Student | null> = students;
    void wider;
    // @ts-expect-error another key
    const key: Topic<Student, number> = students;
    void key;
    const same: Topic<Student> = students;
    void same;
  });
});

describe("records", () => {
  const send = <T extends AnyTopic>(topic: T, record: ProducerRecord<T>): void => {
    void [topic, record];
  };
  const value: Student = { id: 1, name: "Samwel", course: "Data Engineering" };

  test("take what the topic takes, and nothing else", () => {
    send(students, { value });
    send(students, {
      value,
      key: "k",
      headers: { a: "1", b: ["1", Buffer.of(1)] },
      partition: 0,
      timestamp: 1,
    });
    send(students, { value, key: null });
    send(courses, { key: "k", value: null });
    // @ts-expect-error a wrong field
    send(students, { value: { id: "1", name: "Samwel", course: "x" } });
    // @ts-expect-error a missing field
    send(students, { value: { id: 1, name: "Samwel" } });
    // @ts-expect-error a field too many
    send(students, { value: { ...value, grade: 1 }, vaule: value });
    // @ts-expect-error null without tombstones
    send(students, { value: null });
    // @ts-expect-error a record for another topic
    send(courses, { value });
    send(students, { value, headers: { a: null, b: ["1", null] } });
    // @ts-expect-error a header that is neither text nor bytes
    send(students, { value, headers: { a: 1 } });
    // @ts-expect-error a key of another type
    send(students, { value, key: 1 });
  });

  test("of a topic with a headers schema require its headers", () => {
    const traced = defineTopic("traced", {
      value: student,
      headers: z.object({ trace: z.string(), at: isoDate.optional() }),
    });
    send(traced, { value, headers: { trace: "1" } });
    send(traced, { value, headers: { trace: "1", at: new Date() } });
    // @ts-expect-error no headers
    send(traced, { value });
    // @ts-expect-error another header
    send(traced, { value, headers: { span: "1" } });
    const optional = defineTopic("t", {
      value: student,
      headers: z.object({ trace: z.string().optional() }),
    });
    send(optional, { value });
    const loose = defineTopic("t", { value: student, headers: z.looseObject({ trace: z.string() }) });
    send(loose, { value, headers: { trace: "1", span: "2" } });
    expectTypeOf<RecordOf<typeof traced>["headers"]>().toEqualTypeOf<{
      trace: string;
      at?: Date | undefined;
    }>();
  });

  test("that were read have the topic's types", () => {
    expectTypeOf<RecordOf<typeof students>>().toEqualTypeOf<
      ConsumerRecord<Student, string, DefaultHeaders, "students">
    >();
    expectTypeOf<RecordOf<typeof students>["key"]>().toEqualTypeOf<string | null>();
    expectTypeOf<RecordOf<typeof students>["headers"]>().toEqualTypeOf<Readonly<Record<string, string>>>();
  });

  test("of several topics are told apart by their topic", () => {
    const read = (record: RecordOf<readonly [typeof students, typeof courses]>) => {
      if (record.topic === "students") {
        expectTypeOf(record.value).toEqualTypeOf<Student>();
        // @ts-expect-error a field of the other topic
        void record.value.title;
      } else {
        expectTypeOf(record.value).toEqualTypeOf<{ title: string } | null>();
        // @ts-expect-error a field of the other topic
        void record.value?.course;
      }
    };
    void read;
    expectTypeOf<RecordOf<typeof students | typeof courses>>().toEqualTypeOf<
      RecordOf<readonly [typeof students, typeof courses]>
    >();
  });
});
