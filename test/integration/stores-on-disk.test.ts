import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, inject, onTestFinished, test, vi } from "vitest";
import {
  defineStore,
  defineTopic,
  defineWindowStore,
  integer,
  Kafka,
  type ProcessorOptions,
  type RestoreProgress,
  string,
  type Topic,
  tumbling,
} from "typed-kafka";
import { expectExactlyOnce, run } from "../support/processor-faults.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

const counts = defineStore("counts", { value: integer() });

async function options(): Promise<{ groupId: string; transactionalId: string; stateDirectory: string }> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "typed-kafka-state-"));
  onTestFinished(() => rm(stateDirectory, { recursive: true, force: true }));
  return { groupId: uniqueName("group"), transactionalId: uniqueName("tx"), stateDirectory };
}

async function textTopic(partitions = 2) {
  return defineTopic(await createTopic({ partitions }), { value: string() });
}

const keysOf = (count: number, different: number): { key: string; value: string }[] =>
  Array.from({ length: count }, (_, index) => ({ key: `k${index % different}`, value: "x" }));

/** A processor that counts by key, and says what it counted. */
function counting(topic: Topic<string>, given: Partial<ProcessorOptions<typeof counts>>) {
  const seen = new Map<string, number>();
  const processor = kafka.processor(topic, {
    ...(given as ProcessorOptions<typeof counts>),
    commitIntervalMs: 200,
    stores: [counts],
  });
  const running = processor.run(({ key }, tx) => {
    const store = tx.store(counts);
    const count = (store.get(key ?? "") ?? 0) + 1;
    store.set(key ?? "", count);
    seen.set(key ?? "", count);
  });
  running.catch(() => undefined);
  onTestFinished(() => processor.close());
  const hasCounted = (total: number): Promise<void> =>
    vi.waitFor(() => expect([...seen.values()].reduce((sum, count) => sum + count, 0)).toBe(total), 50_000);
  const committedTotal = async (): Promise<number> => {
    const folded = new Map<string | null, number>();
    for await (const { key, value } of kafka.read(counts.changelog(given.groupId ?? "")))
      folded.set(key, value ?? 0);
    return [...folded.values()].reduce((sum, count) => sum + count, 0);
  };
  return { processor, running, seen, hasCounted, committedTotal };
}

test("a restart with a directory reads only the tail of each changelog, and counts go on", async () => {
  const topic = await textTopic();
  const given = await options();
  const first = counting(topic, given);
  await producer.send(topic, keysOf(2_000, 1_000));
  await first.hasCounted(2_000);
  // Handlers may be ahead of their commit, and the first commit of a group takes its time.
  await vi.waitFor(async () => expect(await first.committedTotal()).toBe(2_000), 50_000);
  // The end of the changelog is asked for once a second, with a transaction that has records.
  await sleep(1_200);
  await producer.send(topic, keysOf(40, 40));
  // A piece learns where its changelog ends when it is in a transaction: both have to be.
  await first.hasCounted(2_040);
  await first.processor.close();

  const progress: RestoreProgress[] = [];
  const again = counting(topic, { ...given, onRestore: (told) => progress.push(told) });
  await producer.send(topic, keysOf(1_000, 1_000));
  await again.hasCounted(3 * 1_000 + 40);
  await again.processor.close();
  const read = progress
    .filter(({ done, total }) => done === total)
    .reduce((sum, { total }) => sum + total, 0);
  expect(read).toBeLessThan(200);

  // In memory all of it is read, which has the same counts.
  const inMemory: RestoreProgress[] = [];
  const third = counting(topic, {
    ...given,
    stateDirectory: undefined,
    onRestore: (told) => inMemory.push(told),
  });
  await producer.send(topic, keysOf(1_000, 1_000));
  await third.hasCounted(4 * 1_000 + 40);
  expect(inMemory.reduce((most, { total }) => Math.max(most, total), 0)).toBeGreaterThan(900);
});

test("a directory that does not fit its changelog is restored: another changelog of the name, or none", async () => {
  const topic = await textTopic(1);
  const given = await options();
  const first = counting(topic, given);
  await producer.send(topic, keysOf(10, 1));
  await first.hasCounted(10);
  await first.processor.close();

  const admin = kafka.admin();
  await admin.deleteTopics([counts.changelog(given.groupId).name]);
  const again = counting(topic, given);
  await producer.send(topic, keysOf(3, 1));
  // The state is gone with its changelog: nothing of what was on disk is counted.
  await vi.waitFor(() => expect(again.seen.get("k0")).toBe(3), 50_000);
  await again.processor.close();
});

test("a directory in use, or of another group, stops the processor with a ConfigError that says what to do", async () => {
  const topic = await textTopic(1);
  const given = await options();
  const first = counting(topic, given);
  await producer.send(topic, keysOf(1, 1));
  await first.hasCounted(1);
  const second = counting(topic, { ...given, transactionalId: uniqueName("tx") });
  await expect(second.running).rejects.toMatchObject({
    name: "ConfigError",
    field: "stateDirectory",
    message: expect.stringContaining("is in use"),
  });
  await first.processor.close();
  const other = counting(topic, { ...given, groupId: uniqueName("group") });
  await expect(other.running).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining(given.groupId),
  });
});

test("windows and retention go on over it after a restart, and each window closes once", async () => {
  const topic = await textTopic(1);
  const given = await options();
  const perTen = defineWindowStore("per-ten", { value: integer(), window: tumbling({ sizeMs: 10 }) });
  const recent = defineStore("recent", { value: integer(), retentionMs: 100 });
  const closed: string[] = [];
  const sizes: number[] = [];
  let seen = 0;
  const start = () => {
    const processor = kafka.processor(topic, { ...given, commitIntervalMs: 20, stores: [perTen, recent] });
    onTestFinished(() => processor.close());
    processor
      .run(
        ({ key, timestamp }, tx) => {
          tx.store(perTen).update(key ?? "", timestamp, (count = 0) => count + 1);
          tx.store(recent).set(`${timestamp}`, 1);
          sizes.push([...tx.store(recent).entries()].length);
          seen += 1;
        },
        { onWindowClosed: ({ key, start, value }) => void closed.push(`${key}@${start}=${value}`) },
      )
      .catch(() => undefined);
    return processor;
  };
  const send = (times: readonly number[]) =>
    producer.send(
      topic,
      times.map((timestamp) => ({ key: "a", value: "x", timestamp })),
    );
  let processor = start();
  await send([1_000, 1_001, 1_011, 1_015, 1_016]);
  await vi.waitFor(() => expect(seen).toBe(5), 50_000);
  await vi.waitFor(() => expect(closed).toEqual(["a@1000=2"]), 50_000);
  await processor.close();
  processor = start();
  await send([1_017, 1_105, 1_300]);
  await vi.waitFor(() => expect(closed).toEqual(["a@1000=2", "a@1010=4", "a@1100=1"]), 50_000);
  await vi.waitFor(() => expect(seen).toBe(8), 50_000);
  // At 1105 the first two have expired; at 1300 all but itself.
  expect(sizes).toEqual([1, 2, 3, 4, 5, 6, 5, 1]);
  await processor.close();
});

test("counts by key are those of the log when processes with directories are killed in transactions and after commits", async () => {
  const stateDirectory = await mkdtemp(join(tmpdir(), "typed-kafka-state-"));
  onTestFinished(() => rm(stateDirectory, { recursive: true, force: true }));
  const verdict = await run({
    brokers: inject("brokers"),
    records: 3_000,
    rate: 300,
    workers: 2,
    counts: true,
    stateDirectory,
    options: { sessionTimeoutMs: 6_000 },
    faults: async (run) => {
      await run.underWay(90_000);
      for (const phase of ["committed", "committing", "committed", "produced"] as const)
        await run.kill(run.faults["SIGKILL"] === undefined ? 0 : run.faults["SIGKILL"] % 2, phase);
    },
  });
  expectExactlyOnce(verdict);
}, 300_000);
