import { setTimeout as sleep } from "node:timers/promises";
import {
  bytes,
  ClosedError,
  ConfigError,
  defineTopic,
  Kafka,
  KafkaError,
  type ProcessorOptions,
  ProducerFencedError,
  SerializationError,
  string,
  type Topic,
  type TopicPartition,
} from "typed-kafka";
import { afterAll, describe, expect, inject, test } from "vitest";
import { deferred } from "../../src/waiting.js";
import { until } from "../support/consuming.js";
import { errorOf } from "../support/outcomes.js";
import { silent } from "../support/silent.js";
import { newTopic, valuesOf } from "../support/string-topics.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
afterAll(() => kafka.close());

async function fill(topic: Topic<string>, count: number, from = 0): Promise<void> {
  const producer = kafka.producer();
  const records = Array.from({ length: count }, (_, index) => ({
    key: `k${(from + index) % 10}`,
    value: String(from + index),
  }));
  await producer.send(topic, records);
  await producer.close();
}

const numbers = (values: readonly string[]): number[] => values.map(Number).sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      reject(signal.reason as Error);
    });
  });

const names = (): Pick<ProcessorOptions, "groupId" | "transactionalId"> => ({
  groupId: uniqueName("group"),
  transactionalId: uniqueName("tx"),
});

test("close awaited inside a handler ends after drainTimeoutMs, and its record is redelivered", async () => {
  const [input, output] = [await newTopic(), await newTopic()];
  await fill(input, 1);
  const options = { ...names(), drainTimeoutMs: 500 };
  const first = kafka.processor(input, options);
  let signal: AbortSignal | undefined;
  await first.run(async ({ value }, tx, context) => {
    ({ signal } = context);
    await tx.send(output, { value });
    await first.close();
  });
  expect(signal?.aborted).toBe(true);
  expect(await valuesOf(kafka, output)).toEqual([]);
  await using second = kafka.processor(input, options);
  const done = second.run(({ value }, tx) => tx.send(output, { value }));
  await until("it is redelivered", async () => (await valuesOf(kafka, output)).length > 0);
  await second.close();
  await done;
});

describe("a processor", () => {
  test.each(["partition", "key", "none"] as const)(
    "delivers every record and writes what its handler sends, once, with order: %s",
    async (order) => {
      const [input, output] = [await newTopic(3), await newTopic(3)];
      await fill(input, 1_000);
      const options = { ...names(), order, concurrency: 7, commitIntervalMs: 20 };
      const running = new Map<string, string>();
      for (const half of [0, 1]) {
        await using processor = kafka.processor(input, options);
        let handled = 0;
        const done = processor.run(async (record, tx) => {
          if (order === "key") expect(running.has(String(record.key))).toBe(false);
          running.set(String(record.key), record.value);
          await sleep(Math.random() * 4);
          await tx.send(output, { key: record.key, value: record.value });
          running.delete(String(record.key));
          handled += 1;
        });
        await until("its share is handled", () => handled >= (half === 0 ? 400 : 200));
        if (half === 1)
          await until("all are copied", async () => (await valuesOf(kafka, output)).length >= 1_000);
        await processor.close();
        await done;
      }
      const values = await valuesOf(kafka, output);
      expect(numbers(values)).toEqual(upTo(1_000));
      if (order === "none") return;
      const last = new Map<number, number>();
      for (const value of values.map(Number)) {
        expect(value).toBeGreaterThan(last.get(value % 10) ?? -1);
        last.set(value % 10, value);
      }
    },
  );

  test("writes what a buffer held when it was sent, although its handler uses it again", async () => {
    const input = await newTopic();
    const output = defineTopic(await createTopic(), { value: bytes(), key: bytes() });
    await fill(input, 50);
    const scratch = Buffer.alloc(20);
    const use = (text: string): Buffer => scratch.subarray(0, scratch.write(text));
    await using processor = kafka.processor(input, names());
    let handled = 0;
    const done = processor.run(async ({ value }, tx) => {
      for (const round of ["a", "b"]) {
        const all = use(`${round}${value}`);
        await tx.send(output, { key: all, value: all, headers: { bytes: all, text: "kept", none: "" } });
      }
      await tx.send(output, { key: Buffer.alloc(0), value: Buffer.alloc(0) });
      handled += 1;
    });
    await until("all are handled", () => handled === 50);
    await processor.close();
    await done;
    const expected = upTo(50).flatMap((value) => [`a${value}`, `b${value}`, ""]);
    const found = [];
    for await (const { key, value, headers } of kafka.read(output)) {
      expect(String(key)).toBe(String(value));
      if (value.length > 0) expect(headers).toEqual({ bytes: String(value), text: "kept", none: "" });
      found.push(String(value));
    }
    expect(found).toEqual(expected);
  });

  test("calls a synchronous handler too, and one that sends nothing", async () => {
    const input = await newTopic(2);
    await fill(input, 500);
    const options = names();
    const seen: number[] = [];
    await using processor = kafka.processor(input, options);
    const done = processor.run(({ value }) => void seen.push(Number(value)));
    await until("all are handled", () => seen.length === 500);
    await processor.close();
    await done;
    await fill(input, 3, 500);
    await using next = kafka.processor(input, options);
    const nextDone = next.run(({ value }) => void seen.push(Number(value)));
    await until("the new ones are handled", () => seen.length >= 503);
    await next.close();
    await nextDone;
    expect(seen.sort((a, b) => a - b)).toEqual(upTo(503));
  });

  test("delivers records in batches and commits each with what was sent for it", async () => {
    const [input, output] = [await newTopic(3), await newTopic()];
    await fill(input, 1_000);
    await using processor = kafka.processor(input, { ...names(), maxTransactionRecords: 100 });
    const sizes: number[] = [];
    const done = processor.runBatch(
      async (records, tx) => {
        sizes.push(records.length);
        await tx.send(output, { value: records.map(({ value }) => value).join() });
      },
      { maxRecords: 50, acrossPartitions: true },
    );
    await until("all are handled", () => sizes.reduce((sum, size) => sum + size, 0) >= 1_000);
    await processor.close();
    await done;
    expect(Math.max(...sizes)).toBeLessThanOrEqual(50);
    expect(numbers((await valuesOf(kafka, output)).flatMap((value) => value.split(",")))).toEqual(
      upTo(1_000),
    );
  });

  test("writes a long backlog once, also where batches finish while a transaction is being committed", async () => {
    const [input, output] = [await newTopic(2), await newTopic(2)];
    for (let from = 0; from < 60_000; from += 10_000) await fill(input, 10_000, from);
    await using processor = kafka.processor(input, { ...names(), commitIntervalMs: 10 });
    let handled = 0;
    const done = processor.runBatch((records, tx) => {
      handled += records.length;
      return tx.send(
        output,
        records.map(({ key, value }) => ({ key, value })),
      );
    });
    await until("all are handled", () => handled >= 60_000);
    await processor.close();
    await done;
    expect(numbers(await valuesOf(kafka, output))).toEqual(upTo(60_000));
  });

  test("delivers nothing of paused partitions, commits what was in flight, and goes on after resume", async () => {
    const [input, output] = [await newTopic(2), await newTopic()];
    await fill(input, 200);
    const options = names();
    const handled: { partition: number; offset: number }[] = [];
    await using processor = kafka.processor(input, options);
    const done = processor.run(async ({ partition, offset, value }, tx) => {
      handled.push({ partition, offset });
      if (handled.length === 20) processor.pause();
      await sleep(1);
      await tx.send(output, { value });
    });
    await until("it is paused", () => handled.length >= 20);
    // The handlers in flight finish, and their transaction is committed although no more records come.
    const copied = async (): Promise<number> => (await valuesOf(kafka, output)).length;
    await until("what was in flight is committed", async () => (await copied()) === handled.length);
    const { length } = handled;
    // Long enough for a fetch, and for the poll that is due each second.
    await sleep(1_200);
    expect(handled).toHaveLength(length);
    expect(await copied()).toBe(length);

    // One partition goes on, the other stays paused.
    const [one, other] = [0, 1].map((partition) => ({ topic: input.name, partition }));
    processor.resume([one as TopicPartition]);
    const behind = async () => (await processor.lag()).find(({ partition }) => partition === 1)?.lag;
    const left = await behind();
    await until("one is through", async () => (await processor.lag()).some(({ lag }) => lag === 0));
    expect(await behind()).toBe(left);
    expect(left).toBeGreaterThan(0);
    processor.resume([other as TopicPartition]);
    await until("all are handled", () => handled.length === 200);
    await processor.close();
    await done;
    expect(numbers(await valuesOf(kafka, output))).toEqual(upTo(200));
    for (const number of [0, 1]) {
      const offsets = handled.filter(({ partition }) => partition === number).map(({ offset }) => offset);
      expect(offsets).toEqual(upTo(offsets.length));
    }
  });

  test("tells its partitions and how far behind it is in each", async () => {
    const [input, output] = [await newTopic(2), await newTopic()];
    const producer = kafka.producer();
    const send = (partition: number, count: number): Promise<unknown> =>
      producer.send(
        input,
        upTo(count).map((value) => ({ value: String(value), partition })),
      );
    await send(0, 5);
    await send(1, 3);
    await using processor = kafka.processor(input, names());
    expect(processor.assignment).toEqual([]);
    const both = [0, 1].map((partition) => ({ topic: input.name, partition }));
    expect(() => {
      processor.pause(both);
    }).toThrow(expect.objectContaining({ code: "UNKNOWN_PARTITION", topic: input.name, partition: 0 }));
    const held = deferred();
    let handled = 0;
    const done = processor.run(async ({ partition, offset, value }, tx) => {
      if (partition === 0 && offset === 2) await held.promise;
      await tx.send(output, { value });
      handled += 1;
    });
    await until("all but what is held up are handled", () => handled === 5);
    expect(processor.assignment).toHaveLength(2);
    expect(processor.assignment).toEqual(expect.arrayContaining(both));
    const lag = async () => [...(await processor.lag())].toSorted((a, b) => a.partition - b.partition);
    await until("they have entered a transaction", async () => (await lag())[1]?.lag === 0);
    expect(await lag()).toEqual([
      { topic: input.name, partition: 0, lag: 3, end: 5, next: 2 },
      { topic: input.name, partition: 1, lag: 0, end: 3, next: 3 },
    ]);
    held.resolve();
    await until("it has caught up", async () => (await lag()).every((each) => each.lag === 0));
    await processor.close();
    await done;
    await producer.close();
  });

  test("paused in onRebalance, delivers no record of its new assignment until it is resumed", async () => {
    const [input, output] = [await newTopic(), await newTopic()];
    await fill(input, 10);
    let handled = 0;
    let isAssigned = false;
    await using processor = kafka.processor(input, {
      ...names(),
      onRebalance: ({ type }) => {
        if (type !== "assigned") return;
        processor.pause();
        isAssigned = true;
      },
    });
    const done = processor.run(async ({ value }, tx) => {
      handled += 1;
      await tx.send(output, { value });
    });
    await until("it is assigned", () => isAssigned);
    await sleep(1_200);
    expect(handled).toBe(0);
    expect(await processor.lag()).toMatchObject([{ lag: 10 }]);
    processor.resume();
    await until("all are copied", async () => (await valuesOf(kafka, output)).length === 10);
    await processor.close();
    await done;
  });

  test("stops with the handler's own error, of which nothing is visible, and goes on there next time", async () => {
    const [input, output] = [await newTopic(), await newTopic()];
    await fill(input, 20);
    const options = names();
    const mine = new Error("not 7");
    await using processor = kafka.processor(input, options);
    const error = await errorOf(
      processor.run(async ({ value }, tx) => {
        await tx.send(output, { value });
        if (value === "7") throw mine;
      }),
    );
    expect(error).toBe(mine);
    expect(numbers(await valuesOf(kafka, output))).toEqual(upTo(7));
    await using next = kafka.processor(input, options);
    const done = next.run((record, tx) => void tx.send(output, { value: record.value }));
    await until("the rest is copied", async () => (await valuesOf(kafka, output)).length >= 20);
    await next.close();
    await done;
    expect(await valuesOf(kafka, output)).toEqual(upTo(20).map(String));
  });

  test("stops with the error of a send that failed", async () => {
    const [input, output] = [await newTopic(), await newTopic()];
    await fill(input, 1);
    await using processor = kafka.processor(input, names());
    const error = await errorOf(
      processor.run((_, tx) => {
        void tx.send(output, { value: 1 as unknown as string });
      }),
    );
    expect(error).toBeInstanceOf(SerializationError);
    expect(await valuesOf(kafka, output)).toEqual([]);
  });

  test("stops with the broker's reason where a record can never be written", async () => {
    const [input, small] = [await newTopic(), await newTopic(1, { "max.message.bytes": "1000" })];
    await fill(input, 1);
    await using processor = kafka.processor(input, names());
    const error = await errorOf(processor.run((_, tx) => void tx.send(small, { value: "x".repeat(5_000) })));
    expect(error).toBeInstanceOf(KafkaError);
    expect(error).toMatchObject({ topic: small.name });
    expect(await valuesOf(kafka, small)).toEqual([]);
  });

  test("stops at the first refusal with its reason, also where thousands of records follow the one refused", async () => {
    const [input, output] = [await newTopic(), await newTopic()];
    await fill(input, 50_000);
    let rolledBack = 0;
    const watching = new Kafka({
      brokers: inject("brokers"),
      logger: {
        ...silent,
        info: (message) => {
          if (message.includes("rolled back")) rolledBack += 1;
        },
      },
    });
    // A broker here takes 1 MB. Handlers that finish at once hand thousands of records over before it says so.
    const tooLarge = "x".repeat(2_000_000);
    const processor = watching.processor(input, names());
    const error = await errorOf(
      processor.run(({ value }, tx) => void tx.send(output, { value: value === "100" ? tooLarge : value })),
    );
    await watching.close();
    expect(error).toMatchObject({ code: "RECORD_TOO_LARGE", topic: output.name });
    expect(rolledBack).toBe(1);
    expect((await valuesOf(kafka, output)).length).toBeLessThanOrEqual(100);
  });

  test("copies a backlog to a topic that takes only small batches, in batches as small", async () => {
    const [input, small] = [await newTopic(), await newTopic(1, { "max.message.bytes": "5000" })];
    await fill(input, 1_000);
    await using processor = kafka.processor(input, { ...names(), maxBatchBytes: 5_000 });
    const done = processor.run(({ value }, tx) => tx.send(small, { value }));
    await Promise.race([
      until("the first thousand", async () => (await valuesOf(kafka, small)).length >= 1_000),
      done,
    ]);
    await processor.close();
    await done;
    expect(numbers(await valuesOf(kafka, small))).toEqual(upTo(1_000));
  });

  test("order: key, one slow key holds up the others for a while and not for ever", async () => {
    const [source, target] = [await newTopic(), await newTopic()];
    await using producer = kafka.producer();
    const count = 12_000;
    await producer.send(
      source,
      Array.from({ length: count }, (_, index) => ({
        key: index === 0 || index === 100 ? "slow" : `k${index}`,
        value: String(index),
      })),
    );
    const gate = deferred();
    let handled = 0;
    const processor = kafka.processor(source, { ...names(), order: "key", concurrency: 50 });
    const running = processor.run(async ({ value }, tx) => {
      if (value === "0") await gate.promise;
      handled += 1;
      await tx.send(target, { value });
    });
    // What is behind the slow one in the log cannot be committed; so much of it may wait.
    await until("what may wait does", () => handled >= 5_000);
    for (let before = 0; before < handled;) {
      before = handled;
      await sleep(200);
    }
    expect(handled).toBeLessThan(8_000);
    gate.resolve();
    await until("all are handled", () => handled === count);
    await processor.close();
    await running;
    expect(numbers(await valuesOf(kafka, target))).toEqual(upTo(count));
  });

  test("order: key, one slow record holds up only its own partition", async () => {
    const [source, target] = [await newTopic(2), await newTopic()];
    const recordsOf = (partition: number, count: number) =>
      Array.from({ length: count }, (_, index) => ({
        key: String(index),
        value: index === 0 && partition === 0 ? "slow" : `${partition}`,
        partition,
      }));
    await using producer = kafka.producer();
    await producer.send(source, recordsOf(0, 7_000));
    const gate = deferred();
    const handled = [0, 0];
    const processor = kafka.processor(source, { ...names(), order: "key", concurrency: 20 });
    const running = processor.run(async ({ value, partition }, tx) => {
      if (value === "slow") await gate.promise;
      handled[partition] = (handled[partition] ?? 0) + 1;
      await tx.send(target, { value });
    });
    await until("what may wait does", () => (handled[0] ?? 0) >= 5_000);
    await producer.send(source, recordsOf(1, 1_000));
    await until("the other partition goes on", async () => (await valuesOf(kafka, target)).length >= 1_000);
    expect(new Set(await valuesOf(kafka, target))).toEqual(new Set(["1"]));
    expect(handled[0]).toBeLessThan(6_900);
    gate.resolve();
    await until("its own goes on", () => handled[0] === 7_000);
    await processor.close();
    await running;
    expect((await valuesOf(kafka, target)).length).toBe(8_000);
  });

  test("what was done ahead in a partition that is revoked holds up no other", async () => {
    const [source, target] = [await newTopic(2), await newTopic()];
    await using producer = kafka.producer();
    const each = 4_000;
    for (const partition of [0, 1])
      await producer.send(
        source,
        Array.from({ length: each }, (_, index) => ({
          key: `${partition} ${index}`,
          value: String(partition * each + index),
          partition,
        })),
      );
    const gate = deferred();
    const options = { groupId: uniqueName(), order: "key", concurrency: 50, drainTimeoutMs: 500 } as const;
    const handled = [0, 0];
    const start = (number: number) => {
      const processor = kafka.processor(source, { ...options, transactionalId: uniqueName() });
      const running = processor.run(async ({ value }, tx, { signal }) => {
        if (Number(value) % each === 0) await Promise.race([gate.promise, aborted(signal)]);
        handled[number] = (handled[number] ?? 0) + 1;
        await tx.send(target, { value });
      });
      return { processor, running };
    };
    const first = start(0);
    await until("what may wait does", () => (handled[0] ?? 0) >= 5_000);
    const before = handled[0] ?? 0;
    const second = start(1);
    await until(
      "each has one",
      () => first.processor.assignment.length === 1 && second.processor.assignment.length === 1,
    );
    await until(
      "the first goes on",
      () => (handled[0] ?? 0) > before + 100 || (handled[0] ?? 0) >= 2 * each - 2,
    );
    gate.resolve();
    await until("all are copied", async () => (await valuesOf(kafka, target)).length >= 2 * each);
    for (const { processor, running } of [first, second]) {
      await processor.close();
      await running;
    }
    expect(numbers(await valuesOf(kafka, target))).toEqual(upTo(2 * each));
  });

  test("a handler that fails while closing waits for it is told", async () => {
    const source = await newTopic();
    await fill(source, 1);
    const begun = deferred();
    const processor = kafka.processor(source, names());
    const error = new Error("too late");
    const running = errorOf(
      processor.run(async () => {
        begun.resolve();
        await sleep(200);
        throw error;
      }),
    );
    await begun.promise;
    await processor.close();
    expect(await running).toBe(error);
  });

  test("stops with ProducerFencedError when another live instance takes its transactional id", async () => {
    const [input, output] = [await newTopic(2), await newTopic(2)];
    const options = names();
    await using older = kafka.processor(input, options);
    const copy = (record: { key: string | null; value: string }, tx: { send: unknown }): void => {
      void (tx as { send: (topic: Topic<string>, record: object) => Promise<void> }).send(output, {
        key: record.key,
        value: record.value,
      });
    };
    const stopped = errorOf(older.run(copy));
    await fill(input, 100);
    await until("the older one copies", async () => (await valuesOf(kafka, output)).length >= 100);
    await using newer = kafka.processor(input, options);
    const done = newer.run(copy);
    let sent = 100;
    const fenced = new AbortController();
    void stopped.finally(() => {
      fenced.abort();
    });
    while (!fenced.signal.aborted) {
      await fill(input, 20, sent);
      sent += 20;
    }
    expect(await stopped).toBeInstanceOf(ProducerFencedError);
    await fill(input, 20, sent);
    await until("the newer one copies", async () => new Set(await valuesOf(kafka, output)).size >= sent + 20);
    await newer.close();
    await done;
    const values = await valuesOf(kafka, output);
    expect(values.length).toBe(new Set(values).size);
  });

  test("shares its partitions with another one and takes them over after its graceful shutdown", async () => {
    const [input, output] = [await newTopic(4), await newTopic(4)];
    const groupId = uniqueName("group");
    const start = () => {
      const processor = kafka.processor(input, {
        groupId,
        transactionalId: uniqueName("tx"),
        sessionTimeoutMs: 3_000,
      });
      return {
        processor,
        done: processor.run((record, tx) => void tx.send(output, { key: record.key, value: record.value })),
      };
    };
    const first = start();
    await until("the first has all", () => first.processor.assignment.length === 4);
    await fill(input, 500);
    const second = start();
    await until(
      "each has half",
      () => second.processor.assignment.length === 2 && first.processor.assignment.length === 2,
    );
    await fill(input, 500, 500);
    await first.processor.close();
    await first.done;
    await fill(input, 500, 1_000);
    await until("all are copied", async () => (await valuesOf(kafka, output)).length >= 1_500);
    await second.processor.close();
    await second.done;
    expect(numbers(await valuesOf(kafka, output))).toEqual(upTo(1_500));
  });

  test("reads nothing of aborted or open transactions", async () => {
    const [input, output] = [await newTopic(), await newTopic()];
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName(), lingerMs: 0 });
    await errorOf(
      producer.transaction(async (tx) => {
        await tx.send(input, { value: "aborted" });
        await sleep(200);
        throw new Error("no");
      }),
    );
    await producer.transaction((tx) => tx.send(input, { value: "committed" }));
    await using processor = kafka.processor(input, names());
    const done = processor.run((record, tx) => void tx.send(output, { value: record.value }));
    await until("a record is copied", async () => (await valuesOf(kafka, output)).length > 0);
    await processor.close();
    await done;
    expect(await valuesOf(kafka, output)).toEqual(["committed"]);
    expect(() => kafka.processor(input, { ...names(), isolationLevel: "read_uncommitted" } as never)).toThrow(
      /isolationLevel/,
    );
  });

  test("commits one record to a transaction where told so", async () => {
    const [input, output] = [await newTopic(), await newTopic()];
    await fill(input, 30);
    await using processor = kafka.processor(input, { ...names(), maxTransactionRecords: 1 });
    const done = processor.run((record, tx) => void tx.send(output, { value: record.value }));
    await until("all are copied", async () => (await valuesOf(kafka, output)).length >= 30);
    await processor.close();
    await done;
    expect(await valuesOf(kafka, output)).toEqual(upTo(30).map(String));
    // Behind each record is the marker of its transaction.
    const [lag] = await kafka.admin().groupLag(uniqueName(), output);
    expect(lag?.end).toBe(60);
  });

  test('with order: "none" and one record to a transaction nothing is lost or doubled', async () => {
    const [input, output] = [await newTopic(), await newTopic()];
    await fill(input, 30);
    await using processor = kafka.processor(input, {
      ...names(),
      maxTransactionRecords: 1,
      order: "none",
      concurrency: 5,
    });
    const done = processor.run(async (record, tx) => {
      await sleep(Number(record.value) % 5 === 0 ? 50 : 1);
      await tx.send(output, { value: record.value });
    });
    await until("all are copied", async () => (await valuesOf(kafka, output)).length >= 30);
    await processor.close();
    await done;
    expect(numbers(await valuesOf(kafka, output))).toEqual(upTo(30));
  });

  test("can be closed before it has started, and runs once", async () => {
    const input = await newTopic();
    const processor = kafka.processor(input, names());
    const done = processor.run(() => undefined);
    expect(await errorOf(processor.run(() => undefined))).toBeInstanceOf(ConfigError);
    await processor.close();
    await done;
    expect(await errorOf(processor.run(() => undefined))).toBeInstanceOf(ClosedError);
  });

  test("stops with UNKNOWN_TOPIC where its topic does not exist", async () => {
    const missing = defineTopic(uniqueName("missing"), { value: string() });
    await using processor = kafka.processor(missing, names());
    expect(await errorOf(processor.run(() => undefined))).toMatchObject({ code: "UNKNOWN_TOPIC" });
  });

  test("names the option that is wrong", async () => {
    const input = await newTopic();
    const field = (options: object): unknown => {
      try {
        kafka.processor(input, { ...names(), ...options });
      } catch (error) {
        return error instanceof ConfigError ? error.field : error;
      }
      return undefined;
    };
    expect(field({ transactionalId: undefined })).toBe("transactionalId");
    expect(field({ groupId: "" })).toBe("groupId");
    expect(field({ commitIntervalMs: 0 })).toBe("commitIntervalMs");
    expect(field({ commitIntervalMs: 1_000, transactionTimeoutMs: 1_000 })).toBe("commitIntervalMs");
    expect(field({ maxTransactionRecords: 0 })).toBe("maxTransactionRecords");
    expect(field({ acks: 1 })).toBe("ProcessorOptions.acks");
  });
});
