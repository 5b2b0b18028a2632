import { afterAll, expect, inject, onTestFinished, test, vi } from "vitest";
import { bytes, defineStore, defineTopic, Kafka, string, type Topic } from "typed-kafka";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
afterAll(() => kafka.close());

const texts = defineStore("texts", { value: string() });
const raw = defineStore("raw", { key: bytes(), value: bytes() });

test("the changelog of a store has entries without bytes: an empty value is no tombstone, an empty key is a key", async () => {
  const topic = defineTopic(await createTopic({ partitions: 1 }), { value: string() });
  await kafka.producer().send(topic, { key: "k", value: "x" });
  const groupId = uniqueName("group");
  const processor = kafka.processor(topic, {
    groupId,
    transactionalId: uniqueName("tx"),
    commitIntervalMs: 20,
    stores: [texts, raw],
  });
  onTestFinished(() => processor.close());
  void processor.run((_record, tx) => {
    tx.store(texts).set("", "");
    tx.store(texts).set("k", "");
    tx.store(raw).set(Buffer.alloc(0), Buffer.alloc(0));
  });
  await vi.waitFor(async () => {
    expect(await recordsOf(texts.changelog(groupId))).toEqual([
      ["", ""],
      ["k", ""],
    ]);
    expect(await recordsOf(raw.changelog(groupId))).toEqual([[Buffer.alloc(0), Buffer.alloc(0)]]);
  }, 50_000);
});

async function recordsOf<Value, Key>(topic: Topic<Value, Key>): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const { key, value } of kafka.read(topic)) records.push([key, value]);
  return records;
}
