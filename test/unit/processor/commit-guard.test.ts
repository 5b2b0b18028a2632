// A partition that goes between two calls of one commit: the group and the transactions are played by the test.
import { beforeEach, expect, test, vi } from "vitest";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { ClientConfig } from "../../../src/driver/client-config.js";
import { ExactlyOnceLoop } from "../../../src/processor/exactly-once-loop.js";
import { resolveProcessorOptions } from "../../../src/processor/options.js";
import type { EncodedRecord } from "../../../src/record.js";
import { rawRecords } from "../group/records.js";
import { silent } from "../../support/silent.js";

/** What was called of the transactions, and what the group is like. */
const played = vi.hoisted(() => ({
  calls: [] as string[],
  partitions: [] as OwnedPartition[],
  isAssignmentLost: false,
  whileOffsetsAreAdded: () => {},
}));

vi.mock("../../../src/group/group-session.js", () => ({
  GroupSession: class {
    native = { assignmentLost: () => played.isAssignmentLost, committed: () => Promise.resolve([]) };
    partitions = played.partitions;
    get = (): OwnedPartition | undefined => played.partitions[0];
    start = (): Promise<void> => Promise.resolve();
    stop = (): Promise<void> => Promise.resolve();
  },
}));

vi.mock("../../../src/driver/native-producer.js", async (importOriginal) => ({
  ...(await importOriginal<object>()),
  NativeProducer: class {
    connect = (): Promise<void> => Promise.resolve();
    initTransactions = (): Promise<void> => Promise.resolve();
    beginTransaction = (): Promise<void> => Promise.resolve(void played.calls.push("begin"));
    produce(): undefined {
      played.calls.push("send");
    }
    sendOffsets(): Promise<void> {
      played.calls.push("offsets");
      played.whileOffsetsAreAdded();
      return Promise.resolve();
    }
    commitTransaction = (): Promise<void> => Promise.resolve(void played.calls.push("commit"));
    abortTransaction = (): Promise<void> => Promise.resolve(void played.calls.push("abort"));
    disconnect = (): Promise<void> => Promise.resolve();
  },
}));

beforeEach(() => {
  played.calls.length = 0;
  played.isAssignmentLost = false;
  played.whileOffsetsAreAdded = () => {};
});

/** What is called for one record that is handled and sends another, when this happens before the commit. */
async function callsWhere(happens: (partition: OwnedPartition) => void): Promise<readonly string[]> {
  const options = { groupId: "g", transactionalId: "t", commitIntervalMs: 1 };
  const errors: unknown[] = [];
  const partition = new OwnedPartition({ topic: "in", partition: 0 });
  played.partitions = [partition];
  const loop = new ExactlyOnceLoop(
    { logger: silent } as unknown as ClientConfig,
    resolveProcessorOptions(options, {}),
    ["in"],
    undefined,
    (error) => errors.push(error),
  );
  loop.start({ offer: () => {}, stop: () => {}, isBusy: () => false, oldest: () => undefined });
  await vi.waitUntil(() => played.calls.includes("begin"));
  partition.queue.push(rawRecords(1), 0, 1);
  partition.take();
  loop.finished([{ partition, offsets: [0] }], { sends: [{ topic: "out", record: {} as EncodedRecord }] });
  happens(partition);
  const end = await vi.waitUntil(() => played.calls.find((call) => call === "commit" || call === "abort"));
  await loop.stop(performance.now() + 20_000);
  expect(errors).toEqual([]);
  return played.calls.slice(1, played.calls.indexOf(end) + 1);
}

test("a transaction takes what was sent and the offsets, and is committed", async () => {
  expect(await callsWhere(() => {})).toEqual(["send", "offsets", "commit"]);
});

test("is rolled back where a partition went before the offsets were added", async () => {
  const calls = await callsWhere((partition) => {
    partition.end();
  });
  expect(calls).toEqual(["send", "abort"]);
});

test("is rolled back where a partition went while the offsets were added", async () => {
  const calls = await callsWhere((partition) => {
    played.whileOffsetsAreAdded = () => {
      partition.end();
    };
  });
  expect(calls).toEqual(["send", "offsets", "abort"]);
});

test("is rolled back where the assignment was lost, and no rebalance has told it yet", async () => {
  const calls = await callsWhere(() => {
    played.isAssignmentLost = true;
  });
  expect(calls).toEqual(["send", "abort"]);
});
