import { defineTopic, type Kafka, type ReadOptions, string, type Topic } from "typed-kafka";
import { inject } from "vitest";
import { settled } from "./settled.js";
import { createTopic } from "./topics.js";

/** Makes a topic of texts. */
export async function newTopic(partitions = 1, config: Readonly<Record<string, string>> = {}) {
  return defineTopic(await createTopic({ partitions, config }), { value: string() });
}

/** Everything that is in a topic of texts, in the order in which it is read. */
export async function valuesOf(
  kafka: Kafka,
  topic: Topic<string>,
  options: Pick<ReadOptions, "isolationLevel"> = {},
): Promise<string[]> {
  const values: string[] = [];
  for await (const { value } of kafka.read(topic, options)) values.push(value);
  return values;
}

/** Everything that is committed in a topic of texts: waits for what readers see only a moment after its commit. */
export async function committedValuesOf(kafka: Kafka, topic: Topic<string>): Promise<string[]> {
  await settled(inject("brokers"), [topic.name]);
  return valuesOf(kafka, topic);
}
