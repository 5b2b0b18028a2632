import { describe, expect, test } from "vitest";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { TransactionPartitions } from "../../../src/processor/transaction-partitions.js";
import { HeldResults } from "../../../src/processor/finished.js";
import type { TransactionRecord } from "../../../src/transactions/transaction-records.js";
import type { RawRecord } from "../../../src/record.js";

function partitionWith(count: number): OwnedPartition {
  const partition = new OwnedPartition({ topic: "t", partition: 0 });
  const records = Array.from({ length: count }, (_, offset): RawRecord => ({
    topic: "t",
    partition: 0,
    offset,
    timestamp: 1,
    key: null,
    value: null,
    size: 0,
  }));
  partition.queue.push(records, 0, count);
  for (let taken = 0; taken < count; taken += 1) partition.take();
  return partition;
}

const sent = (topic: string): TransactionRecord => ({
  topic,
  record: { key: null, value: null, headers: undefined, partition: undefined, timestamp: undefined, size: 0 },
});
const topicsOf = (sends: readonly TransactionRecord[]): string[] => sends.map(({ topic }) => topic);

describe("results held back", () => {
  test("until every record before theirs is finished, and then in the order of the log", () => {
    const [held, partition] = [new HeldResults(), partitionWith(4)];
    partition.finish(2);
    held.hold(partition, 2, { sends: [sent("c")] });
    partition.finish(1);
    held.hold(partition, 1, { sends: [sent("b1"), sent("b2")] });
    expect(held.release(partition)).toEqual([]);
    partition.finish(0);
    held.hold(partition, 0, { sends: [sent("a")] });
    expect(topicsOf(held.release(partition).flatMap(({ sends }) => sends))).toEqual(["a", "b1", "b2", "c"]);
    expect(held.release(partition)).toEqual([]);
    expect(held.sizeOf(partition)).toBe(0);
  });

  test("behind an unfinished record stay, where those in front of it are given out", () => {
    const [held, partition] = [new HeldResults(), partitionWith(3)];
    for (const offset of [2, 0]) {
      partition.finish(offset);
      held.hold(partition, offset, { sends: [sent(String(offset))] });
    }
    expect(topicsOf(held.release(partition).flatMap(({ sends }) => sends))).toEqual(["0"]);
    partition.finish(1);
    expect(topicsOf(held.release(partition).flatMap(({ sends }) => sends))).toEqual(["2"]);
  });

  test("are forgotten with their partition", () => {
    const [held, partition] = [new HeldResults(), partitionWith(2)];
    partition.finish(1);
    held.hold(partition, 1, { sends: [sent("b")] });
    held.drop(partition);
    partition.finish(0);
    expect(held.sizeOf(partition)).toBe(0);
    expect(held.release(partition)).toEqual([]);
  });
});

describe("the partitions of a transaction", () => {
  test("give the next offset of each partition, and are broken by one that is gone", () => {
    const [partitions, partition] = [new TransactionPartitions(), partitionWith(3)];
    partition.finish(0);
    partition.finish(1);
    partitions.add(partition);
    expect(partitions.offsets()).toEqual([{ topic: "t", partition: 0, offset: 2 }]);
    expect(partitions.broken()).toBeUndefined();
    partition.end();
    expect(partitions.broken()).toBe(partition);
    expect(partitions.take()).toEqual([partition]);
    expect(partitions.isEmpty()).toBe(true);
  });
});
