import { describe } from "../check.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import { ConfigError, KafkaError } from "../errors.js";
import { topicPartitionOf, type TopicPartition } from "../offsets.js";

/** Where to read on: an offset, the log's first or next record, or the first record from a time on. */
export type SeekTarget = number | "earliest" | "latest" | Date;

const queryTimeoutMs = 5_000;

/**
 * @throws `ConfigError` for what is no target
 */
export function checkTarget(topicPartition: TopicPartition, target: SeekTarget): void {
  const isOffset = typeof target === "number" && Number.isSafeInteger(target) && target >= 0;
  const isTime = target instanceof Date && !Number.isNaN(target.getTime());
  if (isOffset || isTime || target === "earliest" || target === "latest") return;
  if (target instanceof Date) throw new ConfigError("seek", "the Date is not valid");
  const isOfKafkajs = typeof topicPartition === "object" && "offset" in topicPartition;
  const hint = isOfKafkajs ? ": the call is seek({ topic, partition }, offset)" : "";
  throw new ConfigError(
    "seek",
    `expected an offset, "earliest", "latest" or a Date, got ${describe(target)}${hint}`,
  );
}

/**
 * The offset that a target means in a partition; asks the brokers.
 * @throws `KafkaError` with code `OFFSET_OUT_OF_RANGE` for an offset outside the log
 */
export async function offsetOf(
  native: Pick<NativeConsumer, "offsetsForTimes" | "watermarks">,
  topicPartition: TopicPartition,
  target: SeekTarget,
): Promise<number> {
  const { topic, partition } = topicPartitionOf(topicPartition);
  if (target instanceof Date) {
    const offset = target.getTime();
    const [found] = await native.offsetsForTimes([{ topic, partition, offset }], queryTimeoutMs);
    if (found !== undefined && found.offset >= 0) return found.offset;
    return (await native.watermarks({ topic, partition }, queryTimeoutMs)).high;
  }
  const { low, high } = await native.watermarks({ topic, partition }, queryTimeoutMs);
  if (target === "earliest") return low;
  if (target === "latest") return high;
  if (target < low || target > high)
    throw new KafkaError(
      "OFFSET_OUT_OF_RANGE",
      `${topic}[${partition}] has offsets ${low} to ${high}, not ${target}`,
      { topic, partition, offset: target },
    );
  return target;
}
