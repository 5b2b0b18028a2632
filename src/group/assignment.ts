import { partitionId } from "../offsets.js";

/**
 * Which partitions are assigned to this member, and since when. Every assignment of a partition, and every seek in it,
 * begins a new epoch: what was fetched or begun in an older one no longer counts.
 */
export class Assignment<Owned> {
  readonly #owned = new Map<string, { readonly epoch: number; readonly value: Owned }>();
  #epoch = 0;

  /** The newest epoch given out: a fetch remembers it when it starts. */
  get epoch(): number {
    return this.#epoch;
  }

  get size(): number {
    return this.#owned.size;
  }

  /** Begins a new epoch for the partition, which is assigned from now on if it was not. */
  begin(topic: string, partition: number, value: Owned): number {
    this.#epoch += 1;
    this.#owned.set(partitionId(topic, partition), { epoch: this.#epoch, value });
    return this.#epoch;
  }

  /** Ends the assignment of the partition; `undefined` where it was not assigned. */
  end(topic: string, partition: number): Owned | undefined {
    const id = partitionId(topic, partition);
    const entry = this.#owned.get(id);
    this.#owned.delete(id);
    return entry?.value;
  }

  get(topic: string, partition: number): Owned | undefined {
    return this.#owned.get(partitionId(topic, partition))?.value;
  }

  /**
   * What owns the records of a fetch that started at `fetchEpoch`: `undefined` where the
   * partition is not assigned, or was assigned (or moved by a seek) only after the fetch started.
   */
  ownerAt(topic: string, partition: number, fetchEpoch: number): Owned | undefined {
    const entry = this.#owned.get(partitionId(topic, partition));
    return entry !== undefined && entry.epoch <= fetchEpoch ? entry.value : undefined;
  }

  *[Symbol.iterator](): Generator<Owned> {
    for (const { value } of this.#owned.values()) yield value;
  }
}
