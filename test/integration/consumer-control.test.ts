import { afterAll, describe, expect, inject, test, vi } from "vitest";
import { defineTopic, Kafka, type RebalanceEvent, string, topicPattern } from "typed-kafka";
import { z } from "zod";
import { NativeConsumer } from "../../src/driver/native-consumer.js";
import { committedOffsets, textTopic, until } from "../support/consuming.js";
import { deferred } from "../../src/waiting.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent, metadataMaxAgeMs: 1_000 });
const producer = kafka.producer();
const admin = kafka.admin();
afterAll(() => kafka.close());

/** A topic with the values "0", "1", … in each partition, of five keys in turn, made a second apart from the year 2001 on. */
async function filledTopic(records: number, partitions = 1) {
  const topic = textTopic(await createTopic({ partitions }));
  await producer.send(
    topic,
    Array.from({ length: records * partitions }, (_, index) => ({
      key: String(Math.floor(index / partitions) % 5),
      value: String(Math.floor(index / partitions)),
      partition: index % partitions,
      timestamp: Date.UTC(2001, 0, 1) + Math.floor(index / partitions) * 1_000,
    })),
  );
  return topic;
}

/** A consumer that is running and keeps what it handled. */
function running(topic: ReturnType<typeof textTopic>, options: Parameters<typeof kafka.consumer>[1]) {
  const events: RebalanceEvent[] = [];
  const consumer = kafka.consumer(topic, { onRebalance: (event) => void events.push(event), ...options });
  const handled: { partition: number; offset: number; value: string | null }[] = [];
  const ended = consumer.run((record) => void handled.push(record));
  return {
    consumer,
    handled,
    events,
    close: async () => {
      await consumer.close();
      await ended;
    },
  };
}

describe("pause and resume", () => {
  test("nothing of a paused partition is delivered, the others go on, and after resume nothing is missing", async () => {
    const topic = await filledTopic(3, 2);
    const { consumer, handled, close } = running(topic, { groupId: uniqueName() });
    await until("all handled", () => handled.length === 6);
    consumer.pause([{ topic: topic.name, partition: 0 }]);
    await producer.send(
      topic,
      [0, 1].flatMap((partition) => ["a", "b"].map((value) => ({ value, partition }))),
    );
    await until("the other goes on", () => handled.length === 8);
    expect(handled.slice(6).map(({ partition }) => partition)).toEqual([1, 1]);
    consumer.resume([{ topic: topic.name, partition: 0 }]);
    await until("the rest comes", () => handled.length === 10);
    expect(handled.filter(({ partition }) => partition === 0).map(({ value }) => value)).toEqual([
      "0",
      "1",
      "2",
      "a",
      "b",
    ]);
    await close();
  });

  test("records that were fetched before a pause wait for resume, in order and once", async () => {
    const topic = await filledTopic(500);
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    const offsets: number[] = [];
    const ended = consumer.run(async ({ offset }) => {
      offsets.push(offset);
      if (offset === 100) consumer.pause();
      await Promise.resolve();
    });
    await until("paused", () => offsets.length > 100);
    const { length } = offsets;
    // Long enough for a fetch, and for the poll that is due each second.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(offsets).toHaveLength(length);
    consumer.resume();
    await until("the rest comes", () => offsets.length === 500);
    expect(offsets).toEqual(Array.from({ length: 500 }, (_, offset) => offset));
    await consumer.close();
    await ended;
  });
});

describe("a pause while an asynchronous serde works: nothing is missing or out of order", () => {
  /** A topic of "0" to "9", and a consumer whose partition is paused for a while each time "3" is first deserialized. */
  async function pausing() {
    const { name } = await filledTopic(10);
    let isFirst = true;
    const topic = defineTopic(name, {
      value: {
        serialize: (value: string) => Buffer.from(value),
        deserialize: async (bytes: Buffer) => {
          await Promise.resolve();
          if (bytes.toString() === "3" && isFirst) {
            isFirst = false;
            consumer.pause();
            setTimeout(() => {
              consumer.resume();
            }, 200);
          }
          return bytes.toString();
        },
      },
    });
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    return consumer;
  }
  const all = Array.from({ length: 10 }, (_, index) => String(index));

  test("run", async () => {
    const consumer = await pausing();
    const seen: string[] = [];
    await consumer.run(({ value }) => {
      seen.push(value);
      if (seen.length >= 10) void consumer.close();
    });
    expect(seen).toEqual(all);
  });

  test("runBatch", async () => {
    const consumer = await pausing();
    const seen: string[] = [];
    await consumer.runBatch((records) => {
      seen.push(...records.map(({ value }) => value));
      if (seen.length >= 10) void consumer.close();
    });
    expect(seen).toEqual(all);
  });

  test("for await", async () => {
    const seen: string[] = [];
    for await (const { value } of await pausing()) {
      seen.push(value);
      if (seen.length >= 10) break;
    }
    expect(seen).toEqual(all);
  });
});

test("a handler that pauses again as soon as it is resumed gets one record each time, and nothing is fetched behind it", async () => {
  const topic = await filledTopic(3);
  const spies = (["pause", "resume"] as const).map((name) => vi.spyOn(NativeConsumer.prototype, name));
  const consumer = kafka.consumer(topic, { groupId: uniqueName() });
  const partitions = [{ topic: topic.name, partition: 0 }];
  let handled = 0;
  const ended = consumer.run(() => {
    handled += 1;
    consumer.pause(partitions);
  });
  for (const count of [1, 2, 3]) {
    await until("one more", () => handled === count);
    if (count < 3) consumer.resume(partitions);
  }
  const [pauses, resumes] = spies.map(({ mock }) => mock.invocationCallOrder.at(-1) ?? 0);
  expect(pauses).toBeGreaterThan(resumes ?? 0);
  for (const spy of spies) spy.mockRestore();
  await consumer.close();
  await ended;
});

describe("seek", () => {
  test("and a graceful shutdown: what was handled before it is not redelivered", async () => {
    const topic = await filledTopic(10);
    const groupId = uniqueName();
    const first = running(topic, { groupId, commitIntervalMs: 600_000 });
    await until("all are handled", () => first.handled.length === 10);
    first.consumer.pause();
    await first.consumer.seek({ topic: topic.name, partition: 0 }, 5);
    await until("it has moved", async () => (await first.consumer.lag())[0]?.next === 5);
    await first.close();
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([10]);
  });

  test("from onRebalance takes effect although what it returned is still pending", async () => {
    const topic = await filledTopic(10);
    const { promise, resolve } = deferred();
    const first = running(topic, {
      groupId: uniqueName(),
      onRebalance: async ({ type, partitions: [assigned] }) => {
        if (type !== "assigned" || assigned === undefined) return;
        await first.consumer.seek(assigned, 7);
        await promise;
      },
    });
    await until("the end is handled", () => first.handled.at(-1)?.offset === 9);
    expect(first.handled.slice(-3).map(({ offset }) => offset)).toEqual([7, 8, 9]);
    resolve();
    await first.close();
  });

  test("delivers nothing of what was fetched before, from the call on", async () => {
    const topic = await filledTopic(50);
    const topicPartition = { topic: topic.name, partition: 0 };
    const handled: number[] = [];
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    const ended = consumer.run(({ offset }) => {
      handled.push(offset);
      if (offset === 0) consumer.pause();
    });
    await until("the first was handled", () => handled.length === 1);
    const moved = consumer.seek(topicPartition, 40);
    consumer.resume();
    await moved;
    await until("handled to the end", () => handled.at(-1) === 49);
    await consumer.close();
    await ended;
    expect(handled).toEqual([0, ...Array.from({ length: 10 }, (_, index) => 40 + index)]);
  });

  test.each([
    ["an offset", 2, 2],
    ["earliest", "earliest" as const, 0],
    ["a Date", new Date(Date.UTC(2001, 0, 1, 0, 0, 3)), 3],
    ["a Date between records", new Date(Date.UTC(2001, 0, 1, 0, 0, 3) + 1), 4],
  ])("to %s: the next record delivered is from there", async (_, target, expected) => {
    const topic = await filledTopic(6);
    const { consumer, handled, close } = running(topic, { groupId: uniqueName() });
    await until("all handled", () => handled.length === 6);
    await consumer.seek({ topic: topic.name, partition: 0 }, target);
    await until("all again", () => handled.length === 6 + 6 - expected);
    expect(handled[6]?.offset).toBe(expected);
    await close();
  });

  test('to "latest", and to a Date after everything: goes on with what is sent from now on', async () => {
    const topic = await filledTopic(6);
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    const offsets: number[] = [];
    const topicPartition = { topic: topic.name, partition: 0 };
    const ended = consumer.run(async ({ offset }) => {
      offsets.push(offset);
      if (offset === 1) await consumer.seek(topicPartition, "latest");
      if (offset === 6) await consumer.seek(topicPartition, new Date(Date.now() + 60_000));
    });
    await until("moved", async () => (await consumer.lag())[0]?.lag === 0);
    const keepSending = setInterval(() => void producer.send(topic, { value: "new" }), 100);
    await until("new ones", () => offsets.length >= 4);
    clearInterval(keepSending);
    expect(offsets.slice(0, 2)).toEqual([0, 1]);
    expect(offsets[2]).toBeGreaterThanOrEqual(6);
    await consumer.close();
    await ended;
  });

  test("backwards from the handler of its own partition: what is committed follows", async () => {
    const topic = await filledTopic(4);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId });
    const offsets: number[] = [];
    await consumer.run(async ({ offset }) => {
      offsets.push(offset);
      if (offsets.length === 4) await consumer.seek({ topic: topic.name, partition: 0 }, 1);
      if (offsets.length === 6) void consumer.close();
    });
    expect(offsets).toEqual([0, 1, 2, 3, 1, 2]);
    const again = running(topic, { groupId });
    await until("the rest", () => again.handled.length > 0);
    expect(again.handled[0]?.offset).toBe(3);
    await again.close();
  });

  test('with order: "key" while records wait behind others of their key, over and over: each key goes on where it was told to', async () => {
    const topic = await filledTopic(3_000);
    const consumer = kafka.consumer(topic, { groupId: uniqueName(), order: "key", concurrency: 4 });
    const handled: number[] = [];
    const ended = consumer.run(async ({ offset }) => {
      handled.push(offset);
      // The first key is slow, so that its records wait while those of the others overtake them.
      await new Promise((resolve) => setTimeout(resolve, offset % 5 === 0 ? 10 : 0));
    });
    await until("streaming", () => handled.length > 0);
    for (const target of [2_000, 10, 1_500, 0, 2_900]) {
      const { length } = handled;
      await consumer.seek({ topic: topic.name, partition: 0 }, target);
      await until(`a hundred from ${target}`, () => handled.length >= length + 100);
      const slice = handled.slice(length);
      // All five keys have records among the next five.
      for (const first of [0, 1, 2, 3, 4].map((step) => target + step)) {
        const ofKey = slice.filter((offset) => offset % 5 === first % 5);
        expect(ofKey).toEqual(ofKey.map((_, index) => first + 5 * index));
      }
    }
    await consumer.close();
    await ended;
  });

  test("refuses a partition that is not assigned, and an offset outside the log", async () => {
    const topic = await filledTopic(3);
    const { consumer, handled, close } = running(topic, { groupId: uniqueName() });
    await until("all handled", () => handled.length === 3);
    await expect(consumer.seek({ topic: topic.name, partition: 7 }, 0)).rejects.toMatchObject({
      code: "UNKNOWN_PARTITION",
    });
    await expect(consumer.seek({ topic: topic.name, partition: 0 }, 9)).rejects.toMatchObject({
      code: "OFFSET_OUT_OF_RANGE",
    });
    await expect(consumer.seek({ topic: topic.name, partition: 0 }, -1)).rejects.toMatchObject({
      code: "CONFIG",
    });
    await close();
  });
});

test("assignment names the partitions, lag how far each is behind, and the events tell of both", async () => {
  const topic = await filledTopic(5, 2);
  const { consumer, handled, events, close } = running(topic, { groupId: uniqueName() });
  await until("all handled", () => handled.length === 10);
  const partitions = [0, 1].map((partition) => ({ topic: topic.name, partition }));
  expect(consumer.assignment).toEqual(expect.arrayContaining(partitions));
  consumer.pause([{ topic: topic.name, partition: 0 }]);
  await producer.send(
    topic,
    Array.from({ length: 3 }, () => ({ value: "more", partition: 0 })),
  );
  const lag = [...(await consumer.lag())].toSorted((one, other) => one.partition - other.partition);
  expect(lag).toMatchObject([
    { partition: 0, lag: 3, end: 8, next: 5 },
    { partition: 1, lag: 0, end: 5, next: 5 },
  ]);
  await close();
  expect(events.map(({ type }) => type)).toEqual(["assigned", "revoked"]);
  expect(events[1]?.partitions).toHaveLength(2);
});

describe("topics by pattern", () => {
  test.each(["classic", "consumer"] as const)(
    "protocol %s: reads every topic that fits, and those made later, as one type",
    async (groupProtocol) => {
      const prefix = uniqueName("pattern");
      const value = z.object({ id: z.number() });
      const eu = defineTopic(await createTopic({ name: `${prefix}.eu` }), { value });
      const other = defineTopic(await createTopic({ name: `${prefix}.eu.retry` }), { value: string() });
      await producer.send(eu, { value: { id: 1 } });
      await producer.send(other, { value: "not one of them" });
      const orders = topicPattern(new RegExp(`^${prefix}\\.(eu|us)$`), { value });
      const consumer = kafka.consumer(orders, { groupId: uniqueName(), groupProtocol });
      const seen: [string, number][] = [];
      const ended = consumer.run((record) => {
        const topic: string = record.topic;
        const id: number = record.value.id;
        seen.push([topic, id]);
      });
      await until("the first topic", () => seen.length === 1);
      const us = defineTopic(await createTopic({ name: `${prefix}.us` }), { value });
      await producer.send(us, { value: { id: 2 } });
      await until("the topic made later", () => seen.length === 2, 25_000);
      expect(seen).toEqual([
        [eu.name, 1],
        [us.name, 2],
      ]);
      await consumer.close();
      await ended;
    },
  );
});

test("partitions added while it runs are picked up within metadataMaxAgeMs", async () => {
  const topic = await filledTopic(1);
  const { consumer, handled, close } = running(topic, { groupId: uniqueName() });
  await until("the first", () => handled.length === 1);
  await admin.createPartitions(topic, 3);
  await until("three partitions", () => consumer.assignment.length === 3);
  await producer.send(topic, { value: "new", partition: 2 });
  await until("a record of a new partition", () => handled.some(({ partition }) => partition === 2));
  await close();
});
