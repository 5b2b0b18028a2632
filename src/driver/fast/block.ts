import type { RawHeaders, RawRecord, Span } from "../../record.js";
import type { NativePartition } from "../native.js";
import { type JsonForms, Scalars, type Slices } from "./json-forms.js";

/** What one record is in a block: `Row` in `native/block.h`. */
const rowInts = 8;
const row = {
  start: 0,
  key: 1,
  value: 2,
  headers: 3,
  partition: 4,
  flags: 5,
  leaderEpoch: 6,
  headerCount: 7,
};
/** What a part's bytes are: two bits of the flags, `Text` in `native/text.h`. */
const text = { none: 0, utf8: 1, ascii: 2, mask: 3 };
const valueShift = 2;
/** Where the scalars of the value are: what is beyond those bits, 2 for the first. */
const scalarsShift = 4;
const sought = 1;

/** A partition of which records come. */
export interface BlockPartition extends NativePartition {
  readonly forms: JsonForms;
}

/** Records that were packed into one piece of memory. */
interface Block {
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  readonly rows: Int32Array;
  readonly bytes: Slices;
  /** Absent in a record's own block. */
  readonly scalars?: Scalars;
}

/**
 * Appends the records of a block, in their order. Nothing is copied: they refer to the block, and keep it in memory
 * as long as one of them is there.
 *
 * @param partitions - the partitions by their indexes
 */
export function appendRecords(
  records: RawRecord[],
  buffer: ArrayBuffer,
  count: number,
  partitions: readonly BlockPartition[],
): void {
  const bytes = Buffer.from(buffer) as Slices;
  const rows = new Int32Array(buffer, count * 16, count * rowInts);
  const tableSize = count * (16 + rowInts * 4);
  const dataStart = count === 0 ? tableSize : at32(rows, row.start) >>> 0;
  const block: Block = {
    offsets: new Float64Array(buffer, 0, count),
    timestamps: new Float64Array(buffer, count * 8, count),
    rows,
    bytes,
    scalars: new Scalars(new Int32Array(buffer, tableSize, (dataStart - tableSize) / 4), bytes, dataStart),
  };
  let partition: BlockPartition | undefined;
  let partitionIndex = -1;
  for (let index = 0; index < count; index += 1) {
    const at = at32(block.rows, index * rowInts + row.partition);
    if (partition === undefined || at !== partitionIndex) {
      partitionIndex = at;
      partition = partitions[at];
      if (partition === undefined) throw new RangeError(`a record of the unknown partition ${at}`);
    }
    records.push(new BlockRecord(block, index, partition));
  }
}

/** A record that lies in a block. Its parts are made when they are asked for; their bytes are copies, which may be kept. */
class BlockRecord implements RawRecord {
  readonly #block: Block;
  readonly #index: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly size: number;
  readonly #forms: JsonForms;

  constructor(block: Block, index: number, { topic, partition, forms }: BlockPartition) {
    this.#block = block;
    this.#index = index;
    this.#forms = forms;
    this.topic = topic;
    this.partition = partition;
    this.offset = block.offsets[index] ?? -1;
    this.size = Math.max(0, at32(block.rows, index * rowInts + row.value));
  }

  get timestamp(): number {
    return this.#block.timestamps[this.#index] ?? -1;
  }

  get leaderEpoch(): number | undefined {
    const epoch = this.#of(row.leaderEpoch);
    return epoch < 0 ? undefined : epoch;
  }

  get keySize(): number | undefined {
    const size = this.#of(row.key);
    return size < 0 ? undefined : size;
  }

  locate(key: Span, value: Span): void {
    const { bytes } = this.#block;
    const start = this.#start;
    const valueStart = this.#valueStart;
    key.bytes = value.bytes = bytes;
    key.start = start;
    key.end = start + this.#of(row.key);
    value.start = valueStart;
    value.end = valueStart + this.#of(row.value);
  }

  get key(): Buffer | null {
    return this.#of(row.key) < 0 ? null : this.#copy(this.#start, this.#valueStart);
  }

  get value(): Buffer | null {
    return this.#of(row.value) < 0 ? null : this.#copy(this.#valueStart, this.#headersStart);
  }

  get headers(): RawRecord["headers"] {
    if (this.#of(row.headerCount) === 0) return undefined;
    // A computed name makes a property of its own, also for "__proto__".
    return this.rawHeaders.map(([name, value]) => ({ [name]: value ?? Buffer.alloc(0) }));
  }

  get rawHeaders(): RawHeaders {
    const count = this.#of(row.headerCount);
    if (count === 0) return noHeaders;
    const { bytes } = this.#block;
    const headers: [string, Buffer | null][] = [];
    let at = this.#headersStart;
    for (let index = 0; index < count; index += 1) {
      const nameEnd = at + 8 + bytes.readInt32LE(at);
      const valueLength = bytes.readInt32LE(at + 4);
      const end = nameEnd + Math.max(0, valueLength);
      headers.push([bytes.utf8Slice(at + 8, nameEnd), valueLength < 0 ? null : this.#copy(nameEnd, end)]);
      at = end;
    }
    return headers;
  }

  text(part: "key" | "value"): string | undefined {
    const flags = this.#of(row.flags);
    const kind = (part === "key" ? flags : flags >> valueShift) & text.mask;
    if (kind === text.none) return undefined;
    const start = part === "key" ? this.#start : this.#valueStart;
    const end = part === "key" ? this.#valueStart : this.#headersStart;
    const { bytes } = this.#block;
    return kind === text.ascii ? bytes.latin1Slice(start, end) : bytes.utf8Slice(start, end);
  }

  json(parse: (text: string) => unknown): unknown {
    const found = this.#of(row.flags) >> scalarsShift;
    const { scalars } = this.#block;
    if (found > sought && scalars !== undefined) {
      const value = this.#forms.read(scalars, found - sought - 1, this.#valueStart, this.#headersStart);
      if (value !== undefined) return value;
    }
    const text = this.text("value");
    if (text === undefined) return undefined;
    const value = parse(text);
    this.#forms.parsed(text, found === sought);
    return value;
  }

  get shared(): { readonly bytes: number; readonly copy: () => RawRecord } {
    return { bytes: this.#block.bytes.length, copy: () => this.#alone() };
  }

  #alone(): RawRecord {
    const { offsets, timestamps, rows, bytes } = this.#block;
    const at = this.#index;
    const ints = rows.slice(at * rowInts, (at + 1) * rowInts);
    ints[row.start] = 0;
    const block: Block = {
      offsets: offsets.slice(at, at + 1),
      timestamps: timestamps.slice(at, at + 1),
      rows: ints,
      bytes: Buffer.from(bytes.subarray(this.#start, this.#headersStart + this.#of(row.headers))) as Slices,
    };
    const { topic, partition } = this;
    return new BlockRecord(block, 0, { topic, partition, forms: this.#forms });
  }

  get #start(): number {
    // The only unsigned one.
    return this.#of(row.start) >>> 0;
  }

  get #valueStart(): number {
    return this.#start + Math.max(0, this.#of(row.key));
  }

  get #headersStart(): number {
    return this.#valueStart + this.size;
  }

  #of(field: number): number {
    return at32(this.#block.rows, this.#index * rowInts + field);
  }

  #copy(start: number, end: number): Buffer {
    return Buffer.from(this.#block.bytes.subarray(start, end));
  }
}

const noHeaders: RawHeaders = Object.freeze([]);

function at32(rows: Int32Array, index: number): number {
  return rows[index] ?? -1;
}
