import { beforeEach, describe, expect, test } from "vitest";
import type { OwnedPartition } from "../../../src/group/owned-partition.js";
import { Intake } from "../../../src/processor/intake.js";
import { Rewinds } from "../../../src/processor/rewinds.js";
import { TransactionClock } from "../../../src/processor/transaction-clock.js";
import { deferred, type Deferred } from "../../../src/waiting.js";
import { collectGarbage } from "../../support/collect-garbage.js";
import { silent } from "../../support/silent.js";
import { fetchInto, handled, partitionWith } from "./partitions.js";

/** The topics that were sent to, in order. */
let sent: string[];
/** Set while the native queue is full. */
let draining: Deferred<void> | undefined;
/** The partitions that were said to be ready, in order. */
let ready: number[];
let partitions: OwnedPartition[];
let rewinds: Rewinds;
let intake: Intake;

const maxRecords = 4;
const runner = {
  send: (topic: string) => void sent.push(topic),
  get isFull() {
    return draining !== undefined;
  },
  drained: () => draining?.promise ?? Promise.resolve(),
};

beforeEach(() => {
  sent = [];
  ready = [];
  draining = undefined;
  partitions = [0, 1].map((partition) => partitionWith(10, partition));
  rewinds = new Rewinds(silent);
  intake = new Intake(runner, rewinds, new TransactionClock(60_000), maxRecords, {
    partitions: () => partitions,
    onReadAgain: () => [],
    onReady: ({ partition }) => ready.push(partition),
  });
});

const both = (): [OwnedPartition, OwnedPartition] => partitions as [OwnedPartition, OwnedPartition];

describe("what a handler has finished", () => {
  test("enters the open transaction at once, with its sends and its offset", () => {
    const [one] = both();
    intake.open();
    intake.take(handled(one, "a"));
    expect(sent).toEqual(["a"]);
    expect(intake.transaction.offsets()).toEqual([{ topic: "in", partition: 0, offset: 1 }]);
  });

  test("is let go of when it has entered: a transaction is of many, and all outlive the young generation", async () => {
    const [one] = both();
    intake.open();
    const entered = ["a", "b", "c"].map((topic) => {
      const finished = handled(one, topic);
      intake.take(finished);
      return new WeakRef(finished);
    });
    expect(intake.calls.count).toBe(3);
    // References are kept for the turn in which they were made.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(entered.map((reference) => reference.deref() === undefined)).toEqual([false, true, true]);
  });

  test("waits while no transaction is open, and enters the next one in order", () => {
    const [one, two] = both();
    intake.take(handled(one, "a"));
    intake.take(handled(two, "b"));
    expect(sent).toEqual([]);
    expect(intake.transaction.isEmpty()).toBe(true);
    expect(intake.isEmpty()).toBe(false);
    expect(intake.hasUncommitted([two])).toBe(true);
    intake.open();
    expect(sent).toEqual(["a", "b"]);
    expect(intake.transaction.offsets()).toHaveLength(2);
  });

  test("waits for the next transaction where this one has as many records as it may have", () => {
    const [one] = both();
    intake.open();
    for (let call = 0; call < maxRecords; call += 1) intake.take(handled(one, "a"));
    expect(intake.isFull).toBe(true);
    intake.take(handled(one, "b"));
    expect(sent).not.toContain("b");
    intake.close();
    intake.transaction.take();
    intake.open();
    expect(sent.at(-1)).toBe("b");
    expect(intake.isFull).toBe(false);
  });

  test("is sent only when no record in front of it is unfinished", () => {
    const [one] = both();
    intake.open();
    const [first, second] = [handled(one, "first"), handled(one, "second")];
    intake.take(second);
    expect(sent).toEqual([]);
    expect(intake.transaction.isEmpty()).toBe(true);
    intake.take(first);
    expect(sent).toEqual(["first", "second"]);
  });

  test("does not count where its partition is to be read again, nor does the rest of the same call", () => {
    const [one, two] = both();
    const call = { parts: [...handled(one, "a").parts, ...handled(two, "a").parts], sends: [] };
    intake.open();
    intake.readAgain(one);
    intake.take(call);
    expect(intake.transaction.isEmpty()).toBe(true);
    expect(rewinds.counts(two)).toBe(false);
  });

  test("of a batch that covers no offset stops the processor: its sends would be repeated", () => {
    const [one] = both();
    one.take();
    intake.open();
    expect(() => {
      intake.take(handled(one, "a", 2));
    }).toThrow(/in\[0\]: a batch finished before records in front of it/);
  });
});

describe("a rollback", () => {
  test("empties the transaction, and has its partitions read again", () => {
    const [one, two] = both();
    intake.open();
    intake.take(handled(one, "a"));
    intake.rollBack();
    expect(intake.transaction.isEmpty()).toBe(true);
    expect([rewinds.counts(one), rewinds.counts(two)]).toEqual([false, true]);
    expect(one.take()).toBeUndefined();
  });

  test("drops what waits of its partitions, and keeps what waits of the others", () => {
    const [one, two] = both();
    intake.open();
    intake.take(handled(one, "a"));
    intake.close();
    intake.take(handled(one, "waiting of one"));
    intake.take(handled(two, "waiting of two"));
    intake.rollBack();
    expect(intake.hasUncommitted([one])).toBe(false);
    intake.open();
    expect(sent).toEqual(["a", "waiting of two"]);
  });
});

test("the end of an assignment drops what was sent for records behind an unfinished one", () => {
  const [one] = both();
  intake.open();
  one.take();
  intake.take(handled(one, "held"));
  intake.end([one]);
  one.finish(0);
  intake.take({ parts: [{ partition: one, offsets: [] }], sends: [] });
  expect(sent).toEqual([]);
});

describe("memory is bounded", () => {
  test("by throttling all partitions while too much waits for a transaction", () => {
    const [one, two] = both();
    fetchInto(one, 5_000, 10);
    intake.take(handled(one, "a", 5_000));
    expect([one.throttled, two.throttled]).toEqual([true, true]);
    expect(two.take()).toBeUndefined();
    intake.open();
    expect([one.throttled, two.throttled]).toEqual([false, false]);
    expect(ready.toSorted()).toEqual([0, 1]);
  });

  test("by throttling the one partition of which too much was sent behind an unfinished record", () => {
    const [one, two] = both();
    fetchInto(one, 5_001, 10);
    intake.open();
    const slow = handled(one, "slow");
    for (let call = 0; call < 5_000; call += 1) intake.take(handled(one, "a"));
    expect([one.throttled, two.throttled]).toEqual([true, false]);
    intake.take(slow);
    expect(one.throttled).toBe(false);
    expect(sent).toHaveLength(5_001);
    expect(ready).toEqual([0]);
  });

  test("by throttling all partitions until the native queue has taken what was sent", async () => {
    const [one, two] = both();
    intake.open();
    draining = deferred();
    intake.take(handled(one, "a"));
    expect(two.throttled).toBe(true);
    const { resolve } = draining;
    draining = undefined;
    resolve();
    await expect.poll(() => two.throttled).toBe(false);
  });
});
