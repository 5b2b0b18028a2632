import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BatchDelivery } from "../../../src/delivery/batch-delivery.js";
import type { Delivery, DeliveryHost } from "../../../src/delivery/delivery.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { RecordDelivery } from "../../../src/delivery/record-delivery.js";
import type { RecordFailures } from "../../../src/delivery/record-failures.js";
import { RecordIterator } from "../../../src/delivery/record-iterator.js";
import { ConnectionError, ConfigError } from "../../../src/errors.js";
import type { RawRecord } from "../../../src/record.js";
import { until } from "../../support/consuming.js";
import { rawRecords } from "../group/records.js";
import { deliveryHost } from "./host.js";

/** Would put everything aside that it is asked about. */
const asked: unknown[] = [];
const skipping = {
  policy: {
    onFailure: ({ error }: { error: unknown }) => {
      asked.push(error);
      return { action: "skip" };
    },
    callsBefore: () => 0,
    isRetryTopic: () => false,
  },
  skip: () => ({ result: undefined }),
} as unknown as RecordFailures;

/** In which second it is: each wait takes ten. */
let second = 0;
const now = (): number => second;

const way = {
  run: (host: DeliveryHost, handled: number[]): Delivery =>
    new RecordDelivery(host, ({ offset }: RawRecord) => void handled.push(offset), "partition", now),
  runBatch: (host: DeliveryHost, handled: number[]): Delivery =>
    new BatchDelivery(
      host,
      (records: readonly RawRecord[]) => void handled.push(...records.map(({ offset }) => offset)),
      { maxRecords: 10, maxWaitMs: 0, acrossPartitions: false },
      now,
    ),
  "for await": (host: DeliveryHost, handled: number[]): Delivery => {
    const iterator = new RecordIterator<RawRecord>(host, {
      start: () => Promise.resolve(),
      close: () => Promise.resolve(),
      second: now,
    });
    void (async () => {
      for await (const { offset } of iterator) handled.push(offset);
    })();
    return iterator;
  },
};

describe.each(["run", "runBatch", "for await"] as const)("%s, while what a serde needs is away", (name) => {
  beforeEach(() => {
    // The shortest waits that there are.
    vi.spyOn(Math, "random").mockReturnValue(0);
    asked.length = 0;
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Three records, of which the second does not decode while `outage.error` is set. */
  function setUp(failures: RecordFailures | undefined, isAsync: boolean) {
    const outage: { error: Error | undefined } = { error: new ConnectionError("nobody answers") };
    const partition = new OwnedPartition({ topic: "topic", partition: 0 });
    const handled: number[] = [];
    const failed: unknown[] = [];
    const waiting: number[] = [];
    const host = deliveryHost({
      decode: (raw) => {
        if (raw.offset !== 1 || outage.error === undefined) return raw;
        if (isAsync) return Promise.reject(outage.error);
        throw outage.error;
      },
      waiting: ({ offset }) => {
        waiting.push(offset);
        second += 10;
      },
      failed: (error) => {
        failed.push(error);
        delivery.stop();
      },
      failures,
    });
    const delivery = way[name](host, handled);
    partition.queue.push(rawRecords(3), 0, 3);
    delivery.offer(partition);
    return { outage, partition, handled, failed, waiting, delivery };
  }

  test.each([
    ["without a policy", undefined, false],
    ["with one that would skip what is invalid", skipping, false],
    ["in an asynchronous serde", skipping, true],
  ])("a record waits and is delivered in its order: %s", async (_, failures, isAsync) => {
    const { outage, partition, handled, failed, waiting, delivery } = setUp(failures, isAsync);
    await until("it was tried again and again", () => waiting.length >= 3);
    expect(handled).toEqual([0]);
    expect(delivery.oldest()?.seconds ?? 0).toBeLessThanOrEqual(0);
    outage.error = undefined;
    await until("all are handled", () => handled.length === 3);
    expect(handled).toEqual([0, 1, 2]);
    expect([asked, failed]).toEqual([[], []]);
    await until("what may be committed", () => (partition.committable ?? 0) >= 2);
  });

  test("a record that waits is dropped with its partition, and nothing has failed", async () => {
    const { partition, handled, failed, waiting } = setUp(undefined, true);
    await until("it waits", () => waiting.length > 0);
    partition.release();
    await partition.idle();
    await sleep(5);
    expect(handled).toEqual([0]);
    expect(failed).toEqual([]);
    expect(partition.committable).toBe(1);
  });

  test("what waiting cannot help stops the consumer with that very error", async () => {
    const { outage, handled, failed, waiting } = setUp(undefined, true);
    await until("it waits", () => waiting.length > 0);
    outage.error = new ConfigError("schema", "is not for this");
    await until("it has failed", () => failed.length > 0);
    expect(failed).toEqual([outage.error]);
    expect(handled).toEqual([0]);
  });
});

test("what a handler throws is a matter for the policy, whatever it is", async () => {
  asked.length = 0;
  const partition = new OwnedPartition({ topic: "topic", partition: 0 });
  const away = new ConnectionError("the handler's own");
  const waiting: unknown[] = [];
  const host = deliveryHost({ waiting: (raw) => waiting.push(raw), failures: skipping });
  const failing = (): never => {
    throw away;
  };
  partition.queue.push(rawRecords(1), 0, 1);
  new RecordDelivery(host, failing, "partition", now).offer(partition);
  await until("it is skipped", () => partition.committable === 1);
  expect(asked).toEqual([away]);
  expect(waiting).toEqual([]);
});
