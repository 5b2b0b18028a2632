import { beforeEach, expect, test } from "vitest";
import { FlowControl, type FlowSource } from "../../../src/group/flow-control.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { rawRecord, rawRecords } from "./records.js";

const ends = new Map<number, number>();
const natively = new Set<number>();
const source: FlowSource = {
  knownEnd: ({ partition }) => ends.get(partition),
  pause: (partitions) => {
    for (const { partition } of partitions) natively.add(partition);
  },
  resume: (partitions) => {
    for (const { partition } of partitions) natively.delete(partition);
  },
};

let full: OwnedPartition;
let other: OwnedPartition;

beforeEach(() => {
  ends.clear();
  natively.clear();
  full = new OwnedPartition({ topic: "topic", partition: 0 });
  other = new OwnedPartition({ topic: "topic", partition: 1 });
  full.receive(rawRecords(2_000), 0, 2_000);
  ends.set(0, 1_000_000);
});

/** Everything before `position` was fetched, and nothing of it waits. */
function fetchedUpTo(partition: OwnedPartition, position: number): void {
  partition.receive(rawRecords(1, position - 1), 0, 1);
  partition.queue.clear();
}

test("stops fetching when a partition is full and the others have nothing more to give", () => {
  const flow = new FlowControl(2 ** 25);
  fetchedUpTo(other, 10);
  ends.set(1, 10);
  expect(flow.wantsMore([full, other], source, 0)).toBe(false);
  expect(natively).toEqual(new Set());
});

test("pauses a full partition natively where another one starves behind it, and resumes it when it has room", () => {
  const flow = new FlowControl(2 ** 25);
  fetchedUpTo(other, 10);
  ends.set(1, 11);
  expect(flow.wantsMore([full, other], source, 0)).toBe(true);
  expect(natively).toEqual(new Set([0]));
  while (full.queue.length > 500) full.take();
  expect(flow.waitsFor(full)).toBe(true);
  expect(flow.wantsMore([full, other], source, 0)).toBe(true);
  expect(natively).toEqual(new Set());
});

test("what polling brings while full does not add up", () => {
  const flow = new FlowControl(2 ** 25);
  flow.capPolling([full], source);
  expect(natively).toEqual(new Set());
  full.queue.push(rawRecords(500, 2_000), 0, 500);
  flow.capPolling([full], source);
  expect(natively).toEqual(new Set([0]));
});

test("a partition is full by memory too, shared out among all of them", () => {
  const flow = new FlowControl(4_000_000);
  flow.share(4);
  expect(flow.fills(other)).toBe(false);
  other.queue.push([rawRecord(0, { size: 1_000_000 })], 0, 1);
  expect(flow.fills(other)).toBe(true);
});

test("asks for fewer records where they are large", () => {
  const flow = new FlowControl(2 ** 25);
  expect(flow.fetchSize(source, 0)).toBe(1_000);
  for (let round = 0; round < 50; round += 1) flow.learn([rawRecord(0, { size: 1_000_000 })]);
  expect(flow.fetchSize(source, 0)).toBeLessThan(6);
});

test("fetches one record at a time until every new partition has had an answer, for some seconds at most", () => {
  const flow = new FlowControl(2 ** 25);
  flow.watch([full, other], 0);
  expect(flow.fetchSize(source, 100)).toBe(1);
  ends.set(1, 0);
  expect(flow.fetchSize(source, 200)).toBe(1_000);
  flow.watch([other], 0);
  ends.delete(1);
  expect(flow.fetchSize(source, 4_999)).toBe(1);
  expect(flow.fetchSize(source, 5_000)).toBe(1_000);
});

test("fetches as many as ever where no error is lost behind records", () => {
  const flow = new FlowControl(2 ** 25);
  const telling = { ...source, tellsEverything: true };
  const answered = new OwnedPartition({ topic: "topic", partition: 0 });
  flow.watch([answered, other], 0);
  expect(flow.fetchSize(telling, 100)).toBe(1_000);
  expect(flow.wantsMore([answered, other], telling, 200)).toBe(true);
  expect(natively).toEqual(new Set());
});

test("partitions that have answered make room for those that have not, after a while", () => {
  const flow = new FlowControl(2 ** 25);
  const answered = new OwnedPartition({ topic: "topic", partition: 0 });
  flow.watch([answered, other], 0);
  expect(flow.fetchSize(source, 10)).toBe(1);
  expect(flow.wantsMore([answered, other], source, 10)).toBe(true);
  expect(natively).toEqual(new Set());
  expect(flow.wantsMore([answered, other], source, 200)).toBe(true);
  expect(natively).toEqual(new Set([0]));
  expect(flow.wantsMore([answered, other], source, 210)).toBe(true);
  expect(natively).toEqual(new Set([0]));
  ends.set(1, 10);
  expect(flow.fetchSize(source, 220)).toBe(1_000);
  expect(flow.wantsMore([answered, other], source, 220)).toBe(true);
  expect(natively).toEqual(new Set());
});

test("they do not wait for long for those that never answer", () => {
  const flow = new FlowControl(2 ** 25);
  flow.watch([full, other], 0);
  full.queue.clear();
  expect(flow.wantsMore([full, other], source, 200)).toBe(true);
  expect(natively).toEqual(new Set([0]));
  expect(flow.wantsMore([full, other], source, 1_000)).toBe(true);
  expect(natively).toEqual(new Set());
});

test("while every handler is at work it fetches no more than they need next", () => {
  let isBusy = true;
  const flow = new FlowControl(2 ** 25, () => isBusy);
  full.queue.clear();
  full.queue.push(rawRecords(700), 0, 700);
  other.receive(rawRecords(299), 0, 299);
  ends.set(1, 1_000);
  expect(flow.wantsMore([full, other], source, 0)).toBe(true);
  expect(flow.fetchSize(source, 0)).toBe(100);
  full.queue.push(rawRecords(1, 700), 0, 1);
  expect(flow.wantsMore([full, other], source, 0)).toBe(false);
  expect(natively).toEqual(new Set());
  for (let taken = 1; taken < 100; taken += 1) {
    full.take();
    expect(flow.waitsFor(full)).toBe(false);
  }
  full.take();
  expect(flow.waitsFor(full)).toBe(true);
  expect(flow.wantsMore([full, other], source, 0)).toBe(true);
  expect(flow.fetchSize(source, 0)).toBe(100);
  full.queue.push(rawRecords(100, 701), 0, 100);
  expect(flow.wantsMore([full, other], source, 0)).toBe(false);
  for (let taken = 0; taken < 600; taken += 1) full.take();
  expect(flow.wantsMore([full, other], source, 0)).toBe(true);
  expect(flow.fetchSize(source, 0)).toBe(600);
  isBusy = false;
  expect(flow.wantsMore([full, other], source, 0)).toBe(true);
  expect(flow.fetchSize(source, 0)).toBe(1_000);
});

test("a partition that has had nothing for long is fetched although every handler is at work", () => {
  const flow = new FlowControl(2 ** 25, () => true);
  fetchedUpTo(other, 10);
  ends.set(1, 11);
  expect(flow.wantsMore([full, other], source, 1_000)).toBe(false);
  expect(flow.wantsMore([full, other], source, 2_999)).toBe(false);
  expect(natively).toEqual(new Set());
  expect(flow.wantsMore([full, other], source, 3_000)).toBe(true);
  expect(natively).toEqual(new Set([0]));
  other.receive(rawRecords(1, 10), 0, 1);
  expect(flow.wantsMore([full, other], source, 3_001)).toBe(false);
});

test("what the user has paused does not count as enough", () => {
  const flow = new FlowControl(2 ** 25, () => true);
  full.queue.clear();
  full.queue.push(rawRecords(1_500), 0, 1_500);
  expect(flow.wantsMore([full], source, 0)).toBe(false);
  full.pause();
  expect(flow.wantsMore([full], source, 0)).toBe(true);
});

test("a partition whose log ends with markers, or that nothing is known of, is waited for only once", () => {
  const flow = new FlowControl(2 ** 25);
  fetchedUpTo(other, 10);
  ends.set(1, 11);
  const rounds = [0, 1_999, 2_001, 3_999].map((now) => flow.wantsMore([full, other], source, now));
  expect(rounds).toEqual([true, true, true, true]);
  flow.wantsMore([full, other], source, 4_000);
  expect(flow.wantsMore([full, other], source, 4_001)).toBe(false);
  ends.set(1, 12);
  expect(flow.wantsMore([full, other], source, 4_002)).toBe(true);
});

test("a partition from which nothing is delivered for now fills, and no further", () => {
  const flow = new FlowControl(2 ** 25);
  full.hold();
  expect(flow.wantsMore([full], source, 0)).toBe(false);
  full.queue.clear();
  expect(flow.wantsMore([full], source, 0)).toBe(true);
});
