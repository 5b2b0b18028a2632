/** Ids by the stream time at which something is due for them: the end of a window, or of an entry's retention. */
export class Deadlines {
  readonly #ids = new Map<number, Set<string>>();
  /** The times that have ids, as a binary heap with the earliest first. */
  readonly #times: number[] = [];

  add(time: number, id: string): void {
    const ids = this.#ids.get(time);
    if (ids !== undefined) {
      ids.add(id);
      return;
    }
    this.#ids.set(time, new Set([id]));
    this.#times.push(time);
    this.#up(this.#times.length - 1);
  }

  delete(time: number, id: string): void {
    this.#ids.get(time)?.delete(id);
  }

  /** The earliest time for which there may be an id; `undefined` where there is none. */
  get first(): number | undefined {
    for (let time = this.#times[0]; time !== undefined; time = this.#times[0]) {
      if ((this.#ids.get(time)?.size ?? 0) > 0) return time;
      this.#ids.delete(time);
      this.#removeFirst();
    }
    return undefined;
  }

  /** The ids that are due at this stream time, the earliest first; they stay until `delete`. */
  *due(streamTime: number): IterableIterator<readonly [time: number, id: string]> {
    const times = [...this.#ids.keys()].filter((time) => time <= streamTime).sort((a, b) => a - b);
    for (const time of times) for (const id of [...(this.#ids.get(time) ?? [])]) yield [time, id];
  }

  clear(): void {
    this.#ids.clear();
    this.#times.length = 0;
  }

  #removeFirst(): void {
    const last = this.#times.pop();
    if (last === undefined || this.#times.length === 0) return;
    this.#times[0] = last;
    this.#down();
  }

  #up(from: number): void {
    for (let child = from; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!this.#swapIfEarlier(child, parent)) return;
      child = parent;
    }
  }

  #down(): void {
    for (let parent = 0; ;) {
      const left = 2 * parent + 1;
      if (left >= this.#times.length) return;
      const right = left + 1;
      const child = this.#at(right) < this.#at(left) ? right : left;
      if (!this.#swapIfEarlier(child, parent)) return;
      parent = child;
    }
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    const [a, b] = [this.#at(child), this.#at(parent)];
    if (a >= b) return false;
    this.#times[parent] = a;
    this.#times[child] = b;
    return true;
  }

  #at(index: number): number {
    return this.#times[index] ?? Infinity;
  }
}
