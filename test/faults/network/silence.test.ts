import { afterAll, beforeAll, expect, test } from "vitest";
import { defineTopic, Kafka, KafkaError, string } from "typed-kafka";
import { until, within } from "../../support/consuming.js";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { Link } from "../../support/network/link.js";
import { silent } from "../../support/silent.js";
import { createTopic, uniqueName } from "../../support/topics.js";

let link: Link;
let cluster: KafkaCluster;

beforeAll(async () => {
  link = await Link.start();
  cluster = await startKafka({ place: () => ({ clientHost: Link.host }) });
});
afterAll(async () => {
  await cluster.close();
  await link.close();
});

const connectTimeoutMs = 3_000;

test("every wait ends by its time while the network swallows everything, with an error that says what for", async () => {
  const { brokers } = cluster;
  const kafka = new Kafka({ brokers, connectTimeoutMs, logger: silent });
  const topic = defineTopic(await createTopic({ brokers }), { value: string(), partitions: 1 });
  const groupId = uniqueName("group");
  const producer = kafka.producer({ deliveryTimeoutMs: 4_000, closeTimeoutMs: 2_000 });
  await kafka.producer().sendAll(
    topic,
    Array.from({ length: 3_000 }, () => ({ value: "x".repeat(10_000) })),
  );
  await producer.send(topic, { value: "x" });
  const transactional = kafka.transactionalProducer({
    transactionalId: uniqueName(),
    transactionTimeoutMs: 5_000,
    closeTimeoutMs: 2_000,
  });
  await transactional.transaction((tx) => tx.send(topic, { key: "a", value: "x" }));
  const admin = kafka.admin({ timeoutMs: 2_000 });
  await admin.listTopics();
  const reader = kafka.read(topic, { stallTimeoutMs: 2_000 });
  await reader.next();
  const keyed = defineTopic(await createTopic({ brokers }), { value: string() });
  const table = kafka.table(keyed);
  await table.ready();
  let consumed = 0;
  const consumer = kafka.consumer(topic, { groupId });
  const consuming = consumer.run(() => void (consumed += 1));
  let processed = 0;
  const processor = kafka.processor(topic, {
    groupId: uniqueName(),
    transactionalId: uniqueName(),
    transactionTimeoutMs: 5_000,
  });
  const processing = processor.run(async (record, tx) => {
    await tx.send(keyed, { key: "k", value: String(record.offset) });
    processed += 1;
  });
  await until("both are at work", () => consumed > 0 && processed > 0);

  await link.set({ deadHosts: [Link.host] });

  const record = { key: "a", value: "x" };
  const unused = () => new Kafka({ brokers, connectTimeoutMs, logger: silent });
  const failing: readonly (readonly [string, number, () => Promise<unknown>])[] = [
    ["send", 4_000, () => producer.send(topic, record)],
    ["sendAll", 4_000, () => producer.sendAll(topic, [record, record])],
    ["send with a time of its own", 1_000, () => producer.send(topic, record, { timeoutMs: 1_000 })],
    ["a transaction", 10_000, () => transactional.transaction((tx) => tx.send(topic, record))],
    ["a transaction of a new producer", connectTimeoutMs, () => firstTransaction(unused())],
    ["a read under way", 4_000, () => readAll(reader)],
    ["a new read", connectTimeoutMs, () => unused().read(topic).next()],
    [
      "a new consumer",
      connectTimeoutMs,
      () =>
        unused()
          .consumer(topic, { groupId })
          .run(() => {}),
    ],
    ["a new table", connectTimeoutMs, () => unused().table(keyed).ready({ timeoutMs: 2_000 })],
    ["listTopics", 4_000, () => admin.listTopics()],
    ["ensureTopics", 4_000, () => admin.ensureTopics(topic)],
    ["groupLag", 8_000, () => admin.groupLag(groupId)],
    ["describeGroups", 4_000, () => admin.describeGroups(groupId)],
    ["logOffsets", 4_000, () => admin.logOffsets(topic)],
    ["a new admin", connectTimeoutMs, () => unused().admin().listTopics()],
    ["redrive", connectTimeoutMs, () => unused().redrive(topic, { groupId })],
  ];
  const firstTransaction = (other: Kafka) =>
    other
      .transactionalProducer({ transactionalId: uniqueName() })
      .transaction((tx) => tx.send(topic, record));

  const outcomes = await Promise.all(
    failing.map(async ([what, ms, call]) => {
      const begin = performance.now();
      const failure = await within(ms + 10_000, what, call()).then(
        () => new Error(`${what} did not fail`),
        (error: unknown) => error,
      );
      const took = Math.round(performance.now() - begin);
      console.log(`${what}: ${took} ms of ${ms}: ${String(failure)}`);
      return { what, failure };
    }),
  );
  for (const { what, failure } of outcomes) {
    expect(failure, what).toBeInstanceOf(KafkaError);
    expect(failure, what).toMatchObject({
      code: expect.stringMatching(/TIMEOUT|CONNECTION|ABORTED|UNKNOWN/),
    });
    // How long it waited, for whom, or what became of the call.
    expect(String(failure), what).toMatch(/\d+ ms|rolled back/);
  }

  const health = await within(10_000, "health", kafka.health({ timeoutMs: 2_000 }));
  expect(health.ok).toBe(false);
  const isFine = unused()
    .check(topic)
    .then(
      ({ ok }) => ok,
      () => false,
    );
  expect(await within(20_000, "check", isFine)).toBe(false);

  const begin = performance.now();
  await within(90_000, "close", kafka.close());
  console.log(`close of everything: ${Math.round(performance.now() - begin)} ms`);
  await within(1_000, "the consumer's run ends", consuming);
  await within(1_000, "the processor's run ends", Promise.allSettled([processing]));
}, 180_000);

async function readAll(reader: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of reader) continue;
}
