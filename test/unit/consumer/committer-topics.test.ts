import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Committer } from "../../../src/consumer/committer.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { KafkaError } from "../../../src/errors.js";
import { rawRecords } from "../group/records.js";
import { silent } from "../../support/silent.js";

const unknown = new KafkaError("UNKNOWN_TOPIC", "commit: unknown topic or partition", { nativeCode: 3 });

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A committer of three topics' partitions, of each of which one record is finished; brokers do not know one of them. */
function setUp() {
  const unknownTopics = new Set(["deleted"]);
  const committed = new Map<string, number>();
  const committer = new Committer({
    intervalMs: 1_000,
    logger: silent,
    onDenied: () => {},
    // Brokers commit what they can; the outcome does not tell what they could not.
    send: (offsets) => {
      for (const { topic, offset } of offsets) if (!unknownTopics.has(topic)) committed.set(topic, offset);
      const hasUnknown = offsets.some(({ topic }) => unknownTopics.has(topic));
      setTimeout(() => {
        committer.settle(hasUnknown ? unknown : undefined);
      }, 5);
    },
  });
  const partitions = ["orders", "deleted", "refunds"].map((topic) => {
    const partition = new OwnedPartition({ topic, partition: 0 });
    partition.queue.push(rawRecords(2), 0, 2);
    return partition;
  });
  const finish = (partition: OwnedPartition): void => {
    const record = partition.take();
    if (record === undefined) return;
    partition.finish(record.offset);
    committer.finished(partition, 1);
  };
  for (const partition of partitions) finish(partition);
  return { committer, committed, partitions, finish, unknownTopics };
}

test("a topic that was deleted does not keep the others from being committed, and counts as deleted after a while", async () => {
  const { committer, committed, partitions } = setUp();
  const outcome = vi.fn();
  void committer.flush(partitions, 10_000).catch(outcome);
  await vi.advanceTimersByTimeAsync(1_000);
  // It may be a topic that was just made: that is asked again for a while.
  expect(outcome).not.toHaveBeenCalled();
  expect([...committed.keys()]).toEqual(["orders", "refunds"]);
  await vi.advanceTimersByTimeAsync(7_000);
  expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: "UNKNOWN_TOPIC", topic: "deleted" }));
  expect(partitions.map((partition) => partition.committed)).toEqual([1, undefined, 1]);
  expect(vi.getTimerCount()).toBe(0);
});

test("what is finished in a topic that counted as deleted is committed for a while again", async () => {
  const { committer, partitions, finish, unknownTopics } = setUp();
  await vi.advanceTimersByTimeAsync(10_000);
  for (const partition of partitions) finish(partition);
  const flushed = committer.flush(partitions, 10_000);
  await vi.advanceTimersByTimeAsync(2_000);
  unknownTopics.clear();
  await vi.advanceTimersByTimeAsync(1_000);
  await flushed;
  expect(partitions.map((partition) => partition.committed)).toEqual([2, 2, 2]);
});
