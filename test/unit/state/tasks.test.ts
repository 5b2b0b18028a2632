// Answers of brokers that no broker gives on demand: the native consumer is played here, and who tells settings.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { AuthorizationError, ConfigError, KafkaError } from "../../../src/errors.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import { defineStore } from "../../../src/state/store-definition.js";
import { StateDirectory } from "../../../src/state/state-directory.js";
import type { Task } from "../../../src/state/task.js";
import { Tasks, type TasksHost } from "../../../src/state/tasks.js";
import { silent } from "../../support/silent.js";

vi.mock("../../../src/driver/native-admin.js", () => ({
  NativeAdmin: class {
    connect = (): Promise<void> => Promise.resolve();
    settingsOf = (): Promise<undefined> => Promise.resolve(undefined);
    describeTopics = (names: readonly string[]): Promise<unknown> =>
      Promise.resolve(names.map((name) => ({ name, topicId: { base64: "id" } })));
    offsetsAt = (partitions: readonly object[]): Promise<unknown> =>
      Promise.resolve(partitions.map((partition) => ({ ...partition, offset: changelogEnd() })));
    disconnect = (): Promise<void> => Promise.resolve();
  },
}));

const changelogEnd = vi.hoisted(() => vi.fn<() => number>());

/** What transactions prove; `undefined`: none does. */
let provenEnd: (() => number) | undefined;

vi.mock("../../../src/state/assigning-topic.js", () => ({
  assigningTopic: () => Promise.resolve({ name: "orders", former: new Set(["deleted"]) }),
}));

const counts = defineStore("counts", { value: z.number() });

type Native = ReturnType<TasksHost["native"]>;

/** How many partitions each topic has. */
let sizes: Map<string, number>;
let failures: unknown[];
/** Tasks whose offsets do not say which topic the group assigns. */
let unmarked: number[];
const committed = vi.fn<Native["committed"]>();
const sizeOf = vi.fn<Native["sizeOf"]>();

async function prepared(stateDirectory?: string, isEager = false): Promise<Tasks> {
  const native: Native = { committed, sizeOf, knownEnd: () => undefined };
  const tasks = new Tasks({
    config: resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent, metadataMaxAgeMs: 1_000 }),
    groupId: "g",
    stores: [counts],
    ...{ stateDirectory, isEager },
    maxTaskIdleMs: 0,
    native: () => native,
    dueAt: () => undefined,
    onEndsWanted: () => {
      if (provenEnd !== undefined) void prove(provenEnd);
    },
    onReady: () => undefined,
    onRestore: undefined,
    onUnmarked: ({ number }) => unmarked.push(number),
    onLate: () => undefined,
    onFailure: (error) => failures.push(error),
  });
  const prove = (end: () => number): Promise<void> =>
    tasks.proveEnds((changelogs) => Promise.resolve(changelogs.map(() => end())));
  onTestFinished(() => tasks.close());
  const { signal } = new AbortController();
  await tasks.prepare(["orders", "payments"], native, signal);
  expect(await tasks.assignedBy(native, signal)).toBe("orders");
  return tasks;
}

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  failures = [];
  unmarked = [];
  sizes = new Map([
    ["orders", 4],
    ["payments", 4],
    ["g.counts.changelog", 4],
  ]);
  changelogEnd.mockReset().mockReturnValue(0);
  provenEnd = changelogEnd;
  committed.mockReset();
  sizeOf.mockReset();
  sizeOf.mockImplementation((topic) =>
    Promise.resolve({ partitions: sizes.get(topic) ?? 0, replicationFactor: 1 }),
  );
});

test("a task whose stores could not be restored is restored when it is asked for again", async () => {
  const refused = new AuthorizationError("no");
  committed.mockRejectedValue(refused);
  const tasks = await prepared();
  tasks.assigned([new OwnedPartition({ topic: "orders", partition: 0 })]);
  await vi.waitFor(() => expect(failures).toEqual([refused]), 20_000);
  tasks.renew();
  await vi.waitFor(() => expect(failures).toEqual([refused, refused]), 20_000);
  expect(tasks.restoring).toBe(1);
});

test("a restore goes by the end that is proven, whatever a broker tells", async () => {
  provenEnd = undefined;
  committed.mockImplementation((partitions) =>
    Promise.resolve(partitions.map((partition) => ({ ...partition, offset: 1 }))),
  );
  const tasks = await prepared();
  tasks.assigned([new OwnedPartition({ topic: "orders", partition: 2 })]);
  await vi.waitFor(() => expect(tasks.areEndsWanted).toBe(true), 20_000);
  // Where whoever proves does not know it, it is asked again.
  await tasks.proveEnds(() => Promise.resolve(undefined));
  expect([tasks.areEndsWanted, tasks.restoring]).toEqual([true, 1]);
  await tasks.proveEnds((changelogs) => {
    expect(changelogs).toEqual([{ topic: "g.counts.changelog", partition: 2 }]);
    return Promise.resolve([0]);
  });
  await vi.waitFor(() => expect(tasks.restoring).toBe(0), 20_000);
  expect(tasks.areEndsWanted).toBe(false);
});

test("a restore that asks while ends are proven is answered the next time", async () => {
  provenEnd = undefined;
  committed.mockImplementation((partitions) =>
    Promise.resolve(partitions.map((partition) => ({ ...partition, offset: 1 }))),
  );
  const tasks = await prepared();
  const asked: number[][] = [];
  const ask = (next?: OwnedPartition) => async (changelogs: readonly { readonly partition: number }[]) => {
    asked.push(changelogs.map(({ partition }) => partition));
    if (next !== undefined) {
      const before = committed.mock.calls.length;
      tasks.assigned([next]);
      await vi.waitFor(() => expect(committed.mock.calls.length).toBeGreaterThan(before), 20_000);
      await vi.advanceTimersByTimeAsync(100);
    }
    return changelogs.map(() => 0);
  };
  const partitionOf = (partition: number) => new OwnedPartition({ topic: "orders", partition });
  tasks.assigned([partitionOf(0)]);
  await vi.waitFor(() => expect(tasks.areEndsWanted).toBe(true), 20_000);
  await tasks.proveEnds(ask(partitionOf(1)));
  await vi.waitFor(() => expect(tasks.restoring).toBe(1), 20_000);
  expect(tasks.areEndsWanted).toBe(true);
  await tasks.proveEnds(ask());
  await vi.waitFor(() => expect(tasks.restoring).toBe(0), 20_000);
  expect(asked).toEqual([[0], [1]]);
});

test("a topic that grows alone is noticed within metadataMaxAgeMs", async () => {
  await prepared();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(failures).toEqual([]);
  sizes.set("payments", 6);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(failures).toEqual([expect.any(ConfigError)]);
  expect((failures[0] as Error).message).toMatch(/payments has 6 partitions now.*made for 4.*new names/);
});

test("brokers that do not answer, or know of fewer partitions, are asked again", async () => {
  await prepared();
  sizeOf.mockRejectedValueOnce(new KafkaError("TIMEOUT", "away", { retriable: true }));
  await vi.advanceTimersByTimeAsync(1_000);
  sizes.set("payments", 0);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(failures).toEqual([]);
  sizes.set("payments", 5);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(failures).toHaveLength(1);
});

test("pieces on disk of partitions that others have for ten minutes are removed, and no others", async () => {
  const path = await mkdtemp(join(tmpdir(), "typed-kafka-state-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const positions = async (write?: number) => {
    const directory = await StateDirectory.open(path, "g", silent);
    await directory.belongsTo(new Map([["counts", "id"]]));
    const pieces = [0, 1].map((partition) => directory.piece("counts", partition));
    if (write !== undefined)
      for (const piece of pieces) await piece.apply([], { position: write, currentAt: 1 });
    await directory.close();
    return pieces.map(({ position }) => position);
  };
  await positions(5);
  committed.mockReturnValue(new Promise(() => {}));
  const looks = vi.spyOn(StateDirectory.prototype, "removeUnused");
  onTestFinished(() => looks.mockRestore());
  const tasks = await prepared(path);
  tasks.assigned([new OwnedPartition({ topic: "orders", partition: 0 })]);
  for (let minute = 0; minute < 12; minute += 1) {
    await vi.advanceTimersByTimeAsync(60_000);
    // The disk takes its own time.
    await looks.mock.results.at(-1)?.value;
  }
  await tasks.close();
  expect(await positions()).toEqual([5, 0]);
});

test("nothing is looked for any more after the end", async () => {
  const tasks = await prepared();
  await tasks.close();
  sizes.set("payments", 6);
  sizeOf.mockClear();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(sizeOf).not.toHaveBeenCalled();
});

/** Has partition 0, whose changelog is empty. */
async function restored(tasks: Tasks): Promise<OwnedPartition> {
  committed.mockResolvedValue([{ topic: "orders", partition: 0, offset: 1 }]);
  const partition = new OwnedPartition({ topic: "orders", partition: 0 });
  tasks.assigned([partition]);
  await vi.waitFor(() => expect(tasks.restoring).toBe(0), 20_000);
  return partition;
}

/** As a processor has it: with the offset 1. */
const transactionOf = (partition: OwnedPartition) =>
  Object.assign([partition], { offsets: () => [{ topic: "orders", partition: 0, offset: 1 }] });

/** A handler that succeeds, whose record is in the transaction: it adds one to the count of "k", and gives it. */
function count(tasks: Tasks): number {
  const { state } = tasks.get(0) as Task;
  const call = state.begin(1);
  const store = call.store(counts);
  store.set("k", (store.get("k") ?? 0) + 1);
  const counted = store.get("k") ?? 0;
  const changes = call.end();
  state.finish(changes);
  state.enter(changes);
  return counted;
}

test("a transaction that is rolled back leaves nothing in its stores, and one that is committed stays", async () => {
  const tasks = await prepared();
  const partition = await restored(tasks);
  expect([count(tasks), count(tasks)]).toEqual([1, 2]);
  const refused = new KafkaError("BROKER", "no");
  await expect(tasks.commit(transactionOf(partition), () => Promise.reject(refused))).rejects.toBe(refused);
  tasks.rollBack([partition], false);
  expect(count(tasks)).toBe(1);
  await tasks.commit(transactionOf(partition), (changelog) => {
    expect([...changelog].map(({ topic, record }) => [topic, String(record.value)])).toEqual([
      ["g.counts.changelog", "1"],
    ]);
    return Promise.resolve();
  });
  tasks.rollBack([partition], false);
  expect(count(tasks)).toBe(2);
});

test("where it is unknown whether a transaction was committed, its stores are read again before anything else", async () => {
  const tasks = await prepared();
  const partition = await restored(tasks);
  tasks.rollBack([partition], false);
  expect(tasks.restoring).toBe(0);
  tasks.rollBack([partition], true);
  expect(tasks.restoring).toBe(1);
  expect(partition.held).toBe(true);
  tasks.renew();
  await vi.waitFor(() => expect(tasks.restoring).toBe(0), 20_000);
  expect(partition.held).toBe(false);
});

test("a piece on disk is as current as its proof, however much later it is written", async () => {
  const path = await mkdtemp(join(tmpdir(), "typed-kafka-state-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const tasks = await prepared(path);
  const partition = await restored(tasks);
  changelogEnd.mockReturnValue(7);
  const askedAt = Date.now();
  tasks.begin();
  const commit = () => tasks.commit(transactionOf(partition), () => Promise.resolve());
  await tasks.commit(transactionOf(partition), (changelog) => {
    expect([...changelog]).toEqual([]);
    vi.setSystemTime(askedAt + 25 * 3_600_000);
    return Promise.resolve();
  });
  // The next one waits until this one is on disk.
  await commit();
  await tasks.close();
  const directory = await StateDirectory.open(path, "g", silent);
  onTestFinished(() => directory.close());
  await directory.belongsTo(new Map([["counts", "id"]]));
  expect(directory.piece("counts", 0)).toMatchObject({ position: 7, currentAt: askedAt });
});

test("where a rebalance revokes everything and gives it back, only what came since is read, however long it was", async () => {
  const tasks = await prepared(undefined, true);
  const partition = await restored(tasks);
  const commit = () => tasks.commit(transactionOf(partition), () => Promise.resolve());
  // There is nobody to read from: whatever is in front of the end is here.
  changelogEnd.mockReturnValue(7);
  count(tasks);
  await commit();
  await vi.advanceTimersByTimeAsync(30 * 3_600_000);
  tasks.begin();
  count(tasks);
  await commit();
  tasks.ended([partition]);
  await restored(tasks);
  expect(count(tasks)).toBe(3);
});

const beside = (assignedBy: string | undefined) => ({
  ...{ topic: "orders", partition: 0, offset: 1 },
  metadata: JSON.stringify({ assignedBy }),
});

test.each([
  ["says so", "orders", []],
  ["does not say so", undefined, [0]],
  ["names a topic that is no more", "deleted", [0]],
])("what is committed of a task %s: which topic the group assigns", async (_, assignedBy, expected) => {
  const tasks = await prepared();
  committed.mockResolvedValue([beside(assignedBy)]);
  const partition = new OwnedPartition({ topic: "orders", partition: 0 });
  tasks.assigned([partition]);
  await vi.waitFor(() => expect(tasks.restoring).toBe(0), 20_000);
  expect(unmarked).toEqual(expected);
  await tasks.commit(transactionOf(partition), (_, offsets) => {
    expect(offsets).toEqual([beside("orders")]);
    return Promise.resolve();
  });
});

test("a member that subscribed to another topic than the others stops before it has done anything", async () => {
  const tasks = await prepared();
  committed.mockResolvedValue([beside("payments")]);
  tasks.assigned([new OwnedPartition({ topic: "orders", partition: 0 })]);
  await vi.waitFor(() => expect(failures).toEqual([expect.any(ConfigError)]), 20_000);
  expect((failures[0] as Error).message).toMatch(
    /partitions of payments there, and of orders here: start this one again/,
  );
  expect(tasks.restoring).toBe(1);
});
