import type { RawRecord } from "../record.js";
import type { ReadOrder } from "./read-order.js";
import type { ReadPartition, RecordSlice } from "./read-partition.js";

/** How many records may wait in all while one partition is behind, and never fewer of one than `minOfOne`. */
const maxWaiting = 100_000;
const minOfOne = 2_000;
const maxWaitingBytes = 64 * 2 ** 20;
const minBytesOfOne = 2 ** 20;

/** A partition's records that wait to be merged. */
class PartitionHead {
  readonly partition: ReadPartition;
  readonly #slices: RecordSlice[] = [];
  length = 0;
  bytes = 0;
  head: RawRecord | undefined;

  constructor(partition: ReadPartition) {
    this.partition = partition;
  }

  push(slice: RecordSlice): void {
    this.#slices.push(slice);
    this.length += slice.to - slice.from;
    for (let index = slice.from; index < slice.to; index += 1) this.bytes += slice.records[index]?.size ?? 0;
    this.head ??= this.#first();
  }

  shift(): void {
    const slice = this.#slices[0];
    if (slice === undefined) return;
    this.length -= 1;
    this.bytes -= this.head?.size ?? 0;
    slice.from += 1;
    if (slice.from === slice.to) this.#slices.shift();
    this.head = this.#first();
  }

  #first(): RawRecord | undefined {
    const slice = this.#slices[0];
    return slice?.records[slice.from];
  }
}

/**
 * Merges partitions by timestamp: of the next record of each, the oldest goes first. Waits for every
 * partition that has more in its log, so that one which arrives late is not passed.
 */
export class TimestampOrder implements ReadOrder {
  readonly #lanes = new Map<ReadPartition, PartitionHead>();
  /** A binary heap of the lanes that have records, the oldest head first. */
  readonly #heap: PartitionHead[] = [];
  #waiting = 0;

  constructor(partitions: readonly ReadPartition[]) {
    for (const partition of partitions) this.#lanes.set(partition, new PartitionHead(partition));
  }

  get waiting(): number {
    return this.#waiting;
  }

  add = (partition: ReadPartition, slice: RecordSlice): void => {
    let lane = this.#lanes.get(partition);
    if (lane === undefined) {
      lane = new PartitionHead(partition);
      this.#lanes.set(partition, lane);
    }
    const wasEmpty = lane.head === undefined;
    lane.push(slice);
    this.#waiting += slice.to - slice.from;
    if (wasEmpty) {
      this.#heap.push(lane);
      this.#up(this.#heap.length - 1);
    }
  };

  take = (): RawRecord | undefined => {
    if (this.#heap.length < this.#lanes.size && this.#mustWait()) return undefined;
    const lane = this.#heap[0];
    const record = lane?.head;
    if (lane === undefined || record === undefined) return undefined;
    lane.shift();
    this.#waiting -= 1;
    if (lane.head === undefined) {
      const last = this.#heap.pop();
      if (last !== undefined && last !== lane) this.#heap[0] = last;
      // A partition that is read to its end is waited for no longer.
      if (lane.partition.done) this.#lanes.delete(lane.partition);
    }
    this.#down(0);
    return record;
  };

  full = (partition: ReadPartition): boolean => {
    const lane = this.#lanes.get(partition);
    if (lane === undefined) return false;
    const count = Math.max(1, this.#lanes.size);
    // One that was held is taken up again when a quarter is left.
    const share = partition.held ? 0.25 : 1;
    return (
      lane.length >= share * Math.max(minOfOne, maxWaiting / count) ||
      lane.bytes >= share * Math.max(minBytesOfOne, maxWaitingBytes / count)
    );
  };

  #mustWait(): boolean {
    for (const [partition, lane] of this.#lanes) {
      if (lane.head !== undefined) continue;
      if (partition.done) this.#lanes.delete(partition);
      else if (!partition.atEnd) return true;
    }
    return false;
  }

  #up(index: number): void {
    let child = index;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#swapIfOlder(child, parent)) return;
      child = parent;
    }
  }

  #down(index: number): void {
    let parent = index;
    for (;;) {
      const left = 2 * parent + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && this.#isOlder(right, left) ? right : left;
      if (!this.#swapIfOlder(child, parent)) return;
      parent = child;
    }
  }

  #swapIfOlder(child: number, parent: number): boolean {
    if (!this.#isOlder(child, parent)) return false;
    const a = this.#heap[child];
    const b = this.#heap[parent];
    if (a === undefined || b === undefined) return false;
    this.#heap[child] = b;
    this.#heap[parent] = a;
    return true;
  }

  /** Of records of the same time, the lower partition's goes first: the order is the same at every read. */
  #isOlder(index: number, other: number): boolean {
    const a = this.#heap[index]?.head;
    const b = this.#heap[other]?.head;
    if (a === undefined || b === undefined) return false;
    if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp;
    return a.partition === b.partition ? a.topic < b.topic : a.partition < b.partition;
  }
}
