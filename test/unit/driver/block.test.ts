import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { appendRecords } from "../../../src/driver/fast/block.js";
import { JsonForms } from "../../../src/driver/fast/json-forms.js";
import { RecordQueue } from "../../../src/group/record-queue.js";
import type { RawRecord, Span } from "../../../src/record.js";
import { bytes } from "../../../src/serde/bytes.js";
import { createDecoder } from "../../../src/serde/decoder.js";
import { defineTopic } from "../../../src/topic.js";
import { collectGarbage } from "../../support/collect-garbage.js";
import { until } from "../../support/consuming.js";

interface Packed {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly leaderEpoch: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer | null])[];
}

const forms = new JsonForms(() => undefined);
const partitions = [
  { topic: "a", partition: 0, forms },
  { topic: "a", partition: 7, forms },
  { topic: "b", partition: 0, forms },
];
const kinds = { none: 0, utf8: 1, ascii: 2 };

/** What `native/block.cc` does, from the description in `native/block.h`. */
function pack(records: readonly Packed[]): ArrayBuffer {
  const headersOf = ({ headers }: Packed): Buffer =>
    Buffer.concat(
      headers.flatMap(([name, value]) => {
        const lengths = Buffer.alloc(8);
        lengths.writeInt32LE(Buffer.byteLength(name), 0);
        lengths.writeInt32LE(value?.length ?? -1, 4);
        return [lengths, Buffer.from(name), value ?? Buffer.alloc(0)];
      }),
    );
  const table = records.length * 48;
  const bodies = records.map((record) => ({
    ...record,
    packedHeaders: headersOf(record),
    body: Buffer.concat([record.key ?? Buffer.alloc(0), record.value ?? Buffer.alloc(0), headersOf(record)]),
  }));
  const buffer = new ArrayBuffer(table + bodies.reduce((sum, { body }) => sum + body.length, 0));
  const offsets = new Float64Array(buffer, 0, records.length);
  const timestamps = new Float64Array(buffer, records.length * 8, records.length);
  const rows = new Int32Array(buffer, records.length * 16, records.length * 8);
  let at = table;
  for (const [index, record] of bodies.entries()) {
    offsets[index] = record.offset;
    timestamps[index] = record.timestamp;
    const flags = kindOf(record.key) | (kindOf(record.value) << 2);
    rows.set(
      [
        ...[at, record.key?.length ?? -1, record.value?.length ?? -1, record.packedHeaders.length],
        ...[record.partition, flags, record.leaderEpoch, record.headers.length],
      ],
      index * 8,
    );
    new Uint8Array(buffer, at).set(record.body);
    at += record.body.length;
  }
  return buffer;
}

function kindOf(bytes: Buffer | null): number {
  if (bytes === null) return kinds.none;
  if (bytes.every((byte) => byte < 0x80)) return kinds.ascii;
  return Buffer.from(bytes.toString()).equals(bytes) ? kinds.utf8 : kinds.none;
}

function unpack(records: readonly Packed[]): RawRecord[] {
  const unpacked: RawRecord[] = [];
  appendRecords(unpacked, pack(records), records.length, partitions);
  return unpacked;
}

const part = fc.oneof(
  fc.constant(null),
  fc.string().map((text) => Buffer.from(text)),
  fc.string({ unit: "grapheme" }).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 50, size: "max" }).map((bytes) => Buffer.from(bytes)),
);
const packed: fc.Arbitrary<Packed> = fc.record({
  partition: fc.nat({ max: partitions.length - 1 }),
  offset: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  timestamp: fc.integer({ min: -1, max: 8.64e15 }),
  leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  key: part,
  value: part,
  headers: fc.array(fc.tuple(fc.string({ unit: "grapheme" }), part), { maxLength: 4, size: "max" }),
});

const one = (over: Partial<Packed>): RawRecord => {
  const record = {
    partition: 0,
    offset: 0,
    timestamp: 0,
    leaderEpoch: 0,
    key: null,
    value: null,
    headers: [],
  };
  const [unpacked] = unpack([{ ...record, ...over }]);
  if (unpacked === undefined) throw new Error("there is no record");
  return unpacked;
};

const nowhere = (): Span => ({ bytes: Buffer.alloc(0), start: 0, end: 0 });

const said = (record: RawRecord): object => ({
  topic: record.topic,
  partition: record.partition,
  offset: record.offset,
  timestamp: record.timestamp,
  leaderEpoch: record.leaderEpoch,
  key: record.key,
  value: record.value,
  headers: record.rawHeaders,
  size: record.size,
  keySize: record.keySize,
});

describe("records of a block", () => {
  test("are what was packed", () => {
    fc.assert(
      fc.property(fc.array(packed, { maxLength: 20, size: "max" }), (records) => {
        const unpacked = unpack(records).map(said);
        expect(unpacked).toEqual(
          records.map(({ partition, leaderEpoch, ...record }) => ({
            ...record,
            topic: partitions[partition]?.topic,
            partition: partitions[partition]?.partition,
            leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch,
            size: record.value?.length ?? 0,
            keySize: record.key?.length,
          })),
        );
      }),
    );
  });

  test("say where their key and value lie, and which of them is null", () => {
    fc.assert(
      fc.property(fc.array(packed, { maxLength: 20, size: "max" }), (records) => {
        const [key, value] = [nowhere(), nowhere()];
        const lying = ({ bytes, start, end }: Span) => (end < start ? null : bytes.subarray(start, end));
        for (const record of unpack(records)) {
          record.locate?.(key, value);
          expect([lying(key), lying(value)]).toEqual([record.key, record.value]);
        }
      }),
    );
  });

  test("give the text of what is UTF-8, and none of anything else", () => {
    fc.assert(
      fc.property(packed, (record) => {
        const unpacked = one(record);
        for (const name of ["key", "value"] as const) {
          const bytes = record[name];
          const isUtf8 = bytes !== null && Buffer.from(bytes.toString()).equals(bytes);
          expect(unpacked.text?.(name)).toBe(isUtf8 ? bytes.toString() : undefined);
        }
      }),
    );
  });

  test("give bytes that may be kept and changed", () => {
    const record = one({ value: Buffer.from("abc"), headers: [["h", Buffer.from("def")]] });
    record.value?.fill(0);
    record.rawHeaders?.[0]?.[1]?.fill(0);
    expect(record.value?.toString()).toBe("abc");
    expect(record.rawHeaders?.[0]?.[1]?.toString()).toBe("def");
    expect(record.text?.("value")).toBe("abc");
  });

  test("that are kept, decoded or not, do not hold their block in memory", async () => {
    const blockBytes = 2 ** 20;
    const topic = defineTopic("a", { value: bytes() });
    const decode = createDecoder(topic);
    const keep = (): unknown[] => {
      const small = { offset: 0, timestamp: 0, leaderEpoch: 0, key: Buffer.from("k") };
      const [record] = unpack([
        { ...small, partition: 0, value: Buffer.from("v"), headers: [["h", Buffer.from("w")]] },
        { ...small, partition: 0, value: Buffer.alloc(blockBytes), headers: [] },
      ]);
      if (record === undefined) throw new Error("there is no record");
      return [
        record.key,
        record.value,
        record.headers,
        record.rawHeaders,
        record.text?.("value"),
        decode(record),
      ];
    };
    const megabytes = (): number => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers / blockBytes;
    };
    const before = megabytes();
    const kept = Array.from({ length: 100 }, keep);
    // What is garbage is freed in the background.
    await until("the blocks are freed", () => megabytes() - before < 10);
    expect(kept).toHaveLength(100);
  });

  test("have copies that hold their own bytes alone, and say the same", () => {
    fc.assert(
      fc.property(fc.array(packed, { minLength: 1, maxLength: 5, size: "max" }), (records) => {
        for (const record of unpack(records)) {
          const copy = record.shared?.copy();
          if (copy === undefined) throw new Error("there is no copy");
          expect(said(copy)).toEqual(said(record));
          expect([copy.text?.("key"), copy.text?.("value")]).toEqual([
            record.text?.("key"),
            record.text?.("value"),
          ]);
          expect(copy.shared?.bytes).toBeLessThanOrEqual(record.shared?.bytes ?? 0);
        }
      }),
    );
  });

  test("of a partition that is behind do not hold the large blocks of others in memory", async () => {
    const blockBytes = 2 ** 20;
    const [queue, ahead] = [new RecordQueue(), new RecordQueue()];
    const megabytes = (): number => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers / blockBytes;
    };
    const before = megabytes();
    const small = { timestamp: 0, leaderEpoch: 0, key: Buffer.from("k"), headers: [] };
    for (let offset = 0; offset < 40; offset += 1) {
      const fetched = unpack([
        { ...small, partition: 0, offset, value: Buffer.from(`v${offset}`) },
        { ...small, partition: 1, offset, value: Buffer.alloc(blockBytes) },
      ]);
      queue.push(fetched, 0, 1);
      ahead.push(fetched, 1, 2);
      ahead.shift();
    }
    await until("the blocks are freed", () => megabytes() - before < 10);
    for (let offset = 0; offset < 40; offset += 1) {
      const record = queue.shift();
      expect([record?.offset, record?.text?.("value")]).toEqual([offset, `v${offset}`]);
    }
  });

  test("tell headers as the binding does, too", () => {
    const { headers } = one({
      headers: [
        ["__proto__", Buffer.from("x")],
        ["n", null],
      ],
    });
    expect(headers?.map((header) => Object.entries(header))).toEqual([
      [["__proto__", Buffer.from("x")]],
      [["n", Buffer.alloc(0)]],
    ]);
    expect(one({}).headers).toBeUndefined();
  });

  test("of a partition that was never named are an error", () => {
    expect(() => one({ partition: 3 })).toThrow(RangeError);
  });
});
