// Orders of events that brokers do not bring about on demand: the group and the transactions are played here.
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { SessionEvents } from "../../../src/group/group-session.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { KafkaError } from "../../../src/errors.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import { resolveProcessorOptions } from "../../../src/processor/options.js";
import { deferred, type Deferred, settlesWithin } from "../../../src/waiting.js";
import { rawRecords } from "../group/records.js";
import { encodedRecord } from "../producer/records.js";
import { silent } from "../../support/silent.js";

/** What the loop did, in order. */
let calls: string[];
let partitions: OwnedPartition[];
/** By partition: what the group has committed. */
let committed: Map<number, number>;
let events: SessionEvents;
/** What the transaction now being committed waits for. */
let commit: Deferred<void>;
/** What the next commits fail with. */
let failures: Failure[];

vi.mock("../../../src/group/group-session.js", () => ({
  GroupSession: class {
    readonly native = {
      assignmentLost: () => false,
      committed: (partitions: readonly { topic: string; partition: number }[]) =>
        Promise.resolve(
          partitions.map((partition) => ({
            ...partition,
            offset: committed.get(partition.partition) ?? -1001,
          })),
        ),
    };
    constructor(_config: unknown, _options: unknown, _topics: unknown, given: SessionEvents) {
      events = given;
    }
    get partitions() {
      return partitions;
    }
    get = (_topic: string, partition: number) => partitions[partition];
    start = () => Promise.resolve();
    // Leaving releases everything.
    stop = () => events.onRelease(partitions);
    freedMemory = () => undefined;
    seek = (partition: OwnedPartition, offset: number, rollback: boolean) => {
      calls.push(`seek ${partition.partition} to ${offset}`);
      partition.beginSeek();
      partition.moveTo(offset, rollback);
      return Promise.resolve();
    };
  },
}));
vi.mock("../../../src/transactions/transaction-runner.js", async (original) => ({
  ...(await original<object>()),
  TransactionRunner: class {
    isOpen = false;
    open = () => {
      this.isOpen = true;
      return Promise.resolve();
    };
    begin = () => Promise.resolve();
    send = (topic: string) => calls.push(`send ${topic}`);
    drained = () => Promise.resolve();
    commitWith = async (offsets: readonly { partition: number; offset: number }[]) => {
      calls.push("committing");
      await commit.promise;
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      for (const { partition, offset } of offsets) committed.set(partition, offset);
      calls.push("committed");
    };
    rollBack = (failure: Failure) => {
      calls.push("rolled back");
      return Promise.resolve({
        remedy: "abort",
        error: failure.error,
        cause: failure.error,
        isLasting: false,
      });
    };
    whenUnstuck = () => Promise.resolve();
    close = () => Promise.resolve();
  },
}));

const { TransactionFailure } = await import("../../../src/transactions/transaction-failure.js");
const { ExactlyOnceLoop } = await import("../../../src/processor/exactly-once-loop.js");
type Loop = InstanceType<typeof ExactlyOnceLoop>;
type Failure = InstanceType<typeof TransactionFailure>;

function start(count: number, begin?: number): { loop: Loop; errors: unknown[] } {
  const config = resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent });
  const given = { groupId: "g", transactionalId: "t", commitIntervalMs: 1 };
  const options = resolveProcessorOptions(given, config.properties);
  partitions = Array.from(
    { length: count },
    (_, partition) => new OwnedPartition({ topic: "in", partition }, undefined, begin),
  );
  const errors: unknown[] = [];
  const loop = new ExactlyOnceLoop(config, options, ["in"], undefined, (error) => errors.push(error));
  loop.start({ offer: () => {}, stop: () => {}, isBusy: () => false, oldest: () => undefined });
  return { loop, errors };
}

/** Fetches everything from this offset on. */
function fetch(partition: OwnedPartition, from: number): void {
  partition.queue.push(rawRecords(from + 10), from, from + 10);
  events.onRecords(partition);
}

const part = (partition: OwnedPartition, count: number) => ({
  partition,
  offsets: Array.from({ length: count }, () => partition.take()?.offset ?? -1),
});
const sendsTo = (topic: string) => [{ topic, record: encodedRecord() }];
const rolledBack = () => new TransactionFailure("commit", "abort", new KafkaError("BROKER", "it failed"));
const called = (call: string) => vi.waitFor(() => expect(calls).toContain(call), 20_000);

beforeEach(() => {
  calls = [];
  committed = new Map();
  commit = deferred();
  failures = [];
});

describe("what waits for the next transaction", () => {
  test.each([1, 2])("is dropped where its partition is read again: a batch of %i", async (size) => {
    const { loop, errors } = start(1);
    const [partition] = partitions as [OwnedPartition];
    fetch(partition, 0);
    loop.finished([part(partition, 1)], { sends: sendsTo("first") });
    await called("committing");
    loop.finished([part(partition, size)], { sends: sendsTo("waiting") });
    loop.readAgain(partition);
    commit.resolve();
    await called("seek 0 to 1");
    fetch(partition, 1);
    loop.finished([part(partition, size + 1)], { sends: sendsTo("again") });
    await vi.waitFor(() => expect(committed.get(0)).toBe(size + 2), 20_000);
    await loop.stop(performance.now() + 20_000);
    expect(calls.filter((call) => call.startsWith("send"))).toEqual(["send first", "send again"]);
    expect(errors).toEqual([]);
  });

  test("is dropped as a whole, and all that is in it is read again", async () => {
    const { loop, errors } = start(3);
    const [one, two, three] = partitions as [OwnedPartition, OwnedPartition, OwnedPartition];
    for (const partition of partitions) fetch(partition, 0);
    loop.finished([part(one, 1), part(two, 1), part(three, 1)], { sends: sendsTo("first") });
    await called("committing");
    loop.finished([part(two, 1), part(three, 1)], { sends: sendsTo("waiting too") });
    loop.finished([part(one, 1), part(two, 1)], { sends: sendsTo("waiting") });
    loop.readAgain(one);
    commit.resolve();
    await called("seek 2 to 1");
    expect(calls.filter((call) => !call.startsWith("commit"))).toEqual([
      "send first",
      "seek 0 to 1",
      "seek 1 to 1",
      "seek 2 to 1",
    ]);
    await loop.stop(performance.now() + 20_000);
    expect(errors).toEqual([]);
  });
});

describe("a partition of which the group has committed nothing begins where it began", () => {
  test("whatever is rolled back before that is committed, also where no record comes", async () => {
    const { loop, errors } = start(1, 100);
    failures = [rolledBack(), rolledBack()];
    commit.resolve();
    events.onAssigned?.(partitions);
    await vi.waitFor(() => expect(committed.get(0)).toBe(100), 20_000);
    await loop.stop(performance.now() + 20_000);
    expect(calls.filter((call) => call === "rolled back")).toHaveLength(2);
    expect(errors).toEqual([]);
  });

  test("and never moves the group back there once it has committed more", async () => {
    const { loop, errors } = start(1, 100);
    const [partition] = partitions as [OwnedPartition];
    commit.resolve();
    events.onAssigned?.(partitions);
    fetch(partition, 100);
    loop.finished([part(partition, 1)], { sends: [] });
    await vi.waitFor(() => expect(committed.get(0)).toBe(101), 20_000);
    for (const round of [1, 2]) {
      failures = [rolledBack()];
      loop.finished([part(partition, 1)], { sends: [] });
      await vi.waitFor(
        () => expect(calls.filter((call) => call === "seek 0 to 101")).toHaveLength(round),
        20_000,
      );
      fetch(partition, 101);
    }
    const [first, second] = [part(partition, 1), part(partition, 1)];
    loop.finished([second], { sends: [] });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(committed.get(0)).toBe(101);
    loop.finished([first], { sends: [] });
    await vi.waitFor(() => expect(committed.get(0)).toBe(103), 20_000);
    await loop.stop(performance.now() + 20_000);
    expect(errors).toEqual([]);
  });
});

test("a consumer that failed is replaced at once, whatever has finished meanwhile", async () => {
  const { loop, errors } = start(1);
  const [partition] = partitions as [OwnedPartition];
  fetch(partition, 0);
  loop.finished([part(partition, 1)], { sends: [] });
  await called("committing");
  loop.finished([part(partition, 1)], { sends: sendsTo("waiting") });
  const waitsForTime = partition.wait(60_000);
  events.onFailure(new KafkaError("BROKER", "it failed"));
  const before = events;
  commit.resolve();
  await vi.waitFor(() => expect(events).not.toBe(before), 20_000);
  await waitsForTime;
  expect(partition.signal.aborted).toBe(true);
  await loop.stop(performance.now() + 20_000);
  expect(calls).not.toContain("send waiting");
  expect(errors).toEqual([]);
});

test("partitions that come while it closes are released without waiting for a transaction", async () => {
  const { loop } = start(1);
  await loop.stop(performance.now() + 20_000);
  const late = new OwnedPartition({ topic: "in", partition: 1 }, undefined, 7);
  late.release();
  events.onAssigned?.([late]);
  expect(await settlesWithin(events.onRelease([late]), 20_000)).toBe(true);
});
