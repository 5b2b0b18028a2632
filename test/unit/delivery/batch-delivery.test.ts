import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { BatchDelivery } from "../../../src/delivery/batch-delivery.js";
import type { BatchPart, DeliveryHost, HandlerContext } from "../../../src/delivery/delivery.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { RecordFailures } from "../../../src/delivery/record-failures.js";
import type { RawRecord } from "../../../src/record.js";
import { deferred } from "../../../src/waiting.js";
import { rawRecord } from "../group/records.js";
import { deliveryHost, unboundedSession } from "./host.js";
import { settled } from "../../support/turns.js";

function setUp(
  handler: (records: readonly RawRecord[], context: HandlerContext) => unknown,
  options: { maxRecords?: number; maxWaitMs?: number; acrossPartitions?: boolean; partitions?: number } = {},
  overrides: Partial<DeliveryHost> = {},
) {
  const { maxRecords = 500, maxWaitMs = 0, acrossPartitions = false, partitions: count = 1 } = options;
  const partitions = Array.from(
    { length: count },
    (_, partition) => new OwnedPartition({ topic: "topic", partition }),
  );
  const errors: unknown[] = [];
  const rewound: [number, number][] = [];
  const finished: BatchPart[] = [];
  const host = deliveryHost({
    finished: () => {},
    batchFinished: (parts) => {
      finished.push(...parts);
      for (const { partition, offsets } of parts) for (const offset of offsets) partition.finish(offset);
    },
    failed: (error) => {
      errors.push(error);
      delivery.stop();
    },
    rewind: ({ partition }, offset) => void rewound.push([partition, offset]),
    limit: () => count,
    ...overrides,
  });
  const delivery = new BatchDelivery(host, handler, { maxRecords, maxWaitMs, acrossPartitions }, () => 0);
  const feed = (partition: number, offsets: readonly number[]): void => {
    const owned = partitions[partition];
    if (owned === undefined) return;
    const records = offsets.map((offset) => rawRecord(offset, { partition }));
    owned.queue.push(records, 0, records.length);
    delivery.offer(owned);
  };
  return { delivery, partitions, errors, rewound, finished, feed };
}

const range = (to: number): number[] => Array.from({ length: to }, (_, index) => index);

test("a very large batch holds every record once", async () => {
  const batches: number[][] = [];
  const { feed, partitions } = setUp((records) => void batches.push(records.map(({ offset }) => offset)), {
    maxRecords: 100_000,
  });
  feed(0, range(30_000));
  await settled();
  expect(batches).toEqual([range(30_000)]);
  expect(partitions[0]?.committable).toBe(30_000);
});

test("a pause while a serde works: what was taken is not delivered, and is redelivered after it", async () => {
  const decoding = deferred<unknown>();
  const batches: number[][] = [];
  const { feed, partitions, delivery, rewound } = setUp(
    (records) => void batches.push(records.map(({ offset }) => offset)),
    {},
    { decode: (raw) => (raw.offset === 1 ? decoding.promise.then(() => raw) : raw) },
  );
  feed(0, range(3));
  const [partition] = partitions;
  if (partition === undefined) return;
  partition.pause();
  decoding.resolve(undefined);
  await settled();
  expect(batches).toEqual([]);
  expect(rewound).toEqual([[0, 0]]);
  // No call is under way that could take too long.
  expect(delivery.oldest()).toBeUndefined();
  expect(partition.active).toBe(0);
});

test("across partitions: a pause while a serde works leaves the other partitions their turn", async () => {
  const decoding = deferred<unknown>();
  const batches: string[] = [];
  const { feed, partitions, rewound } = setUp(
    (records) =>
      void batches.push(records.map(({ partition, offset }) => `${partition}:${offset}`).join(" ")),
    { acrossPartitions: true, partitions: 3, maxRecords: 2, maxWaitMs: 60_000 },
    { decode: (raw) => (raw.partition === 1 ? decoding.promise.then(() => raw) : raw) },
  );
  feed(0, [0]);
  feed(1, [4]);
  feed(2, [7, 8]);
  if (partitions[0] !== undefined) partitions[0].pause();
  decoding.resolve(undefined);
  await settled();
  expect(batches).toEqual(["2:7 2:8"]);
  expect(rewound).toEqual([
    [0, 0],
    [1, 4],
  ]);
});

test("a seek while a serde works: what was taken before is not delivered", async () => {
  const decoding = deferred<unknown>();
  const batches: number[][] = [];
  const { feed, partitions } = setUp(
    (records) => void batches.push(records.map(({ offset }) => offset)),
    {},
    { decode: (raw) => (raw.offset === 1 ? decoding.promise.then(() => raw) : raw) },
  );
  feed(0, range(3));
  const [partition] = partitions;
  partition?.beginSeek();
  decoding.resolve(undefined);
  await settled();
  expect(batches).toEqual([]);
  expect(partition?.active).toBe(0);
  expect(partition?.committable).toBeUndefined();
});

test("across partitions: batches leave nothing behind in the signals of their partitions", async () => {
  const { feed, partitions } = setUp(() => {}, {
    acrossPartitions: true,
    partitions: 2,
    maxRecords: 2,
    maxWaitMs: 60_000,
  });
  for (const offset of range(100)) {
    feed(0, [offset]);
    feed(1, [offset]);
    await settled();
  }
  expect(partitions[1]?.committable).toBe(100);
  for (const { signal } of partitions) expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a seek while a serde works: what it decoded is not delivered, and what is at the new offset is", async () => {
  const decoding = deferred<unknown>();
  const batches: number[][] = [];
  const { feed, partitions, finished } = setUp(
    (records) => void batches.push(records.map(({ offset }) => offset)),
    {},
    { decode: (raw) => (raw.offset === 0 ? decoding.promise.then(() => raw) : raw) },
  );
  feed(0, range(3));
  const [partition] = partitions;
  if (partition === undefined) return;
  partition.beginSeek();
  decoding.resolve(undefined);
  await partition.idle();
  partition.moveTo(40);
  feed(0, [40, 41]);
  await settled();
  expect(batches).toEqual([[40, 41]]);
  expect(finished.flatMap(({ offsets }) => offsets)).toEqual([40, 41]);
});

test("across partitions: when one is lost and the handler stops, the others begin the batch again", async () => {
  const { feed, partitions, rewound, errors, finished } = setUp(
    (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reject(signal.reason as Error);
        });
      }),
    { acrossPartitions: true, partitions: 2, maxRecords: 6, maxWaitMs: 60_000 },
  );
  feed(0, [0, 1, 2]);
  feed(1, [5, 6, 7]);
  await settled();
  partitions[0]?.abort(new Error("lost"));
  await settled();
  expect(errors).toEqual([]);
  expect(finished).toEqual([]);
  expect(rewound).toContainEqual([1, 5]);
  expect(partitions.map(({ active }) => active)).toEqual([0, 0]);
});

describe("maxWaitMs", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  function waiting(overrides: Partial<DeliveryHost> = {}) {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const sizes: number[] = [];
    const options = { maxRecords: 5, maxWaitMs: 1_000 };
    return { sizes, ...setUp((records) => void sizes.push(records.length), options, overrides) };
  }
  const pass = async (ms: number): Promise<void> => {
    vi.advanceTimersByTime(ms);
    await settled();
  };

  test("is how long each batch waits for more, from its own first record", async () => {
    const { sizes, feed } = waiting();
    for (const batch of [0, 1]) {
      feed(0, [10 * batch]);
      await pass(600);
      feed(0, [10 * batch + 1]);
      await pass(399);
      expect(sizes).toHaveLength(batch);
      await pass(1);
      expect(sizes[batch]).toBe(2);
      await pass(5_000);
    }
  });

  test("is not waited for where a batch is full, and the next one waits its own time", async () => {
    const { sizes, feed } = waiting();
    feed(0, range(4));
    await pass(600);
    feed(0, [4]);
    await settled();
    expect(sizes).toEqual([5]);
    feed(0, [5]);
    await pass(999);
    expect(sizes).toEqual([5]);
    await pass(1);
    expect(sizes).toEqual([5, 1]);
  });

  test("is not waited for where as much is waiting as may be", async () => {
    const { sizes, feed } = waiting({ session: () => ({ ...unboundedSession, isFull: () => true }) });
    feed(0, range(3));
    await settled();
    expect(sizes).toEqual([3]);
  });
});

/** Calls again after a minute, which none of these tests waits. */
const retrying = {
  failures: {
    policy: { onBatchFailure: () => ({ action: "retry", delayMs: 60_000 }) },
  } as unknown as RecordFailures,
};

test("a batch whose partition is released while it waits leaves the other partitions their turn", async () => {
  const gate = deferred();
  const batches: string[] = [];
  const { feed, partitions, rewound } = setUp(
    (records) => {
      batches.push(records.map(({ partition, offset }) => `${partition}:${offset}`).join(" "));
      if (records[0]?.partition === 0) throw new Error("not yet");
      return records[0]?.partition === 2 ? gate.promise : undefined;
    },
    { acrossPartitions: true, maxRecords: 2, partitions: 3 },
    retrying,
  );
  feed(2, [0]);
  feed(0, [0, 1]);
  feed(1, [0]);
  gate.resolve();
  await settled();
  expect(batches).toEqual(["2:0", "0:0 0:1"]);
  partitions[0]?.release();
  await settled();
  expect(rewound).toEqual([[0, 0]]);
  expect(batches).toEqual(["2:0", "0:0 0:1", "1:0"]);
  expect(partitions[1]?.committable).toBe(1);
});
