import { expect, test } from "vitest";
import type { DeliveryHost } from "../../../src/delivery/delivery.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { RecordFailures } from "../../../src/delivery/record-failures.js";
import { RecordIterator } from "../../../src/delivery/record-iterator.js";
import type { RawRecord } from "../../../src/record.js";
import { deferred } from "../../../src/waiting.js";
import { rawRecord, rawRecords } from "../group/records.js";
import { deliveryHost } from "./host.js";
import { settled } from "../../support/turns.js";

/** An iterator over one partition, whose first record takes until `decoding` to decode. */
function setUp(overrides: Partial<DeliveryHost> = {}) {
  const partition = new OwnedPartition({ topic: "topic", partition: 0 });
  const decoding = deferred<unknown>();
  const errors: unknown[] = [];
  const host = deliveryHost({
    decode: ({ offset }) => (offset === 0 ? decoding.promise : offset),
    failed: (error) => errors.push(error),
    ...overrides,
  });
  const iterator = new RecordIterator<unknown>(host, {
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
    second: () => 0,
  });
  partition.queue.push(rawRecords(2), 0, 2);
  iterator.offer(partition);
  return { partition, decoding, errors, next: iterator.next(), iterator };
}

test("a pause while a record is decoded: it is redelivered once the partition is resumed", async () => {
  const rewound: number[] = [];
  const { partition, decoding, next, iterator } = setUp({
    rewind: (owned, offset) => {
      rewound.push(offset);
      owned.beginSeek();
      owned.moveTo(offset);
      owned.queue.push(rawRecords(2, offset), 0, 2);
    },
  });
  await settled();
  partition.pause();
  decoding.resolve("decoded");
  expect(await Promise.race([next, settled()])).toBeUndefined();
  expect(rewound).toEqual([0]);
  // Nothing is in hand that could take too long.
  expect(iterator.oldest()).toBeUndefined();
  expect(partition.active).toBe(0);
  partition.resume();
  iterator.offer(partition);
  expect(await next).toEqual({ done: false, value: "decoded" });
  expect(await iterator.next()).toEqual({ done: false, value: 1 });
});

test("a pause while a record is decoded leaves the other partitions their turn", async () => {
  const { partition, decoding, next, iterator } = setUp();
  await settled();
  const other = new OwnedPartition({ topic: "topic", partition: 1 });
  other.queue.push([rawRecord(5, { partition: 1 })], 0, 1);
  iterator.offer(other);
  partition.pause();
  decoding.resolve("decoded");
  expect(await next).toEqual({ done: false, value: 5 });
});

test("a seek while a record is decoded: the next one is from the new offset", async () => {
  const { partition, decoding, next, iterator } = setUp();
  await settled();
  partition.beginSeek();
  decoding.resolve("decoded");
  await settled();
  expect(partition.active).toBe(0);
  partition.moveTo(7);
  partition.queue.push(rawRecords(1, 7), 0, 1);
  iterator.offer(partition);
  expect(await next).toEqual({ done: false, value: 7 });
});

test("a partition that is lost while a record turns out not to decode does not stop the consumer", async () => {
  const failures = {
    policy: { onFailure: () => ({ action: "skip" }) },
    skip: () => ({ result: undefined }),
  } as unknown as RecordFailures;
  const { partition, decoding, errors } = setUp({ failures });
  await settled();
  partition.release();
  partition.end();
  partition.abort(new Error("lost"));
  decoding.reject(new Error("not JSON"));
  await settled();
  expect(errors).toEqual([]);
  expect(partition.active).toBe(0);
});

test("a record that turns out not to decode in a paused partition is dealt with all the same", async () => {
  const skipped: number[] = [];
  const failures = {
    policy: { onFailure: () => ({ action: "skip" }) },
    skip: ({ offset }: RawRecord) => {
      skipped.push(offset);
      return { result: undefined };
    },
  } as unknown as RecordFailures;
  const { partition, decoding, next, iterator } = setUp({ failures });
  await settled();
  partition.pause();
  decoding.reject(new Error("not JSON"));
  await settled();
  expect(skipped).toEqual([0]);
  expect(partition.committable).toBe(1);
  partition.resume();
  iterator.offer(partition);
  expect(await next).toEqual({ done: false, value: 1 });
});
