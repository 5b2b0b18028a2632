import { describe } from "./check.js";
import { ConfigError } from "./errors.js";

/** A partition of a topic. */
export interface TopicPartition {
  /** The topic's name. */
  readonly topic: string;
  /** The partition's number, from 0. */
  readonly partition: number;
}

/** Names a partition in a map, as messages name it too: `students[3]`. */
export function partitionId(topic: string, partition: number): string {
  return `${topic}[${partition}]`;
}

/** Only the partition of something that has more to it. */
export function topicPartitionOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

/** An offset in a partition of a topic. */
export interface PartitionOffset extends TopicPartition {
  /** The offset, from 0. */
  readonly offset: number;
}

/**
 * Offsets by partition: `{ 0: 1_200, 3: 900 }` where one topic is concerned, or an array that names the
 * topics.
 */
export type OffsetsByPartition = Readonly<Record<number, number>> | readonly PartitionOffset[];

/** Whether a value is {@link OffsetsByPartition} rather than a word or a time; what is in it is not looked at. */
export function isOffsets(value: unknown): value is OffsetsByPartition {
  return typeof value === "object" && value !== null && !(value instanceof Date);
}

/**
 * Checks offsets by partition and copies them into an array.
 *
 * @throws `ConfigError` for what is no partition or offset, a topic that is not among `topics`, a
 *   partition named twice, and the short form where there are several topics
 */
export function resolveOffsets(
  path: string,
  offsets: OffsetsByPartition,
  topics: readonly string[],
): readonly PartitionOffset[] {
  const list = Array.isArray(offsets)
    ? (offsets as readonly unknown[]).map((each, index) => {
        if (typeof each !== "object" || each === null)
          throw new ConfigError(
            `${path}[${index}]`,
            `expected { topic, partition, offset }, got ${describe(each)}`,
          );
        const { topic, partition, offset } = each as Partial<PartitionOffset>;
        return resolveOne(`${path}[${index}]`, topic, partition, offset);
      })
    : Object.entries(offsets as Readonly<Record<string, number>>).map(([partition, offset]) =>
        resolveOne(`${path}[${partition}]`, onlyTopic(path, topics), Number(partition), offset),
      );
  const named = new Set<string>();
  for (const { topic, partition } of list) {
    const id = partitionId(topic, partition);
    if (!topics.includes(topic))
      throw new ConfigError(path, `${id} is of another topic; there are ${topics.join(", ")}`);
    if (named.has(id)) throw new ConfigError(path, `${id} is named twice`);
    named.add(id);
  }
  return list;
}

/**
 * Milliseconds since the epoch of a `Date`.
 *
 * @throws `ConfigError` for one that is not valid, or is before 1970
 */
export function resolveTime(path: string, time: Date): number {
  const ms = time.getTime();
  if (Number.isNaN(ms) || ms < 0)
    throw new ConfigError(path, "the Date is not valid: give one from 1970 on, as records have them");
  return ms;
}

function onlyTopic(path: string, topics: readonly string[]): string {
  const [topic] = topics;
  if (topic === undefined || topics.length > 1)
    throw new ConfigError(path, "with several topics name each: [{ topic, partition, offset }]");
  return topic;
}

function resolveOne(path: string, topic: unknown, partition: unknown, offset: unknown): PartitionOffset {
  if (typeof topic !== "string") throw new ConfigError(`${path}.topic`, "expected a topic's name");
  return {
    topic,
    partition: wholeNumber(`${path}, the partition`, partition),
    offset: wholeNumber(`${path}, the offset`, offset),
  };
}

function wholeNumber(path: string, value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new ConfigError(path, `expected a whole number from 0, got ${describe(value)}`);
  return value as number;
}
