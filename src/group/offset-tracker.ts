/**
 * Which offset of a partition may be committed: the one after the last record before which every
 * record is finished. Records start in the order of the log and finish in any order. Offsets may have
 * gaps (compaction, transaction markers).
 */
export class OffsetTracker {
  /** Offsets started and not yet below the watermark, in order, from `#head` on. */
  readonly #started: number[] = [];
  #head = 0;
  readonly #finished = new Set<number>();
  #committable: number | undefined;

  /** The next offset to commit: everything below it is finished. `undefined` before the first. */
  get committable(): number | undefined {
    return this.#committable;
  }

  /** How many records have started and are not below the watermark, finished ones behind an unfinished one included. */
  get pending(): number {
    return this.#started.length - this.#head;
  }

  /** The first record that is not finished; `undefined` where there is none. */
  get first(): number | undefined {
    return this.#started[this.#head];
  }

  start(offset: number): void {
    this.#started.push(offset);
  }

  finish(offset: number): void {
    if (this.#started[this.#head] !== offset) {
      this.#finished.add(offset);
      return;
    }
    this.#pass(offset);
    if (this.#finished.size === 0) return;
    let next = this.#started[this.#head];
    while (next !== undefined && this.#finished.delete(next)) {
      this.#pass(next);
      next = this.#started[this.#head];
    }
  }

  #pass(offset: number): void {
    this.#committable = offset + 1;
    this.#head += 1;
    if (this.#head < 1_024) return;
    this.#started.splice(0, this.#head);
    this.#head = 0;
  }
}
