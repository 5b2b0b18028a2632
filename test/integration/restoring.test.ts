// The order of events decides here, and a processor does not let it be chosen: the tasks are made by hand.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, inject, onTestFinished, test, vi } from "vitest";
import { bytes, defineStore, defineTopic, integer, Kafka, type Topic } from "typed-kafka";
import { NativeConsumer } from "../../src/driver/native-consumer.js";
import { NativeProducer } from "../../src/driver/native-producer.js";
import { OwnedPartition } from "../../src/group/owned-partition.js";
import { resolveKafkaOptions } from "../../src/kafka-options.js";
import { encodedRecord } from "../../src/serde/encoded-record.js";
import { noHeaders } from "../../src/serde/headers.js";
import { changelogName } from "../../src/state/store-definition.js";
import type { Piece } from "../../src/state/piece.js";
import { Restorer } from "../../src/state/restorer.js";
import { StateDirectory } from "../../src/state/state-directory.js";
import { StoreCodec } from "../../src/state/store-codec.js";
import { StoreState } from "../../src/state/store-state.js";
import { Task } from "../../src/state/task.js";
import { TaskState } from "../../src/state/task-state.js";
import { deferred } from "../../src/waiting.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
afterAll(() => kafka.close());

const counts = defineStore("counts", { value: integer() });

/** One task over a piece on disk, and a changelog whose first record is committed: `k` is 1. */
async function oneTask() {
  const groupId = uniqueName("group");
  const path = await mkdtemp(join(tmpdir(), "typed-kafka-state-"));
  const config = resolveKafkaOptions({ brokers: inject("brokers"), logger: silent });
  const topic = await createTopic();
  const name = await createTopic({
    name: changelogName(groupId, "counts"),
    config: { "cleanup.policy": "compact" },
  });
  const changelog = defineTopic(name, { value: bytes() });
  await kafka
    .transactionalProducer({ transactionalId: uniqueName("tx") })
    .transaction((tx) => tx.send(changelog, { key: "k", value: Buffer.from("1") }));
  const directory = await StateDirectory.open(path, groupId, silent);
  await directory.belongsTo(new Map([["counts", "id"]]));
  const piece = directory.piece("counts", 0);
  const state = new TaskState({
    definitions: [counts],
    onLate: () => undefined,
    make: (_definition, streamTime) =>
      new StoreState({
        ...{ name: "counts", changelog: name, retentionMs: undefined, piece, streamTime },
        codec: new StoreCodec(counts, name, 0),
      }),
  });
  const task = new Task(0, state);
  const partition = new OwnedPartition({ topic, partition: 0 });
  task.add(partition);
  const none = () => undefined;
  const events = { onWake: none, onRebalance: none, onCommit: none, onFatal: none };
  const consumer = new NativeConsumer(config, "test", { "group.id": groupId }, events);
  await consumer.connect(new AbortController().signal);
  let ask = () => {};
  const asked = new Promise<void>((resolve) => (ask = resolve));
  const native = () => ({
    committed: (...args: Parameters<NativeConsumer["committed"]>) => {
      ask();
      return consumer.committed(...args);
    },
    sizeOf: (...args: Parameters<NativeConsumer["sizeOf"]>) => consumer.sizeOf(...args),
  });
  const restorer: Restorer = new Restorer({
    config,
    groupId,
    native,
    assignedBy: () => undefined,
    // The one broker that there is leads everything.
    proveEnds: (changelogs) => restorer.ends(changelogs, new AbortController().signal),
    onProgress: () => undefined,
  });
  onTestFinished(async () => {
    await Promise.all([consumer.disconnect(), restorer.close()]);
    await directory.close();
    await rm(path, { recursive: true, force: true });
  });
  const restoring = () => restorer.restore([task], new AbortController().signal, () => undefined);
  const set = (value: string, position: number) =>
    piece.apply([{ id: "k", key: Buffer.from("k"), value: Buffer.from(value), timestamp: 0 }], {
      position,
      currentAt: Date.now(),
    });
  const inPiece = () => ({ value: piece.get("k")?.value.toString(), position: piece.position });
  return { config, changelog, consumer, task, partition, restoring, asked, set, inPiece };
}

/** A transaction with two records in the changelog, which the brokers have, until `commit` is called. */
async function openTransaction(changelog: Topic<Buffer>) {
  const { promise: wanted, resolve: commit } = deferred();
  const { promise: begun, resolve: begin } = deferred();
  const committed = kafka
    .transactionalProducer({ transactionalId: uniqueName("tx") })
    .transaction(async (tx) => {
      for (const value of ["2", "3"]) await tx.send(changelog, { key: "k", value: Buffer.from(value) });
      begin();
      await wanted;
    });
  await begun;
  await vi.waitFor(async () => {
    let records = 0;
    for await (const _record of kafka.read(changelog, { isolationLevel: "read_uncommitted" })) records += 1;
    expect(records).toBe(3);
  }, 50_000);
  return { commit, committed };
}

test("a restore waits for the records in front of the end that are not stable yet", async () => {
  const { changelog, task, restoring, inPiece } = await oneTask();
  const { commit, committed } = await openTransaction(changelog);
  const restored = restoring();
  await vi.waitFor(() => expect(inPiece()).toEqual({ value: "1", position: 1 }), 50_000);
  expect(task.isRestored).toBe(false);
  commit();
  await committed;
  await restored;
  expect(inPiece().value).toBe("3");
  expect(task.isRestored).toBe(true);
});

test("a restore asks for the end only when no transaction with offsets of the task is open any more", async () => {
  const { config, changelog, consumer, partition, restoring, asked, inPiece } = await oneTask();
  const properties = { "transactional.id": uniqueName("tx") };
  const owner = new NativeProducer(config, "owner before", properties, {
    onReport: () => undefined,
    onFatal: () => undefined,
  });
  onTestFinished(() => owner.disconnect());
  await owner.connect();
  await owner.initTransactions(20_000);
  await owner.beginTransaction();
  const { topic } = partition;
  await owner.sendOffsets([{ topic, partition: 0, offset: 1 }], consumer, 20_000);
  const restored = restoring();
  await asked;
  const record = encodedRecord(Buffer.from("k"), Buffer.from("2"), noHeaders, 0, Date.now());
  expect(owner.produce(changelog.name, [record], undefined)).toBeUndefined();
  await owner.commitTransaction(20_000);
  await restored;
  expect(inPiece().value).toBe("2");
  expect(partition.committed).toBe(1);
});

test("a restore whose assignment has ended writes nothing more to a piece that a later one has", async () => {
  const { changelog, task, partition, restoring, set, inPiece } = await oneTask();
  // It holds the restore up.
  const { commit, committed } = await openTransaction(changelog);
  const restored = restoring();
  await vi.waitFor(() => expect(inPiece()).toEqual({ value: "1", position: 1 }), 50_000);
  task.remove(partition);
  await set("9", 40);
  commit();
  await committed;
  await restored;
  expect(inPiece()).toEqual({ value: "9", position: 40 });
  expect(task.isRestored).toBe(false);
});

test("a restore whose assignment has ended does not clear the piece either", async () => {
  const { consumer, task, partition, restoring, set, inPiece } = await oneTask();
  // Else the restore may end before it looks at the piece.
  const { topic } = partition;
  await vi.waitFor(() => consumer.committed([{ topic, partition: 0 }], 5_000), 50_000);
  // There, whenever a restore that takes the piece for its own would clear it.
  await set("9", 0);
  const restored = restoring();
  task.remove(partition);
  await restored;
  expect(inPiece()).toEqual({ value: "9", position: 0 });
});

test("a restore that took longer than tombstones are kept begins again from the start", async () => {
  const { changelog, task, restoring, inPiece } = await oneTask();
  const { commit, committed } = await openTransaction(changelog);
  const restored = restoring();
  await vi.waitFor(() => expect(inPiece()).toEqual({ value: "1", position: 1 }), 50_000);
  const [state] = [...task.state.stores];
  const cleared = vi.spyOn(state?.store.piece as Piece, "clear");
  const late = Date.now() + 25 * 3_600_000;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => late);
  onTestFinished(() => clock.mockRestore());
  commit();
  await committed;
  await restored;
  expect(cleared).toHaveBeenCalled();
  expect(inPiece().value).toBe("3");
  expect(state?.store.piece.currentAt).toBe(late);
});
