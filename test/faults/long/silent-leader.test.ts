import { afterAll, beforeAll, expect, test } from "vitest";
import { defineTopic, Kafka, string } from "typed-kafka";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { silent } from "../../support/silent.js";
import { createTopic, uniqueName } from "../../support/topics.js";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka({ nodes: 3 });
});
afterAll(async () => {
  await cluster.close();
});

test("a leader that has failed is not asked for ever: whoever leads after it tells", async () => {
  const { brokers } = cluster;
  const topic = defineTopic(await createTopic({ brokers, partitions: 3 }), { value: string() });
  await using kafka = new Kafka({ brokers, metadataMaxAgeMs: 900_000, logger: silent });
  const admin = kafka.admin();
  const group = uniqueName("group");
  await admin.resetOffsets(group, topic, "latest");
  expect(await admin.groupLag(group)).toHaveLength(3);
  await cluster.nodes[0].kill();
  expect(await admin.groupLag(group)).toHaveLength(3);
  expect(await admin.logOffsets(topic)).toHaveLength(3);
});
