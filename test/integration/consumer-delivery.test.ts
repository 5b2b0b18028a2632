import { afterAll, describe, expect, inject, test } from "vitest";
import { defineTopic, InvalidRecordError, Kafka, string } from "typed-kafka";
import { z } from "zod";
import { committedOffsets, textTopic, until } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

/** A topic with the values "0", "1", … in each of its partitions. */
async function filledTopic(records: number, partitions = 1, keys = 1) {
  const topic = textTopic(await createTopic({ partitions }));
  const all = Array.from({ length: records * partitions }, (_, index) => ({
    value: String(Math.floor(index / partitions)),
    key: `key-${Math.floor(index / partitions) % keys}`,
    partition: index % partitions,
  }));
  await producer.send(topic, all);
  return topic;
}

describe("run", () => {
  test("delivers every record in order, typed, and commits the next offset, not the last one", async () => {
    const students = defineTopic(await createTopic({ partitions: 1 }), {
      value: z.object({ id: z.number().int(), name: z.string() }),
      keyOf: ({ id }) => String(id),
    });
    await producer.send(students, [
      { value: { id: 1, name: "Ada" }, headers: { source: "test" }, timestamp: 1_700_000_000_000 },
      { value: { id: 2, name: "Grace" } },
    ]);
    const groupId = uniqueName();
    const consumer = kafka.consumer(students, { groupId });
    const names: string[] = [];
    await consumer.run((record) => {
      if (record.offset === 0)
        expect(record).toMatchObject({
          topic: students.name,
          partition: 0,
          timestamp: 1_700_000_000_000,
          key: "1",
          value: { id: 1, name: "Ada" },
          headers: { source: "test" },
        });
      names.push(record.value.name);
      if (names.length === 2) void consumer.close();
    });
    expect(names).toEqual(["Ada", "Grace"]);
    expect(await committedOffsets(brokers, groupId, students.name)).toEqual([2]);
  });

  test.each(["synchronous", "asynchronous"])(
    "rejects with the very error of a %s handler; what was finished before is committed, and the record is redelivered",
    async (kind) => {
      const topic = await filledTopic(5);
      const groupId = uniqueName();
      const error = new Error("the third fails");
      const handled: (string | null)[] = [];
      const running = kafka.consumer(topic, { groupId }).run(({ value }) => {
        if (value === "2") {
          if (kind === "asynchronous") return Promise.reject(error);
          throw error;
        }
        handled.push(value);
        return undefined;
      });
      await expect(running).rejects.toBe(error);
      expect(handled).toEqual(["0", "1"]);
      expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([2]);
      const again: (string | null)[] = [];
      const second = kafka.consumer(topic, { groupId });
      await second.run(({ value }) => {
        again.push(value);
        if (value === "4") void second.close();
      });
      expect(again).toEqual(["2", "3", "4"]);
    },
  );

  test("a handler that fails while close waits for it is told all the same", async () => {
    const topic = await filledTopic(1);
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    const error = new Error("too late");
    const running = consumer.run(async () => {
      const closing = consumer.close();
      await new Promise((resolve) => setTimeout(resolve, 50));
      void closing;
      throw error;
    });
    await expect(running).rejects.toBe(error);
  });

  test("close waits for the handler in flight and commits it; after it nothing is delivered", async () => {
    const topic = await filledTopic(5);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId });
    let finished = 0;
    await consumer.run(async () => {
      void consumer.close();
      await new Promise((resolve) => setTimeout(resolve, 300));
      finished += 1;
    });
    expect(finished).toBe(1);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([1]);
  });

  test("close does not wait longer than drainTimeoutMs: the signal aborts and the record stays uncommitted", async () => {
    const topic = await filledTopic(2);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, drainTimeoutMs: 200 });
    let reason: unknown;
    await consumer.run((_, { signal }) => {
      void consumer.close();
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          reject(new Error("stopped"));
        });
      });
    });
    expect(reason).toMatchObject({ code: "CLOSED" });
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([-1]);
  });

  test("commits in the background, within commitIntervalMs", async () => {
    const topic = await filledTopic(10);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, commitIntervalMs: 50 });
    const running = consumer.run(() => {});
    await until(
      "ten committed",
      async () => (await committedOffsets(brokers, groupId, topic.name))[0] === 10,
    );
    await consumer.close();
    await running;
  });

  test("commit waits for the brokers' answer", async () => {
    const topic = await filledTopic(3);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, commitIntervalMs: 600_000 });
    let handled = 0;
    const running = consumer.run(() => void (handled += 1));
    await until("three handled", () => handled === 3);
    await consumer.commit();
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([3]);
    await consumer.close();
    await running;
  });
});

describe("order and concurrency", () => {
  test('order "partition": one handler at a time for each partition, and all partitions at the same time', async () => {
    const topic = await filledTopic(20, 4);
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    const running = new Map<number, number>();
    const seen = new Map<number, number[]>();
    let most = 0;
    let handled = 0;
    await consumer.run(async ({ partition, value }) => {
      const inPartition = (running.get(partition) ?? 0) + 1;
      running.set(partition, inPartition);
      expect(inPartition).toBe(1);
      most = Math.max(
        most,
        [...running.values()].reduce((sum, each) => sum + each),
      );
      seen.set(partition, [...(seen.get(partition) ?? []), Number(value)]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running.set(partition, 0);
      handled += 1;
      if (handled === 80) void consumer.close();
    });
    expect(most).toBeGreaterThan(1);
    for (const values of seen.values())
      expect(values).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  test('order "key": keys overtake each other, each keeps its order, and nothing is committed past what runs', async () => {
    const topic = await filledTopic(60, 1, 6);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, order: "key", concurrency: 6, commitIntervalMs: 10 });
    const byKey = new Map<string, number[]>();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let handled = 0;
    const running = consumer.run(async ({ key, value }) => {
      if (value === "12") await held;
      else await new Promise((resolve) => setTimeout(resolve, 1));
      byKey.set(key ?? "", [...(byKey.get(key ?? "") ?? []), Number(value)]);
      handled += 1;
    });
    // All but key 0 from its third record on.
    await until("the other keys overtake", () => handled === 52);
    await until(
      "committed up to it",
      async () => (await committedOffsets(brokers, groupId, topic.name))[0] === 12,
    );
    release();
    await until("all handled", () => handled === 60);
    await consumer.close();
    await running;
    for (const values of byKey.values()) expect(values).toEqual(values.toSorted((one, other) => one - other));
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([60]);
  });

  test('order "none": as many handlers as concurrency allows for a single partition', async () => {
    const topic = await filledTopic(50);
    const consumer = kafka.consumer(topic, { groupId: uniqueName(), order: "none", concurrency: 8 });
    let running = 0;
    let most = 0;
    let handled = 0;
    await consumer.run(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      handled += 1;
      if (handled === 50) void consumer.close();
    });
    expect(most).toBe(8);
  });
});

describe("runBatch", () => {
  test("gives batches of one partition, no larger than maxRecords, in order, and commits them whole", async () => {
    const topic = await filledTopic(100, 2);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId });
    const seen: number[][] = [[], []];
    await consumer.runBatch(
      (records) => {
        expect(records.length).toBeLessThanOrEqual(30);
        expect(new Set(records.map(({ partition }) => partition)).size).toBe(1);
        for (const { partition, value } of records) seen[partition]?.push(Number(value));
        if (seen.flat().length === 200) void consumer.close();
      },
      { maxRecords: 30 },
    );
    for (const values of seen) expect(values).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(await committedOffsets(brokers, groupId, topic.name, 2)).toEqual([100, 100]);
  });

  test("commits nothing of a batch whose handler fails", async () => {
    const topic = await filledTopic(10);
    const groupId = uniqueName();
    const error = new Error("batch");
    await expect(
      kafka.consumer(topic, { groupId }).runBatch(
        (records) => {
          if (records[0]?.offset !== 0) throw error;
        },
        { maxRecords: 4, maxWaitMs: 5_000 },
      ),
    ).rejects.toBe(error);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([4]);
  });

  test("waits for a batch to fill up to maxWaitMs, and no longer", async () => {
    const topic = await filledTopic(3);
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    const sizes: number[] = [];
    const running = consumer.runBatch(
      (records) => {
        sizes.push(records.length);
        if (sizes.reduce((sum, size) => sum + size) === 8) void consumer.close();
      },
      { maxRecords: 5, maxWaitMs: 1_500 },
    );
    await until("the first batch", () => sizes.length === 1);
    expect(sizes).toEqual([3]);
    await producer.send(
      topic,
      Array.from({ length: 5 }, () => ({ value: "more" })),
    );
    await running;
    expect(sizes).toEqual([3, 5]);
  });

  test("a batch larger than what usually waits fills all the same", async () => {
    const topic = await filledTopic(6_000);
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    const sizes: number[] = [];
    await consumer.runBatch(
      (records) => {
        sizes.push(records.length);
        void consumer.close();
      },
      { maxRecords: 5_000, maxWaitMs: 15_000 },
    );
    expect(sizes).toEqual([5_000]);
  });

  test("acrossPartitions puts several partitions into a batch, each in order", async () => {
    const topic = await filledTopic(20, 3);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId });
    const seen: number[][] = [[], [], []];
    let several = false;
    await consumer.runBatch(
      (records) => {
        several ||= new Set(records.map(({ partition }) => partition)).size > 1;
        for (const { partition, value } of records) seen[partition]?.push(Number(value));
        if (seen.flat().length === 60) void consumer.close();
      },
      { acrossPartitions: true, maxRecords: 60, maxWaitMs: 500 },
    );
    expect(several).toBe(true);
    for (const values of seen) expect(values).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(await committedOffsets(brokers, groupId, topic.name, 3)).toEqual([20, 20, 20]);
  });
});

describe("for await", () => {
  test("leaving the loop closes the consumer; the record in hand stays uncommitted and is redelivered", async () => {
    const topic = await filledTopic(5);
    const groupId = uniqueName();
    const read = async (count: number) => {
      const values: (string | null)[] = [];
      for await (const { value } of kafka.consumer(topic, { groupId })) {
        values.push(value);
        if (values.length === count) break;
      }
      return values;
    };
    expect(await read(3)).toEqual(["0", "1", "2"]);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([2]);
    expect(await read(3)).toEqual(["2", "3", "4"]);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([4]);
  });

  test("what the body throws comes out of the loop, and its record stays uncommitted", async () => {
    const topic = await filledTopic(3);
    const groupId = uniqueName();
    const error = new Error("body");
    const reading = (async () => {
      for await (const { offset } of kafka.consumer(topic, { groupId })) if (offset === 1) throw error;
    })();
    await expect(reading).rejects.toBe(error);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([1]);
  });

  test("close ends the loop and commits the record that the body finished", async () => {
    const topic = await filledTopic(3);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId });
    for await (const { offset } of consumer) if (offset === 1) void consumer.close();
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([2]);
  });

  test("calls of next that overlap get a record each", async () => {
    const topic = await filledTopic(3);
    const iterator = kafka.consumer(topic, { groupId: uniqueName() })[Symbol.asyncIterator]();
    const results = await Promise.all([iterator.next(), iterator.next(), iterator.next()]);
    expect(results).toMatchObject([0, 1, 2].map((offset) => ({ done: false, value: { offset } })));
    await iterator.return?.();
  });
});

describe("records", () => {
  test("several topics: the topic tells which record it is", async () => {
    const numbers = defineTopic(await createTopic(), { value: z.object({ count: z.number() }) });
    const texts = defineTopic(await createTopic(), { value: string() });
    await producer.send(numbers, { value: { count: 3 } });
    await producer.send(texts, { value: "three" });
    const consumer = kafka.consumer([numbers, texts], { groupId: uniqueName() });
    const seen: unknown[] = [];
    await consumer.run((record) => {
      seen.push(record.topic === numbers.name ? record.value : record.value);
      if (seen.length === 2) void consumer.close();
    });
    expect(seen).toHaveLength(2);
    expect(seen).toContainEqual({ count: 3 });
    expect(seen).toContain("three");
  });

  test("a record that does not fit stops the consumer with where it is, what is wrong and its bytes", async () => {
    const name = await createTopic();
    await producer.send(defineTopic(name, { value: string() }), [
      { value: '{"id":1}' },
      { value: '{"id":"no number"}', key: "k", headers: { h: "v" } },
    ]);
    const topic = defineTopic(name, { value: z.object({ id: z.number() }) });
    const groupId = uniqueName();
    const error = await kafka
      .consumer(topic, { groupId })
      .run(() => {})
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidRecordError);
    expect(error).toMatchObject({
      code: "INVALID_RECORD",
      topic: name,
      partition: 0,
      offset: 1,
      part: "value",
    });
    expect((error as InvalidRecordError).issues[0]?.path).toEqual(["id"]);
    expect((error as InvalidRecordError).raw.value?.toString()).toBe('{"id":"no number"}');
    expect((error as InvalidRecordError).raw.headers).toEqual([["h", Buffer.from("v")]]);
    expect(await committedOffsets(brokers, groupId, name)).toEqual([1]);
  });

  test("a tombstone is null where the topic has tombstones, and an invalid record elsewhere", async () => {
    const topic = textTopic(await createTopic());
    await producer.send(topic, { key: "gone", value: null });
    for await (const { key, value } of kafka.consumer(topic, { groupId: uniqueName() })) {
      expect([key, value]).toEqual(["gone", null]);
      break;
    }
    const without = defineTopic(topic.name, { value: string() });
    await expect(kafka.consumer(without, { groupId: uniqueName() }).run(() => {})).rejects.toMatchObject({
      code: "INVALID_RECORD",
      part: "value",
    });
  });

  test('from: "latest" begins with what is sent after the assignment', async () => {
    const topic = await filledTopic(5);
    let isAssigned = false;
    const consumer = kafka.consumer(topic, {
      groupId: uniqueName(),
      from: "latest",
      onRebalance: ({ type }) => {
        isAssigned = type === "assigned";
      },
    });
    const values: (string | null)[] = [];
    const running = consumer.run(({ value }) => {
      values.push(value);
      void consumer.close();
    });
    await until("assigned", () => isAssigned);
    // Where the end was is asked for after the assignment.
    const sending = setInterval(() => void producer.send(topic, { value: "new" }), 200);
    await running;
    clearInterval(sending);
    expect(values).toEqual(["new"]);
  });
});
