/**
 * Scales a group out while it runs: a slow consumer falls behind, gets colleagues, and the topic more partitions
 * for them. Nothing is stopped for it.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/scale-out.ts
 */
import { setTimeout as sleep } from "node:timers/promises";
import { defineTopic, Kafka } from "typed-kafka";
import { z } from "zod";

const orders = defineTopic("orders-to-scale", {
  value: z.object({ id: z.number().int(), amount: z.number() }),
  keyOf: ({ id }) => String(id),
  partitions: 2,
});
const groupId = "billing";

// New partitions are found within metadataMaxAgeMs, by producers and consumers alike.
const kafka = new Kafka({
  brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092",
  metadataMaxAgeMs: 1_000,
});
const admin = kafka.admin();
await admin.ensureTopics(orders);

let stopped = false;
let sent = 0;
async function sendOrders(): Promise<void> {
  const producer = kafka.producer();
  while (!stopped) {
    await producer.send(orders, { value: { id: sent, amount: 10 } });
    sent += 1;
  }
}

let billed = 0;
function startMember(name: string): Promise<void> {
  const consumer = kafka.consumer(orders, {
    groupId,
    onRebalance: ({ type, partitions }) => {
      console.log(`${name}: ${type} ${partitions.map(({ partition }) => partition).join(", ")}`);
    },
  });
  return consumer.run(async () => {
    await sleep(5); // a slow handler: one member with one partition bills 200 a second
    billed += 1;
  });
}

async function report(when: string): Promise<void> {
  const behind = (await admin.groupLag(groupId, orders)).reduce((sum, { lag }) => sum + lag, 0);
  console.log(`${when}: ${sent} orders, ${billed} billed, ${behind} behind`);
}

const working = [sendOrders(), startMember("first member")];
await sleep(4_000);
await report("one member, two partitions");

working.push(startMember("second member"));
await sleep(4_000);
await report("two members, two partitions");

// A third member of two partitions would idle: partitions are what is shared out.
await admin.createPartitions(orders, 6);
working.push(startMember("third member"));
await sleep(6_000);
await report("three members, six partitions");

stopped = true;
await kafka.close();
await Promise.all(working);
