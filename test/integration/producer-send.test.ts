import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import {
  bytes,
  defineTopic,
  DeliveryError,
  Kafka,
  type KafkaError,
  SerializationError,
  type Serde,
  string,
} from "typed-kafka";
import { z } from "zod";
import { javaPartition, murmur2 } from "../support/murmur2.js";
import { freePort } from "../support/ports.js";
import { errorOf } from "../support/outcomes.js";
import { readLog } from "../support/read-log.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const studentSchema = z.object({ id: z.number().int(), name: z.string(), course: z.string() });
const studentsOf = (name: string) =>
  defineTopic(name, { value: studentSchema, keyOf: (student) => String(student.id) });
const textsOf = (name: string) => defineTopic(name, { value: string(), tombstones: true });
const failureOf = async (
  promise: Promise<unknown>,
): Promise<KafkaError & Partial<Pick<DeliveryError, "results" | "acknowledged">>> => {
  const outcome = await errorOf(promise);
  expect(outcome).toBeInstanceOf(Error);
  return outcome as KafkaError & Partial<Pick<DeliveryError, "results" | "acknowledged">>;
};

let kafka: Kafka;
beforeAll(() => {
  kafka = new Kafka({ brokers });
});
afterAll(() => kafka.close());

// Forty topics: slow with the sanitizers, beside other work.
describe("a topic that was made this moment", { timeout: 180_000 }, () => {
  test("gets every record that is acknowledged, although its leaders are only beginning", async () => {
    const producer = kafka.producer();
    for (const partitions of [...Array<number>(36).fill(4), ...Array<number>(4).fill(100)]) {
      const texts = textsOf(await createTopic({ partitions }));
      const records = Array.from({ length: 20 * partitions }, (_, index) => ({
        value: String(index),
        partition: index % partitions,
      }));
      const written = await producer.send(texts, records);
      expect(written.every(({ offset }) => offset >= 0)).toBe(true);
      const values: string[] = [];
      for await (const { value } of kafka.read(texts)) values.push(value ?? "");
      expect(values.sort()).toEqual(records.map(({ value }) => value).sort());
    }
  });
});

describe("send", () => {
  test("tells where a record was written, which is there as JSON under its key", async () => {
    const students = studentsOf(await createTopic({ partitions: 3 }));
    const student = { id: 1, name: "Samwel", course: "Data Engineering" };
    const before = Date.now();
    const metadata = await kafka.producer().send(students, { value: student });
    expect(metadata).toEqual({
      topic: students.name,
      partition: javaPartition("1", 3),
      offset: 0,
      timestamp: metadata.timestamp,
    });
    expect(metadata.timestamp).toBeGreaterThanOrEqual(before);
    const log = await readLog(brokers, students.name, { partitions: 3 });
    expect(log).toEqual([
      {
        partition: metadata.partition,
        offset: 0,
        timestamp: metadata.timestamp,
        key: "1",
        value: JSON.stringify(student),
        headers: [],
      },
    ]);
  });

  test("of many gives their metadata in the order given", async () => {
    const texts = textsOf(await createTopic({ partitions: 3 }));
    const records = Array.from({ length: 5_000 }, (_, index) => ({
      key: `k${index % 40}`,
      value: `v${index}`,
    }));
    const metadata = await kafka.producer().send(texts, records);
    const log = await readLog(brokers, texts.name, { partitions: 3 });
    const written = new Map(log.map(({ value, partition, offset }) => [value, `${partition}@${offset}`]));
    expect(metadata.map(({ partition, offset }) => `${partition}@${offset}`)).toEqual(
      records.map(({ value }) => written.get(value)),
    );
  });

  test("of none resolves with none", async () => {
    expect(await kafka.producer().send(textsOf("not-even-there"), [])).toEqual([]);
  });

  test("keeps the order of a key in calls that are not awaited, from few to very many", async () => {
    const texts = textsOf(await createTopic({ partitions: 3 }));
    const producer = kafka.producer();
    const sent: Promise<unknown>[] = [];
    for (let index = 0; index < 30_000; index += 1) {
      sent.push(producer.send(texts, { key: `k${index % 50}`, value: String(index) }));
      if (index % 5_000 === 0) await Promise.all(sent);
    }
    await Promise.all(sent);
    const log = await readLog(brokers, texts.name, { partitions: 3 });
    expect(log).toHaveLength(30_000);
    expect(inOrderByKey(log)).toBe(true);
  });

  test("keeps the order of calls to a partition that was added after the first", async () => {
    const texts = textsOf(await createTopic());
    const producer = kafka.producer();
    await producer.send(texts, { value: "first", partition: 0 });
    await kafka.admin().createPartitions(texts, 2);
    const sent: Promise<unknown>[] = [];
    for (let index = 0; index < 10_000; index += 1) {
      sent.push(producer.send(texts, { value: String(index), partition: 1 }));
      // Reports and answers come in between.
      if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(sent);
    const log = await readLog(brokers, texts.name, { partitions: 2 });
    const values = log.filter(({ partition }) => partition === 1).map(({ value }) => Number(value));
    expect(values).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
  });

  test("keeps the order of a key under lasting load", async () => {
    const texts = textsOf(await createTopic({ partitions: 3 }));
    const producer = kafka.producer();
    let next = 0;
    const run = async (until: number): Promise<void> => {
      while (performance.now() < until) {
        const number = next;
        next += 1;
        await producer.send(texts, { key: `k${number % 7}`, value: String(number) });
      }
    };
    for (const [workers, ms] of [
      [1, 50],
      [2_000, 700],
      [1, 100],
      [2_000, 700],
    ] as const) {
      const until = performance.now() + ms;
      await Promise.all(Array.from({ length: workers }, () => run(until)));
    }
    const log = await readLog(brokers, texts.name, { partitions: 3 });
    expect(log).toHaveLength(next);
    expect(inOrderByKey(log)).toBe(true);
  });

  test("writes headers in order, duplicates and bytes kept, and tombstones without a value", async () => {
    const texts = textsOf(await createTopic());
    await kafka.producer().send(texts, [
      { key: "a", value: "x", headers: { trace: ["1", "2"], raw: Buffer.from("ü"), empty: "" } },
      { key: "a", value: null },
      { key: "a", value: "" },
    ]);
    const [first, tombstone, empty] = await readLog(brokers, texts.name, { partitions: 1 });
    expect(first?.headers).toEqual([
      ["trace", "1"],
      ["trace", "2"],
      ["raw", "ü"],
      ["empty", ""],
    ]);
    expect(tombstone).toMatchObject({ key: "a", value: null });
    expect(empty).toMatchObject({ key: "a", value: "" });
  });

  test("writes to the partition and with the timestamp that a record names", async () => {
    const texts = textsOf(await createTopic({ partitions: 4 }));
    const timestamp = Date.UTC(2026, 0, 1);
    const metadata = await kafka.producer().send(texts, { key: "k", value: "v", partition: 3, timestamp });
    expect(metadata).toMatchObject({ partition: 3, offset: 0, timestamp });
    expect(await readLog(brokers, texts.name, { partitions: 4 })).toMatchObject([
      { partition: 3, timestamp },
    ]);
  });

  test.each(["none", "gzip", "snappy", "lz4", "zstd"] as const)("compresses with %s", async (compression) => {
    const texts = textsOf(await createTopic({ config: { "max.message.bytes": "20000" } }));
    const producer = kafka.producer({ compression });
    const value = "the same words again ".repeat(100);
    const sent = producer.send(
      texts,
      Array.from({ length: 100 }, () => ({ value })),
    );
    if (compression === "none") {
      // 200 kB in a batch of at most 20: that it is refused shows that the others were compressed.
      expect((await failureOf(sent)).code).toBe("RECORD_TOO_LARGE");
    } else {
      expect(await sent).toHaveLength(100);
      const log = await readLog(brokers, texts.name, { partitions: 1 });
      expect(log.every((record) => record.value === value)).toBe(true);
    }
    await producer.close();
  });
});

describe("the first calls for a topic", () => {
  test("are written in their order, where one names partitions and the next one need not wait for them", async () => {
    await using producer = kafka.producer();
    await producer.send(textsOf(await createTopic()), { value: "connected" });
    for (let round = 0; round < 5; round += 1) {
      const texts = textsOf(await createTopic());
      await Promise.all([
        producer.send(texts, [
          { value: "1a", partition: 0 },
          { value: "1b", partition: 0 },
        ]),
        producer.send(texts, { value: "2", partition: 0 }),
        producer.send(texts, { value: "3" }),
      ]);
      const values: unknown[] = [];
      for await (const { value } of kafka.read(texts)) values.push(value);
      expect(values).toEqual(["1a", "1b", "2", "3"]);
    }
  });

  test("are waited for by flush and close, whatever they wait for themselves", async () => {
    const slowly: Serde<string> = {
      serialize: async (text) => Promise.resolve(Buffer.from(text)),
      deserialize: String,
    };
    const texts = defineTopic(await createTopic(), { value: slowly });
    const producer = kafka.producer();
    const settled: number[] = [];
    const send = (number: number) =>
      producer.send(texts, [{ value: "a", partition: 0 }, { value: "b" }]).then(() => settled.push(number));
    void send(1);
    await Promise.resolve();
    await producer.flush();
    expect(settled).toEqual([1]);
    const last = send(2);
    await producer.close();
    await last;
    expect(settled).toEqual([1, 2]);
  });

  test("count against maxWaitingRecords before a broker was reached", async () => {
    const away = new Kafka({ brokers: `127.0.0.1:${await freePort()}`, connectTimeoutMs: 1_000 });
    const producer = away.producer({ maxWaitingRecords: 10 });
    const texts = textsOf("nowhere");
    const sends = Array.from({ length: 12 }, (_, index) => producer.send(texts, { value: String(index) }));
    const codes = await Promise.all(sends.map(async (sent) => (await failureOf(sent)).code));
    expect(codes.filter((code) => code === "DELIVERY")).toHaveLength(2);
    await away.close();
  });

  test("that are refused at once leave no rejection behind that nobody handles", async () => {
    const refusing: Serde<string> = {
      serialize: async () => Promise.reject(new Error("no")),
      deserialize: String,
    };
    const producer = kafka.producer();
    const sent = producer.send(
      defineTopic("t", { value: refusing }),
      { value: "x" },
      { signal: AbortSignal.abort() },
    );
    expect((await failureOf(sent)).name).toBe("AbortError");
  });
});

describe("the default partitioner", () => {
  test("is checked here with a hash that gives Java's own values", () => {
    // From Kafka's UtilsTest.testMurmur2.
    expect(
      ["21", "foobar", "a-little-bit-long-string", "a-little-bit-longer-string", "abc"].map((text) =>
        murmur2(Buffer.from(text)),
      ),
    ).toEqual([-973_932_308, -790_332_482, -985_981_536, -1_486_304_829, 479_470_107]);
  });

  test("puts 200 keys on the partitions that Java puts them on", async () => {
    const texts = textsOf(await createTopic({ partitions: 7 }));
    const keys = Array.from({ length: 200 }, (_, index) =>
      index === 0 ? "" : `${"ключ-".repeat(index % 3)}${index}`,
    );
    const metadata = await kafka.producer().send(
      texts,
      keys.map((key) => ({ key, value: "v" })),
    );
    expect(metadata.map(({ partition }) => partition)).toEqual(keys.map((key) => javaPartition(key, 7)));
  });

  test("gives way to a partitioner by name, or to one of the user's", async () => {
    const texts = textsOf(await createTopic({ partitions: 5 }));
    const byCrc = kafka.producer({ partitioner: "consistent_random" });
    const sameKey = await byCrc.send(texts, [
      { key: "a", value: "v" },
      { key: "a", value: "v" },
    ]);
    expect(sameKey[0]?.partition).toBe(sameKey[1]?.partition);
    const mine = kafka.producer({ partitioner: (key, count) => (key?.readUInt8() ?? 0) % count });
    const metadata = await mine.send(texts, [
      { key: "a", value: "v" },
      { key: "b", value: "v" },
      { key: "c", value: "v", partition: 0 },
    ]);
    expect(metadata.map(({ partition }) => partition)).toEqual([97 % 5, 98 % 5, 0]);
  });
});

describe("a call that is refused for its input", () => {
  test("leaves nothing of it in the topic, whichever record is wrong and why", async () => {
    const students = studentsOf(await createTopic({ partitions: 2 }));
    const producer = kafka.producer();
    const good = { value: { id: 1, name: "Samwel", course: "Data Engineering" } };
    await producer.send(students, good);
    const wrong: [unknown, string][] = [
      [{ value: { id: "1", name: "x", course: "y" } }, "SERIALIZATION"],
      [{ value: null }, "SERIALIZATION"],
      [{ ...good, key: 5 }, "SERIALIZATION"],
      [{ ...good, headers: { a: 5 } }, "SERIALIZATION"],
      [{ ...good, partition: -1 }, "SERIALIZATION"],
      [{ ...good, timestamp: Number.NaN }, "SERIALIZATION"],
      [{ ...good, topic: "x" }, "SERIALIZATION"],
      [{ ...good, partition: 2 }, "UNKNOWN_PARTITION"],
      [{ value: { ...good.value, name: "x".repeat(1_000_000) } }, "RECORD_TOO_LARGE"],
    ];
    for (const [record, code] of wrong) {
      const failure = await failureOf(producer.send(students, [good, record as typeof good, good]));
      expect(failure.code, JSON.stringify(record).slice(0, 80)).toBe(code);
      expect((await failureOf(producer.send(students, record as typeof good))).code).toBe(code);
      if (code === "SERIALIZATION") expect((failure as { index?: number }).index).toBe(1);
    }
    expect(await readLog(brokers, students.name, { partitions: 2 })).toHaveLength(1);
  });

  test("leaves nothing either where serializing takes time", async () => {
    const late = {
      serialize: async (value: string) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (value === "bad") throw new Error("no");
        return Buffer.from(value);
      },
      deserialize: (buffer: Buffer) => buffer.toString(),
    };
    const topic = defineTopic(await createTopic(), { value: late });
    const producer = kafka.producer();
    const refused = failureOf(producer.send(topic, [{ value: "a" }, { value: "bad" }, { value: "bad" }]));
    expect(await refused).toBeInstanceOf(SerializationError);
    await producer.send(topic, [{ value: "b" }, { value: "c" }]);
    const log = await readLog(brokers, topic.name, { partitions: 1 });
    expect(log.map(({ value }) => value)).toEqual(["b", "c"]);
  });

  test("and one that is not leave what was given unchanged, even frozen", async () => {
    const students = studentsOf(await createTopic());
    const record = Object.freeze({
      value: Object.freeze({ id: 1, name: "Samwel", course: "x" }),
      headers: Object.freeze({ a: "1" }),
    });
    const records = Object.freeze([record, record]);
    await kafka.producer().send(students, records);
    await kafka.producer().send(students, record);
    expect(records).toEqual([record, record]);
    expect(record).toEqual({ value: { id: 1, name: "Samwel", course: "x" }, headers: { a: "1" } });
  });
});

describe("what the broker refuses", () => {
  test("for its size names the limit, and says which records were written", async () => {
    const topic = defineTopic(await createTopic({ config: { "max.message.bytes": "2000" } }), {
      value: bytes(),
    });
    const producer = kafka.producer({ maxBatchRecords: 1 });
    const [small, large] = [{ value: Buffer.alloc(100) }, { value: Buffer.alloc(5_000) }];
    const failure = await failureOf(producer.send(topic, [small, large, small]));
    expect(failure).toBeInstanceOf(DeliveryError);
    expect(failure).toMatchObject({
      code: "RECORD_TOO_LARGE",
      topic: topic.name,
      partition: 0,
      retriable: false,
    });
    expect(failure.message).toContain("max.message.bytes");
    const log = await readLog(brokers, topic.name, { partitions: 1 });
    expect(failure.results?.filter(({ status }) => status === "written")).toHaveLength(log.length);
    expect(failure.acknowledged).toBe(log.length);
    expect(failure.results?.[1]?.status).toBe("failed");
    await producer.close();
  });

  test("for a topic that does not exist is UNKNOWN_TOPIC long before deliveryTimeoutMs, and well once the topic was made", async () => {
    const texts = textsOf(uniqueName());
    const producer = kafka.producer();
    const begin = performance.now();
    const failure = await failureOf(producer.send(texts, [{ value: "a" }, { value: "b" }]));
    expect(performance.now() - begin).toBeLessThan(30_000);
    expect(failure).toMatchObject({ code: "UNKNOWN_TOPIC", topic: texts.name });
    expect(failure.results?.map(({ status }) => status)).toEqual(["failed", "failed"]);
    expect((await failureOf(producer.sendAll(texts, [{ value: "a" }]))).code).toBe("UNKNOWN_TOPIC");
    await createTopic({ name: texts.name });
    await producer.send(texts, { value: "c" });
    await producer.sendAll(texts, [{ value: "d" }]);
    const log = await readLog(brokers, texts.name, { partitions: 1 });
    expect(log.map(({ value }) => value)).toEqual(["c", "d"]);
  });
});

function inOrderByKey(
  log: readonly { readonly key: string | null; readonly value: string | null }[],
): boolean {
  const last = new Map<string | null, number>();
  return log.every(({ key, value }) => {
    const number = Number(value);
    const isNext = number > (last.get(key) ?? -1);
    last.set(key, number);
    return isNext;
  });
}
