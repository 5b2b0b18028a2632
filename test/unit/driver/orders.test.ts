import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endOfCall, flag, Orders } from "../../../src/driver/fast/orders.js";
import type { EncodedPart, EncodedRecord, NativeHeader } from "../../../src/record.js";
import { encodedRecord } from "../producer/records.js";

/** Reads what was written as `native/producer.cc` does. */
function read({ table, bytes }: Orders, count: number): unknown[] {
  let at = 0;
  const take = (length: number): Buffer | null => {
    if (length < 0) return null;
    at += length;
    return Buffer.from(bytes.subarray(at - length, at));
  };
  return Array.from({ length: count }, (_, index) => {
    const [id, key, value, partition, headers, low = 0, high = 0] = table.subarray(8 * index, 8 * index + 8);
    return {
      id,
      key: inHex(take(key ?? 0)),
      value: inHex(take(value ?? 0)),
      partition,
      headers: headersOf(take(headers ?? 0)),
      timestamp: (low >>> 0) + high * 2 ** 32,
    };
  });
}

function headersOf(bytes: Buffer | null): unknown {
  if (bytes === null) return undefined;
  const headers: unknown[] = [];
  for (let at = 0; at < bytes.length;) {
    const [nameLength, valueLength] = [bytes.readInt32LE(at), bytes.readInt32LE(at + 4)];
    const valueAt = at + 8 + nameLength;
    at = valueAt + Math.max(0, valueLength);
    const name = bytes.subarray(valueAt - nameLength, valueAt).toString();
    headers.push([name, valueLength < 0 ? null : bytes.subarray(valueAt, at).toString("hex")]);
  }
  return headers;
}

function written(records: readonly EncodedRecord[], orders = new Orders()): unknown[] {
  const ids = records.map((_, index) => 100 + index);
  const all: unknown[] = [];
  for (let from = 0; from < records.length;) {
    const to = endOfCall(records, from);
    orders.write(records, { numbers: ids, flags: 0 }, from, to);
    all.push(...read(orders, to - from));
    from = to;
  }
  return all;
}

/** Of bytes, what is compared quickly. */
const inHex = (bytes: Buffer | null): string | null => bytes?.toString("hex") ?? null;
const inBytes = (part: EncodedPart): Buffer | null => (typeof part === "string" ? Buffer.from(part) : part);

const given = (records: readonly EncodedRecord[]): unknown[] =>
  records.map(({ key, value, headers, partition = -1, timestamp = 0 }, index) => ({
    id: (100 + index) << flag.bits,
    key: inHex(inBytes(key)),
    value: inHex(inBytes(value)),
    partition,
    headers: headers?.map((header) => {
      const [name, of = null] = Object.entries(header)[0] ?? [];
      return [name, of === null ? null : Buffer.from(of as string).toString("hex")];
    }),
    timestamp,
  }));

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 60, size: "max" }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 40, size: "max" }) },
);
const binary = fc.uint8Array({ maxLength: 40, size: "max" }).map((bytes) => Buffer.from(bytes));
const recordOf = (part: fc.Arbitrary<EncodedPart>, headers: fc.Arbitrary<NativeHeader[] | undefined>) =>
  fc
    .record({
      key: part,
      value: part,
      headers,
      partition: fc.option(fc.nat(), { nil: undefined }),
      timestamp: fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { nil: undefined }),
    })
    .map((record): EncodedRecord => ({
      ...record,
      size: (record.key?.length ?? 0) + (record.value?.length ?? 0),
    }));
const header = fc
  .tuple(text, fc.oneof(text, binary, fc.constant(null)))
  .map(([name, value]): NativeHeader => ({ [name]: value }));
const ascii = fc.oneof(fc.constant(null), fc.string({ maxLength: 60, size: "max" }));
const any = fc.oneof(fc.constant(null), text, binary);

describe("records that are written for the addon", () => {
  test.each([
    ["texts of ASCII", recordOf(ascii, fc.constant(undefined))],
    ["texts", recordOf(fc.oneof(fc.constant(null), text), fc.constant(undefined))],
    [
      "texts, bytes and headers",
      recordOf(any, fc.option(fc.array(header, { maxLength: 3, size: "max" }), { nil: undefined })),
    ],
  ])("are what the addon reads: %s", (_, arbitrary) => {
    const orders = new Orders();
    fc.assert(
      fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 30, size: "max" }), (records) => {
        expect(written(records, orders)).toEqual(given(records));
      }),
      { numRuns: 300 },
    );
  });

  test("take characters beyond ASCII wherever they stand, also where the memory is just enough for ASCII", () => {
    for (const character of ["é", "€", "😀"]) {
      for (const length of [65_530, 65_531, 65_532, 65_533, 65_536]) {
        const records = ["a".repeat(length) + character, "b"].map((value) => ({
          ...encodedRecord(),
          value,
          size: value.length,
        }));
        expect(written(records)).toEqual(given(records));
      }
    }
  });

  test("go in calls of at most 1,000 records and some megabytes, a large one alone", () => {
    const sizes = [...Array.from({ length: 1_500 }, () => 1), 3e6, 3e6, 9e6, 1];
    const records = sizes.map((size) => ({ ...encodedRecord("x".repeat(size)), size }));
    const ends: number[] = [];
    for (let from = 0; from < records.length; from = ends.at(-1) ?? 0) ends.push(endOfCall(records, from));
    expect(ends).toEqual([1_000, 1_501, 1_502, 1_503, 1_504]);
    const orders = new Orders();
    expect(written(records.slice(1_500), orders)).toEqual(given(records.slice(1_500)));
    // The memory of a large one is not kept.
    orders.write(records, { numbers: 7, flags: flag.told }, 0, 1);
    expect(orders.bytes.length).toBeLessThan(2 ** 20);
    expect(orders.table[0]).toBe((7 << flag.bits) | flag.told);
  });
});
