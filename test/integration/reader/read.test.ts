import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, inject, test } from "vitest";
import {
  type AnyTopic,
  ClosedError,
  defineTopic,
  InvalidRecordError,
  Kafka,
  type ReadOptions,
  type ReadProgress,
  string,
} from "typed-kafka";
import { z } from "zod";
import { silent } from "../../support/silent.js";
import { createTopic, groupIds, uniqueName } from "../../support/topics.js";
import { abortedTransaction } from "../../support/transactions.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, metadataMaxAgeMs: 1_000, logger: silent });
const admin = kafka.admin();
const producer = kafka.producer();
afterAll(() => kafka.close());

const text = (name: string) => defineTopic(name, { value: string(), tombstones: true });

/** Values `from` to `to - 1`, with these numbers as timestamps in seconds. */
async function fill(name: string, from: number, to: number, partition = 0): Promise<void> {
  const records = Array.from({ length: to - from }, (_, index) => ({
    value: String(from + index),
    key: `k${(from + index) % 3}`,
    partition,
    timestamp: (from + index + 1) * 1_000,
  }));
  await producer.send(text(name), records);
}

async function all(topic: AnyTopic, options?: ReadOptions): Promise<string[]> {
  const values: string[] = [];
  for await (const record of kafka.read(text(topic.name), options))
    values.push(`${record.partition}:${record.value}`);
  return values;
}

describe("a read", () => {
  test("gives what is there, typed, and ends; the empty partitions too", async () => {
    const students = defineTopic(await createTopic({ partitions: 4 }), {
      value: z.object({ id: z.number(), born: z.codec(z.iso.datetime(), z.date(), isoDate) }),
      keyOf: ({ id }) => String(id),
    });
    const born = new Date("2001-02-03T04:05:06.789Z");
    await producer.send(students, { value: { id: 7, born }, headers: { origin: "test" } });
    const records = [];
    for await (const record of kafka.read(students)) {
      const date: Date = record.value.born;
      records.push({ ...record, date });
    }
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      topic: students.name,
      offset: 0,
      key: "7",
      date: born,
      headers: { origin: "test" },
    });
  });

  test("of an empty topic ends at once", async () => {
    expect(await all(text(await createTopic({ partitions: 3 })))).toEqual([]);
  });

  test("of several topics tells them apart", async () => {
    const [a, b] = [
      text(await createTopic()),
      defineTopic(await createTopic(), { value: z.object({ n: z.number() }) }),
    ];
    await fill(a.name, 0, 2);
    await producer.send(b, { value: { n: 5 } });
    const seen: (string | number | null)[] = [];
    for await (const record of kafka.read([a, b]))
      seen.push(record.topic === b.name ? (record.value as { n: number }).n : (record.value as string));
    expect(seen.toSorted()).toEqual(["0", "1", 5].toSorted());
  });

  test("begins and stops at a time, or at offsets, in the partitions named", async () => {
    const topic = text(await createTopic({ partitions: 2 }));
    await fill(topic.name, 0, 10);
    await fill(topic.name, 0, 3, 1);
    const [two, six] = [new Date(3_000), new Date(6_500)];
    expect(await all(topic, { from: two, to: six, partitions: [0] })).toEqual(["0:2", "0:3", "0:4", "0:5"]);
    expect(await all(topic, { from: { 0: 8, 1: 2 } })).toEqual(expect.arrayContaining(["0:8", "0:9", "1:2"]));
    expect(await all(topic, { from: { 0: 8, 1: 2 } })).toHaveLength(3);
    expect(await all(topic, { to: { 0: 2, 1: 0 } })).toEqual(["0:0", "0:1"]);
    expect(await all(topic, { from: new Date(99_000) })).toEqual([]);
    await expect(all(topic, { partitions: [5] })).rejects.toMatchObject({
      code: "UNKNOWN_PARTITION",
      partition: 5,
    });
  });

  test("merges partitions by timestamp", async () => {
    const topic = text(await createTopic({ partitions: 3 }));
    for (let step = 0; step < 30; step += 1) await fill(topic.name, step, step + 1, (step * 7) % 3);
    const values = (await all(topic, { order: "timestamp" })).map((value) => Number(value.split(":")[1]));
    expect(values).toEqual(Array.from({ length: 30 }, (_, index) => index));
  });

  test("merges more than may wait for a partition that arrives late", async () => {
    const topic = text(await createTopic({ partitions: 4 }));
    const each = 60_000;
    const partitions = [0, 1, 2, 3].map((partition) =>
      producer.sendAll(
        topic,
        // Of the same time, so one partition after the other is delivered, and the others have to wait.
        Array.from({ length: each }, () => ({ value: "x", partition, timestamp: 1_000 })),
      ),
    );
    await Promise.all(partitions);
    let count = 0;
    for await (const { partition, offset } of kafka.read(topic, { order: "timestamp" })) {
      if (partition * each + offset !== count) break;
      count += 1;
    }
    expect(count).toBe(4 * each);
  });

  test("stops at the end as of its start, while more is written", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 5);
    const values: (string | null)[] = [];
    for await (const { value } of kafka.read(topic)) {
      if (values.length === 0) await fill(topic.name, 5, 50);
      values.push(value);
    }
    expect(values).toHaveLength(5);
  });

  test("ends over an aborted tail, and read_uncommitted sees it", async () => {
    const topic = text(await createTopic({ partitions: 2 }));
    await fill(topic.name, 0, 3);
    await abortedTransaction(brokers, topic.name, [0, 1], 20);
    expect(await all(topic)).toEqual(["0:0", "0:1", "0:2"]);
    expect(await all(topic, { isolationLevel: "read_uncommitted" })).toHaveLength(3 + 2 * 20);
  });

  test("ends before a transaction that is still open", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 3);
    const abort = await abortedTransaction(brokers, topic.name, [0], 5, "leave open");
    await fill(topic.name, 3, 6);
    expect(await all(topic)).toHaveLength(3);
    await abort();
    expect(await all(topic)).toHaveLength(6);
  });

  test("tells its progress: at the end everything is done, over what holds no record too", async () => {
    const topic = text(await createTopic({ partitions: 2 }));
    await fill(topic.name, 0, 5);
    await abortedTransaction(brokers, topic.name, [0, 1], 5);
    const told: ReadProgress[] = [];
    expect(await all(topic, { onProgress: (progress) => told.push(progress) })).toHaveLength(5);
    expect(told).toEqual([
      { records: 5, done: 5 + 6 + 6, total: 5 + 6 + 6, recordsPerSecond: expect.any(Number) },
    ]);
  });

  test("goes on with what exists when retention overtakes it", async () => {
    const name = await createTopic({ partitions: 2 });
    const big = "x".repeat(20_000);
    for (let batch = 0; batch < 20; batch += 1) {
      for (const partition of [0, 1])
        await producer.send(
          text(name),
          Array.from({ length: 50 }, () => ({ value: big, partition })),
        );
    }
    const offsets: number[] = [];
    let isFirst = true;
    for await (const { partition, offset } of kafka.read(text(name))) {
      if (isFirst) {
        await admin.deleteRecords(name, [
          { topic: name, partition: 0, offset: 950 },
          { topic: name, partition: 1, offset: 1_000 },
        ]);
      }
      isFirst = false;
      if (partition === 0) offsets.push(offset);
    }
    expect(offsets.at(-1)).toBe(999);
    // It was overtaken: not everything was fetched when the rest was deleted.
    expect(offsets.length).toBeLessThan(990);
    expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b));
  });

  test("of a topic truncated to nothing ends at once", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 20);
    await admin.deleteRecords(topic, "latest");
    expect(await all(topic)).toEqual([]);
    expect(await all(topic, { from: { 0: 3 } })).toEqual([]);
  });

  test("follows into partitions that are added, until it is left", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 2);
    const reader = kafka.read(topic, { follow: true });
    const values: string[] = [];
    for await (const record of reader) {
      values.push(`${record.partition}:${record.value ?? ""}`);
      if (values.length === 2) await fill(topic.name, 2, 3);
      if (values.length === 3) {
        await admin.createPartitions(topic, 2);
        await fill(topic.name, 3, 4, 1);
      }
      if (values.length === 4) break;
    }
    expect(values).toEqual(["0:0", "0:1", "0:2", "1:3"]);
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });

  test("tells when it has caught up, where it follows", async () => {
    const topic = text(await createTopic({ partitions: 2 }));
    await fill(topic.name, 0, 3);
    const told: ReadProgress[] = [];
    const onProgress = (progress: ReadProgress) => {
      told.push(progress);
      if (told.length === 1) void fill(topic.name, 3, 4);
    };
    for await (const { value } of kafka.read(topic, { follow: true, onProgress })) if (value === "3") break;
    expect(told).toMatchObject([{ records: 3, done: 3, total: 3 }]);
  });

  test("follows in the order of time, and from the end only", async () => {
    const topic = text(await createTopic({ partitions: 2 }));
    await fill(topic.name, 0, 3);
    const reader = kafka.read(topic, { follow: true, from: "latest", order: "timestamp" });
    const first = reader.next();
    let written = 3;
    const writing = setInterval(() => {
      written += 1;
      void fill(topic.name, written, written + 1, written % 2);
    }, 100);
    try {
      expect(Number((await first).value?.value)).toBeGreaterThan(3);
    } finally {
      clearInterval(writing);
    }
    await reader.close();
    expect((await reader.next()).done).toBe(true);
  });

  test("goes on with a partition that waited for another when partitions are added", async () => {
    const topic = text(await createTopic({ partitions: 2 }));
    const each = 70_000;
    // All of partition 1 is newer than all of partition 0, so most of it has to wait unfetched.
    for (const partition of [0, 1]) {
      const timestamp = (partition + 1) * 1_000_000;
      const record = { value: "x", partition, timestamp };
      await producer.sendAll(
        topic,
        Array.from({ length: each }, () => record),
      );
    }
    const counts = [0, 0];
    for await (const { partition } of kafka.read(topic, { follow: true, order: "timestamp" })) {
      const count = (counts[partition] ?? 0) + 1;
      counts[partition] = count;
      if (partition === 0 && count === 40_000) {
        await admin.createPartitions(topic, 3);
        // Past metadataMaxAgeMs, so that the next fetch finds the new partition.
        await sleep(1_500);
      }
      if (partition === 1 && count === each) break;
    }
    expect(counts).toEqual([each, each]);
  });

  test("delivers no more than is asked for, however large the records", async () => {
    const topic = text(await createTopic({ partitions: 2 }));
    const big = "x".repeat(900_000);
    for (let count = 0; count < 60; count += 1)
      await producer.send(topic, { value: big, partition: count % 2 });
    const before = process.memoryUsage().external + process.memoryUsage().arrayBuffers;
    const reader = kafka.read(topic);
    await reader.next();
    await sleep(500);
    const after = process.memoryUsage().external + process.memoryUsage().arrayBuffers;
    expect(after - before).toBeLessThan(60_000_000);
    await reader.return();
  });

  test("commits nothing and leaves no group behind", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 3);
    await all(topic);
    expect((await groupIds()).filter((id) => id.startsWith("typed-kafka-read-"))).toEqual([]);
  });

  test("answers calls of next that overlap in order", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 3);
    const reader = kafka.read(topic);
    const results = await Promise.all([
      reader.next(),
      reader.next(),
      reader.next(),
      reader.next(),
      reader.next(),
    ]);
    expect(results.map(({ done, value }) => (done === true ? "end" : value.value))).toEqual([
      "0",
      "1",
      "2",
      "end",
      "end",
    ]);
  });

  test("awaits serdes that are asynchronous", async () => {
    const name = await createTopic();
    await fill(name, 0, 5);
    const slow = defineTopic(name, {
      value: {
        serialize: (value: number) => Buffer.from(String(value)),
        deserialize: async (bytes: Buffer) => {
          await sleep(Number(bytes.toString()) % 2);
          return Number(bytes.toString());
        },
      },
    });
    const values: number[] = [];
    for await (const { value } of kafka.read(slow)) values.push(value);
    expect(values).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("a read that cannot go on", () => {
  const numbers = (name: string) => defineTopic(name, { value: z.number() });

  test("throws for a record that does not fit, or passes it over if told to", async () => {
    const name = await createTopic();
    await producer.send(text(name), [{ value: "1" }, { value: "no number" }, { value: "3" }]);
    const seen: number[] = [];
    const failing = async () => {
      for await (const { value } of kafka.read(numbers(name))) seen.push(value);
    };
    const failure: unknown = await failing().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InvalidRecordError);
    expect(failure).toMatchObject({ topic: name, partition: 0, offset: 1 });
    expect(seen).toEqual([1]);
    const good: number[] = [];
    for await (const { value } of kafka.read(numbers(name), { onInvalid: "skip" })) good.push(value);
    expect(good).toEqual([1, 3]);
  });

  test("throws for a topic that does not exist", async () => {
    await expect(all(text(uniqueName()))).rejects.toMatchObject({ code: "UNKNOWN_TOPIC" });
  }, 20_000);

  test("throws where nobody answers", async () => {
    const nobody = new Kafka({ brokers: "127.0.0.1:1", connectTimeoutMs: 1_000, logger: silent });
    await expect(nobody.read(text("x")).next()).rejects.toMatchObject({ code: "CONNECTION" });
    await nobody.close();
  });

  test("throws when a topic is deleted while it follows", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 1);
    const reader = kafka.read(topic, { follow: true });
    await reader.next();
    await admin.deleteTopics(topic);
    await expect(reader.next()).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", topic: topic.name });
  }, 60_000);

  test("throws the reason of its signal, while it waits and between records", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 3);
    const reason = new Error("enough");
    const waiting = new AbortController();
    const follow = kafka.read(topic, { follow: true, from: "latest", signal: waiting.signal }).next();
    setTimeout(() => waiting.abort(reason), 300);
    await expect(follow).rejects.toBe(reason);
    const between = new AbortController();
    const loop = async () => {
      for await (const record of kafka.read(topic, { signal: between.signal })) {
        expect(record.value).toBe("0");
        between.abort(reason);
      }
    };
    await expect(loop()).rejects.toBe(reason);
    await expect(kafka.read(topic, { signal: AbortSignal.abort(reason) }).next()).rejects.toBe(reason);
  });

  test("throws what onProgress throws", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 3);
    const reason = new Error("no progress");
    const onProgress = () => {
      throw reason;
    };
    await expect(all(topic, { onProgress })).rejects.toBe(reason);
  });

  test("is told apart from one that ended: closing before the end throws, but not where it follows", async () => {
    const topic = text(await createTopic());
    await fill(topic.name, 0, 3);
    const own = new Kafka({ brokers, logger: silent });
    const [bounded, follow] = [own.read(topic), own.read(topic, { follow: true })];
    await Promise.all([bounded.next(), follow.next()]);
    await own.close();
    await expect(bounded.next()).rejects.toThrow(ClosedError);
    expect((await follow.next()).done).toBe(true);
  });
});

const isoDate = { decode: (iso: string) => new Date(iso), encode: (date: Date) => date.toISOString() };
