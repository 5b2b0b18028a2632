import { inspect } from "node:util";
import { expect, test } from "vitest";
import {
  DeliveryError,
  InvalidRecordError,
  KafkaError,
  SerializationError,
  TimeoutError,
} from "../../src/index.js";

test("a printed error has what is known, and no fields that are not", () => {
  const error = new KafkaError("UNKNOWN_TOPIC", "orders: no such topic", { topic: "orders", partition: 0 });
  expect(Object.keys(error).sort()).toEqual(["code", "name", "partition", "retriable", "topic"]);
  const others = [new TimeoutError("no answer"), new SerializationError("no", { part: "value" })];
  for (const each of [error, ...others]) expect(inspect(each)).not.toContain("undefined");
});

test("a field that is not known is undefined", () => {
  const { topic, partition, offset, groupId, nativeCode } = new KafkaError("CLOSED", "closed", {
    offset: undefined,
  });
  expect([topic, partition, offset, groupId, nativeCode]).toEqual(Array(5).fill(undefined));
  expect(new SerializationError("no", { part: "value" })).toMatchObject({
    topic: undefined,
    index: undefined,
  });
});

test("what an error has for code is not printed: a thousand results, or a record's bytes", () => {
  const raw = { key: null, value: Buffer.from("the value"), headers: [] };
  const place = { topic: "orders", partition: 0, offset: 7, part: "value" as const };
  const invalid = new InvalidRecordError("no", { ...place, raw });
  const failed = { status: "failed" as const, error: new KafkaError("DELIVERY", "refused") };
  const delivery = new DeliveryError("of 2 records", { acknowledged: 0, results: [failed, failed] });
  expect([invalid.raw, delivery.results]).toEqual([raw, [failed, failed]]);
  for (const error of [invalid, delivery])
    for (const text of [inspect(error, { depth: 20 }), JSON.stringify(error)])
      expect(text).not.toMatch(/raw|results|refused|the value|116/);
});
