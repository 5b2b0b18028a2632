import { deferred } from "../waiting.js";
import type { OwnedPartition } from "../group/owned-partition.js";

/** Who gave a slot among the handlers away while it waited, and wants one again: in the order they came. */
export class SlotQueue<Holder> {
  readonly #waiting = new Set<{ readonly holder: Holder; readonly resolve: () => void }>();

  /** Resolves when `admit` gave it a slot, all were released, or one of its partitions is given up or moves. */
  async wait(holder: Holder, partitions: readonly OwnedPartition[]): Promise<void> {
    const { promise, resolve } = deferred();
    const waiting = { holder, resolve };
    this.#waiting.add(waiting);
    const takeBack = partitions.map((partition) => partition.onEnd(resolve));
    await promise;
    for (const end of takeBack) end();
    this.#waiting.delete(waiting);
  }

  /** Gives the free slots away. */
  admit(slots: Set<Holder>, hasSlot: () => boolean): void {
    for (const waiting of this.#waiting) {
      if (!hasSlot()) return;
      this.#waiting.delete(waiting);
      slots.add(waiting.holder);
      waiting.resolve();
    }
  }

  release(): void {
    for (const { resolve } of this.#waiting) resolve();
  }
}
