import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { HandlerContext } from "../../../src/delivery/delivery.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { Finished } from "../../../src/processor/finished.js";
import { Intake } from "../../../src/processor/intake.js";
import { Rewinds } from "../../../src/processor/rewinds.js";
import { TaskCalls } from "../../../src/processor/task-calls.js";
import { TransactionClock } from "../../../src/processor/transaction-clock.js";
import { Encoders } from "../../../src/serde/encoders.js";
import { integer } from "../../../src/serde/numbers.js";
import { MemoryPiece } from "../../../src/state/memory-piece.js";
import { StoreCodec } from "../../../src/state/store-codec.js";
import { Task } from "../../../src/state/task.js";
import { TaskState } from "../../../src/state/task-state.js";
import type { Tasks } from "../../../src/state/tasks.js";
import { defineWindowStore } from "../../../src/state/window-definition.js";
import { WindowState } from "../../../src/state/window-state.js";
import { tumbling } from "../../../src/state/windows.js";
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

test("the windows of many tasks, which close at the same time, let everything else have its turn", async () => {
  vi.useRealTimers();
  const definition = defineWindowStore("per-ten", { value: integer(), window: tumbling({ sizeMs: 10 }) });
  const tasks = Array.from({ length: 4 }, (_, number) => {
    const state = new TaskState({
      definitions: [definition],
      make: (_definition, streamTime) => {
        const codec = new StoreCodec(definition, "changelog", number);
        const piece = new MemoryPiece();
        return new WindowState({ definition, changelog: "changelog", codec, piece, streamTime });
      },
      onLate: () => undefined,
    });
    const call = state.begin(1);
    for (let key = 0; key < 100; key += 1) call.store(definition).update(`key-${key}`, 1, () => key);
    state.finish(call.end());
    const task = new Task(number, state);
    task.add(new OwnedPartition({ topic: "topic", partition: number }));
    task.restored();
    return task;
  });
  let now = performance.now();
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  onTestFinished(() => clock.mockRestore());
  let closed = 0;
  const calls = new TaskCalls({
    groupId: "group",
    tasks: { get: (number: number) => tasks[number] } as unknown as Tasks,
    run: {
      onWindowClosed: () => {
        closed += 1;
        now += 1;
      },
      schedule: [],
    },
    encoders: new Encoders(),
    telemetry: undefined,
    isByKey: false,
    idleMs: undefined,
    maxAheadMs: hourMs,
    finished: () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });
  const begun = tasks.map(async ({ number }) =>
    calls.begin({ partition: number, timestamp: 100, key: "key" }, { attempt: 1 } as HandlerContext),
  );
  let most = 0;
  while (closed < 400) {
    const before = closed;
    await nextTurn();
    most = Math.max(most, closed - before);
  }
  await Promise.all(begun);
  // A turn of 20 ms has twenty of them, and each task may close one more.
  expect(most).toBeLessThanOrEqual(20 + 4);
});
