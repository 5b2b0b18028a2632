import { afterAll, describe, expect, inject, test } from "vitest";
import { defineTopic, Kafka, string, type Topic } from "typed-kafka";
import { until } from "../support/consuming.js";
import { errorOf } from "../support/outcomes.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
afterAll(() => kafka.close());

const failing = (): never => {
  throw new Error("it does not work");
};

test("brokers that answer, and nothing made yet, are well", async () => {
  const health = await kafka.health({ timeoutMs: 30_000 });
  expect(health).toMatchObject({ ok: true, brokers: { ok: true, error: undefined }, clients: [] });
  expect(health.brokers.count).toBeGreaterThan(0);
  expect(JSON.parse(JSON.stringify(health))).toMatchObject({ ok: true });
});

test("brokers that do not answer are a result, within the time given", async () => {
  await using lost = new Kafka({ brokers: "127.0.0.1:1", logger: silent });
  const { ok, brokers } = await lost.health({ timeoutMs: 300 });
  expect([ok, brokers.ok, brokers.count]).toEqual([false, false, 0]);
  expect(brokers.error?.message).toContain("127.0.0.1:1: no answer within 300 ms");
});

test("tells whether the fast path is used, and why not", async () => {
  const { fastPath } = await kafka.health();
  const isOff = process.env["TYPED_KAFKA_NATIVE"] === "off";
  expect(fastPath).toEqual({ used: !isOff, reason: isOff ? expect.stringContaining("is off") : undefined });
});

test("wrong options are refused, and nothing is asked after close", async () => {
  expect(await errorOf(kafka.health({ timeoutMs: 1 }))).toMatchObject({ code: "CONFIG", field: "timeoutMs" });
  const closed = new Kafka({ brokers: inject("brokers"), logger: silent });
  await closed.health();
  await closed.close();
  expect(await errorOf(closed.health())).toMatchObject({ code: "CLOSED" });
});

describe("a client is listed from when it is made until it is closed", () => {
  const make = {
    consumer: (topic: Topic<string>, groupId: string) => kafka.consumer(topic, { groupId }),
    processor: (topic: Topic<string>, groupId: string) =>
      kafka.processor(topic, { groupId, transactionalId: groupId }),
  };
  test.each(["consumer", "processor"] as const)(
    "a %s that fails counts until another one replaces it",
    async (kind) => {
      const topic = defineTopic(await createTopic({ partitions: 2 }), { value: string() });
      const groupId = uniqueName();
      const client = () => kafka.health().then(({ clients }) => clients.find(({ name }) => name === groupId));
      const first = make[kind](topic, groupId);
      expect(await client()).toMatchObject({ kind, state: "idle", partitions: 0 });
      const running = errorOf(first.run(failing));
      await until("it has its partitions", async () => (await client())?.partitions === 2);
      expect(await client()).toMatchObject({ state: "running", error: undefined });
      await kafka.producer().send(topic, { value: "x" });
      const error = await running;
      expect(await client()).toMatchObject({ kind, state: "failed", error });
      expect((await kafka.health()).ok).toBe(false);
      const second = make[kind](topic, groupId);
      expect(await client()).toMatchObject({ state: "idle", error: undefined });
      expect((await kafka.health()).ok).toBe(true);
      await second.close();
      expect(await client()).toBeUndefined();
    },
  );

  test("producers, by what has become of them", async () => {
    await using own = new Kafka({ brokers: inject("brokers"), logger: silent });
    const topic = defineTopic(await createTopic(), { value: string() });
    const transactionalId = uniqueName();
    const states = async () =>
      (await own.health()).clients.map(({ kind, name, state }) => [kind, name, state]);
    const producer = own.producer();
    const older = own.transactionalProducer({ transactionalId });
    const newer = kafka.transactionalProducer({ transactionalId });
    expect(await states()).toEqual([
      ["producer", undefined, "idle"],
      ["transactionalProducer", transactionalId, "idle"],
    ]);
    await producer.send(topic, { value: "x" });
    for (const each of [older, newer]) await each.transaction((tx) => tx.send(topic, { value: "y" }));
    expect((await states()).map(([, , state]) => state)).toEqual(["running", "running"]);
    await errorOf(older.transaction((tx) => tx.send(topic, { value: "z" })));
    expect((await states()).map(([, , state]) => state)).toEqual(["running", "failed"]);
    expect((await own.health()).ok).toBe(false);
  });
});
