import type { ReadProgress } from "./options.js";
import type { ReadPartition } from "./read-partition.js";

const intervalMs = 1_000;

/** Counts what is delivered, and says when it is time to tell. */
export class Progress {
  readonly #now: () => number;
  #records = 0;
  #toldRecords = 0;
  #toldAt: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#toldAt = now();
  }

  /** One more record was delivered. */
  count(): void {
    this.#records += 1;
  }

  get isDue(): boolean {
    return this.#records > this.#toldRecords && this.#now() - this.#toldAt >= intervalMs;
  }

  /** What there is to tell now; `waiting` records are fetched and not delivered yet. */
  report(partitions: readonly ReadPartition[], waiting: number): ReadProgress {
    let done = -waiting;
    let total = 0;
    for (const { from, goal, position } of partitions) {
      done += Math.max(0, position - from);
      total += Math.max(0, goal - from);
    }
    const now = this.#now();
    const seconds = Math.max(0.001, (now - this.#toldAt) / 1_000);
    const recordsPerSecond = Math.round((this.#records - this.#toldRecords) / seconds);
    this.#toldAt = now;
    this.#toldRecords = this.#records;
    return {
      records: this.#records,
      done: Math.max(0, done),
      total: Math.max(total, done),
      recordsPerSecond,
    };
  }
}
