import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KafkaError } from "../../../src/errors.js";
import { Assignment } from "../../../src/group/assignment.js";
import { ChangeQueue } from "../../../src/group/change-queue.js";
import { FetchGate } from "../../../src/group/fetch-gate.js";
import { Moves } from "../../../src/group/moves.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { rawRecords } from "./records.js";

const refused = new KafkaError("BROKER", "seek: erroneous state");

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

function assigned(seek: (offset: number) => Promise<void> = () => Promise.resolve()) {
  const partition = new OwnedPartition({ topic: "topic", partition: 0 });
  const assignment = new Assignment<OwnedPartition>();
  assignment.begin("topic", 0, partition);
  const errors: unknown[] = [];
  const onMoved = vi.fn<(partition: OwnedPartition) => void>();
  const moves = new Moves({
    native: { seek: ({ offset }) => seek(offset) },
    assignment,
    gate: new FetchGate(() => undefined),
    changes: new ChangeQueue((error) => errors.push(error)),
    onMoved,
  });
  return { partition, assignment, errors, onMoved, moves };
}

test("moves once its handlers have finished; what was fetched before is no longer of the assignment", async () => {
  const { partition, assignment, moves, onMoved } = assigned();
  const before = assignment.epoch;
  partition.receive(rawRecords(2), 0, 2);
  partition.take();
  partition.enter();
  const moved = moves.move(partition, 40, "seek");
  await nextTurn();
  expect(partition.position).toBe(2);
  expect(partition.take()).toBeUndefined();
  partition.finish(0);
  partition.leave();
  await moved;
  expect(partition.position).toBe(40);
  expect(partition.committable).toBe(1);
  expect(onMoved).toHaveBeenCalledExactlyOnceWith(partition);
  expect(assignment.ownerAt("topic", 0, before)).toBeUndefined();
  expect(assignment.ownerAt("topic", 0, assignment.epoch)).toBe(partition);
});

test("the native client is sent to where a partition has come to, which itself does not move", async () => {
  const sought: number[] = [];
  const { partition, assignment, moves, onMoved } = assigned((offset) => {
    sought.push(offset);
    return Promise.resolve();
  });
  const before = assignment.epoch;
  partition.receive(rawRecords(2), 0, 2);
  partition.take();
  const returned = [moves.returnToPosition(partition), moves.returnToPosition(partition)];
  await Promise.all(returned);
  expect(sought).toEqual([2]);
  expect([partition.queue.length, partition.pending, partition.seeking]).toEqual([1, 1, false]);
  expect(onMoved).not.toHaveBeenCalled();
  expect(assignment.ownerAt("topic", 0, before)).toBeUndefined();
  await moves.returnToPosition(partition);
  expect(sought).toEqual([2, 2]);
});

test("asks again while the native client refuses", async () => {
  let refusals = 3;
  const { partition, moves } = assigned(() => (refusals-- > 0 ? Promise.reject(refused) : Promise.resolve()));
  const moved = moves.move(partition, 7, "seek");
  await vi.advanceTimersByTimeAsync(100 + 200 + 300 - 1);
  expect(partition.position).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  await moved;
  expect(partition.position).toBe(7);
});

test("tells what the native client never does", async () => {
  const { partition, moves, errors, onMoved } = assigned(() => Promise.reject(refused));
  const moved = moves.move(partition, 7, "seek");
  await vi.advanceTimersByTimeAsync(30_000);
  await moved;
  expect(errors).toEqual([refused]);
  expect(onMoved).not.toHaveBeenCalled();
});

test("does not move what is released meanwhile, or assigned anew", async () => {
  const seek = vi.fn<(offset: number) => Promise<void>>(() => Promise.reject(refused));
  const { partition, moves, errors } = assigned(seek);
  const released = moves.move(partition, 7, "seek");
  await vi.advanceTimersByTimeAsync(50);
  partition.release();
  await vi.advanceTimersByTimeAsync(1_000);
  await released;
  expect(seek).toHaveBeenCalledOnce();

  const other = assigned(seek);
  const replaced = other.moves.move(other.partition, 7, "seek");
  await vi.advanceTimersByTimeAsync(50);
  other.assignment.begin("topic", 0, new OwnedPartition({ topic: "topic", partition: 0 }));
  await vi.advanceTimersByTimeAsync(1_000);
  await replaced;
  expect(seek).toHaveBeenCalledTimes(2);
  expect([...errors, ...other.errors]).toEqual([]);
});
