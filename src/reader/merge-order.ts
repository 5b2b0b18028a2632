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
  readonly #queues = new Map<ReadPartition, PartitionHead>();
  /** A binary heap of the queues that have records, the oldest head first. */
  readonly #heap: PartitionHead[] = [];
  #waiting = 0;

  constructor(partitions: readonly ReadPartition[]) {
    for (const partition of partitions) this.#queues.set(partition, new PartitionHead(partition));
  }

  get waiting(): number {
    return this.#waiting;
  }

  add = (partition: ReadPartition, slice: RecordSlice): void => {
    let queue = this.#queues.get(partition);
    if (queue === undefined) {
      queue = new PartitionHead(partition);
      this.#queues.set(partition, queue);
    }
    const wasEmpty = queue.head === undefined;
    queue.push(slice);
    this.#waiting += slice.to - slice.from;
    if (wasEmpty) {
      this.#heap.push(queue);
      this.#up(this.#heap.length - 1);
    }
  };

  take = (): RawRecord | undefined => {
    if (this.#heap.length < this.#queues.size && this.#mustWait()) return undefined;
    const queue = this.#heap[0];
    const record = queue?.head;
    if (queue === undefined || record === undefined) return undefined;
    queue.shift();
    this.#waiting -= 1;
    if (queue.head === undefined) {
      const last = this.#heap.pop();
      if (last !== undefined && last !== queue) this.#heap[0] = last;
      // A partition that is read to its end is waited for no longer.
      if (queue.partition.done) this.#queues.delete(queue.partition);
    }
    this.#down(0);
    return record;
  };

  full = (partition: ReadPartition): boolean => {
    const queue = this.#queues.get(partition);
    if (queue === undefined) return false;
    const count = Math.max(1, this.#queues.size);
    // One that was held is taken up again when a quarter is left.
    const share = partition.held ? 0.25 : 1;
    return (
      queue.length >= share * Math.max(minOfOne, maxWaiting / count) ||
      queue.bytes >= share * Math.max(minBytesOfOne, maxWaitingBytes / count)
    );
  };

  #mustWait(): boolean {
    for (const [partition, queue] of this.#queues) {
      if (queue.head !== undefined) continue;
      if (partition.done) this.#queues.delete(partition);
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
