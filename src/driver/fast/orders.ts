import type { EncodedPart, EncodedRecord, NativeHeader } from "../../record.js";

/** What one record to produce is: `Order` in `native/producer.h`. */
const orderInts = 8;
const order = { id: 0, key: 1, value: 2, partition: 3, headers: 4, timestampLow: 5, timestampHigh: 6 };
/** What the lowest bits of an id say: that success is told, and that the rest of it is a tag and not its topic's number. */
export const flag = { told: 1, tagged: 2, bits: 2 };
const two32 = 2 ** 32;
/** So many records, and bytes of them, go in one call. */
const maxRecords = 1_000;
const maxBytes = 4 * 2 ** 20;
const firstBytes = 2 ** 16;
/** A character of a text takes at most so many bytes. */
const mostBytesOfCharacter = 3;
/** Node writes a text only as far as there is capacity for whole characters: so much more than ASCII needs tells them apart. */
const spareBytes = 4;
/** A text of at most so many characters is written faster without a call of Node. */
const shortText = 24;

/** Where the records end that go in one call with the one at `from`. */
export function endOfCall(records: readonly EncodedRecord[], from: number): number {
  const last = Math.min(records.length, from + maxRecords);
  let bytes = records[from]?.size ?? 0;
  let to = from + 1;
  for (; to < last; to += 1) {
    bytes += records[to]?.size ?? 0;
    if (bytes > maxBytes) break;
  }
  return to;
}

/** The records of one call of the addon, as one piece of memory that the next call uses again. */
export class Orders {
  readonly table = new Int32Array(maxRecords * orderInts);
  #bytes = Buffer.allocUnsafeSlow(firstBytes);

  /** The keys, values and headers of the records that were written last. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /**
   * Writes the records `[from, to)` of {@link endOfCall}.
   *
   * @param ids - their numbers, by the records' indexes or the one of all, and the flags of all
   */
  write(
    records: readonly EncodedRecord[],
    ids: { readonly numbers: readonly number[] | number; readonly flags: number },
    from: number,
    to: number,
  ): void {
    const { table } = this;
    const { numbers, flags } = ids;
    // One large record does not hold its memory for good.
    if (this.#bytes.length > 2 * maxBytes) this.#bytes = Buffer.allocUnsafeSlow(firstBytes);
    for (let index = from, at = 0; index < to; index += 1, at += orderInts) {
      const { partition = -1, timestamp = 0 } = records[index] ?? nothing;
      const number = typeof numbers === "number" ? numbers : (numbers[index] ?? 0);
      table[at + order.id] = (number << flag.bits) | flags;
      table[at + order.partition] = partition;
      table[at + order.timestampLow] = timestamp % two32;
      table[at + order.timestampHigh] = Math.floor(timestamp / two32);
    }
    if (to - from === 1 || !this.#writeAsOne(records, from, to)) this.#writeApart(records, from, to);
  }

  /**
   * Writes keys and values as one text: that costs less than half of writing each. `false` where one of them is no
   * text, or has characters of more than a byte.
   */
  #writeAsOne(records: readonly EncodedRecord[], from: number, to: number): boolean {
    const { table } = this;
    let text = "";
    for (let index = from, at = 0; index < to; index += 1, at += orderInts) {
      const { key, value, headers } = records[index] ?? nothing;
      if (headers !== undefined || Buffer.isBuffer(key) || Buffer.isBuffer(value)) return false;
      table[at + order.key] = key === null ? -1 : key.length;
      table[at + order.value] = value === null ? -1 : value.length;
      table[at + order.headers] = -1;
      if (key !== null) text += key;
      if (value !== null) text += value;
    }
    this.#makeSpace(0, text.length + spareBytes);
    return this.#bytes.write(text) === text.length;
  }

  #writeApart(records: readonly EncodedRecord[], from: number, to: number): void {
    const { table } = this;
    let end = 0;
    for (let index = from, at = 0; index < to; index += 1, at += orderInts) {
      const { key, value, headers } = records[index] ?? nothing;
      this.#makeSpace(end, mostBytesOf(key) + mostBytesOf(value) + bytesOfHeaders(headers));
      table[at + order.key] = writePart(this.#bytes, end, key);
      end += Math.max(0, table[at + order.key] ?? 0);
      table[at + order.value] = writePart(this.#bytes, end, value);
      end += Math.max(0, table[at + order.value] ?? 0);
      table[at + order.headers] = headers === undefined ? -1 : writeHeaders(this.#bytes, end, headers);
      end += Math.max(0, table[at + order.headers] ?? 0);
    }
  }

  /** For so many bytes behind those used. */
  #makeSpace(used: number, more: number): void {
    const needed = used + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * this.#bytes.length, maxBytes)));
    larger.set(this.#bytes.subarray(0, used));
    this.#bytes = larger;
  }
}

const nothing: EncodedRecord = {
  key: null,
  value: null,
  headers: undefined,
  partition: undefined,
  timestamp: undefined,
  size: 0,
};

/** Counting the bytes of a text is worth it only for long ones. */
function mostBytesOf(part: EncodedPart): number {
  if (part === null) return 0;
  if (typeof part !== "string") return part.length;
  return part.length < firstBytes ? mostBytesOfCharacter * part.length : Buffer.byteLength(part);
}

/** Returns how many bytes it has, -1 for null. */
function writePart(bytes: Buffer, at: number, part: EncodedPart): number {
  if (part === null) return -1;
  if (typeof part === "string") return writeText(bytes, at, part);
  bytes.set(part, at);
  return part.length;
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > shortText) return bytes.write(text, at);
  for (let index = 0; index < length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return bytes.write(text, at);
    bytes[at + index] = code;
  }
  return length;
}

function bytesOfHeaders(headers: readonly NativeHeader[] | undefined): number {
  let bytes = 0;
  for (const header of headers ?? []) {
    const [name = "", value = null] = Object.entries(header)[0] ?? [];
    bytes += 8 + Buffer.byteLength(name) + mostBytesOf(value);
  }
  return bytes;
}

/** Returns how many bytes they have. A header is as in `native/block.h`. */
function writeHeaders(bytes: Buffer, from: number, headers: readonly NativeHeader[]): number {
  let at = from;
  for (const header of headers) {
    const [name = "", value = null] = Object.entries(header)[0] ?? [];
    const nameLength = writeText(bytes, at + 8, name);
    bytes.writeInt32LE(nameLength, at);
    const valueLength = writePart(bytes, at + 8 + nameLength, value);
    bytes.writeInt32LE(valueLength, at + 4);
    at += 8 + nameLength + Math.max(0, valueLength);
  }
  return at - from;
}
