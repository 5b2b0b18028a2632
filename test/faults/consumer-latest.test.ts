import { afterAll, expect, test } from "vitest";
import { Kafka } from "typed-kafka";
import { committedOffsets, textTopic, until } from "../support/consuming.js";
import { type KafkaNode, startKafka } from "../support/kafka-cluster.js";
import { coordinatorOf } from "../support/reassignment.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const cluster = await startKafka({ nodes: 3, proxied: true });
const { brokers } = cluster;
const kafka = new Kafka({ brokers, logger: silent, metadataMaxAgeMs: 1_000 });
const producer = kafka.producer();
afterAll(async () => {
  await kafka.close();
  await cluster.close();
});

/** A topic of three partitions, each on a broker of its own, with a record in each; one that is not on the group's coordinator. */
async function startedTopic(groupId: string) {
  const topic = textTopic(await createTopic({ brokers, partitions: 3, replicationFactor: 1 }));
  await producer.send(
    topic,
    [0, 1, 2].map((partition) => ({ value: "before", partition })),
  );
  const [description] = await kafka.admin().describeTopics([topic.name]);
  const coordinator = await coordinatorOf(cluster, groupId);
  const found = description?.partitions.find(({ leader }) => leader !== coordinator);
  const node = cluster.nodes.find(({ id }) => id === found?.leader);
  if (found === undefined || node === undefined) throw new Error("there is none");
  return { topic, partition: found.partition, node };
}

test.each([
  {
    how: "is gone",
    stop: async (node: KafkaNode) => {
      await node.kill();
      return () => node.start();
    },
  },
  {
    how: "says nothing",
    stop: (node: KafkaNode) => {
      node.proxy?.blackhole();
      return () => node.proxy?.restore();
    },
  },
])(
  'from: "latest" while the leader of one partition $how: the others are handled, and it begins once that is back',
  async ({ stop }) => {
    const groupId = uniqueName();
    const { topic, partition, node } = await startedTopic(groupId);
    const others = [0, 1, 2].filter((other) => other !== partition);
    const committed = () => committedOffsets(brokers, groupId, topic.name, 3);
    const bringBack = await stop(node);
    const handled: string[] = [];
    const consumer = kafka.consumer(topic, { groupId, from: "latest" });
    const ended = consumer.run((record) => void handled.push(`${record.partition}:${record.value}`));
    await until("the others have begun", async () => {
      const offsets = await committed();
      return others.every((other) => offsets[other] === 1);
    });
    await producer.send(
      topic,
      others.map((other) => ({ value: "a", partition: other })),
    );
    await until("the others are handled", () => handled.length === 2);
    await bringBack();
    await until("it has begun", async () => (await committed())[partition] === 1, 60_000);
    await producer.send(topic, { value: "a", partition });
    await until("it is handled too", () => handled.length === 3);
    expect(handled.toSorted()).toEqual(["0:a", "1:a", "2:a"]);
    await consumer.close();
    await ended;
  },
);
