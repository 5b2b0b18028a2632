import { deferred, type Deferred, settlesWithin } from "../waiting.js";

/**
 * When the open transaction is to end: its interval, those who want it to end sooner, and those who wait until it
 * has ended.
 */
export class TransactionClock {
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isIntervalOver = false;
  #hurrying = 0;
  #change: Deferred<void> | undefined;
  #end = deferred();

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Whether the interval is over, or somebody cannot wait for it. */
  get isOver(): boolean {
    return this.#isIntervalOver || this.#hurrying > 0;
  }

  /** The open transaction has got its first record. */
  start(): void {
    this.#timer = setTimeout(() => {
      this.#isIntervalOver = true;
      this.ring();
    }, this.#intervalMs);
    this.ring();
  }

  /** The transaction has ended, whatever became of it. */
  end(): void {
    clearTimeout(this.#timer);
    this.#isIntervalOver = false;
    this.#end.resolve();
    this.#end = deferred();
  }

  /** Something has changed: `until` looks again. */
  ring(): void {
    this.#change?.resolve();
  }

  /** Resolves when this is so. It is asked at each `ring`. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      this.#change = deferred();
      await this.#change.promise;
    }
  }

  /** Transactions end without waiting for their interval while `work` runs. */
  async hurryDuring(work: () => Promise<void>): Promise<void> {
    this.#hurrying += 1;
    try {
      await work();
    } finally {
      this.#hurrying -= 1;
    }
  }

  /** Resolves when the transaction has ended, or after `ms` milliseconds. */
  async untilEnd(ms: number): Promise<void> {
    this.ring();
    await settlesWithin(this.#end.promise, ms);
  }
}
