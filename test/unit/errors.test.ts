import { inspect } from "node:util";
import { expect, test } from "vitest";
import { KafkaError, SerializationError, TimeoutError } from "../../src/index.js";

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
