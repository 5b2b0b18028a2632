import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, describe, expect, inject, test } from "vitest";
import { loadBinding } from "../../src/driver/binding.js";
import type { ClientConfig } from "../../src/driver/client-config.js";
import { fastPath } from "../../src/driver/fast/addon.js";
import { NativeConsumer } from "../../src/driver/native-consumer.js";
import type { NativeProperties } from "../../src/driver/native.js";
import { NativeProducer, queued } from "../../src/driver/native-producer.js";
import type { KafkaError } from "../../src/errors.js";
import { resolveKafkaOptions } from "../../src/kafka-options.js";
import type { EncodedRecord, RawRecord } from "../../src/record.js";
import { encodedRecord } from "../../src/serde/encoded-record.js";
import { encodeRawHeaders } from "../../src/serde/headers.js";
import { until } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const largest = 20 * 2 ** 20;
const roomForLargest: NativeProperties = {
  "message.max.bytes": 2 * largest,
  "fetch.message.max.bytes": 2 * largest,
  "fetch.max.bytes": 2 * largest,
  "receive.message.max.bytes": 3 * largest,
};
const config: ClientConfig = {
  ...resolveKafkaOptions({ brokers: inject("brokers"), logger: silent }),
};
const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
});

/** A consumer with partitions that are assigned by hand. */
async function openConsumer(properties: NativeProperties = {}): Promise<{
  readonly native: NativeConsumer;
  readonly commits: (KafkaError | undefined)[];
}> {
  const commits: (KafkaError | undefined)[] = [];
  const native = new NativeConsumer(
    config,
    "consumer of a test",
    { "group.id": uniqueName(), ...properties },
    {
      onWake: () => undefined,
      onRebalance: () => undefined,
      onCommit: (error) => commits.push(error),
      onFatal: (error) => {
        throw error;
      },
    },
  );
  closing.push(() => native.disconnect());
  await native.connect();
  return { native, commits };
}

async function openProducer(onReport: (code: number) => void = () => undefined): Promise<NativeProducer> {
  const producer = new NativeProducer(config, "producer of a test", roomForLargest, {
    onReport,
    onFatal: (error) => {
      throw error;
    },
  });
  closing.push(() => producer.disconnect());
  await producer.connect();
  return producer;
}

const encoded = (over: Partial<EncodedRecord> = {}): EncodedRecord => ({
  key: null,
  value: null,
  headers: undefined,
  partition: 0,
  timestamp: undefined,
  size: 30 * 2 ** 20,
  ...over,
});

test("is what these tests run on", () => {
  expect(fastPath().reason).toBeUndefined();
});

describe("records that go and come by the fast path", () => {
  const bytes = fc.oneof(
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constant(Buffer.alloc(0)) },
    { weight: 3, arbitrary: fc.string().map((text) => Buffer.from(text)) },
    { weight: 3, arbitrary: fc.string({ unit: "grapheme" }).map((text) => Buffer.from(text)) },
    {
      weight: 3,
      arbitrary: fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
    },
  );
  const name = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\0"));
  const arbitrary = fc.record({
    key: bytes,
    value: bytes,
    headers: fc.option(fc.array(fc.tuple(name, bytes), { minLength: 1, maxLength: 5 }), { nil: undefined }),
    timestamp: fc.option(fc.integer({ min: 1, max: 1.7e12 }), { nil: undefined }),
    partition: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
  });
  const sizes = [0, 1, 1_000, 65_536, 1_000_000, 4 * 2 ** 20, 5 * 2 ** 20, largest];
  const samples = [
    ...fc.sample(arbitrary, 1_500),
    ...sizes.map((size) => ({
      key: null,
      value: size % 2 === 0 ? randomBytes(size) : Buffer.alloc(size, "ab"),
      headers: undefined,
      timestamp: undefined,
      partition: undefined,
    })),
  ].map((record, index) => ({
    ...record,
    // Which one it is, whatever partition it comes from.
    headers: [["number", Buffer.from(String(index))] as const, ...(record.headers ?? [])],
  }));

  test("are what was sent, and what the binding gives", { timeout: 120_000 }, async () => {
    const topic = await createTopic({ partitions: 3, config: { "max.message.bytes": String(2 * largest) } });
    const reports: number[] = [];
    const producer = await openProducer((code) => reports.push(code));
    const records = samples.map(({ key, value, headers, timestamp, partition }) =>
      encodedRecord(key, value, encodeRawHeaders(headers), partition, timestamp),
    );
    for (let from = 0; from < records.length; from += 100) {
      const some = records.slice(from, from + 100);
      expect(
        producer.produce(
          topic,
          some,
          some.map((_, index) => from + index),
        ),
      ).toBeUndefined();
    }
    await until("all are reported", () => reports.length === records.length, 60_000);
    expect(reports.every((code) => code === queued)).toBe(true);

    const { native } = await openConsumer(roomForLargest);
    native.assignManually([0, 1, 2].map((partition) => ({ topic, partition, offset: 0 })));
    const fast: RawRecord[] = [];
    await until(
      "all are fetched",
      async () => {
        fast.push(...(await native.fetch(500)).records);
        return fast.length >= samples.length;
      },
      60_000,
    );
    const plain = await fetchWithBinding(topic, samples.length);

    const positions = (list: readonly RawRecord[]) =>
      list.map(({ partition, offset }) => [partition, offset]);
    expect(fast.length).toBe(samples.length);
    expect(sorted(positions(fast))).toEqual(sorted(positions(plain)));
    const plainAt = new Map(plain.map((record) => [`${record.partition} ${record.offset}`, record]));
    for (const record of fast) {
      const headers = record.rawHeaders ?? [];
      const sample = samples[Number(headers[0]?.[1])];
      const other = plainAt.get(`${record.partition} ${record.offset}`);
      if (sample === undefined || other === undefined) throw new Error("a record that was never sent");
      expect(same(record.key, sample.key) && same(record.value, sample.value)).toBe(true);
      expect(same(record.key, other.key) && same(record.value, other.value)).toBe(true);
      expect(headers).toEqual(sample.headers);
      expect(headersOf(record)).toEqual(headersOf(other));
      expect(record.timestamp).toBe(other.timestamp);
      if (sample.timestamp !== undefined) expect(record.timestamp).toBe(sample.timestamp);
      if (sample.partition !== undefined) expect(record.partition).toBe(sample.partition);
      expect([record.topic, record.size]).toEqual([topic, sample.value?.length ?? 0]);
      expect([other.topic, other.size]).toEqual([topic, sample.value?.length ?? 0]);
      for (const part of ["key", "value"] as const) expect(record.text?.(part)).toBe(textOf(sample[part]));
    }
  });

  test("have the JSON that the parser gives, whatever its form", { timeout: 120_000 }, async () => {
    const topic = await createTopic({ partitions: 1 });
    const number = fc.oneof(
      fc.integer(),
      fc.integer({ min: -10, max: 10 }),
      fc.maxSafeInteger(),
      fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
      fc.double({ noDefaultInfinity: true, noNaN: true }),
      fc.tuple(fc.integer(), fc.nat({ max: 10_000 })).map(([whole, part]) => `${whole}.${part}`),
      fc.constantFrom(
        "-0",
        "0.0",
        "-0.0",
        "1e400",
        "1E5",
        "0.1e-7",
        "2147483648",
        "-2147483648",
        "4294967296",
      ),
      // What is no JSON must not become a value.
      fc.constantFrom("01", "-", "+1", "1.", ".5", "1e", "0x1", "--1", "00", "1.2.3", "NaN", "1e+", "-a"),
    );
    const string = fc.oneof(
      fc.string().map((plain) => JSON.stringify(plain)),
      fc.string({ unit: "binary" }).map((any) => JSON.stringify(any)),
      fc.string({ minLength: 8, maxLength: 40 }).map((plain) => JSON.stringify(plain)),
      fc.constantFrom(
        '"\\u00e9"',
        '"\\/"',
        '"\\x"',
        '"\t"',
        '"\u0000"',
        '"\\',
        '"',
        '"\\\\"',
        '"\u007f"',
        '"\u2028"',
      ),
    );
    const word = fc.constantFrom(
      "true",
      "false",
      "null",
      "tru",
      "nulll",
      "True",
      "",
      "undefined",
      "[]",
      "{}",
    );
    const scalar = fc
      .oneof({ weight: 4, arbitrary: number }, { weight: 4, arbitrary: string }, word)
      .map(String);
    const piece = fc.constantFrom(
      ['{"a":', ',"b":', ',"c":{"d":', ',"e":[', "]}}"],
      ["[", ",", ",", ', {"x": ', "}\n]"],
      ['{ "id" : ', ', "2" : ', ', "1" : ', ', "id" : ', "}"],
      ['{"a":', ',"toString":', ',"constructor":', ',"__proto__":', "}"],
    );
    const texts = fc
      .sample(
        fc.tuple(
          piece,
          fc.array(fc.array(scalar, { minLength: 4, maxLength: 4 }), { maxLength: 200, size: "max" }),
        ),
        60,
      )
      .flatMap(([pieces, rows]) =>
        // The first is JSON, so that its form is learned.
        [["1", '"b"', "null", "2.5"], ...rows].map((row) =>
          pieces.map((part, at) => part + (row[at] ?? "")).join(""),
        ),
      );
    const producer = await openProducer();
    const records = texts.map((text) =>
      encodedRecord(null, Buffer.from(text), encodeRawHeaders([]), 0, undefined),
    );
    const numbers = Array.from({ length: 500 }, (_, number) => number);
    for (let from = 0; from < records.length; from += 500)
      expect(producer.produce(topic, records.slice(from, from + 500), numbers)).toBeUndefined();
    const { native } = await openConsumer();
    native.assignManually([{ topic, partition: 0, offset: 0 }]);
    let at = 0;
    let parsed = 0;
    const parse = (text: string): unknown => {
      parsed += 1;
      return JSON.parse(text);
    };
    await until(
      "all are fetched",
      async () => {
        for (const record of (await native.fetch(40)).records) {
          const text = texts[at] ?? "";
          expect(
            outcomeOf(() => record.json?.(parse)),
            text,
          ).toEqual(outcomeOf(() => JSON.parse(text) as unknown));
          at += 1;
        }
        return at >= texts.length;
      },
      60_000,
    );
    // Both ways were gone.
    expect(texts.length).toBeGreaterThan(2_000);
    expect(parsed).toBeGreaterThan(100);
    expect(texts.length - parsed).toBeGreaterThan(100);
  });

  test("are reported each once, with what the broker says", async () => {
    const topic = await createTopic({ partitions: 2 });
    const tags: (number | undefined)[] = [];
    const producer = await openProducer();
    const reported = new Map<number, { code: number; partition: number; offset: number }>();
    const watched = new NativeProducer(
      config,
      "producer of a test",
      {},
      {
        onReport: (code, tag, of, partition, offset) => {
          expect(of).toBe(topic);
          tags.push(tag);
          reported.set(tag ?? -1, { code, partition, offset });
        },
        onFatal: () => undefined,
      },
    );
    closing.push(() => watched.disconnect());
    await watched.connect();
    const count = 5_000;
    const value = Buffer.from("x");
    const records = Array.from({ length: count }, () => encoded({ value, partition: undefined, size: 1 }));
    expect(
      watched.produce(
        topic,
        records,
        records.map((_, index) => index),
      ),
    ).toBeUndefined();
    await until("all are reported", () => reported.size === count);
    await sleep(100);
    expect(tags.length).toBe(count);
    const perPartition = [0, 1].map((partition) =>
      [...reported.values()].filter((report) => report.partition === partition).map(({ offset }) => offset),
    );
    for (const offsets of perPartition) expect(offsets).toEqual(offsets.map((_, index) => index));
    expect([...reported.values()].every(({ code }) => code === queued)).toBe(true);
    expect(producer.takeReports()).toBe(true);
  });
});

test("success is reported of the records that ask for it, beside others of the same client, with a tag or without", async () => {
  const [first, second] = [await createTopic(), await createTopic()];
  const reported: unknown[] = [];
  const producer = new NativeProducer(
    config,
    "producer of a test",
    {},
    {
      onReport: (code, tag, topic, _partition, offset) => reported.push([code, tag, topic, offset]),
      onFatal: () => undefined,
    },
  );
  closing.push(() => producer.disconnect());
  await producer.connect();
  const record = encoded({ value: Buffer.from("x"), size: 1 });
  expect(producer.produce(first, [record, record], undefined)).toBeUndefined();
  expect(producer.produce(second, [record], undefined, true)).toBeUndefined();
  expect(producer.produce(first, [record], undefined, true)).toBeUndefined();
  expect(producer.produce(second, [record, record], [7, 8])).toBeUndefined();
  expect(producer.produce(first, [record], undefined)).toBeUndefined();
  await producer.flush(10_000);
  producer.takeReports();
  expect(new Set(reported)).toEqual(
    new Set([
      [queued, undefined, second, 0],
      [queued, undefined, first, 2],
      [queued, 7, second, 1],
      [queued, 8, second, 2],
    ]),
  );
});

describe("what the binding drops or delays", () => {
  test("errors that stand behind records are told", async () => {
    const [full, empty] = [await createTopic(), await createTopic()];
    const producer = await openProducer();
    const records = Array.from({ length: 200 }, () => encoded({ value: Buffer.from("x"), size: 1 }));
    producer.produce(
      full,
      records,
      records.map((_, index) => index),
    );
    await producer.flush(10_000);
    const { native } = await openConsumer({ "auto.offset.reset": "error" });
    native.assignManually([
      { topic: full, partition: 0, offset: 0 },
      { topic: empty, partition: 0, offset: 1_000 },
    ]);
    // Both answers are in the queue before the first fetch.
    await until("the records are there", () => native.knownEnd({ topic: full, partition: 0 }) === 200);
    await sleep(1_000);
    let fetched = 0;
    const errors: KafkaError[] = [];
    await until("the error is told", async () => {
      await native.fetch(1_000).then(
        (some) => (fetched += some.records.length),
        (error: unknown) => errors.push(error as KafkaError),
      );
      return errors.length > 0 && fetched === 200;
    });
    const autoOffsetReset = -140;
    expect(errors).toMatchObject([{ nativeCode: autoOffsetReset }]);
  });

  test("the outcome of a commit needs no fetch, whatever waits in front of it", async () => {
    const topic = await createTopic();
    const producer = await openProducer();
    const records = Array.from({ length: 1_000 }, () => encoded({ value: Buffer.from("x"), size: 1 }));
    producer.produce(
      topic,
      records,
      records.map((_, index) => index),
    );
    await producer.flush(10_000);
    const { native, commits } = await openConsumer();
    native.assignManually([{ topic, partition: 0, offset: 0 }]);
    await until("the records are there", () => native.knownEnd({ topic, partition: 0 }) === 1_000);
    native.commit([{ topic, partition: 0, offset: 500 }]);
    native.commit([{ topic, partition: 0, offset: 600 }]);
    await until("both outcomes are told", () => commits.length === 2);
    expect(commits).toEqual([undefined, undefined]);
    expect(await native.committed([{ topic, partition: 0 }], 5_000)).toEqual([
      { topic, partition: 0, offset: 600 },
    ]);
  });

  test("fetches that are asked for at the same time are answered in their order", async () => {
    const topic = await createTopic();
    const producer = await openProducer();
    const records = Array.from({ length: 100 }, () => encoded({ value: Buffer.from("x"), size: 1 }));
    producer.produce(
      topic,
      records,
      records.map((_, index) => index),
    );
    await producer.flush(10_000);
    const { native } = await openConsumer();
    native.assignManually([{ topic, partition: 0, offset: 0 }]);
    await until("the records are there", () => native.knownEnd({ topic, partition: 0 }) === 100);
    await sleep(200);
    const offsets: number[] = [];
    await until("all are fetched", async () => {
      const fetched = await Promise.all(Array.from({ length: 12 }, () => native.fetch(10)));
      offsets.push(...fetched.flatMap((some) => some.records.map(({ offset }) => offset)));
      return offsets.length >= 100;
    });
    expect(offsets).toEqual(Array.from({ length: 100 }, (_, offset) => offset));
  });
});

describe("the addon", () => {
  const { addon } = fastPath();
  if (addon === undefined) throw new Error("there is no addon");
  const none = () => undefined;

  test("knows no client that was not made with it", () => {
    expect(() => new addon.Consumer("nobody", none, none)).toThrow("no native client");
    expect(() => new addon.Producer("nobody", none)).toThrow("no native client");
    expect(() => {
      addon.askLeaders("nobody", "topic", 1, 1_000, none);
    }).toThrow("no native client");
  });

  test("refuses arguments and objects of a wrong type", () => {
    const construct = (type: unknown, ...parameters: unknown[]): unknown =>
      Reflect.construct(type as new () => unknown, parameters) as unknown;
    const call = (type: { readonly prototype: object }, method: string, ...parameters: unknown[]) => {
      const found: unknown = Reflect.get(type.prototype, method);
      Reflect.apply(found as () => unknown, {}, parameters);
    };
    expect(() => construct(addon.Consumer)).toThrow(TypeError);
    expect(() => construct(addon.Producer, "token", 1)).toThrow(TypeError);
    expect(() => {
      call(addon.Consumer, "fetch", 1);
    }).toThrow();
    expect(() => {
      call(addon.Producer, "produce", 0, new Int32Array(8), 1, Buffer.alloc(0));
    }).toThrow();
  });
});

/** Reads with a client of the binding alone. */
async function fetchWithBinding(topic: string, count: number): Promise<RawRecord[]> {
  const { KafkaConsumer } = loadBinding();
  const native = new KafkaConsumer(
    {
      ...config.properties,
      ...roomForLargest,
      "group.id": uniqueName(),
      "enable.auto.commit": false,
      "auto.offset.reset": "earliest",
    },
    null,
  );
  native.configureCallbacks(true, { global: {}, topic: {}, event: { event_cb: () => undefined } });
  await new Promise((resolve, reject) => {
    native.connect((error, result) => {
      if (error) reject(new Error(error.message));
      else resolve(result);
    });
  });
  native.assign([0, 1, 2].map((partition) => ({ topic, partition, offset: 0 })));
  const records: RawRecord[] = [];
  await until(
    "the binding has fetched all",
    async () => {
      records.push(
        ...(await new Promise<RawRecord[]>((resolve, reject) => {
          native.consume(50, 500, true, (error, some) => {
            if (error) reject(new Error(error.message));
            else resolve(some);
          });
        })),
      );
      return records.length >= count;
    },
    60_000,
  );
  await new Promise<void>((resolve) => {
    native.disconnect(() => {
      resolve();
    });
  });
  return records;
}

function sorted(positions: readonly (readonly number[])[]): readonly (readonly number[])[] {
  return positions.toSorted(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d);
}

/** `expect` alone would take minutes for megabytes. */
function same(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}

function headersOf({ headers = [] }: RawRecord): unknown {
  return headers.map((header) => {
    const entry = Object.entries(header)[0];
    // The binding makes the value of this name the object's prototype.
    return entry ?? ["__proto__", Object.getPrototypeOf(header) as unknown];
  });
}

function textOf(bytes: Buffer | null): string | undefined {
  if (bytes === null) return undefined;
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

/** What is made, the order of keys included, or what the parser says. */
function outcomeOf(make: () => unknown): readonly [unknown, string] | string {
  try {
    const value = make();
    return [value, JSON.stringify(value)];
  } catch (error) {
    return String(error);
  }
}

// A processor gives its offsets to a transaction ten times a second, for as long as it runs.
test("offsets of transactions leave nothing in memory", async () => {
  const producer = await openProducer();
  const { native: consumer } = await openConsumer();
  const offsets = Array.from({ length: 20_000 }, (_, partition) => ({
    topic: "one",
    partition,
    offset: 1,
    metadata: "some metadata",
  }));
  // Refused before a broker is asked: there is no transaction.
  const sendMany = async (calls: number): Promise<void> => {
    for (let call = 0; call < calls; call += 1)
      await expect(producer.sendOffsets(offsets, consumer, 5_000)).rejects.toThrow(
        "offsets of a transaction",
      );
  };
  await sendMany(10);
  const before = process.memoryUsage.rss();
  await sendMany(60);
  // 1,200,000 offsets: not freed, they are 200 MB.
  expect(process.memoryUsage.rss() - before).toBeLessThan(80e6);
});
