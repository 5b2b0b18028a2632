import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { DeliveryHost, HandlerContext } from "../../../src/delivery/delivery.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { RecordDelivery } from "../../../src/delivery/record-delivery.js";
import type { RecordFailures } from "../../../src/delivery/record-failures.js";
import type { RawRecord } from "../../../src/record.js";
import { deferred, type Deferred } from "../../../src/waiting.js";
import { rawRecord } from "../group/records.js";
import { deliveryHost, unboundedSession } from "./host.js";
import { settled } from "../../support/turns.js";

const tenSlots = deliveryHost({ limit: () => 10 });

interface Setup {
  readonly delivery: RecordDelivery;
  readonly partitions: readonly OwnedPartition[];
  readonly errors: unknown[];
  /** Adds records with these keys to a partition and offers it. */
  readonly feed: (partition: number, keys: readonly (string | null)[]) => void;
}

function setUp(
  handler: (record: RawRecord, context: HandlerContext) => unknown,
  options: {
    order?: "partition" | "key" | "none";
    limit?: number;
    partitions?: number;
    decode?: DeliveryHost["decode"];
    failures?: DeliveryHost["failures"];
    taken?: () => void;
    second?: () => number;
  } = {},
): Setup {
  const { order = "partition", partitions: count = 1, limit = count } = options;
  const partitions = Array.from(
    { length: count },
    (_, partition) => new OwnedPartition({ topic: "topic", partition }),
  );
  const errors: unknown[] = [];
  let last = -1;
  const host: DeliveryHost = {
    ...tenSlots,
    decode: options.decode ?? ((raw) => raw),
    session: () => ({ ...unboundedSession, freedMemory: options.taken ?? unboundedSession.freedMemory }),
    failed: (error) => {
      errors.push(error);
      delivery.stop();
    },
    limit: () => limit,
    failures: options.failures,
  };
  const delivery = new RecordDelivery(host, handler, order, options.second ?? (() => 0));
  const feed = (partition: number, keys: readonly (string | null)[]): void => {
    const owned = partitions[partition];
    if (owned === undefined) return;
    const records = keys.map((key) =>
      rawRecord((last += 1), { partition, key: key === null ? null : Buffer.from(key) }),
    );
    owned.queue.push(records, 0, records.length);
    delivery.offer(owned);
  };
  return { delivery, partitions, errors, feed };
}

/** A partition whose only record is decoded when `decoding` resolves, in the only slot, and what is handled then. */
function decodingOne(order: "partition" | "key" | "none") {
  const decoding = deferred<unknown>();
  const handled: unknown[] = [];
  const { feed, partitions, delivery } = setUp((record) => handled.push(record), {
    order,
    partitions: 2,
    limit: 1,
    decode: ({ partition }) => (partition === 0 ? decoding.promise : "other"),
  });
  feed(0, ["a"]);
  const feedOther = (): void => {
    feed(1, ["a"]);
  };
  return { partition: partitions[0], decoding, delivery, handled, feedOther };
}

const retryingAtOnce = {
  policy: {
    onFailure: () => ({ action: "retry", delayMs: 0 }),
    callsBefore: () => 0,
    isRetryTopic: () => false,
  },
} as unknown as RecordFailures;

test.each([
  // 20 ms are 400 of them; each slot goes on to its next look at the clock.
  { ms: 0.05, records: 2_000, most: 400 + 10 * 32 },
  // 20 ms are 7; every slot handles one at least.
  { ms: 3, records: 100, most: 8 + 10 },
])(
  "handlers of $ms ms of many partitions occupy the event loop for no longer than those of one",
  async ({ ms, records, most }) => {
    let now = 0;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
    onTestFinished(() => clock.mockRestore());
    let handled = 0;
    const { feed } = setUp(
      () => {
        handled += 1;
        now += ms;
      },
      { partitions: 10 },
    );
    for (let partition = 0; partition < 10; partition += 1)
      feed(partition, new Array<null>(records).fill(null));
    const inTurns: number[] = [handled];
    while (handled < 10 * records) {
      const before = handled;
      await nextTurn();
      inTurns.push(handled - before);
    }
    expect(Math.max(...inTurns)).toBeLessThanOrEqual(most);
  },
);

describe.each(["partition", "key", "none"] as const)("order: %s", (order) => {
  test("handlers that finish at once handle a long backlog, without a promise for each or going deep", async () => {
    let handled = 0;
    const { feed, partitions } = setUp(
      () => {
        handled += 1;
      },
      { order, limit: 4 },
    );
    feed(
      0,
      Array.from({ length: 20_000 }, (_, index) => String(index % 7)),
    );
    // The last record may end a turn of the event loop: then its slot is released in the next one.
    const isIdle = (): boolean => partitions[0]?.active === 0;
    while (handled < 20_000 || !isIdle()) await settled();
    expect(partitions[0]?.committable).toBe(20_000);
    expect(partitions[0]?.active).toBe(0);
    feed(0, ["again"]);
    expect(handled).toBe(20_001);
  });

  test("a handler that throws at once stops the delivery with that error", async () => {
    const error = new Error("broken");
    const { feed, errors, partitions } = setUp(
      ({ offset }) => {
        if (offset === 2) throw error;
      },
      { order },
    );
    feed(0, ["a", "b", "c", "d"]);
    await settled();
    expect(errors).toEqual([error]);
    expect(partitions[0]?.committable).toBe(2);
    expect(partitions[0]?.active).toBe(0);
  });

  test("a partition that moves while a record is decoded: the handler is not called any more", async () => {
    const { partition, decoding, handled } = decodingOne(order);
    partition?.release();
    partition?.abort(new Error("the time is over"));
    decoding.resolve({});
    await settled();
    expect(handled).toEqual([]);
    expect(partition?.active).toBe(0);
    expect(partition?.committable).toBeUndefined();
  });

  test("a pause while a record is decoded: it is delivered once the partition is resumed", async () => {
    const { partition, decoding, handled } = decodingOne(order);
    if (partition === undefined) return;
    partition.pause();
    decoding.resolve("decoded");
    await settled();
    expect(handled).toEqual([]);
    partition.resume();
    await settled();
    expect(handled).toEqual(["decoded"]);
    expect(partition.committable).toBe(1);
  });

  test("a pause while a record is decoded: no handler counts as running, and its slot is released", async () => {
    const { partition, decoding, delivery, handled, feedOther } = decodingOne(order);
    if (partition === undefined) return;
    expect(delivery.oldest()).toMatchObject({ offset: 0 });
    partition.pause();
    decoding.resolve("decoded");
    await settled();
    expect(delivery.oldest()).toBeUndefined();
    expect(delivery.isBusy()).toBe(false);
    feedOther();
    await settled();
    expect(handled).toEqual(["other"]);
    partition.resume();
    await settled();
    expect(handled).toEqual(["other", "decoded"]);
  });

  test("a pause during the back-off of a retry: no handler counts as running, and its slot is released", async () => {
    const calls: string[] = [];
    let second = 0;
    const { feed, partitions, delivery, errors } = setUp(
      ({ partition }, { attempt }) => {
        calls.push(`${partition}/${attempt}`);
        if (partition === 0 && attempt === 1) throw new Error("again");
        return partition === 0 ? new Promise(() => {}) : undefined;
      },
      { order, partitions: 2, limit: 1, failures: retryingAtOnce, second: () => second },
    );
    feed(0, ["a"]);
    const [partition] = partitions;
    if (partition === undefined) return;
    partition.pause();
    await sleep(20);
    second = 1_000;
    expect(delivery.oldest()).toBeUndefined();
    feed(1, ["b"]);
    expect(calls).toEqual(["0/1", "1/1"]);
    partition.resume();
    await settled();
    expect(calls).toEqual(["0/1", "1/1", "0/2"]);
    expect(delivery.oldest()).toMatchObject({ offset: 0, seconds: 0 });
    expect(errors).toEqual([]);
  });

  test("a pause that follows on another one's end at once keeps the record", async () => {
    const decoding = deferred();
    const handled: number[] = [];
    const { feed, partitions, delivery } = setUp(({ offset }) => void handled.push(offset), {
      order,
      limit: 10,
      decode: (raw) => (raw.offset === 0 ? decoding.promise.then(() => raw) : raw),
    });
    feed(0, ["a"]);
    const [partition] = partitions;
    if (partition === undefined) return;
    partition.pause();
    decoding.resolve();
    await settled();
    partition.resume();
    // Between the end of a pause and what it wakes there are other microtasks.
    queueMicrotask(() => partition.pause());
    await settled();
    feed(0, ["a", "b"]);
    expect(handled).toEqual([]);
    partition.resume();
    delivery.offer(partition);
    await settled();
    expect(order === "partition" ? handled : handled.toSorted()).toEqual([0, 1, 2]);
    expect(partition.committable).toBe(3);
  });

  test("a seek while a record is decoded: it is neither delivered nor finished, paused or not", async () => {
    for (const isPaused of [false, true]) {
      const { partition, decoding, handled } = decodingOne(order);
      if (partition === undefined) return;
      if (isPaused) partition.pause();
      else partition.resume();
      decoding.resolve("decoded");
      partition.beginSeek();
      await settled();
      expect(handled).toEqual([]);
      expect(partition.active).toBe(0);
      expect(partition.committable).toBeUndefined();
    }
  });

  test("a partition that is lost while a record is decoded again: it has no second attempt", async () => {
    const decoding = deferred<unknown>();
    const attempts: number[] = [];
    let decoded = 0;
    const { feed, partitions, errors } = setUp(
      (_, { attempt }) => {
        attempts.push(attempt);
        throw new Error("again");
      },
      {
        order,
        decode: (raw) => {
          decoded += 1;
          return decoded === 1 ? raw : decoding.promise;
        },
        failures: retryingAtOnce,
      },
    );
    feed(0, ["a"]);
    await expect.poll(() => decoded).toBe(2);
    const [partition] = partitions;
    if (partition === undefined) return;
    partition.release();
    partition.end();
    partition.abort(new Error("lost"));
    decoding.resolve("decoded");
    await expect.poll(() => partition.active).toBe(0);
    expect(attempts).toEqual([1]);
    expect(errors).toEqual([]);
  });

  test("a handler that stops because its signal aborted has not failed, and its record is not finished", async () => {
    const { feed, partitions, errors } = setUp(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            reject(signal.reason as Error);
          });
        }),
      { order },
    );
    feed(0, ["a"]);
    partitions[0]?.abort(new Error("lost"));
    await settled();
    expect(errors).toEqual([]);
    expect(partitions[0]?.committable).toBeUndefined();
  });
});

test("the handlers of a partition run one after the other, those of different partitions at the same time", () => {
  const running: string[] = [];
  const { feed } = setUp(
    ({ partition, offset }) => {
      running.push(`${partition}/${offset}`);
      return new Promise(() => {});
    },
    { partitions: 2 },
  );
  feed(0, ["a", "b"]);
  feed(1, ["a", "b"]);
  expect(running).toEqual(["0/0", "1/2"]);
});

test("partitions take turns where there are fewer slots than partitions", async () => {
  const handled: number[] = [];
  const { feed } = setUp(({ partition }) => Promise.resolve(handled.push(partition)), {
    partitions: 2,
    limit: 1,
  });
  feed(0, Array<string>(10).fill("a"));
  feed(1, Array<string>(10).fill("a"));
  while (handled.length < 20) await settled();
  expect(handled.slice(0, 10).filter((partition) => partition === 1).length).toBeGreaterThan(3);
});

test.each(["key", "none"] as const)(
  'order "%s": a record that does not finish lets no more than a bounded number overtake it',
  async (order) => {
    const slow = deferred();
    let handled = 0;
    const { feed, partitions } = setUp(
      ({ offset }) => {
        handled += 1;
        return offset === 0 ? slow.promise : undefined;
      },
      { order, limit: 4 },
    );
    feed(
      0,
      Array.from({ length: 15_000 }, (_, index) => String(index)),
    );
    for (let turn = 0; turn < 1_000; turn += 1) await settled();
    expect(handled).toBe(10_000);
    slow.resolve();
    while (handled < 15_000) await settled();
    expect(partitions[0]?.committable).toBe(15_000);
  },
);

test("a pause keeps records that wait behind others of their key, and resume delivers them in order", async () => {
  const calls: { record: RawRecord; done: Deferred<void> }[] = [];
  const { feed, partitions, delivery } = setUp(
    (record) => {
      const done = deferred();
      calls.push({ record, done });
      return done.promise;
    },
    { order: "key", limit: 10 },
  );
  feed(0, ["a", "a", "a"]);
  const [partition] = partitions;
  if (partition === undefined) return;
  partition.pause();
  calls[0]?.done.resolve();
  await settled();
  expect(calls).toHaveLength(1);
  partition.resume();
  delivery.offer(partition);
  calls[1]?.done.resolve();
  await settled();
  calls[2]?.done.resolve();
  await settled();
  expect(calls.map(({ record }) => record.offset)).toEqual([0, 1, 2]);
  expect(partition.committable).toBe(3);
});

test("order: key, a seek drops what waits behind others of its key", async () => {
  const slow = deferred();
  const handled: number[] = [];
  const { feed, partitions, delivery } = setUp(
    ({ offset }) => {
      handled.push(offset);
      return offset === 0 ? slow.promise : undefined;
    },
    { order: "key", limit: 10 },
  );
  feed(0, ["a", "a", "a"]);
  const [partition] = partitions;
  if (partition === undefined) throw new Error("there is none");
  partition.beginSeek();
  slow.resolve();
  await partition.idle();
  partition.moveTo(3);
  feed(0, ["a", "a"]);
  delivery.offer(partition);
  await settled();
  expect(handled).toEqual([0, 3, 4]);
  expect(partition.committable).toBe(5);
});

test("order: key, no more than a bounded number waits behind others of their key", async () => {
  const slow = deferred();
  let taken = 0;
  const { feed, partitions } = setUp(({ offset }) => (offset === 0 ? slow.promise : undefined), {
    order: "key",
    limit: 10,
    taken: () => void (taken += 1),
  });
  feed(0, Array<string>(3_000).fill("a"));
  await settled();
  expect(taken).toBe(1_001);
  slow.resolve();
  while (partitions[0]?.committable !== 3_000) await settled();
});

test("any schedule: order holds within a key or a partition, concurrency is bounded, and everything is handled once", async () => {
  const schedule = fc.record({
    order: fc.constantFrom("partition" as const, "key" as const, "none" as const),
    limit: fc.integer({ min: 1, max: 6 }),
    records: fc.array(fc.tuple(fc.nat(2), fc.option(fc.constantFrom("a", "b", "c"))), {
      maxLength: 80,
      size: "max",
    }),
    choices: fc.infiniteStream(fc.nat()),
  });
  await fc.assert(
    fc.asyncProperty(schedule, async ({ order, limit, records, choices }) => {
      const running: { record: RawRecord; done: Deferred<void> }[] = [];
      const handled: RawRecord[] = [];
      const { feed, partitions } = setUp(
        (record) => {
          handled.push(record);
          const done = deferred();
          running.push({ record, done });
          return done.promise;
        },
        { order, limit, partitions: 3 },
      );
      let fed = 0;
      let idle = 0;
      while (handled.length < records.length || running.length > 0) {
        // On a busy machine a record may wait for the next turn of the event loop.
        if (fed === records.length && running.length === 0) {
          expect(++idle).toBeLessThan(10);
          await settled();
          continue;
        }
        idle = 0;
        const choice = choices.next().value ?? 0;
        const next = records[fed];
        if (next !== undefined && (choice % 2 === 0 || running.length === 0)) {
          feed(next[0], [next[1]]);
          fed += 1;
        } else {
          const [call] = running.splice(choice % running.length, 1);
          call?.done.resolve();
          await settled();
        }
        expect(running.length).toBeLessThanOrEqual(limit);
        const orders = running.flatMap(({ record: { partition, key } }) =>
          order === "partition"
            ? partition
            : order === "key" && key !== null
              ? `${partition}/${key.toString()}`
              : [],
        );
        expect(new Set(orders).size).toBe(orders.length);
      }
      expect(handled).toHaveLength(records.length);
      for (const partition of partitions) {
        const ofPartition = handled.filter((record) => record.partition === partition.partition);
        const end = Math.max(-1, ...ofPartition.map(({ offset }) => offset));
        expect(partition.committable).toBe(end === -1 ? undefined : end + 1);
        for (const key of order === "partition" ? [undefined] : order === "key" ? ["a", "b", "c"] : []) {
          const offsets = ofPartition
            .filter((record) => key === undefined || record.key?.toString() === key)
            .map(({ offset }) => offset);
          expect(offsets).toEqual(offsets.toSorted((one, other) => one - other));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("order: key, while no more records are taken, those behind others of their key go on", async () => {
  const slow = deferred();
  const handled: number[] = [];
  const { delivery, feed, partitions } = setUp(
    async ({ offset }) => {
      if (offset === 0) await slow.promise;
      handled.push(offset);
    },
    { order: "key", limit: 10 },
  );
  feed(0, ["a", "a", "b"]);
  await settled();
  expect(handled).toEqual([2]);
  const [partition] = partitions;
  if (partition === undefined) throw new Error("there is none");
  partition.throttle();
  feed(0, ["a", "c"]);
  slow.resolve();
  await settled();
  expect(handled).toEqual([2, 0, 1]);
  partition.unthrottle();
  delivery.offer(partition);
  await settled();
  expect(handled.toSorted()).toEqual([0, 1, 2, 3, 4]);
});

test("a failed record stops waiting for a slot when its partition is released", async () => {
  const working = deferred();
  const failures = {
    policy: {
      onFailure: () => ({ action: "retry", delayMs: 1 }),
      callsBefore: () => 0,
      isRetryTopic: () => false,
    },
  } as unknown as RecordFailures;
  const { feed, partitions } = setUp(
    ({ partition }) => {
      if (partition === 0) throw new Error("not yet");
      return working.promise;
    },
    { limit: 1, partitions: 2, failures },
  );
  const [failing, busy] = partitions;
  if (failing === undefined || busy === undefined) return;
  busy.pause();
  feed(1, ["b"]);
  busy.resume();
  feed(0, ["a"]);
  feed(1, ["c"]);
  await sleep(20);
  expect([failing.active, busy.active]).toEqual([1, 1]);
  failing.release();
  await failing.idle();
  expect(failing.committable).toBeUndefined();
  working.resolve();
  await settled();
  expect(busy.committable).toBe(3);
});

test("order: key: what waits behind its key and is due does not wait for a later record's time", async () => {
  const handled: number[] = [];
  const dueAt = ({ offset }: RawRecord): number => (offset === 2 ? Number.MAX_SAFE_INTEGER : 0);
  const partition = new OwnedPartition({ topic: "retry", partition: 0 }, { dueAt, onDue: () => {} });
  const first = deferred();
  const delivery = new RecordDelivery(
    tenSlots,
    ({ offset }: RawRecord) => {
      handled.push(offset);
      return offset === 0 ? first.promise : undefined;
    },
    "key",
    () => 0,
  );
  const records = [0, 1, 2].map((offset) => rawRecord(offset, { key: Buffer.from("a") }));
  partition.queue.push(records, 0, 3);
  delivery.offer(partition);
  await settled();
  first.resolve();
  await settled();
  expect(handled).toEqual([0, 1]);
  partition.release();
});
