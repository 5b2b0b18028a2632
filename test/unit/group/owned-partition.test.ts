import { expect, test } from "vitest";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { rawRecords } from "./records.js";

const place = { topic: "topic", partition: 0 };

/** Takes and finishes records from `from` to `to - 1`. */
function handle(partition: OwnedPartition, from: number, to: number): void {
  const records = rawRecords(to - from, from);
  partition.queue.push(records, 0, records.length);
  for (let offset = from; offset < to; offset += 1) {
    partition.take();
    partition.finish(offset);
  }
}

function move(partition: OwnedPartition, offset: number, rollback = false): void {
  partition.beginSeek();
  partition.moveTo(offset, rollback);
}

test("after a seek what was finished before may be committed, until something has finished there", () => {
  const partition = new OwnedPartition(place);
  handle(partition, 0, 100);
  move(partition, 5);
  expect(partition.committable).toBe(100);
  expect(partition.next).toBe(5);
  handle(partition, 5, 6);
  expect(partition.committable).toBe(6);
  expect(partition.next).toBe(6);
});

test("after a seek the outcome of an earlier commit counts until something has finished there", () => {
  const partition = new OwnedPartition(place);
  handle(partition, 0, 100);
  const { generation } = partition;
  move(partition, 5);
  expect(partition.generation).toBe(generation);
  partition.committed = 100;
  handle(partition, 5, 6);
  expect(partition.generation).toBe(generation + 1);
  expect(partition.committed).toBeUndefined();
});

test("after a rollback nothing that was finished before may be committed", () => {
  const partition = new OwnedPartition(place);
  handle(partition, 0, 100);
  move(partition, 5, true);
  expect(partition.committable).toBeUndefined();
});

test("where it begins may be committed before anything has finished, after a rollback too", () => {
  const partition = new OwnedPartition(place, undefined, 40);
  expect(partition.committable).toBe(40);
  expect(partition.next).toBe(40);
  handle(partition, 40, 42);
  expect(partition.committable).toBe(42);
  move(partition, 40, true);
  expect(partition.committable).toBe(40);
});

test("before anything has finished, the first record that was taken is the next to be finished", () => {
  const partition = new OwnedPartition(place);
  expect(partition.next).toBeUndefined();
  partition.queue.push(rawRecords(2, 7), 0, 2);
  partition.take();
  partition.take();
  expect(partition.next).toBe(7);
  partition.finish(7);
  expect(partition.next).toBe(8);
});
