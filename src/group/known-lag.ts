import type { NativeConsumer } from "../driver/native-consumer.js";
import type { KnownLag } from "../telemetry/activities.js";
import { topicPartitionOf } from "../offsets.js";
import type { OwnedPartition } from "./owned-partition.js";

/** How far behind these partitions are as of their last fetch, but for those of which that is not known. Asks no broker. */
export function knownLag(
  partitions: Iterable<OwnedPartition>,
  source: Pick<NativeConsumer, "knownEnd">,
): readonly KnownLag[] {
  const lags: KnownLag[] = [];
  for (const partition of partitions) {
    const { next } = partition;
    const end = source.knownEnd(partition);
    if (next !== undefined && end !== undefined)
      lags.push({ ...topicPartitionOf(partition), lag: Math.max(0, end - next) });
  }
  return lags;
}
