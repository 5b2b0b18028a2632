/**
 * Keeps a total for each account in a store, exactly once: kill it, start it again, run it twice. The totals never
 * count a payment twice.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/account-totals.ts one
 */
import { defineStore, defineTopic, Kafka } from "typed-kafka";
import { z } from "zod";

const payments = defineTopic("account-payments", {
  value: z.object({ account: z.string(), cents: z.number().int() }),
  keyOf: ({ account }) => account,
  partitions: 3,
});
const statements = defineTopic("account-statements", {
  value: z.object({ account: z.string(), payments: z.number().int(), cents: z.number().int() }),
  keyOf: ({ account }) => account,
});

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics([payments, statements]);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());

await kafka
  .producer()
  .send(payments, [
    { value: { account: "samwel", cents: 1_000 } },
    { value: { account: "alice", cents: 250 } },
    { value: { account: "samwel", cents: -300 } },
  ]);

// #region store
const totals = defineStore("totals", {
  value: z.object({ payments: z.number().int(), cents: z.number().int() }),
});

const ledger = kafka.processor(payments, {
  groupId: "ledger",
  transactionalId: `ledger-${process.argv[2] ?? "one"}`,
  stores: [totals],
});

await ledger.run(async ({ value: { account, cents } }, tx) => {
  const store = tx.store(totals);
  const before = store.get(account) ?? { payments: 0, cents: 0 };
  const total = { payments: before.payments + 1, cents: before.cents + cents };
  store.set(account, total);
  await tx.send(statements, { value: { account, ...total } });
  console.log(`${account}: ${total.payments} payments, ${total.cents} cents`);
});
// #endregion store
