import { beforeEach, describe, expect, test } from "vitest";
import type { OwnedPartition } from "../../../src/group/owned-partition.js";
import { KafkaError } from "../../../src/errors.js";
import { Rewinds, type RewoundSession } from "../../../src/processor/rewinds.js";
import { silent } from "../../support/silent.js";
import { fetchInto, partitionWith } from "./partitions.js";

/** What the group has committed, by partition. */
let committed: Map<number, number>;
/** What the next questions for committed offsets fail with. */
let failures: Error[];
let isLost: boolean;
let seeks: string[];
let moved: number[];
let assigned: OwnedPartition[];
let rewinds: Rewinds;

const session: RewoundSession = {
  native: {
    committed: (partitions) => {
      const failure = failures.shift();
      if (failure !== undefined) return Promise.reject(failure);
      return Promise.resolve(
        partitions.map((each) => ({ ...each, offset: committed.get(each.partition) ?? -1001 })),
      );
    },
    assignmentLost: () => isLost,
  },
  get: (_topic, partition) => assigned[partition],
  seek: (partition, offset, rollback) => {
    seeks.push(`${partition.partition} to ${offset}`);
    partition.beginSeek();
    partition.moveTo(offset, rollback);
    return Promise.resolve();
  },
};
const run = (isOver = () => false) =>
  rewinds.run(session, new AbortController().signal, isOver, ({ partition }) => moved.push(partition));

beforeEach(() => {
  committed = new Map();
  failures = [];
  isLost = false;
  seeks = [];
  moved = [];
  assigned = [0, 1].map((partition) => partitionWith(5, partition, 100));
  rewinds = new Rewinds(silent);
});

const both = (): [OwnedPartition, OwnedPartition] => assigned as [OwnedPartition, OwnedPartition];

describe("a partition that is to be read again", () => {
  test("delivers nothing and does not count until it has moved to the group's offset", async () => {
    const [one, two] = both();
    committed.set(0, 102);
    expect(rewinds.want(one)).toBe(true);
    expect([rewinds.counts(one), rewinds.counts(two)]).toEqual([false, true]);
    fetchInto(one, 5, 100);
    expect(one.take()).toBeUndefined();
    expect(await run()).toBeUndefined();
    expect(seeks).toEqual(["0 to 102"]);
    expect(rewinds.counts(one)).toBe(true);
    expect(rewinds.areWanted).toBe(false);
    fetchInto(one, 3, 102);
    expect(one.take()?.offset).toBe(102);
    await expect.poll(() => moved).toEqual([0]);
  });

  test("moves to what this member has committed, where a coordinator tells an offset of before", async () => {
    const [one] = both();
    one.committedAt(104);
    committed.set(0, 102);
    rewinds.want(one);
    await run();
    expect(seeks).toEqual(["0 to 104"]);
  });

  test("moves to the first offset seen of it where the group has committed none", async () => {
    const [one] = both();
    rewinds.fetched(one);
    one.take();
    fetchInto(one, 1, 105);
    rewinds.fetched(one);
    rewinds.want(one);
    await run();
    expect(seeks).toEqual(["0 to 100"]);
  });

  test("is moved once, however often it was wanted", async () => {
    const [one] = both();
    committed.set(0, 102);
    rewinds.want(one);
    expect(rewinds.want(one)).toBe(false);
    await run();
    await run();
    expect(seeks).toEqual(["0 to 102"]);
  });

  test("is left alone where its assignment has ended, also to another partition object of the same number", async () => {
    const [one, two] = both();
    rewinds.want(one);
    rewinds.want(two);
    one.lose("to another member");
    assigned[1] = partitionWith(0, 1);
    expect(rewinds.want(one)).toBe(false);
    await run();
    expect(seeks).toEqual([]);
  });

  test("is left alone where it is being released", async () => {
    const [one] = both();
    rewinds.want(one);
    one.release();
    await run();
    expect(seeks).toEqual([]);
  });
});

describe("the committed offsets", () => {
  test("are asked for again after an error", async () => {
    const [one] = both();
    committed.set(0, 102);
    failures = [new KafkaError("BROKER", "not now"), new KafkaError("BROKER", "nor now")];
    rewinds.want(one);
    expect(await run()).toBeUndefined();
    expect(seeks).toEqual(["0 to 102"]);
  });

  test("are not asked for where the assignment was lost, or nobody needs them", async () => {
    const [one] = both();
    failures = [new KafkaError("BROKER", "it was asked")];
    isLost = true;
    rewinds.want(one);
    await run();
    isLost = false;
    await run(() => true);
    expect(failures).toHaveLength(1);
    expect(seeks).toEqual([]);
  });

  test("that cannot be found out end the attempt with the last error", async () => {
    const [one] = both();
    failures = Array.from({ length: 10 }, (_, time) => new KafkaError("BROKER", `time ${time + 1}`));
    rewinds.want(one);
    const aborted = AbortSignal.abort();
    const failure = await rewinds.run(
      session,
      aborted,
      () => false,
      () => {},
    );
    expect(failure?.message).toBe("time 10");
    expect(seeks).toEqual([]);
  });
});
