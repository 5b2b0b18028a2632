import type { AnyTopic } from "../topic.js";
import type { TopicDescription } from "./descriptions.js";

/** How a topic in the cluster differs from its definition. */
export interface TopicDifference {
  /** What differs. */
  readonly what: "partitions" | "replicationFactor";
  /** What the definition says. */
  readonly wanted: number;
  /** What the cluster has. */
  readonly actual: number;
  /** What to do about it, in words. */
  readonly advice: string;
}

/** What `ensureTopics` found or did. */
export interface EnsuredTopic {
  /** The topic's name. */
  readonly topic: string;
  /**
   * It was made now, exists and does not differ as far as can be compared (partitions and replication factor, where
   * the definition names them), or exists and differs.
   */
  readonly status: "created" | "unchanged" | "differs";
  /** How it differs; empty unless `differs`. Configuration is not compared: it cannot be read. */
  readonly differences: readonly TopicDifference[];
}

/** Compares what can be compared; what a definition leaves to the broker never differs. Pure. */
export function differencesOf(
  topic: AnyTopic,
  { name, partitions, replicationFactor }: TopicDescription,
): readonly TopicDifference[] {
  const differences: TopicDifference[] = [];
  const actual = partitions.length;
  if (topic.partitions !== undefined && topic.partitions !== actual)
    differences.push({
      what: "partitions",
      wanted: topic.partitions,
      actual,
      advice:
        topic.partitions > actual
          ? `createPartitions("${name}", ${topic.partitions}) adds them; keys then map to other partitions`
          : "Kafka takes none away: correct the definition, or move to a new topic",
    });
  if (topic.replicationFactor !== undefined && topic.replicationFactor !== replicationFactor)
    differences.push({
      what: "replicationFactor",
      wanted: topic.replicationFactor,
      actual: replicationFactor,
      advice: "kafka-reassign-partitions.sh changes it",
    });
  return differences;
}
