import { describe, expect, test } from "vitest";
import type { RawRecord } from "../../../src/record.js";
import { ReadPartition } from "../../../src/reader/read-partition.js";

const record = (offset: number): RawRecord => ({
  topic: "t",
  partition: 0,
  offset,
  timestamp: offset,
  key: null,
  value: null,
  size: 0,
});
const partition = (range: { from?: number; to?: number; goal?: number }): ReadPartition => {
  const { from = 0, goal = 10, to = goal } = range;
  return new ReadPartition({ topic: "t", partition: 0, from, to, goal });
};
const take = (of: ReadPartition, ...offsets: number[]): number[] => {
  const slice = of.accept({ records: offsets.map(record), from: 0, to: offsets.length });
  return slice === undefined ? [] : offsets.slice(slice.from, slice.to);
};

describe("a partition being read", () => {
  test("is done with the last record before its end", () => {
    const p = partition({ goal: 3 });
    expect(take(p, 0, 1)).toEqual([0, 1]);
    expect(p.done).toBe(false);
    expect(take(p, 2)).toEqual([2]);
    expect(p.done).toBe(true);
  });

  test("takes nothing at or after its end, and is done when it sees it", () => {
    const p = partition({ goal: 5 });
    expect(take(p, 3, 4, 5, 6)).toEqual([3, 4]);
    expect(p.done).toBe(true);
  });

  test("is done where compaction removed the last record before its end", () => {
    const p = partition({ goal: 5 });
    expect(take(p, 0, 7)).toEqual([0]);
    expect(p.done).toBe(true);
  });

  test("is done when nothing but records after its end is left", () => {
    const p = partition({ goal: 5 });
    expect(take(p, 8)).toEqual([]);
    expect(p.done).toBe(true);
  });

  test("is done at the end of the log, over an aborted tail", () => {
    const p = partition({ goal: 5 });
    take(p, 0);
    p.reachedEnd(5);
    expect(p.done).toBe(true);
  });

  test("is not done by the end of another log than the one it was planned for", () => {
    const p = partition({ goal: 5 });
    p.reachedEnd(3);
    expect(p).toMatchObject({ done: false, behind: true, position: 3 });
  });

  test("passes over what it has already", () => {
    const p = partition({});
    take(p, 0, 1, 2);
    expect(take(p, 1, 2, 3)).toEqual([3]);
    expect(take(p, 1, 2)).toEqual([]);
    expect(p.position).toBe(4);
  });

  test("has nothing to do where its beginning is its end", () => {
    expect(partition({ from: 10 }).done).toBe(true);
    expect(partition({ from: 12 }).done).toBe(true);
    expect(partition({ goal: 0 }).done).toBe(true);
  });

  test("following from beyond the end begins at the end and waits for its first offset", () => {
    const p = partition({ from: 12, to: Infinity, goal: 10 });
    expect(p.position).toBe(10);
    p.reachedEnd(10);
    expect(p).toMatchObject({ atEnd: true, done: false, behind: false });
    expect(take(p, 10, 11, 12)).toEqual([12]);
    expect(p.atEnd).toBe(false);
  });

  test("an end that records have overtaken is none", () => {
    const p = partition({ to: Infinity });
    take(p, 0, 1, 2);
    p.reachedEnd(2);
    expect(p.atEnd).toBe(false);
    p.reachedEnd(3);
    expect(p.atEnd).toBe(true);
  });
});
