import { afterAll, describe, expect, inject, test } from "vitest";
import {
  bytes,
  ConfigError,
  defineTopic,
  InvalidRecordError,
  Kafka,
  PermanentError,
  RetriesExhaustedError,
  RetryAfterError,
  string,
} from "typed-kafka";
import { z } from "zod";
import { committedOffsets, until } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

const textTopic = (name: string) => defineTopic(name, { value: string() });
const rawTopic = (name: string) => defineTopic(name, { value: bytes(), key: bytes(), tombstones: true });

/** Everything that is in a topic, as bytes. */
async function contentsOf(name: string) {
  const records = [];
  for await (const record of kafka.read(rawTopic(name))) records.push(record);
  return records;
}

async function topicWith(values: readonly string[], partitions = 1) {
  const topic = textTopic(await createTopic({ partitions }));
  if (values.length > 0)
    await producer.send(
      topic,
      values.map((value) => ({ value, key: value, partition: 0 })),
    );
  return topic;
}

describe("retry", () => {
  test("calls the handler again, with the attempt's number, and the record behind waits", async () => {
    const topic = await topicWith(["a", "b"]);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, retry: { attempts: 5, initialDelayMs: 20 } });
    const calls: string[] = [];
    await consumer.run(async ({ value }, { attempt }) => {
      calls.push(`${value}${attempt}`);
      await Promise.resolve();
      if (value === "a" && attempt < 3) throw new Error("not yet");
      if (value === "b") void consumer.close();
    });
    expect(calls).toEqual(["a1", "a2", "a3", "b1"]);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([2]);
  });

  test("with no attempt left and no dead letters it stops with the handler's error as the cause; the offset stays", async () => {
    const topic = await topicWith(["a", "b", "c"]);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, retry: { attempts: 3, initialDelayMs: 1 } });
    const boom = new Error("boom");
    const failure = await consumer
      .run(({ value }) => {
        if (value === "b") throw boom;
      })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RetriesExhaustedError);
    expect(failure).toMatchObject({ attempts: 3, cause: boom, topic: topic.name, offset: 1 });
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([1]);
  });

  test("a wait blocks only its own partition, whatever `concurrency` is", async () => {
    const topic = textTopic(await createTopic({ partitions: 2 }));
    await producer.send(topic, [
      { value: "fails", partition: 0 },
      ...Array.from({ length: 50 }, (_, index) => ({ value: String(index), partition: 1 })),
    ]);
    const consumer = kafka.consumer(topic, {
      groupId: uniqueName(),
      concurrency: 1,
      retry: { initialDelayMs: 1_500, jitter: false },
    });
    const order: string[] = [];
    await consumer.run(async ({ value }, { attempt }) => {
      await Promise.resolve();
      order.push(value);
      if (value !== "fails") return;
      if (attempt === 1) throw new Error("not yet");
      void consumer.close();
    });
    expect(order.lastIndexOf("fails")).toBe(51);
  });

  test('with order: "key" later records of the failing key wait behind it, and the other keys go on', async () => {
    const topic = textTopic(await createTopic({ partitions: 1 }));
    const values = ["bad1", "good1", "bad2", "good2", "good3", "bad3"];
    await producer.send(
      topic,
      values.map((value) => ({ value, key: value.slice(0, -1) })),
    );
    const consumer = kafka.consumer(topic, {
      groupId: uniqueName(),
      order: "key",
      concurrency: 4,
      retry: { initialDelayMs: 1_000, jitter: false },
    });
    const done: string[] = [];
    await consumer.run(async ({ value }, { attempt }) => {
      await Promise.resolve();
      if (value === "bad1" && attempt === 1) throw new Error("not yet");
      done.push(value);
      if (done.length === values.length) void consumer.close();
    });
    expect(done).toEqual(["good1", "good2", "good3", "bad1", "bad2", "bad3"]);
  });

  test("waiting longer than maxPollIntervalMs loses neither the partition nor the record", async () => {
    const topic = await topicWith(["a"]);
    const events: string[] = [];
    const consumer = kafka.consumer(topic, {
      groupId: uniqueName(),
      maxPollIntervalMs: 4_000,
      sessionTimeoutMs: 4_000,
      onRebalance: ({ type }) => void events.push(type),
      retry: { attempts: 2 },
    });
    const began = performance.now();
    await consumer.run((_, { attempt }) => {
      if (attempt === 1) throw new RetryAfterError(5_000);
      void consumer.close();
    });
    expect(performance.now() - began).toBeGreaterThan(5_000);
    expect(events).toEqual(["assigned", "revoked"]);
  });

  test("close during a wait is prompt, and leaves the offset uncommitted", async () => {
    const topic = await topicWith(["a", "b"]);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, retry: { attempts: 2 } });
    const calls: string[] = [];
    const running = consumer.run(({ value }) => {
      calls.push(value);
      throw new RetryAfterError(60_000);
    });
    await until("a call", () => calls.length === 1);
    const began = performance.now();
    await consumer.close();
    expect(performance.now() - began).toBeLessThan(20_000);
    await running;
    expect(calls).toEqual(["a"]);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([-1]);
  });

  test("a rebalance ends the wait, and the record comes to the partition's new owner", async () => {
    const topic = textTopic(await createTopic({ partitions: 2 }));
    await producer.send(
      topic,
      [0, 1].map((partition) => ({ value: `fails ${partition}`, partition })),
    );
    const groupId = uniqueName();
    const seen: string[] = [];
    const member = (name: string) => {
      const consumer = kafka.consumer(topic, { groupId, retry: { attempts: 2 } });
      const running = consumer.run(({ value }, { attempt }) => {
        seen.push(`${name}: ${value}, attempt ${attempt}`);
        throw new RetryAfterError(60_000);
      });
      return { consumer, running };
    };
    const first = member("first");
    await until("both fail", () => seen.length === 2);
    const began = performance.now();
    const second = member("second");
    await until("one is redelivered", () => seen.length === 3, 25_000);
    // A handler that does not end has 30 s.
    expect(performance.now() - began).toBeLessThan(25_000);
    expect(seen[2]).toMatch(/^second: fails [01], attempt 1$/);
    await Promise.all([first.consumer.close(), second.consumer.close()]);
    await Promise.all([first.running, second.running]);
  });

  test("a batch is called again as a whole", async () => {
    const topic = await topicWith(["a", "b"]);
    const consumer = kafka.consumer(topic, { groupId: uniqueName(), retry: { initialDelayMs: 1 } });
    const attempts: number[] = [];
    await consumer.runBatch((records, { attempt }) => {
      attempts.push(attempt);
      if (attempt < 3) throw new Error("not yet");
      if (records.some(({ value }) => value === "b")) void consumer.close();
    });
    expect(attempts).toEqual([1, 2, 3]);
  });
});

describe("deadLetter", () => {
  test("takes a record over byte for byte, with tombstones, empty values and headers of the same name", async () => {
    const source = rawTopic(await createTopic({ partitions: 2 }));
    const sent = [
      { key: Buffer.from([0, 255]), value: Buffer.from([1, 2, 3, 254]) },
      { key: Buffer.from("k"), value: null },
      { key: null, value: Buffer.alloc(0) },
      {
        key: Buffer.alloc(0),
        value: Buffer.from("v"),
        headers: { one: ["a", Buffer.from([200, 0])], __proto__x: "p", empty: "", none: null },
      },
    ];
    await producer.send(source, sent.map((record) => ({ ...record, partition: 1 })) as never);
    const originals = await contentsOf(source.name);
    const groupId = uniqueName();
    const consumer = kafka.consumer(source, {
      groupId,
      retry: { attempts: 2, initialDelayMs: 1 },
      deadLetter: true,
    });
    const running = consumer.run(() => {
      throw Object.assign(new RangeError("no"), { code: "E_NO" });
    });
    await until(
      "all are committed",
      async () => (await committedOffsets(brokers, groupId, source.name, 2))[1] === 4,
    );
    await consumer.close();
    await running;
    const letters = await contentsOf(`${source.name}.${groupId}.dead-letter`);
    expect(letters).toHaveLength(4);
    const { fastPath } = await kafka.health();
    expect(letters[3]?.rawHeaders).toContainEqual(["none", fastPath.used ? null : Buffer.alloc(0)]);
    for (const [index, letter] of letters.entries()) {
      const original = originals[index];
      expect(letter.partition).toBe(1);
      expect(letter.key).toEqual(original?.key);
      expect(letter.value).toEqual(original?.value);
      expect(letter.rawHeaders.slice(0, original?.rawHeaders.length)).toEqual(original?.rawHeaders);
      expect(letter.headers).toMatchObject({
        "dead-letter.version": "1",
        "dead-letter.reason": "handler",
        "dead-letter.error-name": "RangeError",
        "dead-letter.error-message": "no",
        "dead-letter.error-code": "E_NO",
        "dead-letter.attempts": "2",
        "dead-letter.source-topic": source.name,
        "dead-letter.source-partition": "1",
        "dead-letter.source-offset": String(original?.offset),
        "dead-letter.source-timestamp": String(original?.timestamp),
        "dead-letter.group": groupId,
      });
    }
  });

  test("a PermanentError goes there at once", async () => {
    const topic = await topicWith(["a", "b"]);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, retry: { initialDelayMs: 60_000 }, deadLetter: true });
    await consumer.run(({ value }) => {
      if (value === "a") throw new PermanentError("never");
      void consumer.close();
    });
    const [letter] = await contentsOf(`${topic.name}.${groupId}.dead-letter`);
    expect(letter?.headers["dead-letter.attempts"]).toBe("1");
  });

  test.each([
    ["the topic that is made for them", undefined],
    ["one of the user's that is missing", { "retention.ms": "12345678" }],
  ])("a record as large as its topic takes goes there too: %s", async (_, config) => {
    const topic = textTopic(await createTopic({ config: { "max.message.bytes": "4000000" } }));
    await using large = kafka.producer({ maxRecordBytes: 4_000_000 });
    await large.send(topic, { value: "x".repeat(3_500_000) });
    const groupId = uniqueName();
    const own = defineTopic(uniqueName(), { value: z.unknown(), config: config ?? {} });
    const consumer = kafka.consumer(topic, { groupId, deadLetter: config === undefined ? true : own });
    const running = consumer.run(() => {
      throw new Error("no");
    });
    await until("it is moved", async () => (await committedOffsets(brokers, groupId, topic.name))[0] === 1);
    await consumer.close();
    await running;
    const letters = config === undefined ? `${topic.name}.${groupId}.dead-letter` : own.name;
    const [letter] = await contentsOf(letters);
    expect(letter?.value?.length).toBe(3_500_000);
  });

  test("if the dead letter cannot be written the consumer stops, and nothing is skipped", async () => {
    const letters = textTopic(await createTopic({ config: { "max.message.bytes": "200" } }));
    const topic = await topicWith(["x".repeat(500), "b"]);
    const groupId = uniqueName();
    const seen: string[] = [];
    const failure = await kafka
      .consumer(topic, { groupId, deadLetter: letters })
      .run(({ value }) => {
        seen.push(value);
        throw new Error("no");
      })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "RECORD_TOO_LARGE" });
    expect(seen).toHaveLength(1);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([-1]);
  });

  test("the topic is made with as many partitions as the source, and a topic of the user's with its own number", async () => {
    const topic = await topicWith([], 3);
    const own = defineTopic(uniqueName(), { value: z.unknown(), partitions: 2 });
    const groupId = uniqueName();
    for (const deadLetter of [true, own]) {
      const consumer = kafka.consumer(topic, { groupId, deadLetter });
      const running = consumer.run(() => undefined);
      await until("an assignment", () => consumer.assignment.length === 3);
      await consumer.close();
      await running;
    }
    const admin = kafka.admin();
    const found = await admin.describeTopics([`${topic.name}.${groupId}.dead-letter`, own.name]);
    expect(found.map(({ partitions }) => partitions.length)).toEqual([3, 2]);
  });
});

describe("retryTopics", () => {
  test("a failing record goes through the delays, never early, while the others go on, and keeps its partition, offset and headers", async () => {
    const topic = textTopic(await createTopic({ partitions: 1 }));
    await producer.send(topic, [
      { value: "bad", key: "k", headers: { trace: "7" }, timestamp: 1_700_000_000_000 },
      { value: "good", key: "k" },
    ]);
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, {
      groupId,
      retryTopics: { delaysMs: [500, 1_500] },
      deadLetter: true,
    });
    const calls: { readonly value: string; readonly attempt: number; readonly at: number }[] = [];
    const bad: unknown[] = [];
    const running = consumer.run((record, { attempt }) => {
      calls.push({ value: record.value, attempt, at: Date.now() });
      if (record.value !== "bad") return;
      bad.push(record);
      throw new Error("no");
    });
    const letters = `${topic.name}.${groupId}.dead-letter`;
    await until("a dead letter", async () => calls.length >= 4 && (await contentsOf(letters)).length > 0);
    await consumer.close();
    await running;
    expect(calls.map(({ value, attempt }) => `${value}${attempt}`)).toEqual([
      "bad1",
      "good1",
      "bad2",
      "bad3",
    ]);
    const original = {
      topic: topic.name,
      partition: 0,
      offset: 0,
      timestamp: 1_700_000_000_000,
      key: "k",
      headers: { trace: "7" },
      rawHeaders: [["trace", Buffer.from("7")]],
    };
    expect(bad).toMatchObject([original, original, original]);
    const [first, , second, third] = calls.map(({ at }) => at);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(500);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(1_500);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([2]);
    const [letter, ...more] = await contentsOf(letters);
    expect(more).toEqual([]);
    expect(letter?.headers).toMatchObject({
      trace: "7",
      "dead-letter.attempts": "3",
      "dead-letter.source-offset": "0",
      "dead-letter.source-timestamp": "1700000000000",
    });
  });

  test.each(["partition", "key", "none"] as const)(
    'with order: "%s" many failing records are each retried once, and none is lost or doubled',
    async (order) => {
      const topic = textTopic(await createTopic({ partitions: 2 }));
      const values = Array.from({ length: 200 }, (_, index) => String(index));
      await producer.send(
        topic,
        values.map((value) => ({ value, key: String(Number(value) % 20) })),
      );
      const groupId = uniqueName();
      const consumer = kafka.consumer(topic, {
        groupId,
        order,
        concurrency: 5,
        retryTopics: { delaysMs: [200] },
        deadLetter: true,
      });
      const done: string[] = [];
      const running = consumer.run(async ({ value }, { attempt }) => {
        await Promise.resolve();
        if (attempt === 1 && Number(value) % 10 === 3) throw new Error("not yet");
        done.push(value);
      });
      await until("all are done", () => done.length >= 200, 25_000);
      await consumer.close();
      await running;
      expect(done.toSorted((a, b) => Number(a) - Number(b))).toEqual(values);
      expect(await contentsOf(`${topic.name}.${groupId}.retry-1`)).toHaveLength(20);
    },
  );

  test.each(["key", "none"] as const)(
    'with order: "%s" a failed record is moved when every record before it is finished',
    async (order) => {
      const topic = textTopic(await createTopic({ partitions: 2 }));
      await producer.send(topic, [
        { value: "slow", key: "a", partition: 0 },
        { value: "fails", key: "b", partition: 0 },
      ]);
      const groupId = uniqueName();
      const consumer = kafka.consumer(topic, {
        groupId,
        order,
        concurrency: 4,
        retryTopics: { delaysMs: [100] },
      });
      let finish = (): void => undefined;
      const slow = new Promise<void>((resolve) => (finish = resolve));
      const calls: string[] = [];
      const running = consumer.run(async ({ value }, { attempt }) => {
        calls.push(`${value}${attempt}`);
        if (value === "slow") await slow;
        else if (attempt === 1) throw new Error("not yet");
      });
      const committed = () => committedOffsets(brokers, groupId, topic.name, 2);
      await until("it has failed", () => calls.includes("fails1"));
      // Transactions come one after the other: with this one's, one that had not waited would be there.
      await producer.send(topic, { value: "fails", key: "b", partition: 1 });
      await until("one that has nothing before it is moved", async () => (await committed())[1] === 1);
      expect(await committed()).toEqual([-1, 1]);
      finish();
      await until("it is moved", async () => (await committed())[0] === 2);
      await until("both are retried", () => calls.filter((call) => call === "fails2").length === 2);
      await consumer.close();
      await running;
    },
  );

  test('with from: "latest" a restart before anything was committed in a retry topic passes nothing over', async () => {
    const topic = textTopic(await createTopic({ partitions: 1 }));
    const options = { groupId: uniqueName(), from: "latest", retryTopics: { delaysMs: [3_000] } } as const;
    const calls: string[] = [];
    const start = () => {
      const consumer = kafka.consumer(topic, options);
      const running = consumer.run(({ value }, { attempt }) => {
        calls.push(`${value}${attempt}`);
        if (attempt === 1 && value !== "ping") throw new Error("not yet");
      });
      return { consumer, running };
    };
    const first = start();
    // The group begins at the end of the log as of its start, wherever that is.
    await until("it has begun", async () => {
      await producer.send(topic, { value: "ping" });
      return calls.length > 0;
    });
    await producer.send(topic, { value: "a" });
    await until("it was forwarded", async () => {
      const [offset = 0] = await committedOffsets(brokers, options.groupId, topic.name);
      return offset === (await contentsOf(topic.name)).length;
    });
    await first.consumer.close();
    await first.running;
    const second = start();
    await until("it comes from the retry topic", () => calls.at(-1) === "a2");
    await second.consumer.close();
    await second.running;
  });

  test("a record that others wrote into a retry topic is invalid", async () => {
    const topic = await topicWith([]);
    const groupId = uniqueName();
    const retryTopic = rawTopic(`${topic.name}.${groupId}.retry-1`);
    const options = { groupId, retryTopics: { delaysMs: [100] } };
    const consumer = kafka.consumer(topic, options);
    const running = consumer.run(() => undefined).catch((error: unknown) => error);
    await until("an assignment", () => consumer.assignment.length === 2);
    await producer.send(retryTopic, { value: Buffer.from("forged"), key: null });
    const failure = await running;
    expect(failure).toBeInstanceOf(InvalidRecordError);
    expect(failure).toMatchObject({ topic: retryTopic.name, part: "headers" });
  });
});

describe("onInvalid", () => {
  const strict = async () => {
    const name = await createTopic({ partitions: 1 });
    await producer.send(rawTopic(name), [
      { key: Buffer.from("k"), value: Buffer.from('{"id":"not a number"}') },
      { key: Buffer.from("k"), value: Buffer.from('{"id":7}') },
    ]);
    return defineTopic(name, { value: z.object({ id: z.number() }) });
  };

  test("fails by default, with topic, partition, offset, issues and raw bytes", async () => {
    const topic = await strict();
    const failure = await kafka
      .consumer(topic, { groupId: uniqueName(), retry: { initialDelayMs: 60_000 } })
      .run(() => undefined)
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InvalidRecordError);
    expect(failure).toMatchObject({
      topic: topic.name,
      partition: 0,
      offset: 0,
      part: "value",
      issues: [{ path: ["id"] }],
      raw: { key: Buffer.from("k"), value: Buffer.from('{"id":"not a number"}') },
    });
  });

  test.each(["run", "runBatch", "for await"] as const)(
    "skips, or sends to the dead letters, with %s",
    async (way) => {
      const topic = await strict();
      for (const onInvalid of ["skip", "dead-letter"] as const) {
        const groupId = uniqueName();
        const consumer = kafka.consumer(topic, {
          groupId,
          onInvalid,
          deadLetter: onInvalid === "dead-letter",
        });
        const ids: number[] = [];
        if (way === "run")
          await consumer.run(({ value }) => {
            ids.push(value.id);
            void consumer.close();
          });
        else if (way === "runBatch")
          await consumer.runBatch((records) => {
            ids.push(...records.map(({ value }) => value.id));
            void consumer.close();
          });
        else
          for await (const { value } of consumer) {
            ids.push(value.id);
            await consumer.commit();
            break;
          }
        expect(ids).toEqual([7]);
        expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([way === "for await" ? 1 : 2]);
        if (onInvalid === "skip") continue;
        const letters = await contentsOf(`${topic.name}.${groupId}.dead-letter`);
        expect(letters.map(({ value, headers }) => [String(value), headers["dead-letter.reason"]])).toEqual([
          ['{"id":"not a number"}', "invalid"],
        ]);
      }
    },
  );

  test("a tombstone is invalid where the topic has none", async () => {
    const name = await createTopic({ partitions: 1 });
    await producer.send(rawTopic(name), { key: Buffer.from("k"), value: null });
    const groupId = uniqueName();
    const consumer = kafka.consumer(defineTopic(name, { value: z.string() }), {
      groupId,
      onInvalid: "dead-letter",
      deadLetter: true,
    });
    const running = consumer.run(() => undefined);
    await until("it is committed", async () => (await committedOffsets(brokers, groupId, name))[0] === 1);
    await consumer.close();
    await running;
    const [letter] = await contentsOf(`${name}.${groupId}.dead-letter`);
    expect(letter?.value).toBeNull();
  });
});

test("retry topics are refused where rolled back records would be handled", () => {
  const options = {
    groupId: "g",
    retryTopics: { delaysMs: [1] },
    isolationLevel: "read_uncommitted",
  } as const;
  expect(() => kafka.consumer(textTopic("never"), options)).toThrow(ConfigError);
});

describe("a policy that has no use is refused", () => {
  test.each([
    ["retry", "for await", { retry: {} }],
    ["retryTopics", "for await", { retryTopics: { delaysMs: [1] } }],
    ["retryTopics", "runBatch", { retryTopics: { delaysMs: [1] } }],
    ["deadLetter", "runBatch", { deadLetter: true }],
    ["deadLetter", "for await", { deadLetter: true }],
  ] as const)("%s with %s", async (field, way, options) => {
    const consumer = kafka.consumer(textTopic("never"), { groupId: "g", ...options });
    const failure = await (async () => {
      if (way === "runBatch") await consumer.runBatch(() => undefined);
      else for await (const record of consumer) void record;
    })().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure).toMatchObject({ field });
  });
});
