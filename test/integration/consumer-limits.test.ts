import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, inject, test } from "vitest";
import { type ConsumerOptions, Kafka, type RebalanceEvent } from "typed-kafka";
import { committedOffsets, textTopic, until } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const warnings: string[] = [];
const logger = { ...silent, warn: (message: string) => void warnings.push(message) };
const kafka = new Kafka({ brokers, logger });
const producer = kafka.producer();
afterAll(() => kafka.close());

test("ten idle consumers use less than 1 % of a core each, and leave files and names alone", async () => {
  const topic = textTopic(await createTopic({ partitions: 2 }));
  const own = new Kafka({ brokers, logger: silent });
  const consumers = Array.from({ length: 10 }, () => own.consumer(topic, { groupId: uniqueName() }));
  const running = Promise.all(consumers.map((consumer) => consumer.run(() => {})));
  await until("all are assigned", () => consumers.every(({ assignment }) => assignment.length === 2));
  // The first fetches and commits are over when this begins.
  await sleep(1_500);
  const before = process.cpuUsage();
  const seconds = 4;
  await sleep(seconds * 1_000);
  const used = process.cpuUsage(before);
  expect((used.user + used.system) / 1e6 / seconds / consumers.length).toBeLessThan(0.01);

  const begin = performance.now();
  for (let round = 0; round < 100; round += 1)
    await Promise.all([readFile("package.json"), lookup("localhost")]);
  // With its four threads in the hands of blocking polls, a round of these would wait for each of them.
  expect(performance.now() - begin).toBeLessThan(20_000);
  await own.close();
  await running;
});

test("memory stays bounded, whatever the backlog, behind a slow handler", async () => {
  const topic = textTopic(await createTopic({ partitions: 4 }));
  const value = "x".repeat(100);
  await producer.sendAll(
    topic,
    (function* () {
      for (let index = 0; index < 300_000; index += 1) yield { value, key: String(index) };
    })(),
  );
  const consumer = kafka.consumer(topic, { groupId: uniqueName() });
  let handled = 0;
  let most = 0;
  const before = process.memoryUsage().rss;
  const running = consumer.run(async () => {
    await sleep(1);
    handled += 1;
    if (handled % 100 === 0) most = Math.max(most, process.memoryUsage().rss);
  });
  await until("four seconds' worth", () => handled > 8_000, 30_000);
  await consumer.close();
  await running;
  expect((most - before) / 2 ** 20).toBeLessThan(120);
}, 60_000);

test("a partition with a long backlog does not starve the others behind a slow handler", async () => {
  const topic = textTopic(await createTopic({ partitions: 2 }));
  await producer.sendAll(
    topic,
    (function* () {
      for (let index = 0; index < 50_000; index += 1) yield { value: "x", partition: 0 };
      for (let index = 0; index < 100; index += 1) yield { value: "x", partition: 1 };
    })(),
  );
  const consumer = kafka.consumer(topic, { groupId: uniqueName() });
  const handled = [0, 0];
  const running = consumer.run(async ({ partition }) => {
    await sleep(5);
    handled[partition] = (handled[partition] ?? 0) + 1;
  });
  await until("all of the short one", () => handled[1] === 100);
  await consumer.close();
  await running;
});

describe.concurrent("handlers that take long", () => {
  const long: Omit<ConsumerOptions, "groupId"> = { sessionTimeoutMs: 6_000, maxPollIntervalMs: 6_000 };

  test("longer than the session, and below maxPollIntervalMs: nothing is lost or repeated", async ({
    expect,
  }) => {
    const topic = textTopic(await createTopic());
    const groupId = uniqueName();
    await producer.send(topic, [{ value: "long" }, { value: "short" }]);
    const events: RebalanceEvent["type"][] = [];
    const consumer = kafka.consumer(topic, {
      groupId,
      ...long,
      maxPollIntervalMs: 20_000,
      onRebalance: ({ type }) => void events.push(type),
    });
    const offsets: number[] = [];
    await consumer.run(async ({ offset, value }) => {
      offsets.push(offset);
      if (value === "long") await sleep(8_000);
      else void consumer.close();
    });
    expect(offsets).toEqual([0, 1]);
    expect(events).toEqual(["assigned", "revoked"]);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([2]);
  });

  test("a handler that hangs: a warning, then run rejects with HANDLER_TIMEOUT and the record is not committed", async ({
    expect,
  }) => {
    const topic = textTopic(await createTopic());
    const groupId = uniqueName();
    await producer.send(topic, [{ value: "quick" }, { value: "hangs" }]);
    let reason: unknown;
    const running = kafka.consumer(topic, { groupId, ...long }).run(({ value }, { signal }) => {
      if (value === "quick") return undefined;
      signal.addEventListener("abort", () => {
        reason = signal.reason;
      });
      return new Promise(() => {});
    });
    const error = await running.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "HANDLER_TIMEOUT",
      topic: topic.name,
      partition: 0,
      offset: 1,
      groupId,
    });
    expect(reason).toBe(error);
    expect(warnings.some((message) => message.includes("a handler has been running for 3 s"))).toBe(true);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([1]);
  });

  test.for(["runBatch", "for await", "processor"] as const)(
    "%s: a handler past maxPollIntervalMs is HANDLER_TIMEOUT, and its record is not committed",
    async (way, { expect }) => {
      const topic = textTopic(await createTopic());
      const groupId = uniqueName();
      await producer.send(topic, [{ value: "quick" }, { value: "slow" }]);
      const handle = async ({ value }: { readonly value: string | null }) => {
        if (value === "slow") await sleep(9_000);
      };
      const run = async () => {
        if (way === "processor")
          await kafka.processor(topic, { groupId, transactionalId: groupId, ...long }).run(handle);
        const consumer = kafka.consumer(topic, { groupId, ...long });
        if (way === "runBatch")
          await consumer.runBatch(([record]) => record && handle(record), { maxRecords: 1 });
        else for await (const record of consumer) await handle(record);
      };
      await expect(run()).rejects.toMatchObject({ code: "HANDLER_TIMEOUT", offset: 1, groupId });
      expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([1]);
    },
  );

  test("a topic that does not exist is UNKNOWN_TOPIC after 10 s, and one that is made meanwhile is read", async ({
    expect,
  }) => {
    const [missing, late] = [uniqueName(), uniqueName()];
    const begin = performance.now();
    const failing = kafka
      .consumer(textTopic(missing), { groupId: uniqueName() })
      .run(() => {})
      .catch((thrown: unknown) => thrown);
    const consumer = kafka.consumer(textTopic(late), { groupId: uniqueName() });
    const handled: (string | null)[] = [];
    const running = consumer.run(({ value }) => {
      handled.push(value);
      void consumer.close();
    });
    await sleep(2_000);
    await createTopic({ name: late });
    await producer.send(textTopic(late), { value: "in time" });
    await running;
    expect(handled).toEqual(["in time"]);
    expect(await failing).toMatchObject({ code: "UNKNOWN_TOPIC", topic: missing });
    expect(performance.now() - begin).toBeGreaterThan(9_000);
  });
});

test("a consumer runs once, and refuses what makes no sense", async () => {
  const topic = textTopic("any");
  const closed = kafka.consumer(topic, { groupId: "any" });
  await closed.close();
  await expect(closed.run(() => {})).rejects.toMatchObject({ code: "CLOSED" });
  await expect(closed[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "CLOSED" });
  const consumer = kafka.consumer(topic, { groupId: "any", order: "key" });
  await expect(consumer.run(undefined as never)).rejects.toMatchObject({ code: "CONFIG", field: "handler" });
  await expect(consumer.runBatch(() => {})).rejects.toMatchObject({ code: "CONFIG", field: "order" });
  expect(() => kafka.consumer([topic, topic], { groupId: "any" })).toThrow("named twice");
  expect(() => kafka.consumer([], { groupId: "any" })).toThrow("expected a topic");
});
