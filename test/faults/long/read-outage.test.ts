import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConnectionError, defineTopic, Kafka, type KafkaError, string } from "typed-kafka";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { silent } from "../../support/silent.js";
import { createTopic } from "../../support/topics.js";

// More than the native client fetches ahead (16 MB).
const [batches, perBatch, value] = [40, 100, "x".repeat(10_000)] as const;

let cluster: KafkaCluster;
let kafka: Kafka;

beforeAll(async () => {
  cluster = await startKafka({ nodes: 3 });
  kafka = new Kafka({ brokers: cluster.brokers, logger: silent });
});
afterAll(async () => {
  await kafka.close();
  await cluster.close();
});

async function filled(replicationFactor: number) {
  const name = await createTopic({ brokers: cluster.brokers, replicationFactor });
  const topic = defineTopic(name, { value: string() });
  const producer = kafka.producer();
  for (let batch = 0; batch < batches; batch += 1)
    await producer.send(
      topic,
      Array.from({ length: perBatch }, () => ({ value })),
    );
  await producer.close();
  return topic;
}

async function leaderOf(name: string) {
  const admin = kafka.admin();
  const [description] = await admin.describeTopics(name);
  await admin.close();
  const leader = description?.partitions[0]?.leader;
  const node = cluster.nodes.find(({ id }) => id === leader);
  if (node === undefined) throw new Error(`${name} has no leader`);
  return node;
}

test("a read goes on behind a broker that is killed, and is complete", async () => {
  const topic = await filled(3);
  const leader = await leaderOf(topic.name);
  const offsets: number[] = [];
  for await (const { offset } of kafka.read(topic)) {
    if (offsets.length === 0) await leader.kill();
    offsets.push(offset);
  }
  expect(offsets).toEqual(Array.from({ length: batches * perBatch }, (_, index) => index));
  await leader.start();
});

test("a read of a partition that has lost its only broker fails within its time, and names the partition", async () => {
  const topic = await filled(1);
  const leader = await leaderOf(topic.name);
  const reader = kafka.read(topic, { stallTimeoutMs: 4_000 });
  await reader.next();
  await leader.kill();
  let read = 1;
  const begin = performance.now();
  const failure: unknown = await (async () => {
    for await (const { offset } of reader) read = offset + 1;
  })().catch((error: unknown) => error);
  expect(failure).toMatchObject({
    topic: topic.name,
    partition: 0,
    code: expect.stringMatching(/TIMEOUT|CONNECTION/),
  });
  expect((failure as KafkaError).message).toMatch(
    new RegExp(`nothing arrived for 4000 ms at offset \\d+ of ${batches * perBatch}`),
  );
  expect(read).toBeLessThan(batches * perBatch);
  expect(performance.now() - begin).toBeLessThan(20_000);
  // Nor does one that only begins now hang.
  const late = kafka.read(topic, { stallTimeoutMs: 2_000 });
  await expect(late.next()).rejects.toMatchObject({
    retriable: true,
    code: expect.stringMatching(/TIMEOUT|CONNECTION/),
  });
  await leader.start();
});

test("a slow loop is no outage", async () => {
  const topic = await filled(3);
  let count = 0;
  for await (const { offset } of kafka.read(topic, { stallTimeoutMs: 1_000 })) {
    if (offset === 0) await sleep(2_500);
    count += 1;
  }
  expect(count).toBe(batches * perBatch);
});

test("a read fails with ConnectionError when no broker is left", async () => {
  const topic = await filled(3);
  const reader = kafka.read(topic, { stallTimeoutMs: 3_000 });
  await reader.next();
  await Promise.all(cluster.nodes.map((node) => node.kill()));
  const drained = (async () => {
    for await (const _ of reader) continue;
  })();
  await expect(drained).rejects.toThrow(ConnectionError);
});
