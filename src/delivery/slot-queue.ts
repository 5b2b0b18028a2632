import { deferred } from "../waiting.js";
import type { OwnedPartition } from "../group/owned-partition.js";

/** Holders that released their handler slot while they waited and need one again, in their order. */
export class SlotQueue<Holder> {
  readonly #waiting = new Set<{ readonly holder: Holder; readonly resolve: () => void }>();

  /** Resolves when `admit` gives the holder a slot, on `release`, or when one of its partitions is revoked or moves. */
  async wait(holder: Holder, partitions: readonly OwnedPartition[]): Promise<void> {
    const { promise, resolve } = deferred();
    const waiting = { holder, resolve };
    this.#waiting.add(waiting);
    const takeBack = partitions.map((partition) => partition.onEnd(resolve));
    await promise;
    for (const end of takeBack) end();
    this.#waiting.delete(waiting);
  }

  /** Gives free slots to those that wait. */
  admit(slots: Set<Holder>, hasSlot: () => boolean): void {
    for (const waiting of this.#waiting) {
      if (!hasSlot()) return;
      this.#waiting.delete(waiting);
      slots.add(waiting.holder);
      waiting.resolve();
    }
  }

  /** Ends all waiting without a slot: the delivery stops. */
  release(): void {
    for (const { resolve } of this.#waiting) resolve();
  }
}
