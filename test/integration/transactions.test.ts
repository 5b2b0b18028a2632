import { setTimeout as sleep } from "node:timers/promises";
import {
  ClosedError,
  ConfigError,
  ConnectionError,
  defineTopic,
  integer,
  Kafka,
  KafkaError,
  ProducerFencedError,
  SerializationError,
  string,
  TransactionAbortedError,
} from "typed-kafka";
import { afterAll, describe, expect, inject, test } from "vitest";
import { deferred } from "../../src/waiting.js";
import { errorOf } from "../support/outcomes.js";
import { silent } from "../support/silent.js";
import { committedValuesOf, newTopic, valuesOf } from "../support/string-topics.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
afterAll(() => kafka.close());

describe("a transaction", () => {
  test("makes the records of several topics visible together and resolves to the callback's result", async () => {
    const [debits, credits] = [await newTopic(2), await newTopic(2)];
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const result = await producer.transaction(async (tx) => {
      await tx.send(debits, { key: "a", value: "-10" });
      await tx.send(credits, [
        { key: "b", value: "+9" },
        { key: "b", value: "+1" },
      ]);
      expect(await valuesOf(kafka, debits)).toEqual([]);
      return 42;
    });
    expect(result).toBe(42);
    expect(await committedValuesOf(kafka, debits)).toEqual(["-10"]);
    expect(await committedValuesOf(kafka, credits)).toEqual(["+9", "+1"]);
  });

  test("leaves nothing visible when the callback throws, and rethrows its error", async () => {
    const topic = await newTopic();
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName(), lingerMs: 0 });
    const mine = new Error("half way");
    const error = await errorOf(
      producer.transaction(async (tx) => {
        await tx.send(topic, { value: "never" });
        await sleep(200);
        throw mine;
      }),
    );
    expect(error).toBe(mine);
    await producer.transaction((tx) => tx.send(topic, { value: "after" }));
    expect(await committedValuesOf(kafka, topic)).toEqual(["after"]);
  });

  test("waits for its turn while another one runs, also after one that failed", async () => {
    const topic = await newTopic();
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    let running = 0;
    const one = (value: string, fails = false): Promise<void> =>
      producer.transaction(async (tx) => {
        running += 1;
        expect(running).toBe(1);
        await tx.send(topic, { value });
        await sleep(10);
        running -= 1;
        if (fails) throw new Error("no");
      });
    const results = await Promise.allSettled([one("1"), one("2", true), one("3"), one("4")]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(await committedValuesOf(kafka, topic)).toEqual(["1", "3", "4"]);
  });

  test("includes sends that nobody awaited", async () => {
    const slow = defineTopic(await createTopic(), {
      value: {
        serialize: async (value: string) => {
          await sleep(50);
          return Buffer.from(value);
        },
        deserialize: (bytes: Buffer) => bytes.toString(),
      },
    });
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    await producer.transaction((tx) => {
      void tx.send(slow, [{ value: "1" }, { value: "2" }]);
      void tx.send(slow, { value: "3" });
    });
    const values = await committedValuesOf(kafka, slow);
    expect(values.sort()).toEqual(["1", "2", "3"]);
  });

  test("fails as a whole with the error of a send that failed, even where nobody looked", async () => {
    const [topic, numbers] = [await newTopic(), defineTopic(await createTopic(), { value: integer() })];
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const error = await errorOf(
      producer.transaction(async (tx) => {
        await tx.send(topic, { value: "good" });
        void tx.send(numbers, { value: 0.5 });
      }),
    );
    expect(error).toBeInstanceOf(SerializationError);
    expect(await committedValuesOf(kafka, topic)).toEqual([]);
  });

  test("takes nothing more once its callback has ended", async () => {
    const topic = await newTopic();
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const tx = await producer.transaction((open) => open);
    expect(await errorOf(tx.send(topic, { value: "late" }))).toBeInstanceOf(ClosedError);
    await producer.transaction(() => undefined);
    expect(await committedValuesOf(kafka, topic)).toEqual([]);
  });

  test("is rolled back when a broker refuses a record, and says which", async () => {
    const [topic, small] = [await newTopic(), await newTopic(1, { "max.message.bytes": "1000" })];
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const rounds = Array.from({ length: 8 }, (_, round) => `after ${round}`);
    for (const after of rounds) {
      const error = await errorOf(
        producer.transaction(async (tx) => {
          await tx.send(topic, { value: "good" });
          await tx.send(small, { value: "x".repeat(5_000) });
        }),
      );
      expect(error).toBeInstanceOf(TransactionAbortedError);
      expect(error).toMatchObject({
        topic: small.name,
        retriable: false,
        cause: { code: "RECORD_TOO_LARGE" },
      });
      await producer.transaction((tx) => tx.send(topic, { value: after }));
    }
    expect(await committedValuesOf(kafka, topic)).toEqual(rounds);
  });

  test("takes records as large as their topic does", async () => {
    const topic = await newTopic(1, { "max.message.bytes": "4000000" });
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    await producer.transaction((tx) => tx.send(topic, { value: "x".repeat(3_000_000) }));
    expect((await committedValuesOf(kafka, topic)).map(({ length }) => length)).toEqual([3_000_000]);
  });

  test("is rolled back when a topic does not exist", async () => {
    const topic = await newTopic();
    const missing = defineTopic(uniqueName("missing"), { value: string() });
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const error = await errorOf(
      producer.transaction(async (tx) => {
        await tx.send(topic, { value: "good" });
        await tx.send(missing, { value: "bad" });
      }),
    );
    expect(error).toBeInstanceOf(TransactionAbortedError);
    expect(error).toMatchObject({ topic: missing.name, cause: { code: "UNKNOWN_TOPIC" } });
    expect(await committedValuesOf(kafka, topic)).toEqual([]);
  });

  test("writes many records to a topic that takes only small batches, in batches as small", async () => {
    const topic = await newTopic(1, { "max.message.bytes": "10000" });
    const records = Array.from({ length: 500 }, (_, index) => ({ value: String(index).padEnd(200, "x") }));
    await using large = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const error = await errorOf(large.transaction((tx) => tx.send(topic, records)));
    expect(error).toMatchObject({ cause: { code: "RECORD_TOO_LARGE" } });
    expect((error as Error).message).toContain("maxBatchBytes");
    const small = { transactionalId: uniqueName(), maxBatchBytes: 10_000 };
    await using producer = kafka.transactionalProducer(small);
    await producer.transaction((tx) => tx.send(topic, records));
    expect(await committedValuesOf(kafka, topic)).toEqual(records.map(({ value }) => value));
  });

  test("takes records for a partition that was added since the last one", async () => {
    const topic = await newTopic(1);
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    await producer.transaction((tx) => tx.send(topic, { value: "0", partition: 0 }));
    await kafka.admin().createPartitions(topic, 2);
    await producer.transaction((tx) =>
      tx.send(
        topic,
        ["1", "2", "3"].map((value) => ({ value, partition: 1 })),
      ),
    );
    // Partitions are read side by side.
    expect((await committedValuesOf(kafka, topic)).sort()).toEqual(["0", "1", "2", "3"]);
  });

  test("is rolled back when it takes longer than its timeout, and the next one works", async () => {
    const topic = await newTopic();
    await using producer = kafka.transactionalProducer({
      transactionalId: uniqueName(),
      transactionTimeoutMs: 3_000,
      lingerMs: 0,
    });
    const error = await errorOf(
      producer.transaction(async (tx) => {
        await tx.send(topic, { value: "slow" });
        await sleep(6_000);
      }),
    );
    expect(error).toBeInstanceOf(TransactionAbortedError);
    expect(error).toMatchObject({ retriable: true });
    await producer.transaction((tx) => tx.send(topic, { value: "after" }));
    expect(await committedValuesOf(kafka, topic)).toEqual(["after"]);
  });

  test("holds any number of records in bounded memory", async () => {
    const topic = await newTopic(3);
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const count = 150_000;
    await producer.transaction(async (tx) => {
      for (let index = 0; index < count; index += 1) await tx.send(topic, { value: String(index) });
    });
    expect((await committedValuesOf(kafka, topic)).length).toBe(count);
  });
});

describe("a transactional producer", () => {
  test("is fenced by a newer one with the same id, and stays dead", async () => {
    const topic = await newTopic();
    const transactionalId = uniqueName();
    await using older = kafka.transactionalProducer({ transactionalId });
    await older.transaction((tx) => tx.send(topic, { value: "older" }));
    await using newer = kafka.transactionalProducer({ transactionalId });
    const error = await errorOf(
      older.transaction(async (tx) => {
        await tx.send(topic, { value: "open while the newer one starts" });
        await newer.transaction((other) => other.send(topic, { value: "newer" }));
      }),
    );
    expect(error).toBeInstanceOf(ProducerFencedError);
    expect(await errorOf(older.transaction(() => undefined))).toBeInstanceOf(ProducerFencedError);
    await newer.transaction((tx) => tx.send(topic, { value: "newer again" }));
    expect(await committedValuesOf(kafka, topic)).toEqual(["older", "newer", "newer again"]);
  });

  test("closes after the running transaction and refuses those behind it", async () => {
    const topic = await newTopic();
    const producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const running = producer.transaction(async (tx) => {
      await sleep(100);
      await tx.send(topic, { value: "running" });
    });
    const queued = producer.transaction((tx) => tx.send(topic, { value: "queued" }));
    const [, refused] = await Promise.all([running, errorOf(queued), sleep(20).then(() => producer.close())]);
    expect(refused).toBeInstanceOf(ClosedError);
    expect(await errorOf(producer.transaction(() => undefined))).toBeInstanceOf(ClosedError);
    expect(await committedValuesOf(kafka, topic)).toEqual(["running"]);
  });

  test("gives a hanging callback up when its time to close is over", async () => {
    const topic = await newTopic();
    const producer = kafka.transactionalProducer({ transactionalId: uniqueName(), closeTimeoutMs: 100 });
    const sent = deferred();
    const hanging = errorOf(
      producer.transaction(async (tx) => {
        await tx.send(topic, { value: "never" });
        sent.resolve();
        await new Promise(() => {});
      }),
    );
    await sent.promise;
    const began = performance.now();
    await producer.close();
    // Unless told otherwise it has 30 s.
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(await hanging).toBeInstanceOf(ClosedError);
    expect(await committedValuesOf(kafka, topic)).toEqual([]);
  });

  test("says at once that no broker answers", async () => {
    const nowhere = new Kafka({ brokers: "127.0.0.1:1", connectTimeoutMs: 500 });
    await using producer = nowhere.transactionalProducer({ transactionalId: uniqueName() });
    const error = await errorOf(producer.transaction(() => undefined));
    expect(error).toBeInstanceOf(ConnectionError);
  });

  test("names the option that is wrong", () => {
    const wrong = (options: object): unknown => {
      try {
        kafka.transactionalProducer(options as { transactionalId: string });
      } catch (error) {
        return error instanceof ConfigError ? error.field : error;
      }
      return undefined;
    };
    expect(wrong({})).toBe("transactionalId");
    expect(wrong({ transactionalId: "" })).toBe("transactionalId");
    expect(wrong({ transactionalId: "a", transactionTimeoutMs: 10 })).toBe("transactionTimeoutMs");
    expect(wrong({ transactionalId: "a", maxBatchBytes: 0 })).toBe("maxBatchBytes");
    expect(wrong({ transactionalId: "a", maxBatchBytes: 60_000_001 })).toBe("maxBatchBytes");
    expect(wrong({ transactionalId: "a", closeTimeoutMs: -1 })).toBe("closeTimeoutMs");
    expect(wrong({ transactionalId: "a", acks: 1 })).toBe("TransactionalProducerOptions.acks");
  });

  test("has errors with codes to switch on", async () => {
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const error = await errorOf(producer.transaction(undefined as never));
    expect(error).toBeInstanceOf(KafkaError);
    expect(error).toMatchObject({ code: "CONFIG" });
  });
});
