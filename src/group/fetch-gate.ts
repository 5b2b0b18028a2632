/**
 * Keeps fetches and changes of the assignment apart: a change runs while no fetch is under way and none begins.
 * So all records of a fetch are of the assignment before a change, or all of them of the one after it.
 */
export class FetchGate {
  readonly #onOpen: () => void;
  #fetches = 0;
  #isClosed = false;
  #whenQuiet: (() => void) | undefined;

  /** `onOpen`: a change has ended, and fetches may begin again. */
  constructor(onOpen: () => void) {
    this.#onOpen = onOpen;
  }

  /** Whether a change is under way or waits for fetches to end: then none may begin. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A fetch begins. Only while the gate is open. */
  enter(): void {
    this.#fetches += 1;
  }

  /** A fetch has ended, and its records are with their partitions. */
  leave(): void {
    this.#fetches -= 1;
    if (this.#fetches === 0) this.#whenQuiet?.();
  }

  /** Runs `change` between fetches. One at a time: see `ChangeQueue`. Rejects as `change` does. */
  async exclusively(change: () => void | Promise<void>): Promise<void> {
    this.#isClosed = true;
    try {
      if (this.#fetches > 0) {
        await new Promise<void>((resolve) => {
          this.#whenQuiet = resolve;
        });
        this.#whenQuiet = undefined;
      }
      await change();
    } finally {
      this.#isClosed = false;
      this.#onOpen();
    }
  }
}
