import { describe, expectTypeOf, test } from "vitest";
import { defineTopic, type RecordOf, string } from "typed-kafka";
import { recordOf } from "typed-kafka/testing";
import { z } from "zod";

const students = defineTopic("students", {
  value: z.object({ id: z.number(), name: z.string() }),
  keyOf: ({ id }) => String(id),
});
const value = { id: 1, name: "Samwel" };

describe("recordOf", () => {
  test("gives the record that a handler takes", () => {
    expectTypeOf(recordOf(students, { value })).toEqualTypeOf<RecordOf<typeof students>>();
  });

  test("takes what the topic has, and nothing else", () => {
    recordOf(students, { value, key: null, headers: { trace: "1" }, partition: 1, offset: 2, timestamp: 3 });
    // @ts-expect-error a wrong field
    recordOf(students, { value: { id: "1", name: "Samwel" } });
    // @ts-expect-error a tombstone without tombstones
    recordOf(students, { value: null });
    // @ts-expect-error a key of another type
    recordOf(students, { value, key: 1 });
    // @ts-expect-error no value
    recordOf(students, {});
    // @ts-expect-error a field that there is not
    recordOf(students, { value, ofset: 1 });
    // @ts-expect-error bytes, which no handler sees
    recordOf(students, { value, headers: { trace: Buffer.of(1) } });
  });

  test("wants the headers that the topic's schema requires", () => {
    const traced = defineTopic("t", { value: string(), headers: z.object({ trace: z.string() }) });
    recordOf(traced, { value: "a", headers: { trace: "1" } });
    // @ts-expect-error no headers
    recordOf(traced, { value: "a" });
  });
});
