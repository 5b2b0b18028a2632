import { defineTopic, type Kafka, string } from "typed-kafka";
import { until } from "./consuming.js";
import { createTopic, uniqueName } from "./topics.js";

/** A topic of which every record has become a dead letter: even numbers by a RangeError, odd ones by an Error. */
export async function failedTopic(kafka: Kafka, count: number, partitions = 2, brokers?: string) {
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
      headers: { trace: ["a", String(index)] },
    })),
  );
  const groupId = uniqueName();
  const consumer = kafka.consumer(topic, { groupId, deadLetter: true });
  let failed = 0;
  const running = consumer.run(({ value }) => {
    failed += 1;
    throw Number(value) % 2 === 0 ? new RangeError(`no ${value}`) : new Error(`no ${value}`);
  });
  await until("all have failed", () => failed === count);
  await consumer.close();
  await running;
  return { topic, groupId, letters: `${topic.name}.${groupId}.dead-letter` };
}
