import { KafkaError } from "../errors.js";
import { checkTopic } from "../given-topic.js";
import type { AnyTopic } from "../topic.js";
import { checkTopicName } from "../topic-name.js";

/** A topic, or its name. */
export type TopicLike = AnyTopic | string;

/** One topic or several as a list. */
export function listOf(topics: TopicLike | readonly TopicLike[]): readonly TopicLike[] {
  return Array.isArray(topics) ? (topics as readonly TopicLike[]) : [topics as TopicLike];
}

/** The names of topics, checked, each once. */
export function namesOf(topics: readonly TopicLike[]): readonly string[] {
  return [...new Set(topics.map(nameOf))];
}

/** A topic's name, checked. */
export function nameOf(topic: TopicLike): string {
  const name = typeof topic === "string" ? topic : checkTopic("topic", topic).name;
  checkTopicName(name);
  return name;
}

/** Throws the error for a topic that there is not. */
export function unknownTopic(topic: string): never {
  throw new KafkaError(
    "UNKNOWN_TOPIC",
    `${topic}: the topic does not exist, or this principal may not see it`,
    {
      topic,
    },
  );
}
