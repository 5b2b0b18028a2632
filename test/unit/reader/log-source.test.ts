// A native consumer is played here: a broker's is rarely that fast for long, nor does one fall silent when it is asked to.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Fetched } from "../../../src/driver/consume-path.js";
import type { NativeOffset, NativePartition } from "../../../src/driver/native.js";
import { logEnd } from "../../../src/driver/log-times.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import { LogSource } from "../../../src/reader/log-source.js";
import { resolveReadOptions } from "../../../src/reader/options.js";
import { ArrivalOrder } from "../../../src/reader/read-order.js";
import { silent } from "../../support/silent.js";

const none: Fetched = { records: [], ends: [] };
const endReached: Fetched = { records: [], ends: [{ topic: "t", partition: 0, offset: 1 }] };

/** What the brokers, and the native consumer, say and are asked for. */
const played = {
  fetched: none,
  /** The next offset of each partition's log. */
  ends: [1],
  assigned: [] as number[][],
};

vi.mock("../../../src/driver/native-consumer.js", () => ({
  NativeConsumer: class {
    trouble = "";
    connect = () => Promise.resolve();
    partitionsOf = () => Promise.resolve(played.ends.map((_, partition) => partition));
    offsetsForTimes = (times: readonly NativeOffset[]) =>
      Promise.resolve(
        times.map(({ topic, partition, offset }) => ({
          topic,
          partition,
          offset: offset === logEnd ? (played.ends[partition] ?? 0) : 0,
        })),
      );
    assignManually = (offsets: readonly NativePartition[]) => {
      played.assigned.push(offsets.map(({ partition }) => partition));
    };
    fetch = () => Promise.resolve(played.fetched);
    pause = () => undefined;
    resume = () => undefined;
    disconnect = () => Promise.resolve();
  },
}));

const config = {
  ...resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent }),
  metadataMaxAgeMs: 1_500,
};

const following = (): LogSource =>
  new LogSource(config, ["t"], resolveReadOptions({ follow: true, stallTimeoutMs: 10_000 }, ["t"]));

beforeEach(() => {
  Object.assign(played, { fetched: none, ends: [1], assigned: [] });
});
afterEach(() => vi.useRealTimers());

test("timers get their turns while records that are there already are read", async () => {
  played.fetched = endReached;
  const source = new LogSource(config, ["t"], resolveReadOptions({}, ["t"]));
  const order = new ArrivalOrder();
  const rang = vi.fn();
  setTimeout(rang, 20);
  for (let fetches = 0; rang.mock.calls.length === 0; fetches += 1) {
    expect(fetches).toBeLessThan(100_000);
    await source.fetchInto(order);
  }
  await source.close(new Error("the test is over"));
});

test("partitions that are added leave those that are read as they are", async () => {
  vi.useFakeTimers();
  played.fetched = endReached;
  const source = following();
  await source.start();
  played.ends = [1, 1, 0];
  await vi.advanceTimersByTimeAsync(config.metadataMaxAgeMs);
  await source.fetchInto(new ArrivalOrder());
  expect(played.assigned).toEqual([[0], [1, 2]]);
  await source.close(new Error("the test is over"));
});

test("one that follows looks for new partitions, and tells all the same that nothing arrives of what is there", async () => {
  vi.useFakeTimers();
  const source = following();
  await source.start();
  const order = new ArrivalOrder();
  const reading = (async () => {
    for (;;) await source.fetchInto(order);
  })();
  const told = expect(reading).rejects.toThrow("t[0]: nothing arrived for 10000 ms at offset 0 of 1");
  await vi.advanceTimersByTimeAsync(12_000);
  await told;
  await source.close(new Error("the test is over"));
}, 20_000);

test("one that follows waits on where the log ends before what was there: that was lost", async () => {
  vi.useFakeTimers();
  played.ends = [5];
  played.fetched = endReached;
  const source = following();
  await source.start();
  const order = new ArrivalOrder();
  await source.fetchInto(order);
  played.fetched = none;
  await source.fetchInto(order);
  const failed = vi.fn();
  const reading = (async () => {
    for (;;) await source.fetchInto(order);
  })().catch(failed);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(failed).not.toHaveBeenCalled();
  await source.close(new Error("the test is over"));
  await reading;
});
