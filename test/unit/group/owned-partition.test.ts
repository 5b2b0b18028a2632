import { expect, test } from "vitest";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { rawRecords } from "./records.js";

const topicPartition = { topic: "topic", partition: 0 };

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
  const partition = new OwnedPartition(topicPartition);
  handle(partition, 0, 100);
  move(partition, 5);
  expect(partition.committable).toBe(100);
  expect(partition.next).toBe(5);
  handle(partition, 5, 6);
  expect(partition.committable).toBe(6);
  expect(partition.next).toBe(6);
});

test("after a seek the outcome of an earlier commit counts until something has finished there", () => {
  const partition = new OwnedPartition(topicPartition);
  handle(partition, 0, 100);
  const { generation } = partition;
  move(partition, 5);
  expect(partition.generation).toBe(generation);
  partition.committedAt(100);
  handle(partition, 5, 6);
  expect(partition.generation).toBe(generation + 1);
  expect(partition.committed).toBeUndefined();
});

test("after a rollback nothing that was finished before may be committed", () => {
  const partition = new OwnedPartition(topicPartition);
  handle(partition, 0, 100);
  move(partition, 5, true);
  expect(partition.committable).toBeUndefined();
});

test("where it begins may be committed before anything has finished, after a rollback too", () => {
  const partition = new OwnedPartition(topicPartition, undefined, 40);
  expect(partition.committable).toBe(40);
  expect(partition.next).toBe(40);
  handle(partition, 40, 42);
  expect(partition.committable).toBe(42);
  move(partition, 40, true);
  expect(partition.committable).toBe(40);
});

test("before anything has finished, the first record that was taken is the next to be finished", () => {
  const partition = new OwnedPartition(topicPartition);
  expect(partition.next).toBeUndefined();
  partition.queue.push(rawRecords(2, 7), 0, 2);
  partition.take();
  partition.take();
  expect(partition.next).toBe(7);
  partition.finish(7);
  expect(partition.next).toBe(8);
});

test("a restart: nothing that was finished before counts, nor a commit that was under way", () => {
  const partition = new OwnedPartition(topicPartition);
  handle(partition, 0, 5);
  const { generation } = partition;
  partition.committedAt(5);
  expect(partition.settled).toBe(true);
  partition.beginSeek();
  partition.restartAt(60);
  expect([partition.committable, partition.committed, partition.begin]).toEqual([60, undefined, 60]);
  expect(partition.generation).toBeGreaterThan(generation);
  expect(partition.settled).toBe(false);
  handle(partition, 60, 62);
  expect(partition.committable).toBe(62);
});

test("fetched records wait in their order, and the position is behind the last of them", () => {
  const partition = new OwnedPartition(topicPartition);
  expect(partition.position).toBeUndefined();
  partition.receive(rawRecords(5, 40), 1, 3);
  expect(partition.position).toBe(43);
  expect([partition.take()?.offset, partition.take()?.offset, partition.take()]).toEqual([41, 42, undefined]);
});

test("nothing is taken while anyone holds it, and only the last one lets it go on", () => {
  const partition = new OwnedPartition(topicPartition);
  partition.receive(rawRecords(1), 0, 1);
  partition.hold();
  partition.hold();
  expect(partition.take()).toBeUndefined();
  partition.unhold();
  expect(partition.held).toBe(true);
  expect(partition.take()).toBeUndefined();
  partition.unhold();
  expect(partition.take()?.offset).toBe(0);
});

test("throttled it takes nothing more, and goes on with what was taken", () => {
  const partition = new OwnedPartition(topicPartition);
  partition.receive(rawRecords(2), 0, 2);
  partition.take();
  partition.throttle();
  expect(partition.take()).toBeUndefined();
  expect(partition.goesOn).toBe(true);
  partition.unthrottle();
  expect(partition.take()?.offset).toBe(1);
});
