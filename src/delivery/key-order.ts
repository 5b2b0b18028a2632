/**
 * Keeps the order of each key while different keys overtake each other: one item of a key runs at a
 * time, the others wait behind it in the order they came. Items without a key never wait.
 */
export class KeyOrder<Item> {
  readonly #waiting = new Map<string, Item[]>();
  #size = 0;

  /** How many items wait behind another of their key. */
  get waiting(): number {
    return this.#size;
  }

  /** Whether the item may run now; if not, it waits and `leave` gives it back in its turn. */
  enter(key: string | undefined, item: Item): boolean {
    if (key === undefined) return true;
    const lane = this.#waiting.get(key);
    if (lane === undefined) {
      this.#waiting.set(key, []);
      return true;
    }
    lane.push(item);
    this.#size += 1;
    return false;
  }

  /** Ends the turn of the key's running item; gives the next one, whose turn it is at once. */
  leave(key: string | undefined): Item | undefined {
    if (key === undefined) return undefined;
    const lane = this.#waiting.get(key);
    if (lane === undefined) return undefined;
    const next = lane.shift();
    if (next === undefined) this.#waiting.delete(key);
    else this.#size -= 1;
    return next;
  }
}
