import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Committer } from "../../../src/consumer/committer.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { NativeOffset } from "../../../src/driver/native.js";
import { AuthorizationError, KafkaError } from "../../../src/errors.js";
import { rawRecords } from "../group/records.js";
import { silent } from "../../support/silent.js";

const refusal = new KafkaError("BROKER", "commit: illegal generation", { nativeCode: 22 });

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function committerOf(
  send: (offsets: readonly NativeOffset[]) => void,
  onDenied: (error: KafkaError) => void = () => {},
) {
  return new Committer({ send, intervalMs: 100, logger: silent, onDenied });
}

function partitionWith(records: number): OwnedPartition {
  const partition = new OwnedPartition({ topic: "topic", partition: 0 });
  partition.queue.push(rawRecords(records), 0, records);
  return partition;
}

function handle(partition: OwnedPartition, committer: Committer, count = 1): void {
  for (let done = 0; done < count; done += 1) {
    const record = partition.take();
    if (record === undefined) return;
    partition.finish(record.offset);
    committer.finished(partition, 1);
  }
}

test("commits within the interval, one commit at a time, and learns its outcome", async () => {
  const sent: NativeOffset[][] = [];
  const committer = committerOf((offsets) => sent.push([...offsets]));
  const partition = partitionWith(10);
  handle(partition, committer, 3);
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toEqual([[{ topic: "topic", partition: 0, offset: 3 }]]);
  handle(partition, committer, 2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toHaveLength(1);
  expect(partition.committed).toBeUndefined();
  committer.settle(undefined);
  expect(partition.committed).toBe(3);
  await vi.advanceTimersByTimeAsync(100);
  expect(sent[1]).toEqual([{ topic: "topic", partition: 0, offset: 5 }]);
  committer.settle(undefined);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test("commits at once when many records are finished, so that a crash repeats a bounded number", () => {
  const sent: number[] = [];
  const committer = committerOf((offsets) => sent.push(offsets[0]?.offset ?? -1));
  const partition = partitionWith(10_001);
  handle(partition, committer, 9_999);
  expect(sent).toEqual([]);
  handle(partition, committer);
  expect(sent).toEqual([10_000]);
});

test("repeats a commit that was refused, until it succeeds", async () => {
  const sent: number[] = [];
  const committer = committerOf((offsets) => sent.push(offsets[0]?.offset ?? -1));
  const partition = partitionWith(5);
  handle(partition, committer, 2);
  const flushed = committer.flush([partition], 10_000);
  expect(sent).toEqual([2]);
  committer.settle(refusal);
  await vi.advanceTimersByTimeAsync(500);
  expect(sent).toEqual([2, 2]);
  committer.settle(undefined);
  await flushed;
  expect(partition.committed).toBe(2);
});

test("repeats a commit that was refused by itself, where nobody waits for it", async () => {
  const sent: number[] = [];
  const committer = committerOf((offsets) => sent.push(offsets[0]?.offset ?? -1));
  const partition = partitionWith(5);
  handle(partition, committer, 2);
  await vi.advanceTimersByTimeAsync(100);
  committer.settle(refusal);
  await vi.advanceTimersByTimeAsync(500);
  expect(sent).toEqual([2, 2]);
  committer.settle(undefined);
  expect(partition.committed).toBe(2);
});

test("a flush without success ends with the broker's reason", async () => {
  const committer = committerOf(() => {});
  const partition = partitionWith(1);
  handle(partition, committer);
  const flushed = expect(committer.flush([partition], 1_000)).rejects.toBe(refusal);
  for (let step = 0; step < 10; step += 1) {
    committer.settle(refusal);
    await vi.advanceTimersByTimeAsync(200);
  }
  await flushed;
});

test("a commit the principal may not make is told", () => {
  const denied = vi.fn();
  const committer = committerOf(() => {}, denied);
  const partition = partitionWith(1);
  handle(partition, committer);
  void committer.flush([partition], 1_000).catch(() => {});
  const error = new AuthorizationError("group");
  committer.settle(error);
  expect(denied).toHaveBeenCalledWith(error);
  committer.stop();
});

test("commits nothing for a partition that others have", async () => {
  const sent: unknown[] = [];
  const committer = committerOf((offsets) => sent.push(offsets));
  const partition = partitionWith(5);
  handle(partition, committer, 2);
  partition.end();
  handle(partition, committer, 1);
  await committer.flush([partition], 1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toEqual([]);
});

test("two seeks at once: nothing starts before the last one has moved", () => {
  const partition = partitionWith(5);
  partition.beginSeek();
  partition.beginSeek();
  partition.moveTo(100);
  partition.queue.push(rawRecords(1, 100), 0, 1);
  expect(partition.take()).toBeUndefined();
  partition.moveTo(7);
  partition.queue.push(rawRecords(1, 7), 0, 1);
  expect(partition.take()?.offset).toBe(7);
});

/** Seeks as the session does it, while nothing is in flight, and handles so many records from there on. */
function handleFrom(offset: number, count: number, partition: OwnedPartition, committer: Committer): void {
  partition.beginSeek();
  partition.moveTo(offset);
  partition.queue.push(rawRecords(count, offset), 0, count);
  handle(partition, committer, count);
}

test("after a seek back, a flush commits the offset reached from there, below what was committed before", async () => {
  const sent: number[] = [];
  const committer = committerOf((offsets) => sent.push(offsets[0]?.offset ?? -1));
  const partition = partitionWith(10);
  handle(partition, committer, 10);
  const flushed = committer.flush([partition], 1_000);
  committer.settle(undefined);
  await flushed;
  handleFrom(3, 2, partition, committer);
  void committer.flush([partition], 1_000).catch(() => {});
  expect(sent.at(-1)).toBe(5);
  committer.stop();
});

test("the outcome of a commit from before a seek says nothing of what is finished since", async () => {
  const sent: number[] = [];
  const committer = committerOf((offsets) => sent.push(offsets[0]?.offset ?? -1));
  const partition = partitionWith(10);
  handle(partition, committer, 10);
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toEqual([10]);
  handleFrom(3, 2, partition, committer);
  committer.settle(undefined);
  void committer.flush([partition], 1_000).catch(() => {});
  expect(sent.at(-1)).toBe(5);
  committer.stop();
});

/**
 * One partition of a group as its log and its coordinator see it, and the client under any schedule: records
 * start and finish in any order or never, commits succeed or are refused, seeks go anywhere, the partition is
 * lost and given back. Whoever gets it next begins at what is committed.
 */
test("no schedule of completions, failures, revokes and seeks commits past an unfinished record", () => {
  const step = fc.record({
    kind: fc.constantFrom(
      "fetch",
      "start",
      "start",
      "finish",
      "finish",
      "wait",
      "settle",
      "refuse",
      "seek",
      "lose",
      "revoke",
    ),
    choice: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      vi.clearAllTimers();
      // What `send` throws is a commit that failed, and would be repeated: what is wrong is told at the end.
      const broken: string[] = [];
      let committed = 0;
      let outstanding: number | undefined;
      let partition = new OwnedPartition({ topic: "topic", partition: 0 });
      let fetched = 0;
      /** Where the current tenure or seek began, and what has been finished since. */
      let begin = 0;
      let finished = new Set<number>();
      /** The offset before the last seek, from which the group may go on until one after it is finished. */
      let reached: number | undefined;
      let running: number[] = [];
      const committer = committerOf((offsets) => {
        if (outstanding !== undefined) broken.push("a commit before the outcome of the last");
        if (partition.gone || offsets.length > 1) broken.push("a commit for a partition of others");
        for (const given of offsets) {
          outstanding = given.offset;
          if (given.offset === reached && !finished.has(begin)) continue;
          for (let offset = begin; offset < given.offset; offset += 1)
            if (!finished.has(offset))
              broken.push(`committed ${given.offset}, but ${offset} is not finished`);
        }
      });
      const beginAt = (offset: number): void => {
        begin = offset;
        fetched = offset;
        finished = new Set();
        running = [];
      };
      const giveUp = (): void => {
        partition.release();
        partition.end();
        // Handlers that were not waited for finish later, and it must not matter.
        const late = partition;
        for (const offset of running) {
          late.finish(offset);
          committer.finished(late, 1);
        }
        partition = new OwnedPartition({ topic: "topic", partition: 0 });
        reached = undefined;
        beginAt(committed);
      };
      for (const { kind, choice } of steps) {
        if (kind === "fetch" && fetched < 200) {
          const records = rawRecords(1 + (choice % 5), fetched);
          partition.queue.push(records, 0, records.length);
          fetched += records.length;
        } else if (kind === "start") {
          const record = partition.take();
          if (record !== undefined) {
            running.push(record.offset);
            partition.enter();
          }
        } else if (kind === "finish" && running.length > 0) {
          const [offset = 0] = running.splice(choice % running.length, 1);
          finished.add(offset);
          partition.finish(offset);
          committer.finished(partition, 1);
          partition.leave();
        } else if (kind === "wait") vi.advanceTimersByTime(choice % 400);
        else if (kind === "settle" && outstanding !== undefined) {
          committed = outstanding;
          outstanding = undefined;
          committer.settle(undefined);
        } else if (kind === "refuse" && outstanding !== undefined) {
          outstanding = undefined;
          committer.settle(refusal);
        } else if (kind === "seek" && running.length === 0) {
          // As the session does it: only while nothing is in flight.
          const offset = choice % 50;
          reached = partition.committable ?? reached;
          partition.beginSeek();
          partition.moveTo(offset);
          beginAt(offset);
        } else if (kind === "lose") giveUp();
        else if (kind === "revoke" && running.length === 0) giveUp();
      }
      committer.stop();
      expect(broken).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("waits for a transaction that commits instead, and no longer", async () => {
  const committer = committerOf(() => {});
  const partition = partitionWith(10);
  handle(partition, committer, 3);
  partition.beginTransaction();
  const flushing = committer.flush([partition], 10_000);
  await vi.advanceTimersByTimeAsync(500);
  partition.committedAt(3);
  partition.endTransaction();
  await vi.advanceTimersByTimeAsync(100);
  expect(await flushing).toBeUndefined();
});

test("says which partition was lost before what is finished in it was committed", async () => {
  const committer = committerOf(() => {});
  const partition = partitionWith(10);
  handle(partition, committer, 3);
  const flushing = committer.flush([partition], 10_000);
  partition.end();
  committer.settle(refusal);
  await vi.advanceTimersByTimeAsync(300);
  expect(await flushing).toBe(partition);
});

test("commits nothing once it was stopped, whatever finishes late", async () => {
  let sent = 0;
  const committer = committerOf(() => {
    sent += 1;
    throw new Error("the native client has gone");
  });
  const partition = partitionWith(10);
  handle(partition, committer, 3);
  committer.stop();
  handle(partition, committer, 3);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});
