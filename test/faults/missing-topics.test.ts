// A broker with Kafka's own default, auto.create.topics.enable=true: a name that is spelt wrong makes no topic.
import kafkaJavascript from "@confluentinc/kafka-javascript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defineTopic, Kafka, string, type TransactionAbortedError } from "typed-kafka";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { errorOf } from "../support/outcomes.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const textsOf = (name: string) => defineTopic(name, { value: string() });
type Texts = ReturnType<typeof textsOf>;

let cluster: KafkaCluster;
let kafka: Kafka;

beforeAll(async () => {
  cluster = await startKafka({ properties: { "auto.create.topics.enable": true } });
  kafka = new Kafka({ brokers: cluster.brokers, logger: silent });
});
afterAll(async () => {
  await kafka.close();
  await cluster.close();
});

/** A topic with one record. */
async function inputOfOne(): Promise<Texts> {
  const input = textsOf(await createTopic({ brokers: cluster.brokers }));
  await kafka.producer().send(input, { value: "in" });
  return input;
}

describe("a topic that does not exist", () => {
  test.each<[string, (topic: Texts) => Promise<unknown>]>([
    ["send", (topic) => kafka.producer().send(topic, { value: "x" })],
    ["send of several", (topic) => kafka.producer().send(topic, [{ value: "x" }, { value: "y" }])],
    ["send to a partition", (topic) => kafka.producer().send(topic, { value: "x", partition: 0 })],
    [
      "send with a partitioner",
      (topic) => kafka.producer({ partitioner: () => 0 }).send(topic, { value: "x" }),
    ],
    ["sendAll", (topic) => kafka.producer().sendAll(topic, [{ value: "x" }])],
    [
      "tx.send",
      async (topic) => {
        await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
        const error = await errorOf(producer.transaction((tx) => tx.send(topic, { value: "x" })));
        throw (error as TransactionAbortedError).cause;
      },
    ],
    [
      "tx.send of a processor",
      async (topic) => {
        const options = { groupId: uniqueName(), transactionalId: uniqueName() };
        const processor = kafka.processor(await inputOfOne(), options);
        await processor.run((_, tx) => tx.send(topic, { value: "x" }));
      },
    ],
    ["run", (topic) => kafka.consumer(topic, { groupId: uniqueName() }).run(() => undefined)],
    [
      "read",
      async (topic) => {
        for await (const record of kafka.read(topic)) expect.fail(`there is a record: ${record.value}`);
      },
    ],
  ])("is refused by %s as UNKNOWN_TOPIC, and not made", async (_, act) => {
    const topic = textsOf(uniqueName("typo"));
    expect(await errorOf(act(topic))).toMatchObject({ code: "UNKNOWN_TOPIC", topic: topic.name });
    expect(await topicNames()).not.toContain(topic.name);
  });

  test("is not made by looking at it", async () => {
    const topic = textsOf(uniqueName("typo"));
    const admin = kafka.admin();
    await Promise.allSettled([
      admin.describeTopics(topic),
      admin.groupLag(uniqueName(), topic),
      admin.resetOffsets(uniqueName(), topic, "earliest"),
      kafka.check(topic),
    ]);
    expect(await topicNames()).not.toContain(topic.name);
  });

  test("is made by a producer whose native property says so", async () => {
    const topic = textsOf(uniqueName("made"));
    const generous = new Kafka({
      brokers: cluster.brokers,
      logger: silent,
      librdkafka: { "allow.auto.create.topics": true },
    });
    await generous.producer().send(topic, { value: "x" });
    await generous.close();
    expect(await topicNames()).toContain(topic.name);
  });
});

/** All topics of the cluster, from a raw client. */
async function topicNames(): Promise<readonly string[]> {
  const admin = kafkaJavascript.AdminClient.create({ "bootstrap.servers": cluster.brokers });
  try {
    return await new Promise((resolve, reject) => {
      admin.listTopics({ timeout: 10_000 }, (error, topics) => {
        if (error as unknown) reject(new Error(error.message));
        else resolve(topics);
      });
    });
  } finally {
    admin.disconnect();
  }
}
