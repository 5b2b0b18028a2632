import { expect, test } from "vitest";
import { createRecordDecoder } from "../../../src/delivery/record-decoder.js";
import type { FailurePolicy } from "../../../src/failure/failure-policy.js";
import { defineTopic, integer, string, topicPattern } from "../../../src/index.js";
import { rawRecord } from "../group/records.js";

const texts = defineTopic("texts", { value: string() });
const numbers = defineTopic("numbers", { value: integer() });
const four = Buffer.from([0, 0, 0, 4]);

test("chooses the decoder by the record's topic, whatever topics take turns", () => {
  const decode = createRecordDecoder([texts, numbers], undefined);
  const values = ["texts", "numbers", "texts", "numbers", "numbers"].map(
    (topic) => decode(rawRecord(0, { topic, value: topic === "texts" ? Buffer.from("x") : four })) as object,
  );
  expect(values).toMatchObject([{ value: "x" }, { value: 4 }, { value: "x" }, { value: 4 }, { value: 4 }]);
});

test("a topic that a pattern fits is decoded as the pattern says, and a named one as its own definition", () => {
  const decode = createRecordDecoder([topicPattern(/./, { value: integer() }), texts], undefined);
  expect(decode(rawRecord(0, { topic: "other", value: four }))).toMatchObject({ topic: "other", value: 4 });
  expect(decode(rawRecord(0, { topic: "texts" }))).toMatchObject({ topic: "texts", value: "x" });
});

test("a record of a retry topic is decoded as what it was in its source topic", () => {
  const policy = {
    isRetryTopic: (topic: string) => topic === "numbers.g.retry-1",
    sourceOf: () => "numbers",
    restore: (raw: object) => ({ ...raw, topic: "numbers", partition: 3, offset: 9 }),
  } as unknown as FailurePolicy;
  const decode = createRecordDecoder([numbers], policy);
  const record = decode(rawRecord(0, { topic: "numbers.g.retry-1", value: four }));
  expect(record).toMatchObject({ topic: "numbers", partition: 3, offset: 9, value: 4 });
});

test("a record of a topic that was not asked for is refused", () => {
  const decode = createRecordDecoder([texts], undefined);
  expect(() => decode(rawRecord(0, { topic: "stray" }))).toThrow("stray");
});
