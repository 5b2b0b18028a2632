import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  ClosedError,
  ConfigError,
  InvalidRecordError,
  isMisuse,
  SerializationError,
} from "../../../src/errors.js";
import { bytes } from "../../../src/serde/bytes.js";
import { integer } from "../../../src/serde/numbers.js";
import { string } from "../../../src/serde/string.js";
import { MemoryPiece } from "../../../src/state/memory-piece.js";
import { StoreCodec } from "../../../src/state/store-codec.js";
import { type AnyStore, defineStore } from "../../../src/state/store-definition.js";
import { StoreState } from "../../../src/state/store-state.js";
import { type CallChanges, TaskState } from "../../../src/state/task-state.js";
import { defineWindowStore, isWindowStore } from "../../../src/state/window-definition.js";
import { WindowState } from "../../../src/state/window-state.js";
import { session, tumbling } from "../../../src/state/windows.js";

const counts = defineStore("counts", { value: z.number().int() });

async function taskOf(
  definitions: readonly AnyStore[],
  pieces = new Map<string, MemoryPiece>(),
  streamTime = -1,
) {
  const late: string[] = [];
  const task = new TaskState({
    definitions,
    onLate: (store) => late.push(store),
    make: (definition, now) => {
      const piece = pieces.get(definition.name) ?? new MemoryPiece();
      pieces.set(definition.name, piece);
      const changelog = `g.${definition.name}.changelog`;
      const codec = new StoreCodec(definition, changelog, 0);
      return isWindowStore(definition)
        ? new WindowState({ definition, changelog, codec, piece, streamTime: now })
        : new StoreState({
            name: definition.name,
            changelog,
            codec,
            piece,
            retentionMs: definition.retentionMs,
            streamTime: now,
          });
    },
  });
  task.learnTime(streamTime);
  await task.restored();
  return { task, pieces, late };
}

/** A handler that succeeds, whose record is in the transaction. */
function call(
  task: TaskState,
  timestamp: number,
  work: (state: ReturnType<TaskState["begin"]>) => void,
): CallChanges {
  task.observe(timestamp, Infinity);
  const state = task.begin(timestamp);
  work(state);
  const changes = state.end();
  task.finish(changes);
  return changes;
}

describe("a store", () => {
  test("shows a handler its own writes at once, and later handlers what succeeded", async () => {
    const { task } = await taskOf([counts]);
    const first = task.begin(1);
    first.store(counts).set("a", 1);
    expect(first.store(counts).get("a")).toBe(1);
    const beside = task.begin(1);
    expect(beside.store(counts).get("a")).toBeUndefined();
    task.finish(first.end());
    const second = task.begin(2);
    expect(second.store(counts).get("a")).toBe(1);
    expect(second.store(counts).has("a")).toBe(true);
    expect(second.store(counts).size).toBe(1);
    expect(second.store(counts).delete("a")).toBe(true);
    expect(second.store(counts).delete("a")).toBe(false);
    expect(second.store(counts).size).toBe(0);
    expect([...second.store(counts).entries()]).toEqual([]);
  });

  test("keeps nothing of a handler that failed", async () => {
    const { task } = await taskOf([counts]);
    task.begin(1).store(counts).set("a", 1);
    expect(task.begin(2).store(counts).get("a")).toBeUndefined();
    expect([...task.changelog()]).toEqual([]);
  });

  test("writes the last value of a key once to the changelog, with the record's timestamp, and a tombstone for a deletion", async () => {
    const { task } = await taskOf([counts]);
    task.enter(call(task, 10, (state) => state.store(counts).set("a", 1)));
    task.enter(call(task, 20, (state) => state.store(counts).set("a", 2)));
    task.enter(call(task, 30, (state) => state.store(counts).set("b", 3)));
    task.enter(call(task, 40, (state) => state.store(counts).delete("b")));
    const records = [...task.changelog()].map(({ topic, write }) => [
      topic,
      write.key.toString(),
      write.value?.toString(),
      write.timestamp,
    ]);
    expect(records).toEqual([
      ["g.counts.changelog", "a", "2", 20],
      ["g.counts.changelog", "b", undefined, 40],
    ]);
  });

  test("gives values that are the caller's own", async () => {
    const lists = defineStore("lists", { value: z.array(z.string()) });
    const { task } = await taskOf([lists]);
    const state = task.begin(1);
    const given = ["x"];
    state.store(lists).set("a", given);
    given.push("later");
    const read = state.store(lists).get("a");
    read?.push("more");
    expect(state.store(lists).get("a")).toEqual(["x"]);
  });

  test("keeps what was set, whatever becomes of the caller's bytes afterwards", async () => {
    const blobs = defineStore("blobs", { value: bytes(), key: bytes() });
    const perTen = defineWindowStore("per-ten", {
      ...{ value: bytes(), key: bytes() },
      window: tumbling({ sizeMs: 10 }),
    });
    const { task } = await taskOf([blobs, perTen]);
    const state = task.begin(1);
    const key = Buffer.from("k");
    const [value, ofWindow] = [Buffer.from("x"), Buffer.from("x")];
    state.store(blobs).set(key, value);
    state.store(perTen).update(key, 1, () => ofWindow);
    for (const given of [key, value, ofWindow]) given.write("?");
    const changes = state.end();
    task.finish(changes);
    task.enter(changes);
    expect([...task.changelog()].map(({ write }) => String(write.value))).toEqual(["x", "x"]);
    const later = task.begin(2);
    expect(String(later.store(blobs).get(Buffer.from("k")))).toBe("x");
    expect(String(later.store(perTen).get(Buffer.from("k"), 0))).toBe("x");
  });

  test("tells what is wrong whatever the record is from what does not fit", async () => {
    const { task } = await taskOf([counts]);
    const thrown = (work: () => unknown): unknown => {
      try {
        return work();
      } catch (error) {
        return error;
      }
    };
    const state = task.begin(1, { key: "a" });
    const store = state.store(counts);
    for (const given of [defineStore("other", { value: z.string() }), undefined, null, "counts", {}])
      expect(isMisuse(thrown(() => state.store(given as never)))).toBe(true);
    for (const wrong of [() => store.get("b"), () => store.size, () => [...store.entries()]])
      expect(isMisuse(thrown(wrong))).toBe(true);
    for (const unfit of [() => store.set("a", 1.5), () => store.get(undefined as never)])
      expect(isMisuse(thrown(unfit))).toBe(false);
    state.end();
    expect(isMisuse(thrown(() => store.get("a")))).toBe(true);
  });

  test("refuses what does not fit, a store that is not listed, and use after the handler has ended", async () => {
    const other = defineStore("other", { value: z.string() });
    const { task } = await taskOf([counts]);
    const state = task.begin(1);
    expect(() => state.store(counts).set("a", 1.5)).toThrow(SerializationError);
    expect(() => state.store(counts).set("a", null as never)).toThrow(/use delete/);
    expect(() => state.store(other)).toThrow(ConfigError);
    expect(() => state.store(defineStore("counts", { value: z.number() }))).toThrow(/list it/);
    const store = state.store(counts);
    state.end();
    expect(() => store.get("a")).toThrow(ClosedError);
    expect(() => {
      store.set("a", 1);
    }).toThrow(ClosedError);
    expect(() => [...store.entries()]).toThrow(ClosedError);
    expect(() => store.size).toThrow(ClosedError);
  });

  test("with a key of its own refuses foreign keys and scans", async () => {
    const { task } = await taskOf([counts]);
    const store = task.begin(1, { key: "a" }).store(counts);
    store.set("a", 1);
    expect(store.get("a")).toBe(1);
    expect(() => store.get("b")).toThrow(/order/);
    expect(() => [...store.entries()]).toThrow(/order/);
    expect(() => store.size).toThrow(/order/);
  });

  test("says which entry does not fit a definition that was changed", async () => {
    const { pieces } = await taskOf([defineStore("counts", { value: string() })]);
    pieces
      .get("counts")
      ?.apply([{ id: "a", key: Buffer.from("a"), value: Buffer.from("no json"), timestamp: 1 }]);
    const changed = (await taskOf([counts], pieces)).task;
    expect(() => changed.begin(1).store(counts).get("a")).toThrow(InvalidRecordError);
  });

  test("deletes what was not written for the retention, by stream time, with a tombstone", async () => {
    const seen = defineStore("seen", { value: integer(), retentionMs: 1_000 });
    const { task, pieces } = await taskOf([seen]);
    task.enter(call(task, 1_000, (state) => state.store(seen).set("a", 1)));
    task.enter(call(task, 1_500, (state) => state.store(seen).set("b", 1)));
    void task.commit();
    task.observe(2_000, Infinity);
    expect(task.begin(2_000).store(seen).get("a")).toBe(1);
    task.observe(2_001, Infinity);
    expect(task.begin(2_001).store(seen).get("a")).toBeUndefined();
    expect(task.begin(2_001).store(seen).has("b")).toBe(true);
    task.observe(2_100, Infinity);
    const { changes } = task.due();
    task.finish(changes);
    task.enter(changes);
    expect([...task.changelog()].map(({ write }) => [write.id, write.value])).toEqual([["a", null]]);
    void task.commit();
    expect(pieces.get("seen")?.size).toBe(1);
  });

  test("expires again what a rollback brought back, and after a restart", async () => {
    const seen = defineStore("seen", { value: integer(), retentionMs: 1_000 });
    const { task, pieces } = await taskOf([seen]);
    task.enter(call(task, 1_000, (state) => state.store(seen).set("a", 1)));
    void task.commit();
    task.observe(9_000, Infinity);
    task.finish(task.due().changes);
    task.rollBack();
    expect(task.streamTime).toBe(1_000);
    for (const again of [task, (await taskOf([seen], pieces, 1_000)).task]) {
      again.observe(9_000, Infinity);
      expect(again.due().changes.stores.map(({ name, changes }) => [name, ...changes.keys()])).toEqual([
        ["seen", "a"],
      ]);
    }
  });
});

describe("windows", () => {
  const perTen = defineWindowStore("per-ten", { value: z.number().int(), window: tumbling({ sizeMs: 10 }) });
  const add = (state: ReturnType<TaskState["begin"]>, timestamp: number, key = "k"): number =>
    state.store(perTen).update(key, timestamp, (previous = 0) => previous + 1).length;

  test("close once each, in order of their end, together with their deletion", async () => {
    const { task, pieces, late } = await taskOf([perTen]);
    task.enter(call(task, 1, (state) => add(state, 1)));
    task.enter(call(task, 5, (state) => add(state, 5)));
    task.enter(call(task, 12, (state) => add(state, 12, "other")));
    const first = task.due();
    expect(first.closed).toEqual([{ store: "per-ten", key: "k", start: 0, end: 10, value: 2 }]);
    task.finish(first.changes);
    task.enter(first.changes);
    expect(task.due().closed).toEqual([]);
    void task.commit();
    expect(pieces.get("per-ten")?.size).toBe(1);
    call(task, 40, (state) => {
      expect(add(state, 3)).toBe(0);
      expect(state.store(perTen).get("other", 10)).toBe(1);
      expect(state.store(perTen).entries("other")).toEqual([{ key: "other", start: 10, end: 20, value: 1 }]);
    });
    expect(late).toEqual(["per-ten"]);
    expect(task.due().closed.map(({ start }) => start)).toEqual([10]);
  });

  test("that a rollback opens again close again", async () => {
    const { task } = await taskOf([perTen]);
    task.enter(call(task, 1, (state) => add(state, 1)));
    void task.commit();
    call(task, 20, (state) => add(state, 20));
    const lost = task.due();
    expect(lost.closed).toHaveLength(1);
    task.finish(lost.changes);
    task.enter(lost.changes);
    task.rollBack();
    task.observe(20, Infinity);
    expect(task.due().closed.map(({ value }) => value)).toEqual([1]);
  });

  test("are the same after a restart, and none that has closed opens again where stream time is kept", async () => {
    const { task, pieces } = await taskOf([perTen]);
    task.enter(call(task, 1, (state) => add(state, 1)));
    task.enter(call(task, 15, (state) => add(state, 15)));
    const due = task.due();
    task.finish(due.changes);
    task.enter(due.changes);
    void task.commit();
    const { task: restarted } = await taskOf([perTen], pieces, task.pendingTime);
    call(restarted, 3, (state) => {
      expect(add(state, 3)).toBe(0);
    });
    restarted.observe(30, Infinity);
    expect(restarted.due().closed.map(({ start, value }) => [start, value])).toEqual([[10, 1]]);
  });

  test("of sessions merge when a record joins them, with tombstones for those that were merged", async () => {
    const visits = defineWindowStore("visits", {
      value: z.array(z.string()),
      window: session({ gapMs: 10, graceMs: 20 }),
      merge: (earlier, later) => [...earlier, ...later],
    });
    const { task } = await taskOf([visits]);
    const visit = (timestamp: number, name: string): unknown => {
      let windows: unknown;
      task.enter(
        call(task, timestamp, (state) => {
          windows = state.store(visits).update("k", timestamp, (previous = []) => [...previous, name]);
        }),
      );
      return windows;
    };
    visit(100, "a");
    visit(115, "b");
    expect(visit(108, "c")).toEqual([{ key: "k", start: 100, end: 115, value: ["a", "b", "c"] }]);
    expect([...task.changelog()].filter(({ write }) => write.value === null)).toHaveLength(2);
    task.observe(146, Infinity);
    expect(task.due().closed).toEqual([
      { store: "visits", key: "k", start: 100, end: 115, value: ["a", "b", "c"] },
    ]);
  });

  test("of a timestamp of -1 are refused", async () => {
    const { task } = await taskOf([perTen]);
    expect(() =>
      task
        .begin(-1)
        .store(perTen)
        .update("k", -1, () => 1),
    ).toThrow(/timestamp/);
  });
});

test("whatever handlers do, fail, and roll back: what is seen and committed is what a model says", async () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant("call" as const),
        key: fc.integer({ min: 0, max: 8 }),
        delta: fc.integer({ min: -1, max: 5 }),
        fails: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ type: "commit" as const }) },
    { weight: 1, arbitrary: fc.constant({ type: "rollBack" as const }) },
    { weight: 1, arbitrary: fc.constant({ type: "enter" as const }) },
    { weight: 1, arbitrary: fc.constant({ type: "dropWaiting" as const }) },
    { weight: 1, arbitrary: fc.constant({ type: "restart" as const }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120, size: "max" }), async (steps) => {
      const pieces = new Map<string, MemoryPiece>();
      let { task } = await taskOf([counts], pieces);
      let committed = new Map<string, number>();
      let seen = new Map<string, number>();
      let finished: { readonly changes: CallChanges; readonly after: Map<string, number> }[] = [];
      /** How many of the finished are in the transaction. */
      let entered = 0;
      const changelog = new Map<string, number>();
      const restart = async (): Promise<void> => {
        ({ task } = await taskOf([counts], pieces, task.pendingTime));
        seen = new Map(committed);
        finished = [];
        entered = 0;
      };
      for (const each of steps) {
        if (each.type === "call") {
          const key = `k${each.key}`;
          const state = task.begin(1);
          const store = state.store(counts);
          expect(store.get(key)).toBe(seen.get(key));
          expect(store.size).toBe(seen.size);
          const next = (store.get(key) ?? 0) + each.delta;
          if (each.delta < 0) store.delete(key);
          else store.set(key, next);
          const changes = state.end();
          if (each.fails) continue;
          task.finish(changes);
          seen = new Map(seen);
          if (each.delta < 0) seen.delete(key);
          else seen.set(key, next);
          finished.push({ changes, after: seen });
        } else if (each.type === "enter") {
          // All but the last: handlers go on while a transaction is committed.
          for (const { changes } of finished.slice(entered, -1)) task.enter(changes);
          entered = Math.max(entered, finished.length - 1);
        } else if (each.type === "commit") {
          for (const { write } of task.changelog())
            if (write.value === null) changelog.delete(write.id);
            else changelog.set(write.id, Number(write.value.toString()));
          void task.commit();
          committed = finished[entered - 1]?.after ?? committed;
          finished = finished.slice(entered);
          entered = 0;
        } else if (each.type === "rollBack") {
          task.rollBack();
          seen = new Map(committed);
          finished = [];
          entered = 0;
        } else if (each.type === "dropWaiting") {
          task.dropWaiting();
          finished = finished.slice(0, entered);
          seen = finished.at(-1)?.after ?? committed;
        } else await restart();
        expect(changelog).toEqual(committed);
      }
      await restart();
      const last = new Map([...task.begin(1).store(counts).entries()]);
      expect(last).toEqual(committed);
    }),
    { numRuns: 100 },
  );
});
