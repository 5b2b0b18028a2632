import { SerdeFailure } from "../serde/failure.js";

/** What {@link AvroInput} throws where the bytes end before the value does. */
export class CutOff extends Error {}

/** Reads Avro's binary encoding, from a position on. */
export class AvroInput {
  /** Where the next value begins. */
  at: number;
  readonly #bytes: Buffer;
  /** How many items of arrays and maps may still come. */
  #items: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#items = bytes.length + itemsWithoutBytes;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.at;
  }

  boolean(): boolean {
    return this.#byte() !== 0;
  }

  /** An `int` or a `long`. One beyond 2^53 is rounded. */
  long(): number {
    const start = this.at;
    let byte = this.#byte();
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let zigzag = byte & 0x7f;
    for (let factor = 128; byte >= 0x80; factor *= 128) {
      if (factor > maxFactor) throw new CutOff();
      byte = this.#byte();
      zigzag += (byte & 0x7f) * factor;
    }
    if (zigzag > Number.MAX_SAFE_INTEGER) {
      this.at = start;
      return Number(this.bigint());
    }
    return zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2;
  }

  /**
   * A `long` up to 2^53.
   *
   * @throws `SerdeFailure` for one beyond
   */
  safeLong(): number {
    const value = this.long();
    if (Number.isSafeInteger(value)) return value;
    throw SerdeFailure.ofIssues([
      { message: 'a long beyond 2^53 was written: read it with { longs: "bigint" }' },
    ]);
  }

  /** A `long`, all of its 64 bits. */
  bigint(): bigint {
    let zigzag = 0n;
    let shift = 0n;
    let byte: number;
    do {
      if (shift > maxShift) throw new CutOff();
      byte = this.#byte();
      zigzag |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
    } while (byte >= 0x80);
    return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n));
  }

  float(): number {
    return this.#bytes.readFloatLE(this.skip(4));
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.skip(8));
  }

  string(): string {
    const start = this.skip(this.long());
    return this.#bytes.toString("utf8", start, this.at);
  }

  /** `bytes`, copied. */
  bytes(): Buffer {
    return this.fixed(this.long());
  }

  /** A `fixed` of this size, copied. */
  fixed(size: number): Buffer {
    const start = this.skip(size);
    return Buffer.from(this.#bytes.subarray(start, this.at));
  }

  /** Moves on by so many bytes; gives where they began. */
  skip(size: number): number {
    const start = this.at;
    if (!(size >= 0 && size <= this.left)) throw new CutOff();
    this.at += size;
    return start;
  }

  /** How many items the next block of an array or a map has; 0 for the end. */
  blockSize(): number {
    const count = this.long();
    if (count < 0) this.long();
    const items = Math.abs(count);
    // Bytes that are not Avro's must not make a loop without end of items that need no bytes.
    if (items > this.#items) throw new CutOff();
    this.#items -= items;
    return items;
  }

  #byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw new CutOff();
    this.at += 1;
    return byte;
  }
}

/** How many nulls, or records without fields, the arrays of one value may have in all. */
const itemsWithoutBytes = 100_000;
/** Of the last of ten bytes: a `long` has no more. */
const maxShift = 63n;
const maxFactor = 2 ** Number(maxShift);
