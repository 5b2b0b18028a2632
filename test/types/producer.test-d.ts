import { describe, expectTypeOf, test } from "vitest";
import {
  type AnyTopic,
  bytes,
  defineTopic,
  type KeyOf,
  type Producer,
  type ProducerRecord,
  type RecordMetadata,
  type SendAllResult,
  type ValueOf,
} from "typed-kafka";
import { z } from "zod";

declare const producer: Producer;
const students = defineTopic("students", {
  value: z.object({ id: z.number(), name: z.string() }),
  keyOf: (student) => String(student.id),
});
const deletable = defineTopic("deletable", { value: z.object({ id: z.number() }), tombstones: true });
const raw = defineTopic("raw", { value: bytes(), headers: z.object({ trace: z.string() }) });
const student = { id: 1, name: "Samwel" };

describe("send", () => {
  test("gives one record's metadata for a record, an array for an array", () => {
    expectTypeOf(producer.send(students, { value: student })).resolves.toEqualTypeOf<RecordMetadata>();
    expectTypeOf(producer.send(students, [{ value: student }])).resolves.toEqualTypeOf<RecordMetadata[]>();
    expectTypeOf(producer.send(students, [] as const)).resolves.toEqualTypeOf<RecordMetadata[]>();
  });

  test("takes nothing that does not fit the topic", () => {
    // @ts-expect-error a wrong field
    void producer.send(students, { value: { id: "1", name: "Samwel" } });
    // @ts-expect-error a missing field
    void producer.send(students, [{ value: { id: 1 } }]);
    // @ts-expect-error a field too many
    void producer.send(students, { value: { ...student, age: 3 } });
    // @ts-expect-error a key of another type
    void producer.send(students, { value: student, key: 1 });
    // @ts-expect-error a null without tombstones
    void producer.send(students, { value: null, key: "1" });
    // @ts-expect-error a record of another topic
    void producer.send(students, { value: Buffer.from("x"), headers: { trace: "t" } });
    // @ts-expect-error a header that the topic requires
    void producer.send(raw, { value: Buffer.from("x") });
    // @ts-expect-error a misspelt option
    void producer.send(students, { value: student }, { timeout: 5 });
  });

  test("keeps to the topic's types in generic code", () => {
    const sendRecord = <T extends AnyTopic>(topic: T, record: ProducerRecord<T>) =>
      producer.send(topic, record);
    void sendRecord(students, { value: student });
    const sendValue = <T extends AnyTopic>(topic: T, value: ValueOf<T>, key: KeyOf<T>) =>
      producer.send(topic, { value, key });
    void sendValue(students, student, "1");
    // @ts-expect-error a value of another topic
    void sendValue(students, { name: "Samwel" }, "1");
    const wrong = <T extends AnyTopic>(topic: T, value: ValueOf<T>) => {
      // @ts-expect-error no value of just any topic
      void producer.send(topic, { value: 42 });
      // @ts-expect-error no key of just any topic
      void producer.send(topic, { value, key: 1 });
    };
    void wrong;
  });

  test("takes a value of any where a topic may be one of several, and of that one where its name tells", () => {
    const sendEither = (topic: typeof students | typeof deletable) => {
      void producer.send(topic, { value: student });
      void producer.send(topic, { value: null, key: "1" });
      // @ts-expect-error a value of neither
      void producer.send(topic, { value: 42 });
      // @ts-expect-error no tombstones there
      if (topic.name === "students") void producer.send(topic, { value: null, key: "1" });
    };
    void sendEither;
  });

  test("takes null where the topic has tombstones, and frozen records", () => {
    void producer.send(deletable, { value: null, key: "1" });
    void producer.send(students, Object.freeze([Object.freeze({ value: Object.freeze(student) })]));
  });
});

describe("sendAll", () => {
  test("takes iterables and async iterables of the topic's records", () => {
    expectTypeOf(producer.sendAll(students, [{ value: student }])).resolves.toEqualTypeOf<SendAllResult>();
    void producer.sendAll(
      students,
      (async function* () {
        await Promise.resolve();
        yield { value: student };
      })(),
    );
    void producer.sendAll(students, new Set([{ value: student }]));
    // @ts-expect-error records of another topic
    void producer.sendAll(students, [{ value: { id: 1 } }]);
    // @ts-expect-error one record
    void producer.sendAll(students, { value: student });
  });
});
