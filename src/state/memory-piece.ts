import { type RawRecord, type Span, spanOf } from "../record.js";
import { hashOf, hashOfBytes } from "./key-hash.js";
import { MemoryShard } from "./memory-shard.js";
import type { Piece, Proof } from "./piece.js";
import { Turns } from "../waiting.js";
import type { Entry, Write } from "./write.js";

/**
 * How many shards an entry can be in: each grows and is compacted by itself, so that with ten million entries no
 * pause is longer than that of a 64th of them.
 */
const shardBits = 6;
/** How long entries are looked through before others have a turn, in milliseconds. */
const turnMs = 10;

/** Entries in memory: 50 to 60 bytes each beside their own, in a few large buffers that the collector passes over. */
export class MemoryPiece implements Piece {
  readonly #shards: (MemoryShard | undefined)[] = new Array<undefined>(1 << shardBits).fill(undefined);
  #size = 0;
  #position = 0;
  #currentAt = 0;

  get position(): number {
    return this.#position;
  }

  get currentAt(): number {
    return this.#currentAt;
  }

  get size(): number {
    return this.#size;
  }

  /** The memory that the entries take, in bytes. */
  get bytes(): number {
    let bytes = 0;
    for (const shard of this.#shards) bytes += shard?.bytes ?? 0;
    return bytes;
  }

  get(id: string): Entry | undefined {
    const hash = hashOf(id);
    return this.#shards[shardOf(hash)]?.get(id, hash);
  }

  has(id: string): boolean {
    const hash = hashOf(id);
    return this.#shards[shardOf(hash)]?.has(id, hash) === true;
  }

  *entries(): IterableIterator<Entry> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.entries();
  }

  async scan(visit: (key: Buffer, timestamp: number) => void): Promise<void> {
    const turns = new Turns(turnMs);
    for (const { key, timestamp } of this.entries()) {
      visit(key, timestamp);
      if (turns.isOver) await turns.next();
    }
  }

  apply(writes: readonly Write[], proof?: Proof): undefined {
    for (const { key, value, timestamp } of writes) this.#put(spanOf(key), spanOf(value), timestamp);
    if (proof !== undefined) ({ position: this.#position, currentAt: this.#currentAt } = proof);
  }

  /** Copies what it keeps from where it lies: an object for each key and value would take as long as all the rest. */
  restore(records: readonly RawRecord[], proof: Proof): undefined {
    const [key, value] = [spanOf(null), spanOf(null)];
    for (const record of records)
      if (record.locate === undefined) this.#put(spanOf(record.key), spanOf(record.value), record.timestamp);
      else {
        record.locate(key, value);
        this.#put(key, value, record.timestamp);
      }
    ({ position: this.#position, currentAt: this.#currentAt } = proof);
  }

  clear(): undefined {
    this.#shards.fill(undefined);
    this.#size = 0;
    this.#position = 0;
    this.#currentAt = 0;
  }

  close(): undefined {
    this.clear();
  }

  #put(key: Span, value: Span, timestamp: number): void {
    const hash = hashOfBytes(key);
    const index = shardOf(hash);
    let shard = this.#shards[index];
    if (value.end < value.start) {
      if (shard?.delete(key, hash) === true) this.#size -= 1;
      return;
    }
    if (shard === undefined) this.#shards[index] = shard = new MemoryShard();
    if (shard.set(key, hash, value, timestamp)) this.#size += 1;
  }
}

/** By the highest bits: the lowest choose the slot within a shard. */
function shardOf(hash: number): number {
  return hash >>> (32 - shardBits);
}
