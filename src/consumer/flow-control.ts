import type { NativeConsumer } from "../driver/native-consumer.js";
import type { RawRecord } from "../record.js";
import type { OwnedPartition } from "./owned-partition.js";

const maxFetch = 1_000;
const maxFetchBytes = 4 * 2 ** 20;
/** A partition with this many records waiting is full; with a quarter of it there is room again. */
const maxWaiting = 2_000;
const roomAt = 0.25;

/**
 * Decides whether to fetch. Memory is bounded by partition: a full one is paused natively only while
 * another one has nothing to do, because pausing throws away what was fetched ahead.
 */
export class FlowControl {
  readonly #bufferMaxBytes: number;
  #partitionBytes: number;
  #recordBytes = 1_000;
  #full = false;

  constructor(bufferMaxBytes: number) {
    this.#bufferMaxBytes = bufferMaxBytes;
    this.#partitionBytes = bufferMaxBytes;
  }

  /** Whether some partition was full when last looked at. */
  get isFull(): boolean {
    return this.#full;
  }

  /** Shares the memory out among so many partitions. */
  share(partitions: number): void {
    this.#partitionBytes = this.#bufferMaxBytes / Math.max(1, partitions);
  }

  /** How many records to ask for, so that large ones do not come a thousand at a time. */
  fetchSize(): number {
    return Math.max(
      1,
      Math.min(maxFetch, Math.floor(Math.min(maxFetchBytes, this.#partitionBytes) / this.#recordBytes)),
    );
  }

  learn(records: readonly RawRecord[]): void {
    if (records.length === 0) return;
    let bytes = 0;
    for (const { size } of records) bytes += size;
    this.#recordBytes = 0.8 * this.#recordBytes + 0.2 * Math.max(1, bytes / records.length);
  }

  /** Whether the loop waits for this partition's queue, which has just become short enough. */
  waitsFor(partition: OwnedPartition): boolean {
    return this.#full && this.#hasRoom(partition);
  }

  /** Whether to fetch now. Pauses and resumes partitions natively as a side effect. */
  wantsMore(partitions: Iterable<OwnedPartition>, native: NativeConsumer): boolean {
    const full: OwnedPartition[] = [];
    let starving = false;
    for (const partition of partitions) {
      if (!partition.open) continue;
      if (partition.held && this.#hasRoom(partition)) {
        partition.held = false;
        native.resume([partition]);
      }
      if (this.#isFull(partition)) full.push(partition);
      else if (this.#hasRoom(partition) && hasMore(partition, native)) starving = true;
    }
    this.#full = full.length > 0;
    if (!this.#full) return true;
    if (!starving) return false;
    const toHold = full.filter(({ held }) => !held);
    for (const partition of toHold) partition.held = true;
    native.pause(toHold);
    return true;
  }

  #isFull({ queue }: OwnedPartition): boolean {
    return queue.length >= maxWaiting || queue.bytes >= this.#partitionBytes;
  }

  #hasRoom({ queue }: OwnedPartition): boolean {
    return queue.length <= maxWaiting * roomAt && queue.bytes <= this.#partitionBytes * roomAt;
  }
}

/** Whether the log goes on beyond what was fetched, as far as the native client knows. */
function hasMore(partition: OwnedPartition, native: NativeConsumer): boolean {
  if (partition.position === undefined) return true;
  const end = native.knownEnd(partition);
  return end === undefined || end > partition.position;
}
