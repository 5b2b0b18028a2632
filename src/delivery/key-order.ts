/**
 * Keeps the order of each key while different keys overtake each other: one item of a key runs at a
 * time, the others wait behind it in their order. Items without a key never wait.
 */
export class KeyOrder<Item> {
  /** The keys of running items; `undefined` while no other waits, as is usual. */
  readonly #waiting = new Map<string, Item[] | undefined>();
  #size = 0;

  /** How many items wait behind another of their key. */
  get waiting(): number {
    return this.#size;
  }

  /** Whether the item may run now; if not, it waits until `leave` returns it in its turn. */
  enter(key: string | undefined, item: Item): boolean {
    if (key === undefined) return true;
    if (!this.#waiting.has(key)) {
      this.#waiting.set(key, undefined);
      return true;
    }
    const queue = this.#waiting.get(key);
    if (queue === undefined) this.#waiting.set(key, [item]);
    else queue.push(item);
    this.#size += 1;
    return false;
  }

  /** Ends the turn of the key's running item and returns the next one, which runs now. */
  leave(key: string | undefined): Item | undefined {
    if (key === undefined) return undefined;
    const next = this.#waiting.get(key)?.shift();
    if (next === undefined) this.#waiting.delete(key);
    else this.#size -= 1;
    return next;
  }
}
