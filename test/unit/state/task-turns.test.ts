import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { RawRecord } from "../../../src/record.js";
import { Task } from "../../../src/state/task.js";
import { TaskState } from "../../../src/state/task-state.js";
import { TaskTurns } from "../../../src/state/task-turns.js";

const start = 1_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: start, toFake: ["Date", "setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const recordOf = (topic: string, offset: number, timestamp: number): RawRecord => ({
  topic,
  partition: 0,
  offset,
  timestamp,
  key: null,
  value: null,
  headers: undefined,
  size: 0,
});

/** A restored task of an input and its retry topic, whose records are due 50 ms after their timestamp. */
function taskOf({ end = 0 }: { readonly end?: number } = {}) {
  const ready: string[] = [];
  const turns = new TaskTurns({
    maxTaskIdleMs: 100,
    dueAt: (topic) => (topic === "retry" ? ({ timestamp }) => timestamp + 50 : undefined),
    native: () => ({ knownEnd: ({ topic }) => (topic === "input" ? end : undefined) }),
    onReady: ({ topic }) => ready.push(topic),
  });
  const task = new Task(
    0,
    new TaskState({
      definitions: [],
      make: () => {
        throw new Error("no stores");
      },
      onLate: () => undefined,
    }),
  );
  const [input, retry] = ["input", "retry"].map((topic) => {
    const partition = new OwnedPartition({ topic, partition: 0 });
    task.add(partition);
    turns.add(task, partition);
    return partition;
  }) as [OwnedPartition, OwnedPartition];
  task.restored();
  const receive = (partition: OwnedPartition, offset: number, timestamp: number): void => {
    partition.receive([recordOf(partition.topic, offset, timestamp)], 0, 1);
    turns.look(task);
  };
  return { turns, task, input, retry, receive, ready };
}

describe("the turn of a task's partition", () => {
  test("comes to a retry topic when its record is due, although nothing else happens then", () => {
    const { retry, receive, ready } = taskOf();
    receive(retry, 0, start);
    expect(retry.held).toBe(true);
    vi.advanceTimersByTime(49);
    expect([retry.held, ready]).toEqual([true, []]);
    vi.advanceTimersByTime(1);
    expect([retry.held, ready]).toEqual([false, ["retry"]]);
  });

  test("comes to a retry topic when its record is due, while more of the input is in the log", () => {
    const { retry, receive, ready } = taskOf({ end: 10 });
    receive(retry, 0, start);
    vi.advanceTimersByTime(50);
    expect(retry.held).toBe(true);
    vi.advanceTimersByTime(100);
    expect([retry.held, ready]).toEqual([false, ["retry"]]);
  });

  test("comes to the earliest of several, and to the later one after it", () => {
    const { turns, task, input, retry, receive } = taskOf();
    receive(retry, 0, start - 200);
    receive(input, 0, start - 100);
    expect([input.held, retry.held]).toEqual([true, false]);
    expect(retry.take()?.offset).toBe(0);
    turns.taken(task, retry);
    turns.look(task);
    expect([input.held, retry.held]).toEqual([false, true]);
  });

  test("is looked for no more once the task has one partition left", () => {
    const { turns, task, retry, receive } = taskOf();
    receive(retry, 0, start);
    task.remove(retry);
    turns.remove(task, retry);
    expect(vi.getTimerCount()).toBe(0);
  });
});
