import { afterAll, beforeAll, expect, test } from "vitest";
import { defineTopic, Kafka, type ReadOptions, string } from "typed-kafka";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { reassign } from "../../support/reassignment.js";
import { settled } from "../../support/settled.js";
import { createTopic, uniqueName } from "../../support/topics.js";

let cluster: KafkaCluster;

beforeAll(async () => {
  // The replica that stops stays in sync meanwhile.
  cluster = await startKafka({ nodes: 3, properties: { "broker.session.timeout.ms": 18_000 } });
});
afterAll(async () => {
  await cluster.close();
});

test("what is committed is seen once its marker is on all in-sync replicas: a read before ends in front of it", async () => {
  const { brokers } = cluster;
  const config = { "min.insync.replicas": "1" };
  const topic = defineTopic(await createTopic({ brokers, config }), { value: string() });
  await using kafka = new Kafka({ brokers });
  const valuesOf = async (options?: ReadOptions): Promise<string[]> => {
    const values: string[] = [];
    for await (const { value } of kafka.read(topic, options)) values.push(value);
    return values;
  };

  const producer = kafka.transactionalProducer({ transactionalId: uniqueName("tx"), lingerMs: 0 });
  await producer.transaction((tx) => tx.send(topic, { value: "first" }));
  // Kafka has made its own topics by now, without the fourth, so that transactions are decided when that has stopped.
  const fourth = await cluster.addNode();
  const partition = async () => (await kafka.admin().describeTopics([topic]))[0]?.partitions[0];
  for (const replicas of [[1], [1, fourth.id]]) {
    await reassign(cluster, [{ topic: topic.name, partition: 0, replicas }]);
    await expect.poll(partition, { timeout: 30_000 }).toMatchObject({ leader: 1, inSync: replicas });
  }

  await settled(brokers, [topic.name]);
  await producer.transaction(async (tx) => {
    await tx.send(topic, { value: "second" });
    const isolationLevel = "read_uncommitted";
    await expect.poll(() => valuesOf({ isolationLevel }), { timeout: 10_000 }).toEqual(["first", "second"]);
    process.kill(fourth.pid, "SIGSTOP");
  });
  expect(await valuesOf()).toEqual(["first"]);
  process.kill(fourth.pid, "SIGCONT");
  await settled(brokers, [topic.name]);
  expect(await valuesOf()).toEqual(["first", "second"]);
});
