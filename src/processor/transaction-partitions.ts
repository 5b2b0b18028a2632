import type { OwnedPartition } from "../group/owned-partition.js";
import type { NativeOffset } from "../driver/native.js";

/**
 * The partitions whose records are in the open transaction. It may only be committed while every one of
 * them is still the one its records were taken from.
 */
export class TransactionPartitions {
  readonly #partitions = new Set<OwnedPartition>();

  isEmpty(): boolean {
    return this.#partitions.size === 0;
  }

  add(partition: OwnedPartition): void {
    this.#partitions.add(partition);
  }

  has(partition: OwnedPartition): boolean {
    return this.#partitions.has(partition);
  }

  /** A partition that is no longer assigned to this member, or whose records are to be read again; `undefined` where all still count. */
  broken(): OwnedPartition | undefined {
    for (const partition of this.#partitions) if (partition.gone) return partition;
    return undefined;
  }

  /** The next offset of each partition, for the group. */
  offsets(): NativeOffset[] {
    const offsets: NativeOffset[] = [];
    for (const { topic, partition, committable, committed } of this.#partitions) {
      const offset = committable ?? committed;
      if (offset !== undefined) offsets.push({ topic, partition, offset });
    }
    return offsets;
  }

  [Symbol.iterator](): IterableIterator<OwnedPartition> {
    return this.#partitions.values();
  }

  /** Gives the partitions up, and returns them. */
  take(): OwnedPartition[] {
    const partitions = [...this.#partitions];
    this.#partitions.clear();
    return partitions;
  }
}
