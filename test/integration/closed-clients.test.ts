import { defineTopic, Kafka, string } from "typed-kafka";
import { afterAll, expect, inject, test } from "vitest";
import { collectGarbage } from "../support/collect-garbage.js";
import { until } from "../support/consuming.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers") });
afterAll(() => kafka.close());

const texts = defineTopic(await createTopic(), { value: string() });
await using producer = kafka.producer();
await producer.send(texts, [
  { key: "a", value: "one" },
  { key: "b", value: "two" },
]);

/** Makes a client of each kind, uses it and closes it. */
const used: Readonly<Record<string, () => Promise<object>>> = {
  read: async () => {
    const reader = kafka.read(texts);
    for await (const { value } of reader) expect(value).toMatch(/one|two/);
    return reader;
  },
  "read, left early": async () => {
    const reader = kafka.read(texts, { follow: true });
    for await (const _ of reader) break;
    return reader;
  },
  table: async () => {
    const table = kafka.table(texts);
    await table.ready();
    await table.close();
    return table;
  },
  producer: async () => {
    const closed = kafka.producer();
    await closed.send(texts, { key: "b", value: "two" });
    await closed.close();
    return closed;
  },
  transactionalProducer: async () => {
    const closed = kafka.transactionalProducer({ transactionalId: uniqueName() });
    await closed.transaction((tx) => tx.send(texts, { key: "b", value: "two" }));
    await closed.close();
    return closed;
  },
  consumer: async () => {
    const consumer = kafka.consumer(texts, { groupId: uniqueName() });
    for await (const _ of consumer) break;
    return consumer;
  },
  processor: async () => {
    const processor = kafka.processor(texts, { groupId: uniqueName(), transactionalId: uniqueName() });
    let closing: Promise<void> | undefined;
    await processor.run(() => void (closing ??= processor.close()));
    await closing;
    return processor;
  },
};

test.each(Object.keys(used))("a client that was closed is freed, and what it read: %s", async (kind) => {
  const closed: WeakRef<object>[] = [];
  for (let count = 0; count < 5; count += 1) closed.push(new WeakRef((await used[kind]?.()) ?? {}));
  await until("all but the last are freed", () => {
    collectGarbage();
    return closed.slice(0, -1).every((client) => client.deref() === undefined);
  });
});
