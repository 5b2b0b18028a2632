import { afterAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import {
  ClosedError,
  ConfigError,
  defineTopic,
  InvalidRecordError,
  Kafka,
  string,
  TimeoutError,
} from "typed-kafka";
import { z } from "zod";
import { silent } from "../support/silent.js";
import { createTopic, groupIds, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), metadataMaxAgeMs: 1_000, logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

async function courseTopic(partitions = 4) {
  return defineTopic(await createTopic({ partitions, config: { "cleanup.policy": "compact" } }), {
    value: z.object({ title: z.string() }),
    tombstones: true,
  });
}

describe("a table", () => {
  test("has the last value of every key of all partitions, and not those that were deleted", async () => {
    const topic = await courseTopic();
    const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
    await producer.send(
      topic,
      keys.map((key) => ({ key, value: { title: "old" } })),
    );
    await producer.send(
      topic,
      keys.slice(0, 20).map((key) => ({ key, value: { title: "new" } })),
    );
    await producer.send(topic, { key: "k49", value: null });
    const groups = await groupIds();
    await using table = kafka.table(topic);
    await table.ready();
    expect(table.size).toBe(49);
    expect(table.get("k3")).toEqual({ title: "new" });
    expect(table.get("k30")).toEqual({ title: "old" });
    expect(table.get("k49")).toBeUndefined();
    expect(table.has("k49")).toBe(false);
    expect(new Map(table).get("k19")).toEqual({ title: "new" });
    expect([...table]).toHaveLength(49);
    // Other tests make groups meanwhile; a read's own id would begin like this.
    const added = (await groupIds()).filter((id) => !groups.includes(id));
    expect(added.filter((id) => id.startsWith("typed-kafka-read"))).toEqual([]);
  });

  test("is kept current: ready() reaches what was written before the call, and listeners are told each change", async () => {
    const topic = await courseTopic(2);
    await producer.send(topic, { key: "a", value: { title: "1" } });
    await using table = kafka.table(topic);
    await table.ready();
    const changes: unknown[] = [];
    const stop = table.onChange(({ key, value, previous }) =>
      changes.push([key, value?.title, previous?.title]),
    );
    for (let round = 2; round < 12; round += 1) {
      await producer.send(topic, { key: "a", value: { title: String(round) } });
      await table.ready();
      expect(table.get("a")).toEqual({ title: String(round) });
    }
    await producer.send(topic, { key: "a", value: null });
    await table.ready();
    expect(changes.slice(0, 2)).toEqual([
      ["a", "2", "1"],
      ["a", "3", "2"],
    ]);
    expect(changes.at(-1)).toEqual(["a", undefined, "11"]);
    expect(await table.lag()).toEqual({ records: 0, ageMs: 0 });
    stop();
    await producer.send(topic, { key: "b", value: { title: "x" } });
    await table.ready();
    expect(changes).toHaveLength(11);
  });

  test("never has what a transaction wrote that was aborted, and has what was committed", async () => {
    const topic = await courseTopic(1);
    const writer = kafka.transactionalProducer({ transactionalId: uniqueName("tx") });
    await writer.transaction((tx) => tx.send(topic, { key: "a", value: { title: "committed" } }));
    await writer
      .transaction(async (tx) => {
        await tx.send(topic, { key: "a", value: { title: "aborted" } });
        throw new Error("no");
      })
      .catch(() => undefined);
    await using table = kafka.table(topic);
    await table.ready();
    expect([...table]).toEqual([["a", { title: "committed" }]]);
  });

  test("of an empty topic is ready at once, and begins at a time where it is told to", async () => {
    await using empty = kafka.table(await courseTopic());
    await empty.ready();
    expect(empty.size).toBe(0);
    const topic = await courseTopic(1);
    await producer.send(topic, [
      { key: "a", value: { title: "early" }, timestamp: Date.UTC(2026, 0, 1) },
      { key: "b", value: { title: "late" }, timestamp: Date.UTC(2026, 1, 1) },
    ]);
    await using table = kafka.table(topic, { from: new Date("2026-01-15") });
    await table.ready();
    expect([...table].map(([key]) => key)).toEqual(["b"]);
  });

  test("finds keys that are objects by what they are", async () => {
    const topic = defineTopic(await createTopic(), {
      key: z.object({ country: z.string(), id: z.number() }),
      value: string(),
    });
    await producer.send(topic, { key: { country: "ke", id: 7 }, value: "x" });
    await using table = kafka.table(topic);
    await table.ready();
    expect(table.get({ country: "ke", id: 7 })).toBe("x");
    expect(table.get({ country: "ke", id: 8 })).toBeUndefined();
  });

  test("sees partitions that are added", async () => {
    const topic = await courseTopic(1);
    await using table = kafka.table(topic);
    await table.ready();
    await kafka.admin().createPartitions(topic, 3);
    await producer.send(topic, { key: "a", value: { title: "x" }, partition: 2 });
    await vi.waitFor(() => expect(table.get("a")).toEqual({ title: "x" }), { timeout: 50_000 });
  });
});

describe("what stops a table", () => {
  const bytesOf = (name: string) => defineTopic(name, { value: string(), tombstones: true });

  test("an invalid record: ready() and closed reject with it, unless it is skipped", async () => {
    const topic = defineTopic(await createTopic(), { value: z.object({ title: z.string() }) });
    await producer.send(topic, { key: "a", value: { title: "fine" } });
    await producer.send(bytesOf(topic.name), { key: "b", value: "no json" });
    await producer.send(bytesOf(topic.name), { value: JSON.stringify({ title: "no key" }) });
    const table = kafka.table(topic);
    await expect(table.ready()).rejects.toThrow(InvalidRecordError);
    await expect(table.closed).rejects.toThrow(InvalidRecordError);
    expect(table.get("a")).toEqual({ title: "fine" });
    await using patient = kafka.table(topic, { onInvalid: "skip" });
    await patient.ready();
    expect(patient.size).toBe(1);
  });

  test("a topic that is deleted, and one that does not exist", async () => {
    const topic = await courseTopic(1);
    const table = kafka.table(topic);
    await table.ready();
    await kafka.admin().deleteTopics([topic]);
    await expect(table.closed).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", topic: topic.name });
    const again = await courseTopic(1);
    const old = kafka.table(again);
    await old.ready();
    await kafka.admin().deleteTopics([again]);
    await kafka.admin().ensureTopics([again]);
    await expect(old.closed).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", topic: again.name });
    const missing = kafka.table(defineTopic(uniqueName("missing"), { value: string() }));
    await expect(missing.ready()).rejects.toMatchObject({ code: "UNKNOWN_TOPIC" });
  }, 60_000);

  test("what a listener throws, untouched", async () => {
    const topic = await courseTopic(1);
    const table = kafka.table(topic);
    await table.ready();
    const mistake = new Error("mine");
    table.onChange(() => {
      throw mistake;
    });
    await producer.send(topic, { key: "a", value: { title: "x" } });
    await expect(table.closed).rejects.toBe(mistake);
    await expect(table.ready()).rejects.toBe(mistake);
  });

  test("close(): closed resolves, what it has can be read, and ready() is refused", async () => {
    const topic = await courseTopic(1);
    await producer.send(topic, { key: "a", value: { title: "x" } });
    const table = kafka.table(topic);
    await table.ready();
    await table.close();
    await expect(table.closed).resolves.toBeUndefined();
    expect(table.get("a")).toEqual({ title: "x" });
    await expect(table.ready()).rejects.toThrow(ClosedError);
  });
});

test("without brokers ready() ends at its deadline or its signal, and the table goes on", async () => {
  const away = new Kafka({ brokers: "127.0.0.1:1", logger: silent });
  onTestFinished(() => away.close());
  const table = away.table(defineTopic("students", { value: string() }));
  // The first connection says at once that nobody is there.
  await expect(table.ready({ timeoutMs: 500 })).rejects.toThrow(/127\.0\.0\.1:1|not current/);
  const stopping = new AbortController();
  const waiting = away.table(defineTopic("courses", { value: string() })).ready({ signal: stopping.signal });
  stopping.abort(new TimeoutError("enough"));
  await expect(waiting).rejects.toThrow("enough");
});

test("options are checked by name", () => {
  const topic = defineTopic("students", { value: string() });
  expect(() => kafka.table(topic, { from: "never" as never })).toThrow(ConfigError);
  expect(() => kafka.table(topic, { onInvalid: "maybe" as never })).toThrow(/onInvalid/);
  expect(() => kafka.table(topic, { groupId: "g" } as never)).toThrow(/groupId/);
});
