import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryPiece } from "../../../src/state/memory-piece.js";
import { type Entry, idOf, type Write } from "../../../src/state/write.js";
import { changelogRecord } from "../../support/changelog-record.js";

function write(id: string, value: Buffer | null, timestamp = 0): Write {
  return { id, key: Buffer.from(id, "latin1"), value, timestamp };
}

const seen = ({ key, value, timestamp }: Entry): string =>
  `${key.toString("hex")} ${value.toString("hex")} ${timestamp}`;

const keys = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map(String),
  fc.uint8Array({ maxLength: 12, size: "max" }).map((bytes) => idOf(Buffer.from(bytes))),
);
const values = fc.option(
  fc.oneof(
    fc.uint8Array({ maxLength: 30, size: "max" }),
    fc.integer({ min: 1_000, max: 40_000 }).map((length) => new Uint8Array(length).fill(length % 251)),
  ),
  { freq: 4 },
);

test("a piece holds what a Map would, whatever is set, overwritten and deleted", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(keys, values, fc.nat()), { maxLength: 400, size: "max" }), (changes) => {
      const piece = new MemoryPiece();
      const model = new Map<string, { value: string; timestamp: number }>();
      for (const [id, bytes, timestamp] of changes) {
        const value = bytes === null ? null : Buffer.from(bytes);
        piece.apply([write(id, value, timestamp)]);
        if (value === null) model.delete(id);
        else model.set(id, { value: value.toString("hex"), timestamp });
        expect(piece.size).toBe(model.size);
        expect(piece.has(id)).toBe(model.has(id));
      }
      for (const [id, { value, timestamp }] of model) {
        const entry = piece.get(id);
        expect(entry?.value.toString("hex")).toBe(value);
        expect(entry?.timestamp).toBe(timestamp);
        expect(entry && idOf(entry.key)).toBe(id);
      }
      const found = [...piece.entries()].map(({ key, value }) => [idOf(key), value.toString("hex")]);
      expect(new Map(found as [string, string][])).toEqual(
        new Map([...model].map(([id, { value }]) => [id, value])),
      );
      expect(found).toHaveLength(model.size);
    }),
    { numRuns: 60 },
  );
});

test("a piece is the same whether its entries are applied or restored", () => {
  const ways = fc.constantFrom("applied", "restored", "restored from a block");
  fc.assert(
    fc.property(
      fc.array(fc.tuple(keys, values, fc.nat(), ways), { maxLength: 400, size: "max" }),
      (changes) => {
        const [applied, mixed] = [new MemoryPiece(), new MemoryPiece()];
        changes.forEach(([id, bytes, timestamp, way], position) => {
          const each = write(id, bytes && Buffer.from(bytes), timestamp);
          const proof = { position, currentAt: 1 };
          applied.apply([each], proof);
          if (way === "applied") mixed.apply([each], proof);
          else mixed.restore([changelogRecord(each, way === "restored from a block")], proof);
          expect(mixed.size).toBe(applied.size);
        });
        expect([...mixed.entries()].map(seen).sort()).toEqual([...applied.entries()].map(seen).sort());
        for (const [id] of changes) expect(mixed.has(id)).toBe(applied.has(id));
        expect(mixed.position).toBe(applied.position);
      },
    ),
    { numRuns: 60 },
  );
});

test("an entry belongs to whoever got it: changing it changes nothing, and later writes do not change it", () => {
  const piece = new MemoryPiece();
  piece.apply([write("a", Buffer.from("one"))]);
  const first = piece.get("a");
  first?.value.fill(0);
  expect(piece.get("a")?.value.toString()).toBe("one");
  const kept = piece.get("a");
  piece.apply([write("a", Buffer.from("two"))]);
  expect(kept?.value.toString()).toBe("one");
});

test("entries() goes on while entries are written, and gives what was there all the time exactly once", () => {
  const piece = new MemoryPiece();
  for (let index = 0; index < 2_000; index += 1) piece.apply([write(`key-${index}`, Buffer.from("x"))]);
  const seen: string[] = [];
  let written = 0;
  for (const { key } of piece.entries()) {
    seen.push(key.toString());
    written += 1;
    piece.apply([
      write(`new-${written}`, Buffer.alloc(100)),
      write(`key-${written % 2_000}`, Buffer.alloc(written % 50)),
    ]);
  }
  const old = seen.filter((key) => key.startsWith("key-"));
  expect(new Set(old).size).toBe(2_000);
  expect(old).toHaveLength(2_000);
});

test("memory is given back when values are overwritten again and again", () => {
  const piece = new MemoryPiece();
  for (let round = 0; round < 200; round += 1)
    for (let index = 0; index < 100; index += 1)
      piece.apply([write(String(index), Buffer.alloc(500 + ((round * 7 + index) % 500)))]);
  // 20,000 values of 750 bytes were written, of which 100 are left.
  expect(piece.size).toBe(100);
  expect(piece.bytes).toBeLessThan(3_000_000);
});

test("an entry takes little more memory than its own bytes", () => {
  const piece = new MemoryPiece();
  const count = 100_000;
  for (let index = 0; index < count; index += 1)
    piece.apply([write(`account-${index}`, Buffer.alloc(40, 1))]);
  const own = count * (40 + 13);
  expect((piece.bytes - own) / count).toBeLessThan(120);
});
