/** Changes of the assignment, one after the other: rebalances and seeks. */
export class ChangeQueue {
  readonly #onError: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Resolves when all changes asked for so far have ended. */
  get idle(): Promise<void> {
    return this.#last;
  }

  /** Runs `change` after those before it. Resolves when it has ended, and never rejects: what it throws goes to `onError`. */
  async run(change: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(change).catch(this.#onError);
    await this.#last;
  }
}
