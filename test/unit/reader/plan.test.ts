import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/errors.js";
import { partitionId } from "../../../src/offsets.js";
import { type ReadOptions, resolveReadOptions } from "../../../src/reader/options.js";
import { type LogOffsets, planRead } from "../../../src/reader/plan.js";

const partitions = [
  { topic: "t", partition: 0 },
  { topic: "t", partition: 1 },
];
const byPartition = (...offsets: number[]): ReadonlyMap<string, number> =>
  new Map(offsets.map((offset, partition) => [partitionId("t", partition), offset]));
const log: LogOffsets = {
  start: byPartition(5, 0),
  end: byPartition(20, 0),
  fromTime: byPartition(8, -1),
  toTime: byPartition(15, -1),
};
const plan = (options: ReadOptions, offsets = log) =>
  planRead(partitions, resolveReadOptions(options, ["t"]), offsets).map(({ from, to }) => [from, to]);

describe("what is read of each partition", () => {
  test("is everything, unless told otherwise", () => {
    expect(plan({})).toEqual([
      [5, 20],
      [0, 0],
    ]);
  });

  test("between two times is from the first record at the one until the first at the other", () => {
    const [from, to] = [new Date(1), new Date(2)];
    expect(plan({ from, to })).toEqual([
      [8, 15],
      [0, 0],
    ]);
  });

  test("is nothing where no record is that young", () => {
    expect(plan({ from: new Date(9) }, { ...log, fromTime: byPartition(-1, -1) })[0]).toEqual([20, 20]);
  });

  test("between offsets is what the log still has of them", () => {
    expect(plan({ from: { 0: 7 }, to: { 0: 9 } })[0]).toEqual([7, 9]);
    expect(plan({ from: { 0: 1 }, to: { 0: 99 } })[0]).toEqual([5, 20]);
    expect(plan({ to: { 0: 2 } })[0]).toEqual([5, 5]);
  });

  test("begins at the start, and stops at the end, of a partition that is not named", () => {
    expect(plan({ from: { 1: 0 }, to: { 1: 0 } })[0]).toEqual([5, 20]);
  });

  test("has no end while following", () => {
    expect(plan({ follow: true })).toEqual([
      [5, Infinity],
      [0, Infinity],
    ]);
    expect(plan({ from: "latest", follow: true })[0]).toEqual([20, Infinity]);
  });
});

describe("the options of a read are refused by name", () => {
  test.each<[string, ReadOptions, RegExp]>([
    ["an unknown one", { since: 1 } as ReadOptions, /ReadOptions\.since/],
    ["a word", { from: "newest" as "latest" }, /^from: /],
    ["a time that is none", { from: new Date(Number.NaN) }, /^from: /],
    ["an offset below 0", { from: { 0: -1 } }, /^from\[0\], the offset: /],
    ["an end while following", { to: "latest", follow: true }, /^to: .*follow/],
    ["no partitions", { partitions: [] }, /^partitions: /],
    ["a partition twice", { partitions: [1, 1] }, /^partitions: t\[1\] is named twice/],
    ["another topic", { from: [{ topic: "u", partition: 0, offset: 0 }] }, /^from: u\[0\]/],
    ["what is no offset", { from: [null] as never }, /^from\[0\]: expected \{ topic, partition, offset \}/],
    ["a wrong order", { order: "key" as "timestamp" }, /^order: /],
    ["a callback that is none", { onProgress: 1 as unknown as () => void }, /^onProgress: /],
  ])("%s", (_, options, message) => {
    expect(() => resolveReadOptions(options, ["t"])).toThrow(ConfigError);
    expect(() => resolveReadOptions(options, ["t"])).toThrow(message);
  });

  test("offsets without a topic, where there are several", () => {
    expect(() => resolveReadOptions({ from: { 0: 1 } }, ["t", "u"])).toThrow(/^from: with several topics/);
  });
});
