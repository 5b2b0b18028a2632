import { ConfigError, KafkaError, TimeoutError } from "../errors.js";
import { isOffsets, resolveOffsets, topicPartitionOf, type TopicPartition } from "../offsets.js";
import { settlesWithin } from "../waiting.js";
import type { ResolvedConsumerOptions } from "./options.js";
import type { StartOffset } from "./start-offsets.js";

/**
 * Asks the user's `startOffsets` for these partitions. What it says of others is ignored, so that it may give a whole
 * table of offsets; partitions that it leaves out are left out here.
 * @throws `KafkaError` with code `START_OFFSETS`, `TimeoutError`, `ConfigError` for what are no offsets
 */
export async function givenStartOffsets(
  partitions: readonly TopicPartition[],
  options: Pick<ResolvedConsumerOptions, "groupId" | "drainTimeoutMs" | "startOffsets">,
): Promise<readonly StartOffset[]> {
  const { groupId, drainTimeoutMs, startOffsets } = options;
  if (startOffsets === undefined || partitions.length === 0) return [];
  const answer = (async (): Promise<unknown> => startOffsets(partitions.map(topicPartitionOf)))().catch(
    (cause: unknown) => {
      const message = `startOffsets failed: ${cause instanceof Error ? cause.message : String(cause)}`;
      throw new KafkaError("START_OFFSETS", message, { cause, groupId });
    },
  );
  if (!(await settlesWithin(answer, drainTimeoutMs)))
    throw new TimeoutError(`startOffsets: no answer within drainTimeoutMs (${drainTimeoutMs} ms)`, {
      groupId,
    });
  const given = await answer;
  if (!isOffsets(given))
    throw new ConfigError(
      "startOffsets",
      "must give offsets by partition: [{ topic, partition, offset }], or { 0: 1200 } for one topic",
      { groupId },
    );
  const asked = partitions.map(({ topic }) => topic);
  const named = Array.isArray(given)
    ? given.map((each: Partial<TopicPartition> | null) => String(each?.topic))
    : [];
  return resolveOffsets("startOffsets", given, [...new Set([...asked, ...named])])
    .filter(({ topic, partition }) =>
      partitions.some((each) => each.topic === topic && each.partition === partition),
    )
    .map((start) => ({ ...start, at: "given" }));
}
