import type { OwnedPartition } from "../group/owned-partition.js";
import { deferred } from "../waiting.js";
import type { TaskState } from "./task-state.js";

/** What one call of a handler, or other work of a task, changed of its stores, on its way into a transaction. */
export interface TaskChanges {
  /** It counts: later handlers see it. */
  readonly finish: () => void;
  /** It is in the open transaction. */
  readonly enter: () => void;
  /** Nothing more comes of it: the next handler of the task may begin. */
  readonly leave: () => void;
}

/**
 * One partition number of all input topics, and of their retry topics: its handlers and its other work run one after
 * the other, over the same pieces of the stores.
 */
export class Task {
  readonly number: number;
  readonly state: TaskState;
  /** Those of its partitions that are assigned to this member. */
  readonly partitions = new Set<OwnedPartition>();
  /** Aborts when its partitions are no longer assigned. */
  #ended = new AbortController();
  #isRestored = false;
  #isRestoring = false;
  /** Whether the topic by which the group assigns it is beside all its committed offsets. */
  isMarked = false;
  /** How many transactions have written to its changelogs. */
  writes = 0;
  /** Handlers in flight, or -1 while work runs that needs the task alone. */
  #users = 0;
  readonly #waiting: { readonly users: 1 | -1; readonly resolve: () => void }[] = [];

  constructor(number: number, state: TaskState) {
    this.number = number;
    this.state = state;
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Whether its stores are current, so that records may be delivered. */
  get isRestored(): boolean {
    return this.#isRestored;
  }

  /** Whether a handler may begin at once. */
  get isFree(): boolean {
    return this.#users >= 0 && this.#waiting.length === 0;
  }

  /** The partition is assigned: none of its records is delivered before the task is restored. */
  add(partition: OwnedPartition): void {
    if (this.partitions.has(partition)) return;
    if (this.partitions.size === 0) this.#ended = new AbortController();
    this.partitions.add(partition);
    if (!this.#isRestored) partition.hold();
  }

  /** The partition is assigned no longer. Whether it was the last. */
  remove(partition: OwnedPartition): boolean {
    if (!this.partitions.delete(partition) || this.partitions.size > 0) return false;
    this.#isRestored = false;
    this.#ended.abort();
    this.#users = 0;
    this.#next();
    return true;
  }

  /** Somebody is going to restore it. `false` where somebody does already. */
  beginRestoring(): boolean {
    if (this.#isRestoring) return false;
    this.#isRestoring = true;
    return true;
  }

  /** Nobody restores it any more, whether its stores are current or not. */
  endRestoring(): void {
    this.#isRestoring = false;
  }

  /** Its stores are to be read again before anything else of it is delivered. */
  forget(): void {
    if (!this.#isRestored) return;
    this.#isRestored = false;
    for (const partition of this.partitions) partition.hold();
  }

  /** Its stores are current. */
  restored(): void {
    if (this.#isRestored) return;
    this.#isRestored = true;
    for (const partition of this.partitions) partition.unhold();
  }

  /**
   * A handler begins: only where the task `isFree`.
   * @returns a function for its end, which may be called more than once
   */
  enter(): () => void {
    this.#users += 1;
    return this.#leaving(1);
  }

  /** As `enter`, as soon as the task is free. */
  async whenFree(): Promise<() => void> {
    if (this.isFree) return this.enter();
    await this.#turn(1);
    return this.#leaving(1);
  }

  /** Runs something while no handler of the task does, after what waits already. */
  async alone<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.#users === 0 && this.#waiting.length === 0) this.#users = -1;
    else await this.#turn(-1);
    const leave = this.#leaving(-1);
    try {
      return await run();
    } finally {
      leave();
    }
  }

  /** What began in an assignment that has ended leaves nothing. */
  #leaving(users: 1 | -1): () => void {
    const { signal } = this;
    let hasLeft = false;
    return () => {
      if (hasLeft || signal.aborted) return;
      hasLeft = true;
      this.#users -= users;
      this.#next();
    };
  }

  async #turn(users: 1 | -1): Promise<void> {
    const { promise, resolve } = deferred();
    this.#waiting.push({ users, resolve });
    await promise;
  }

  /** Lets in who waits, in order: handlers together, and work alone. */
  #next(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#users < 0 || (next.users < 0 && this.#users > 0)) return;
      this.#waiting.shift();
      this.#users += next.users;
      next.resolve();
    }
  }
}
