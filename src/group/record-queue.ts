import type { RawRecord } from "../record.js";

/**
 * What one fetch brought, of several partitions. What was taken out of it is `undefined`: a record that waits
 * long must not keep all others in memory.
 */
export type FetchedRecords = (RawRecord | undefined)[];

/** A slice of one partition's records within a fetched array: `[from, to)`. Nothing is copied. */
interface RecordSlice {
  readonly records: FetchedRecords;
  from: number;
  readonly to: number;
}

/**
 * A partition that has so many slices waiting is behind the others that were fetched with it. What is of it in a large
 * block of theirs is copied from here on, lest a few small records hold many such blocks in memory.
 */
const slicesBehind = 2;
const largeBlockBytes = 256 * 2 ** 10;
/** A slice that is a smaller part of its block is copied. */
const smallPart = 1 / 8;

/** What a record takes in memory beside its value and key: objects, buffers, headers. */
const overheadBytes = 600;

/** The records of one partition that were fetched and not yet delivered, in the order of the log. */
export class RecordQueue {
  #slices: RecordSlice[] = [];
  #length = 0;
  #bytes = 0;

  get length(): number {
    return this.#length;
  }

  /** The memory that what is waiting takes, in bytes, nearly. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `records` are the queue's from here on, as far as they are of this slice. */
  push(records: FetchedRecords, from: number, to: number): void {
    let bytes = 0;
    for (let index = from; index < to; index += 1) {
      const record = records[index];
      if (record !== undefined) bytes += memoryOf(record);
    }
    if (this.#slices.length >= slicesBehind) copySmallPart(records, from, to, bytes);
    this.#slices.push({ records, from, to });
    this.#length += to - from;
    this.#bytes += bytes;
  }

  peek(): RawRecord | undefined {
    const slice = this.#slices[0];
    return slice?.records[slice.from];
  }

  shift(): RawRecord | undefined {
    const slice = this.#slices[0];
    if (slice === undefined) return undefined;
    const record = slice.records[slice.from];
    slice.records[slice.from] = undefined;
    slice.from += 1;
    if (slice.from === slice.to) this.#slices.shift();
    if (record !== undefined) {
      this.#length -= 1;
      this.#bytes -= memoryOf(record);
    }
    return record;
  }

  clear(): void {
    for (const { records, from, to } of this.#slices) records.fill(undefined, from, to);
    this.#slices = [];
    this.#length = 0;
    this.#bytes = 0;
  }
}

/** Has records of `bytes` altogether hold memory of their own where they are a small part of what they hold. */
function copySmallPart(records: FetchedRecords, from: number, to: number, bytes: number): void {
  const block = records[from]?.shared?.bytes ?? 0;
  if (block < largeBlockBytes || bytes > block * smallPart) return;
  for (let index = from; index < to; index += 1)
    records[index] = records[index]?.shared?.copy() ?? records[index];
}

function memoryOf(record: RawRecord): number {
  return overheadBytes + record.size + (record.keySize ?? record.key?.length ?? 0);
}
