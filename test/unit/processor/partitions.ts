import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { Finished } from "../../../src/processor/finished.js";
import { encodedRecord } from "../producer/records.js";
import { rawRecord } from "../group/records.js";

/** A partition of topic `in` with so many records fetched, from this offset on. */
export function partitionWith(count: number, partition = 0, from = 0): OwnedPartition {
  const owned = new OwnedPartition({ topic: "in", partition });
  fetchInto(owned, count, from);
  return owned;
}

/** Fetches so many records from this offset on. */
export function fetchInto({ queue, partition }: OwnedPartition, count: number, from = 0): void {
  const records = Array.from({ length: count }, (_, index) =>
    rawRecord(from + index, { topic: "in", partition }),
  );
  queue.push(records, 0, count);
}

/** What a handler came to that was called for the next `count` records of the partition, and sent one to this topic. */
export function handled(partition: OwnedPartition, topic: string, count = 1): Finished {
  const offsets = Array.from({ length: count }, () => partition.take()?.offset ?? -1);
  return { parts: [{ partition, offsets }], sends: [{ topic, record: encodedRecord() }] };
}
