/** A cluster of three: what becomes of processors when the broker that coordinates their group goes, or another one has their transactional id. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defineTopic, Kafka, string, type TopicDescription } from "typed-kafka";
import { until } from "../support/consuming.js";
import { coordinatorOf } from "../support/reassignment.js";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { expectExactlyOnce, run } from "../support/processor-faults.js";
import { silent } from "../support/silent.js";
import { uniqueName } from "../support/topics.js";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka({ nodes: 3, properties: { "broker.session.timeout.ms": 3_000 } });
});

afterAll(async () => {
  await cluster.close();
});

test("the topics that a failure policy makes have as many partitions and replicas as their source", async () => {
  const kafka = new Kafka({ brokers: cluster.brokers, logger: silent });
  const topic = defineTopic(uniqueName(), { value: string(), partitions: 4, replicationFactor: 2 });
  const admin = kafka.admin();
  await admin.ensureTopics([topic]);
  const consumer = kafka.consumer(topic, {
    groupId: "g",
    retryTopics: { delaysMs: [1_000] },
    deadLetter: true,
  });
  const running = consumer.run(() => {});
  const made = ["retry-1", "dead-letter"].map((end) => `${topic.name}.g.${end}`);
  let described: readonly TopicDescription[] = [];
  await until("they are made", async () => {
    described = await admin.describeTopics(made).catch(() => []);
    return described.length > 0;
  });
  const sizes = described.map(({ partitions, replicationFactor }) => [partitions.length, replicationFactor]);
  expect(sizes).toEqual([
    [4, 2],
    [4, 2],
  ]);
  await consumer.close();
  await running;
  await kafka.close();
}, 60_000);

describe("processors go on by themselves, exactly once", () => {
  test("when the broker that coordinates their group dies and stays away", async () => {
    const verdict = await run({
      brokers: cluster.brokers,
      records: 6_000,
      rate: 300,
      options: { sessionTimeoutMs: 6_000 },
      faults: async (run) => {
        await run.underWay();
        const id = await coordinatorOf(cluster, run.groupId);
        const coordinator = cluster.nodes.find((node) => node.id === id);
        expect(coordinator).toBeDefined();
        await coordinator?.kill();
        run.count("broker SIGKILL");
        await sleep(16_000);
      },
    });
    await Promise.all(cluster.nodes.filter(({ running }) => !running).map((node) => node.start()));
    expectExactlyOnce(verdict);
    // Without looking for the new coordinator they would wait until the old one comes back.
    expect(verdict.longestGapMs).toBeLessThan(30_000);
  });

  test("when a second one is started with the transactional id of the first: the first stops and says why", async () => {
    const verdict = await run({
      brokers: cluster.brokers,
      records: 5_000,
      rate: 400,
      options: { sessionTimeoutMs: 6_000 },
      faults: async (run) => {
        await run.underWay();
        run.start(3, 0);
        run.count("second instance");
        await run.worker(0).ended();
        await sleep(3_000);
      },
    });
    expectExactlyOnce(verdict, ["ProducerFencedError"]);
  });
});
