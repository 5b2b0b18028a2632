import fc from "fast-check";
import { expect, test } from "vitest";
import { RecordQueue } from "../../../src/group/record-queue.js";
import type { RawRecord } from "../../../src/record.js";
import { rawRecord, rawRecords } from "./records.js";

test("gives records in the order they came, and counts them and their memory down to nothing", () => {
  const runs = fc.array(
    fc.record({ skipped: fc.nat(3), length: fc.integer({ min: 1, max: 5 }), taken: fc.nat(8) }),
  );
  fc.assert(
    fc.property(runs, (pushed) => {
      const queue = new RecordQueue();
      const expected: number[] = [];
      let offset = 0;
      for (const { skipped, length, taken } of pushed) {
        const records = rawRecords(skipped + length + 1, offset);
        queue.push(records, skipped, skipped + length);
        expected.push(...records.slice(skipped, skipped + length).map((record) => record.offset));
        offset += records.length;
        for (let count = 0; count < taken; count += 1) {
          expect(queue.peek()?.offset).toBe(expected[0]);
          expect(queue.shift()?.offset).toBe(expected.shift());
        }
        expect(queue.length).toBe(expected.length);
        expect(queue.bytes > 0).toBe(expected.length > 0);
      }
      while (expected.length > 0) expect(queue.shift()?.offset).toBe(expected.shift());
      expect(queue.bytes).toBe(0);
    }),
  );
});

test("counts what a record takes beside its value", () => {
  const queue = new RecordQueue();
  queue.push([rawRecord(0, { value: null, size: 0 })], 0, 1);
  expect(queue.bytes).toBeGreaterThan(100);
  queue.clear();
  expect(queue.bytes).toBe(0);
  expect(queue.shift()).toBeUndefined();
});

test("what is taken or dropped leaves the fetched array, whatever of it still waits elsewhere", () => {
  const fetched: (RawRecord | undefined)[] = rawRecords(4);
  const [first, second] = [new RecordQueue(), new RecordQueue()];
  first.push(fetched, 0, 2);
  second.push(fetched, 2, 4);
  first.shift();
  second.clear();
  expect(fetched.map((record) => record?.offset)).toEqual([undefined, 1, undefined, undefined]);
  expect(first.shift()?.offset).toBe(1);
});
