import { type ConsumerOptions, defineTopic, type Kafka, string, type Topic } from "typed-kafka";
import { until } from "./consuming.js";
import { createTopic, uniqueName } from "./topics.js";

/** A topic of which every record has become a dead letter, as {@link failAll} does it. */
export async function failedTopic(kafka: Kafka, count: number, partitions = 2, brokers?: string) {
  const topic = await numberedTopic(kafka, count, partitions, brokers);
  const groupId = uniqueName();
  await failAll(kafka, topic, count, { groupId, deadLetter: true });
  return { topic, groupId, letters: `${topic.name}.${groupId}.dead-letter` };
}

/** A topic with the values "0", "1", …, with keys and headers, in its partitions in turn. */
export async function numberedTopic(kafka: Kafka, count: number, partitions = 2, brokers?: string) {
  const topic = defineTopic(
    await createTopic({ partitions, ...(brokers === undefined ? {} : { brokers }) }),
    { value: string() },
  );
  await using producer = kafka.producer();
  await producer.send(
    topic,
    Array.from({ length: count }, (_, index) => ({
      value: String(index),
      key: `key-${index}`,
      partition: index % partitions,
      headers: { trace: ["a", String(index)], none: null },
    })),
  );
  return topic;
}

/** Has a group fail at every record of such a topic: at even numbers with a RangeError, at odd ones with an Error. */
export async function failAll(
  kafka: Kafka,
  topic: Topic<string>,
  count: number,
  options: { readonly groupId: string; readonly deadLetter: ConsumerOptions["deadLetter"] },
): Promise<void> {
  const consumer = kafka.consumer(topic, options);
  let failed = 0;
  const running = consumer.run(({ value }) => {
    failed += 1;
    throw Number(value) % 2 === 0 ? new RangeError(`no ${value}`) : new Error(`no ${value}`);
  });
  await until("all have failed", () => failed === count);
  await consumer.close();
  await running;
}
