import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RawRecord } from "../../../src/record.js";
import { TimestampOrder } from "../../../src/reader/merge-order.js";
import { ReadPartition } from "../../../src/reader/read-partition.js";

const make = (partition: number, goal: number, to = goal): ReadPartition =>
  new ReadPartition({ topic: "t", partition, from: 0, to, goal });
const give = (
  order: TimestampOrder,
  to: ReadPartition,
  from: number,
  timestamps: readonly number[],
): void => {
  const records = timestamps.map<RawRecord>((timestamp, index) => ({
    topic: "t",
    partition: to.partition,
    offset: from + index,
    timestamp,
    key: null,
    value: null,
    size: 1,
  }));
  const slice = to.accept({ records, from: 0, to: records.length });
  if (slice !== undefined) order.add(to, slice);
};
const drain = (order: TimestampOrder): string[] => {
  const taken: string[] = [];
  for (let record = order.take(); record !== undefined; record = order.take())
    taken.push(`${record.partition}@${record.timestamp}`);
  return taken;
};

describe("merging by timestamp", () => {
  test("delivers the oldest next record, and waits for a partition that has more", () => {
    const [a, b] = [make(0, 3), make(1, 2)];
    const order = new TimestampOrder([a, b]);
    give(order, a, 0, [1, 4, 9]);
    expect(drain(order)).toEqual([]);
    give(order, b, 0, [3]);
    expect(drain(order)).toEqual(["0@1", "1@3"]);
    give(order, b, 1, [5]);
    expect(drain(order)).toEqual(["0@4", "1@5", "0@9"]);
  });

  test("keeps a partition's own order where its times go back", () => {
    const [a, b] = [make(0, 3), make(1, 1)];
    const order = new TimestampOrder([a, b]);
    give(order, a, 0, [5, 2, 6]);
    give(order, b, 0, [4]);
    expect(drain(order)).toEqual(["1@4", "0@5", "0@2", "0@6"]);
  });

  test("does not wait for a partition at the end of its log", () => {
    const [a, b] = [make(0, 0, Infinity), make(1, 0, Infinity)];
    const order = new TimestampOrder([a, b]);
    b.reachedEnd(0);
    give(order, a, 0, [7]);
    expect(drain(order)).toEqual(["0@7"]);
    a.reachedEnd(1);
    give(order, b, 0, [3]);
    expect(drain(order)).toEqual(["1@3"]);
  });

  test("a partition of which too much waits is full until a quarter of it is left", () => {
    const [a, b] = [make(0, 200_000), make(1, 1)];
    const order = new TimestampOrder([a, b]);
    expect(order.full(a)).toBe(false);
    give(
      order,
      a,
      0,
      Array.from({ length: 60_000 }, (_, index) => index),
    );
    expect(order.full(a)).toBe(true);
    expect(order.full(b)).toBe(false);
    a.held = true;
    give(order, b, 0, [1_000_000]);
    for (let taken = 0; taken < 50_000; taken += 1) order.take();
    expect(order.full(a)).toBe(false);
  });

  test("is a sort for partitions that are each in order, however they arrive", () => {
    const times = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30, size: "max" });
    fc.assert(
      fc.property(
        fc.array(times, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 7 }),
        (logs, chunk) => {
          const sorted = logs.map((log) => [...log].sort((x, y) => x - y));
          const partitions = sorted.map((log, index) => make(index, log.length));
          const order = new TimestampOrder(partitions);
          const taken: number[] = [];
          for (let from = 0; from < 30; from += chunk) {
            for (const partition of partitions) {
              const log = sorted[partition.partition] ?? [];
              const some = log.slice(from, from + chunk);
              if (some.length > 0) give(order, partition, from, some);
            }
            for (let record = order.take(); record !== undefined; record = order.take())
              taken.push(record.timestamp);
          }
          expect(taken).toEqual(sorted.flat().sort((x, y) => x - y));
          expect(order.waiting).toBe(0);
        },
      ),
    );
  });
});
