import type { HandlerContext } from "../delivery/delivery.js";
import { ConfigError } from "../errors.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { Task, TaskChanges } from "../state/task.js";
import type { CallChanges, ClosedWindow, StateOfCall } from "../state/task-state.js";
import type { Tasks } from "../state/tasks.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { Encoders } from "../serde/encoders.js";
import { Turns } from "../waiting.js";
import { StatefulSends, type StoreAccess } from "./stateful-transaction.js";
import type { EncodedRecord } from "../record.js";
import type { TransactionRecord } from "../transactions/transaction-records.js";
import type { Finished } from "./finished.js";
import type { ResolvedRunOptions } from "./run-options.js";

/** What is known of the records that a handler is called for. */
export interface CalledRecord {
  readonly partition: number;
  readonly timestamp: number;
  readonly key: unknown;
}

/** A handler's use of its task, from before the call until its result is in a transaction. */
export interface TaskCall {
  readonly store: StoreAccess;
  /** The call has succeeded. */
  readonly succeed: () => TaskChanges;
  /** The call has failed: it leaves nothing. */
  readonly fail: () => void;
}

/**
 * How often offsets are committed again that have not changed. Only one topic is subscribed to, and brokers forget
 * offsets of other topics after `offsets.retention.minutes` (7 days by default): with them, where a topic that has long
 * been idle goes on.
 */
const keepOffsetsMs = 3_600_000;
/** How often tasks without records are looked at, at the most, in milliseconds. */
const idleLookMs = 1_000;
const minIdleLookMs = 50;
/** How long what is due may occupy the event loop before others have a turn, in milliseconds. */
const turnMs = 20;

/** When a task last had a record in this assignment, or else began to be looked at, and which stream time it had then. */
interface LastRecord {
  readonly assignment: AbortSignal;
  readonly at: number;
  readonly streamTime: number;
}

/**
 * Calls that use tasks: handlers, and between them the work that no record brings: windows that close, entries that
 * expire, and what is scheduled.
 */
export class TaskCalls {
  readonly #groupId: string;
  readonly #tasks: Tasks;
  readonly #options: ResolvedRunOptions;
  readonly #encoders: Encoders;
  readonly #telemetry: ClientTelemetry | undefined;
  readonly #finished: (finished: Finished) => void;
  readonly #onFailure: (error: unknown) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #lastRecords = new WeakMap<Task, LastRecord>();
  readonly #busy = new WeakMap<Task, Set<unknown>>();
  readonly #turns = new Turns(turnMs);
  /** The least of the window stores: when a task is idle, and how far ahead of the clock it may be. */
  readonly #isByKey: boolean;
  readonly #idleMs: number | undefined;
  readonly #maxAheadMs: number;

  constructor(options: {
    readonly groupId: string;
    readonly tasks: Tasks;
    readonly run: ResolvedRunOptions;
    readonly encoders: Encoders;
    readonly telemetry: ClientTelemetry | undefined;
    /** Handlers of different keys run side by side. */
    readonly isByKey: boolean;
    /** The least `idleMs` and `maxAheadMs` of the window stores. */
    readonly idleMs: number | undefined;
    readonly maxAheadMs: number;
    readonly finished: (finished: Finished) => void;
    readonly onFailure: (error: unknown) => void;
  }) {
    this.#groupId = options.groupId;
    this.#tasks = options.tasks;
    this.#options = options.run;
    this.#encoders = options.encoders;
    this.#telemetry = options.telemetry;
    this.#isByKey = options.isByKey;
    this.#idleMs = options.idleMs;
    this.#maxAheadMs = options.maxAheadMs;
    this.#finished = options.finished;
    this.#onFailure = options.onFailure;
  }

  /** Begins the timers of what is scheduled, of idle tasks, and of their offsets. */
  start(): void {
    this.#every(keepOffsetsMs, (task) => {
      this.keepOffsets(task);
    });
    for (const work of this.#options.schedule)
      this.#every(work.everyMs, (task) =>
        this.#once(task, work, () =>
          this.#alone(task, (tx) =>
            work.run(tx, { partition: task.number, streamTime: task.state.streamTime }),
          ),
        ),
      );
    if (this.#idleMs !== undefined)
      this.#every(Math.max(minIdleLookMs, Math.min(idleLookMs, this.#idleMs / 4)), (task) =>
        this.#lookIdle(task),
      );
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Begins a handler's call. Gives a promise only where the task is in use, or something is due first. */
  readonly begin = (record: CalledRecord, { attempt }: HandlerContext): TaskCall | Promise<TaskCall> => {
    const task = this.#tasks.get(record.partition);
    if (task === undefined) throw new ConfigError("stores", `no task for partition ${record.partition}`);
    if (!task.isFree) return task.whenFree().then((leave) => this.#begin(task, leave, record, attempt));
    return this.#begin(task, task.enter(), record, attempt);
  };

  /** As `begin`, for a batch: its task goes by the time of its last record. */
  readonly beginBatch = (
    records: readonly CalledRecord[],
    context: HandlerContext,
  ): TaskCall | Promise<TaskCall> => {
    const last = records.at(-1);
    if (last === undefined) throw new RangeError("a batch has records");
    return this.begin(last, context);
  };

  #begin(task: Task, leave: () => void, record: CalledRecord, attempt: number): TaskCall | Promise<TaskCall> {
    // The records of retry topics come later than their time.
    if (attempt === 1 && record.timestamp >= 0) {
      task.state.observe(record.timestamp, Date.now() + this.#maxAheadMs);
      if (this.#idleMs !== undefined) this.#hadRecord(task);
    }
    if (!task.state.isDue) return this.#callOf(task, leave, record);
    leave();
    return this.#runDue(task)
      .then(() => task.whenFree())
      .then((again) => this.#callOf(task, again, record));
  }

  /** Closes windows and deletes what has expired, in a transaction of its own records. */
  #runDue(task: Task): Promise<void> {
    const { onWindowClosed } = this.#options;
    return this.#alone(task, async (tx, due) => {
      if (onWindowClosed === undefined) return;
      for (const closed of due) {
        if (this.#turns.isOver) await this.#turns.next();
        await onWindowClosed(closed, tx);
      }
    });
  }

  async #alone(
    task: Task,
    work: (tx: StatefulSends, due: readonly ClosedWindow[]) => unknown,
  ): Promise<void> {
    await task.alone(async () => {
      // What is due of many tasks is due at the same time.
      while (this.#turns.isOver) await this.#turns.next();
      const [partition] = task.partitions;
      if (partition === undefined || !task.isRestored) return;
      partition.enter();
      try {
        await this.#work(task, partition, work);
      } finally {
        partition.leave();
      }
    });
  }

  async #work(
    task: Task,
    partition: OwnedPartition,
    work: (tx: StatefulSends, due: readonly ClosedWindow[]) => unknown,
  ): Promise<void> {
    const { closed, changes: dueChanges } = task.state.due();
    task.state.finish(dueChanges);
    const state = task.state.begin(Math.max(0, task.state.streamTime));
    const sends: TransactionRecord[] = [];
    const pass = (topic: string, record: EncodedRecord): undefined => {
      sends.push({ topic, record });
    };
    const tx = new StatefulSends(this.#encoders, pass, this.#telemetry, state.store);
    await work(tx, closed);
    await tx.finish();
    const changes = state.end();
    if (task.signal.aborted) return;
    this.#tellClosed(task.number, closed);
    if (sends.length === 0 && !changesAnything(changes) && !changesAnything(dueChanges)) return;
    this.#finished({
      parts: [{ partition, offsets: [] }],
      sends,
      changes: changesOf(task, [dueChanges, changes], () => undefined),
    });
  }

  #tellClosed(partition: number, closed: readonly ClosedWindow[]): void {
    if (this.#telemetry === undefined) return;
    const counts = new Map<string, number>();
    for (const { store } of closed) counts.set(store, (counts.get(store) ?? 0) + 1);
    for (const [store, windows] of counts)
      this.#telemetry.onWindowsClosed({ groupId: this.#groupId, store, partition, windows });
  }

  /** Commits the offsets of the task again, which have not changed. */
  keepOffsets(task: Task): void {
    for (const partition of task.partitions)
      if ((partition.committable ?? partition.committed) !== undefined && !partition.releasing)
        this.#finished({
          parts: [{ partition, offsets: [] }],
          sends: [],
          changes: changesOf(task, [], () => undefined),
        });
  }

  #hadRecord(task: Task): LastRecord {
    const { streamTime } = task.state;
    const last = { assignment: task.signal, at: performance.now(), streamTime };
    this.#lastRecords.set(task, last);
    return last;
  }

  async #lookIdle(task: Task): Promise<void> {
    if (this.#idleMs === undefined || task.state.streamTime < 0 || !isIdle(task)) return;
    const known = this.#lastRecords.get(task);
    // Whoever had the task before may have left windows open, and no record may come any more.
    const last = known?.assignment === task.signal ? known : this.#hadRecord(task);
    const elapsed = performance.now() - last.at;
    if (elapsed < this.#idleMs) return;
    task.state.observe(last.streamTime + elapsed, Date.now() + this.#maxAheadMs);
    if (task.state.isDue) await this.#once(task, this, () => this.#runDue(task));
  }

  #callOf(task: Task, leave: () => void, { timestamp, key }: CalledRecord): TaskCall {
    const state: StateOfCall = task.state.begin(Math.max(0, timestamp), this.#isByKey ? { key } : undefined);
    return {
      store: state.store,
      succeed: () => changesOf(task, [state.end()], leave),
      fail: () => {
        state.end();
        leave();
      },
    };
  }

  #every(ms: number, run: (task: Task) => Promise<void> | void): void {
    const timer = setInterval(() => {
      for (const task of this.#tasks) if (task.isRestored) run(task)?.catch(this.#onFailure);
    }, ms);
    this.#timers.add(timer);
  }

  /** Work that has not finished when its time comes again is not begun twice. */
  async #once(task: Task, work: unknown, run: () => Promise<void>): Promise<void> {
    let busy = this.#busy.get(task);
    if (busy === undefined) this.#busy.set(task, (busy = new Set()));
    if (busy.has(work)) return;
    busy.add(work);
    try {
      await run();
    } finally {
      busy.delete(work);
    }
  }
}

function changesOf(task: Task, changes: readonly CallChanges[], leave: () => void): TaskChanges {
  return {
    finish: () => {
      for (const each of changes) task.state.finish(each);
    },
    enter: () => {
      for (const each of changes) task.state.enter(each);
    },
    leave,
  };
}

function changesAnything({ stores }: CallChanges): boolean {
  return stores.some(({ changes }) => changes.size > 0);
}

/** Whether the task has no records, fetched or in hand. */
function isIdle(task: Task): boolean {
  return [...task.partitions].every(
    (partition: OwnedPartition) => partition.active === 0 && partition.queue.length === 0,
  );
}
