import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { Finished } from "../../../src/processor/finished.js";
import { Intake } from "../../../src/processor/intake.js";
import { Rewinds } from "../../../src/processor/rewinds.js";
import { TaskCalls } from "../../../src/processor/task-calls.js";
import { TransactionClock } from "../../../src/processor/transaction-clock.js";
import { Encoders } from "../../../src/serde/encoders.js";
import { Task } from "../../../src/state/task.js";
import { TaskState } from "../../../src/state/task-state.js";
import type { Tasks } from "../../../src/state/tasks.js";
import { silent } from "../../support/silent.js";

const hourMs = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A restored task of these topics, of which the group has committed an offset where one is given. */
function taskOf(committed: Readonly<Record<string, number | undefined>>): Task {
  const state = new TaskState({
    definitions: [],
    make: () => {
      throw new Error("no stores");
    },
    onLate: () => undefined,
  });
  const task = new Task(0, state);
  for (const [topic, offset] of Object.entries(committed)) {
    const partition = new OwnedPartition({ topic, partition: 0 });
    if (offset !== undefined) partition.committedAt(offset);
    task.add(partition);
  }
  task.restored();
  return task;
}

function callsOf(task: Task, finished: (finished: Finished) => void): TaskCalls {
  return new TaskCalls({
    groupId: "group",
    tasks: [task] as unknown as Tasks,
    run: { onWindowClosed: undefined, schedule: [] },
    encoders: new Encoders(),
    telemetry: undefined,
    isByKey: false,
    idleMs: undefined,
    maxAheadMs: hourMs,
    finished,
    onFailure: (error) => {
      throw error;
    },
  });
}

test("offsets that do not change are committed again each hour: brokers forget those of topics that nobody subscribes to", () => {
  const task = taskOf({ leader: 7, idle: 3, never: undefined });
  const runner = { send: () => undefined, isFull: false, drained: () => Promise.resolve() };
  const intake = new Intake(runner, new Rewinds(silent), new TransactionClock(60_000), 100, {
    partitions: () => [...task.partitions],
    onReadAgain: () => [],
    onReady: () => undefined,
  });
  const calls = callsOf(task, (finished) => {
    intake.take(finished);
  });
  intake.open();
  calls.start();
  vi.advanceTimersByTime(hourMs - 1);
  expect(intake.transaction.offsets()).toEqual([]);
  vi.advanceTimersByTime(1);
  const offsets = [
    { topic: "leader", partition: 0, offset: 7 },
    { topic: "idle", partition: 0, offset: 3 },
  ];
  expect(intake.transaction.offsets()).toEqual(offsets);
  intake.transaction.take();
  vi.advanceTimersByTime(hourMs);
  expect(intake.transaction.offsets()).toEqual(offsets);
  calls.stop();
  intake.transaction.take();
  vi.advanceTimersByTime(hourMs);
  expect(intake.transaction.isEmpty()).toBe(true);
});
