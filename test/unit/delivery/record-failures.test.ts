import { expect, test, vi } from "vitest";
import { Committer } from "../../../src/consumer/committer.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { ConsumerFailures } from "../../../src/consumer/consumer-failures.js";
import type { ClientConfig } from "../../../src/driver/client-config.js";
import type { NativeConsumer } from "../../../src/driver/native-consumer.js";
import type { FailurePolicy } from "../../../src/failure/failure-policy.js";
import { deferred } from "../../../src/waiting.js";
import { rawRecord, rawRecords } from "../group/records.js";
import { silent } from "../../support/silent.js";
import { settled } from "../../support/turns.js";

/** A partition with records that were taken, and a policy with retry topics that moves one of them. */
function setUp(records: number, transaction: Promise<void> = Promise.resolve()) {
  const commits: number[] = [];
  /** The offsets committed in transactions. */
  const moved: number[] = [];
  const committer = new Committer({
    send: ([first]) => commits.push(first?.offset ?? -1),
    intervalMs: 100,
    logger: silent,
    onDenied: () => {},
  });
  const failures = new ConsumerFailures({
    policy: { options: { groupId: "g" }, retryTopics: ["retry"] } as unknown as FailurePolicy,
    config: { logger: silent } as unknown as ClientConfig,
    writers: {
      plain: () => {
        throw new Error("retry topics are written to in transactions");
      },
      transactional: () => ({
        write: async ({ offset }) => {
          moved.push(offset.offset);
          await transaction;
          return true;
        },
        close: () => Promise.resolve(),
      }),
    },
    memberName: undefined,
    native: () => ({ assignmentLost: () => false }) as unknown as NativeConsumer,
    committer: () => committer,
  });
  const partition = new OwnedPartition({ topic: "topic", partition: 0 });
  partition.queue.push(rawRecords(records), 0, records);
  for (let taken = 0; taken < records; taken += 1) partition.take();
  const finish = (offset: number): void => {
    partition.finish(offset);
    committer.finished(partition, 1);
  };
  const move = (offset: number) => {
    const record = { key: null, value: null, headers: undefined, partition: 0, timestamp: 1, size: 1 };
    const outcome = { action: "move", to: "retry-topic", move: { topic: "retry", record } } as const;
    return failures.move(partition, rawRecord(offset), outcome, new Error("not yet"));
  };
  return { partition, committer, commits, moved, finish, move };
}

test("a record is moved with its offset when every record before it is finished", async () => {
  const { moved, finish, move, partition } = setUp(3);
  const moving = move(2);
  finish(1);
  await settled();
  expect(moved).toEqual([]);
  finish(0);
  expect(await moving).toEqual({ result: undefined });
  expect(moved).toEqual([3]);
  expect(partition.committed).toBe(3);
});

test("nothing is moved where the partition is released before that", async () => {
  const { moved, move, partition } = setUp(2);
  const moving = move(1);
  partition.release();
  expect(await moving).toBeUndefined();
  expect(moved).toEqual([]);
});

test("a transaction waits for the commit under way, which would take the group back if it came later", async () => {
  const { committer, commits, moved, finish, move, partition } = setUp(2);
  finish(0);
  const flushing = committer.flush([partition], 1_000);
  expect(commits).toEqual([1]);
  const moving = move(1);
  await settled();
  expect(moved).toEqual([]);
  committer.settle(undefined);
  await moving;
  expect(moved).toEqual([2]);
  await flushing;
});

test("nobody else commits for the partition until the transaction has ended", async () => {
  const transaction = deferred();
  const { committer, commits, moved, finish, move, partition } = setUp(3, transaction.promise);
  finish(0);
  const moving = move(1);
  await settled();
  expect(moved).toEqual([2]);
  const flushing = committer.flush([partition], 1_000);
  expect(commits).toEqual([]);
  transaction.resolve();
  await moving;
  finish(1);
  finish(2);
  await vi.waitUntil(() => commits.length > 0);
  expect(commits).toEqual([3]);
  committer.settle(undefined);
  await flushing;
});
