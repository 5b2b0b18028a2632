import type { OwnedPartition } from "../group/owned-partition.js";
import type { RawRecord } from "../record.js";
import { maxTimerMs } from "../waiting.js";
import type { Task } from "./task.js";

/** What turns depend on. */
export interface TurnsHost {
  /** How long a task waits for a partition of which more is in the log, in milliseconds. */
  readonly maxTaskIdleMs: number;
  /** When a record of this topic may be delivered; `undefined` where all may be at once. Those are retry topics. */
  readonly dueAt: (topic: string) => ((record: RawRecord) => number) | undefined;
  readonly native: () => { readonly knownEnd: (partition: OwnedPartition) => number | undefined };
  readonly onReady: (partition: OwnedPartition) => void;
}

/** The partitions of a task that have taken turns. */
interface Turns {
  /** Those that may not be taken from now. */
  readonly held: Set<OwnedPartition>;
  /** The one that has the turn. */
  current: OwnedPartition | undefined;
  /** Since when a partition is waited for of which more is in the log. */
  waitingSince: number | undefined;
  /** The look that ends the wait, for such a partition or for a record's time. */
  timer: NodeJS.Timeout | undefined;
  /** The end of a handler is waited for. */
  isWaiting: boolean;
}

/**
 * Which partition of a task its next record is taken from: of several, the one whose next record has the lowest
 * timestamp. A task with one partition is left alone.
 */
export class TaskTurns {
  readonly #host: TurnsHost;
  readonly #turns = new Map<Task, Turns>();

  constructor(host: TurnsHost) {
    this.#host = host;
  }

  /** The task has got this partition. */
  add(task: Task, partition: OwnedPartition): void {
    let turns = this.#turns.get(task);
    if (turns === undefined) {
      turns = {
        held: new Set(),
        current: undefined,
        waitingSince: undefined,
        timer: undefined,
        isWaiting: false,
      };
      this.#turns.set(task, turns);
    }
    if (task.partitions.size === 1) {
      turns.current = partition;
      return;
    }
    for (const each of task.partitions) if (each !== turns.current) hold(turns, each);
  }

  remove(task: Task, partition: OwnedPartition): void {
    const turns = this.#turns.get(task);
    if (turns === undefined) return;
    unhold(turns, partition);
    if (turns.current === partition) turns.current = undefined;
    if (task.partitions.size <= 1) {
      clearTimeout(turns.timer);
      for (const each of [...turns.held]) unhold(turns, each);
      if (task.partitions.has(partition)) this.#turns.delete(task);
      return;
    }
    this.look(task);
  }

  /** A record was taken from the partition: nothing else of the task starts until `look`. */
  taken(task: Task, partition: OwnedPartition): void {
    const turns = this.#turns.get(task);
    if (turns === undefined || task.partitions.size < 2) return;
    hold(turns, partition);
    turns.current = undefined;
  }

  /** Gives the turn to a partition, where none has it and no handler of the task is in flight. */
  look(task: Task): void {
    const turns = this.#turns.get(task);
    if (turns === undefined || task.partitions.size < 2 || !task.isRestored) return;
    const busy = [...task.partitions].find(({ active }) => active > 0);
    if (busy !== undefined) {
      this.#lookWhenIdle(task, turns, busy);
      return;
    }
    const { current } = turns;
    if (current !== undefined && this.#headOf(current) !== undefined) return;
    const next = this.#next(task, turns);
    if (next === undefined) return;
    if (current !== undefined && current !== next) hold(turns, current);
    turns.current = next;
    turns.waitingSince = undefined;
    unhold(turns, next);
    this.#host.onReady(next);
  }

  /** The partition with the earliest record; `undefined` where none has one, or more is waited for. */
  #next(task: Task, turns: Turns): OwnedPartition | undefined {
    let lowest: OwnedPartition | undefined;
    let timestamp = Infinity;
    let mustWait = false;
    let dueAt = Infinity;
    for (const partition of task.partitions) {
      const head = this.#headOf(partition);
      if (head !== undefined) {
        if (head.timestamp >= timestamp) continue;
        lowest = partition;
        ({ timestamp } = head);
      } else {
        dueAt = Math.min(dueAt, this.#dueAtOf(partition));
        mustWait ||= this.#host.dueAt(partition.topic) === undefined && this.#hasMore(partition);
      }
    }
    let left = dueAt - Date.now();
    if (lowest !== undefined) {
      if (!mustWait) return lowest;
      turns.waitingSince ??= performance.now();
      const patience = this.#host.maxTaskIdleMs - (performance.now() - turns.waitingSince);
      if (patience <= 0) return lowest;
      left = Math.min(left, patience);
    }
    this.#lookIn(task, turns, left);
    return undefined;
  }

  /** Looks again in so many milliseconds, unless that is for ever. A held partition tells nobody when its record is due. */
  #lookIn(task: Task, turns: Turns, ms: number): void {
    clearTimeout(turns.timer);
    if (ms === Infinity) return;
    turns.timer = setTimeout(
      () => {
        this.look(task);
      },
      Math.min(Math.max(0, ms), maxTimerMs),
    );
  }

  #lookWhenIdle(task: Task, turns: Turns, busy: OwnedPartition): void {
    if (turns.isWaiting) return;
    turns.isWaiting = true;
    void busy.idle().then(() => {
      turns.isWaiting = false;
      this.look(task);
    });
  }

  /** The next record of the partition that may be delivered now. */
  #headOf(partition: OwnedPartition): RawRecord | undefined {
    const head = partition.wanted ? partition.queue.peek() : undefined;
    if (head === undefined) return undefined;
    const dueAt = this.#host.dueAt(partition.topic);
    return dueAt === undefined || dueAt(head) <= Date.now() ? head : undefined;
  }

  /** When the next record of the partition may be delivered, in milliseconds since the epoch; `Infinity` where there is none. */
  #dueAtOf(partition: OwnedPartition): number {
    const head = partition.wanted ? partition.queue.peek() : undefined;
    return head === undefined ? Infinity : (this.#host.dueAt(partition.topic)?.(head) ?? Infinity);
  }

  /** Whether the log has more of the partition than was fetched. */
  #hasMore(partition: OwnedPartition): boolean {
    if (!partition.wanted) return false;
    const end = this.#host.native().knownEnd(partition);
    const position = partition.position ?? partition.committed;
    return end !== undefined && (position === undefined ? end > 0 : position < end);
  }
}

function hold(turns: Turns, partition: OwnedPartition): void {
  if (turns.held.has(partition)) return;
  turns.held.add(partition);
  partition.hold();
}

function unhold(turns: Turns, partition: OwnedPartition): void {
  if (turns.held.delete(partition)) partition.unhold();
}
