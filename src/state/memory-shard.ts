import type { Span } from "../record.js";
import { copyBytes, copyOf, type Entry, FoundEntry } from "./write.js";

/** Key length, value length (both 4 bytes), timestamp (8 bytes); then the key and the value. */
const headerBytes = 16;
const firstSlots = 8;
const firstBytes = 512;
/** Beyond this share of used slots the next ones are looked for too long. */
const maxLoad = 0.7;
/** Garbage is collected when it is more than half of what is written, and worth it. */
const minGarbageBytes = 16_384;

/**
 * A hash table over one buffer: entries are written one behind the other, and a table of slots holds where each
 * begins. An entry whose value keeps its length is overwritten where it is; any other is written anew, and what it
 * leaves behind is dropped when half of the buffer is such garbage.
 */
export class MemoryShard {
  #bytes = Buffer.allocUnsafeSlow(firstBytes);
  #used = 0;
  #garbage = 0;
  /** Where an entry begins, plus 1; 0 is a free slot. Linear probing. */
  #slots = new Uint32Array(firstSlots);
  /** The hash of the entry in each slot: compared before its bytes, and all that growing needs. */
  #hashes = new Uint32Array(firstSlots);
  #count = 0;

  /** The memory that it takes, in bytes. */
  get bytes(): number {
    return this.#bytes.length + this.#slots.byteLength + this.#hashes.byteLength;
  }

  get(id: string, hash: number): Entry | undefined {
    const begin = this.#beginOf(this.#find(id, hash));
    if (begin === undefined) return undefined;
    const bytes = this.#bytes;
    return new FoundEntry(id, valueAt(bytes, begin), bytes.readDoubleLE(begin + 8));
  }

  has(id: string, hash: number): boolean {
    return this.#beginOf(this.#find(id, hash)) !== undefined;
  }

  /** Whether the entry is new. */
  set(key: Span, hash: number, value: Span, timestamp: number): boolean {
    let slot = this.#find(key, hash);
    const before = this.#beginOf(slot);
    if (before !== undefined) {
      if (this.#bytes.readUInt32LE(before + 4) === value.end - value.start) {
        this.#bytes.writeDoubleLE(timestamp, before + 8);
        copy(value, this.#bytes, before + headerBytes + key.end - key.start);
        return false;
      }
      this.#garbage += sizeAt(this.#bytes, before);
    } else if (this.#count + 1 > maxLoad * this.#slots.length) {
      this.#growSlots();
      slot = this.#find(key, hash);
    }
    this.#slots[slot] = this.#write(key, value, timestamp) + 1;
    this.#hashes[slot] = hash;
    if (before === undefined) this.#count += 1;
    this.#collect();
    return before === undefined;
  }

  /** Whether it was there. */
  delete(key: Span, hash: number): boolean {
    const slot = this.#find(key, hash);
    const begin = this.#beginOf(slot);
    if (begin === undefined) return false;
    this.#garbage += sizeAt(this.#bytes, begin);
    this.#count -= 1;
    this.#closeGap(slot);
    this.#collect();
    return true;
  }

  /** As of the first call of `next`: later changes go into another buffer, or into bytes behind those of now. */
  *entries(): IterableIterator<Entry> {
    const bytes = this.#bytes;
    for (const begin of this.#slots.slice()) if (begin > 0) yield entryAt(bytes, begin - 1);
  }

  /** The slot of the entry, or the free one in which it would be. */
  #find(key: Span | string, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const begin = this.#slots[slot] ?? 0;
      if (begin === 0 || (this.#hashes[slot] === hash && this.#isKey(key, begin - 1))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #beginOf(slot: number): number | undefined {
    const begin = this.#slots[slot] ?? 0;
    return begin === 0 ? undefined : begin - 1;
  }

  /** `key` is its bytes, or its id. */
  #isKey(key: Span | string, begin: number): boolean {
    const from = begin + headerBytes;
    const bytes = this.#bytes;
    if (typeof key === "string") {
      if (bytes.readUInt32LE(begin) !== key.length) return false;
      for (let index = 0; index < key.length; index += 1)
        if (bytes[from + index] !== key.charCodeAt(index)) return false;
      return true;
    }
    const length = key.end - key.start;
    if (bytes.readUInt32LE(begin) !== length) return false;
    for (let index = 0; index < length; index += 1)
      if (bytes[from + index] !== key.bytes[key.start + index]) return false;
    return true;
  }

  #write(key: Span, value: Span, timestamp: number): number {
    const [keyLength, valueLength] = [key.end - key.start, value.end - value.start];
    const begin = this.#used;
    const end = begin + headerBytes + keyLength + valueLength;
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, Math.ceil(this.#bytes.length * 1.5)));
      this.#bytes.copy(larger, 0, 0, begin);
      this.#bytes = larger;
    }
    this.#bytes.writeUInt32LE(keyLength, begin);
    this.#bytes.writeUInt32LE(valueLength, begin + 4);
    this.#bytes.writeDoubleLE(timestamp, begin + 8);
    copy(key, this.#bytes, begin + headerBytes);
    copy(value, this.#bytes, begin + headerBytes + keyLength);
    this.#used = end;
    return begin;
  }

  /** Moves back what was pushed on by the entry that is gone, so that it is found at the end of its probing. */
  #closeGap(from: number): void {
    const mask = this.#slots.length - 1;
    let gap = from;
    let slot = from;
    for (;;) {
      this.#slots[gap] = 0;
      for (;;) {
        slot = (slot + 1) & mask;
        if (this.#slots[slot] === 0) return;
        const wanted = (this.#hashes[slot] ?? 0) & mask;
        const isBetween = gap <= slot ? gap < wanted && wanted <= slot : gap < wanted || wanted <= slot;
        if (!isBetween) break;
      }
      this.#slots[gap] = this.#slots[slot] ?? 0;
      this.#hashes[gap] = this.#hashes[slot] ?? 0;
      gap = slot;
    }
  }

  #growSlots(): void {
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = 2 * slots.length - 1;
    this.#slots = new Uint32Array(mask + 1);
    this.#hashes = new Uint32Array(mask + 1);
    for (let from = 0; from < slots.length; from += 1) {
      const begin = slots[from] ?? 0;
      if (begin === 0) continue;
      const hash = hashes[from] ?? 0;
      let slot = hash & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = begin;
      this.#hashes[slot] = hash;
    }
  }

  #collect(): void {
    if (this.#garbage < minGarbageBytes || this.#garbage * 2 < this.#used) return;
    const from = this.#bytes;
    const live = this.#used - this.#garbage;
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(firstBytes, Math.ceil(live * 1.25)));
    this.#used = 0;
    this.#garbage = 0;
    for (let slot = 0; slot < this.#slots.length; slot += 1) {
      const begin = this.#slots[slot] ?? 0;
      if (begin === 0) continue;
      const size = sizeAt(from, begin - 1);
      from.copy(this.#bytes, this.#used, begin - 1, begin - 1 + size);
      this.#slots[slot] = this.#used + 1;
      this.#used += size;
    }
  }
}

function copy({ bytes, start, end }: Span, to: Buffer, at: number): void {
  copyBytes(bytes, start, end, to, at);
}

function sizeAt(bytes: Buffer, begin: number): number {
  return headerBytes + bytes.readUInt32LE(begin) + bytes.readUInt32LE(begin + 4);
}

function entryAt(bytes: Buffer, begin: number): Entry {
  const from = begin + headerBytes;
  return {
    key: copyOf(bytes, from, from + bytes.readUInt32LE(begin)),
    value: valueAt(bytes, begin),
    timestamp: bytes.readDoubleLE(begin + 8),
  };
}

function valueAt(bytes: Buffer, begin: number): Buffer {
  const from = begin + headerBytes + bytes.readUInt32LE(begin);
  return copyOf(bytes, from, from + bytes.readUInt32LE(begin + 4));
}
