import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Committer } from "../../../src/consumer/committer.js";
import { OwnedPartition } from "../../../src/consumer/owned-partition.js";
import { KafkaError } from "../../../src/errors.js";
import { rawRecords } from "./records.js";
import { silent } from "../../support/silent.js";

const unknown = new KafkaError("UNKNOWN_TOPIC", "commit: unknown topic or partition", { nativeCode: 3 });

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("a topic that was deleted does not keep the others from being committed, and is given up after a while", async () => {
  const committed = new Map<string, number>();
  const committer = new Committer({
    intervalMs: 1_000,
    logger: silent,
    onDenied: () => {},
    // Brokers commit what they can; the outcome does not tell what they could not.
    send: (offsets) => {
      for (const { topic, offset } of offsets) if (topic !== "deleted") committed.set(topic, offset);
      const hasDeleted = offsets.some(({ topic }) => topic === "deleted");
      setTimeout(() => {
        committer.settle(hasDeleted ? unknown : undefined);
      }, 5);
    },
  });
  const partitions = ["orders", "deleted", "refunds"].map((topic) => {
    const partition = new OwnedPartition({ topic, partition: 0 });
    partition.queue.push(rawRecords(2), 0, 2);
    partition.take();
    partition.finish(0);
    committer.finished(partition, 1);
    return partition;
  });
  let isFlushed = false;
  void committer.flush(partitions, 10_000).then(() => {
    isFlushed = true;
  });
  await vi.advanceTimersByTimeAsync(1_000);
  // It may be a topic that was just made: that is asked again for a while.
  expect(isFlushed).toBe(false);
  expect([...committed.keys()]).toEqual(["orders", "refunds"]);
  await vi.advanceTimersByTimeAsync(7_000);
  expect(isFlushed).toBe(true);
  expect(partitions.map((partition) => partition.committed)).toEqual([1, undefined, 1]);
});
