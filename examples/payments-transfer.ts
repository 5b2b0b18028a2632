/**
 * Moves money between accounts: a debit and a credit in one transaction, so that nobody ever sees one
 * without the other. One transfer fails half way, and leaves nothing.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/payments-transfer.ts
 */
import { defineTopic, Kafka, type Transaction } from "typed-kafka";
import { z } from "zod";

const entry = z.object({ transfer: z.string(), account: z.string(), cents: z.number().int().positive() });
const debits = defineTopic("debits", { value: entry, keyOf: ({ account }) => account });
const credits = defineTopic("credits", { value: entry, keyOf: ({ account }) => account });

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics([debits, credits]);

// #region transfer
/** Adds both sides of a transfer to the transaction. Whatever it throws undoes them. */
async function transfer(tx: Transaction, id: string, from: string, to: string, cents: number): Promise<void> {
  await tx.send(debits, { value: { transfer: id, account: from, cents } });
  if (to === "closed") throw new Error(`${id}: the account ${to} takes no money`);
  await tx.send(credits, { value: { transfer: id, account: to, cents } });
}

// The id outlives restarts: a producer that starts with it ends what a crashed one left open.
const payments = kafka.transactionalProducer({ transactionalId: "payments-1" });

const run = Date.now().toString(36);
await payments.transaction((tx) => transfer(tx, `${run}-1`, "samwel", "alice", 2_500));
console.log(`${run}-1 is done`);

try {
  await payments.transaction((tx) => transfer(tx, `${run}-2`, "alice", "closed", 100));
} catch (error) {
  console.log(`rolled back: ${error instanceof Error ? error.message : String(error)}`);
}
// #endregion transfer

// What any consumer sees: both entries of the first transfer, and nothing of the second.
for (const topic of [debits, credits]) {
  for await (const { value } of kafka.read(topic)) {
    if (value.transfer.startsWith(run)) console.log(topic.name, JSON.stringify(value));
  }
}

await kafka.close();
