/**
 * Passes each order on once, however often it was sent: a store remembers the ids that were seen, for a day of the
 * records' own time.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/deduplicate.ts
 */
import { defineStore, defineTopic, integer, Kafka } from "typed-kafka";
import { z } from "zod";

const order = z.object({ id: z.string(), course: z.string() });
const received = defineTopic("orders-received", { value: order, keyOf: ({ id }) => id, partitions: 3 });
const unique = defineTopic("orders", { value: order, keyOf: ({ id }) => id });

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics([received, unique]);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());

const again = { value: { id: `order-${Date.now()}`, course: "AI Engineering" } };
await kafka.producer().send(received, [again, again, again]);

// #region deduplicate
const seen = defineStore("seen", { value: integer(), retentionMs: 24 * 3_600_000 });

const deduplicator = kafka.processor(received, {
  groupId: "deduplicate",
  transactionalId: "deduplicate-1",
  stores: [seen],
});

await deduplicator.run(async ({ value, offset }, tx) => {
  const store = tx.store(seen);
  if (store.has(value.id)) {
    console.log(`${value.id} came again, and is passed over`);
    return;
  }
  store.set(value.id, offset);
  await tx.send(unique, { value });
  console.log(`${value.id} is passed on`);
});
// #endregion deduplicate
