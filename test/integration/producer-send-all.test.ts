import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { ClosedError, ConfigError, Kafka, SerializationError } from "typed-kafka";
import { textTopic, until } from "../support/consuming.js";
import { deliveryErrorOf } from "../support/outcomes.js";
import { readLog } from "../support/read-log.js";
import { silent } from "../support/silent.js";
import { createTopic } from "../support/topics.js";

const brokers = inject("brokers");
let kafka: Kafka;
beforeAll(() => {
  kafka = new Kafka({ brokers, logger: silent });
});
afterAll(() => kafka.close());

/** Gives `count` records, and tells how many were asked for and whether it was left. */
function source(count: number, { at = Infinity, give }: { at?: number; give?: () => unknown } = {}) {
  const seen = { asked: 0, left: false };
  function* records() {
    try {
      for (let index = 0; index < count; index += 1) {
        seen.asked += 1;
        yield index === at
          ? (give?.() as { value: string })
          : { key: `k${index % 10}`, value: String(index) };
      }
    } finally {
      seen.left = true;
    }
  }
  return { seen, records: records() };
}

async function* later<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  for (const item of items) {
    await Promise.resolve();
    yield item;
  }
}

describe("sendAll", () => {
  test.each(["an iterable", "an async iterable"])(
    "writes all that %s gives, in order by key, and says how many",
    async (kind) => {
      const texts = textTopic(await createTopic({ partitions: 3 }));
      const { records } = source(25_000);
      const result = await kafka.producer().sendAll(texts, kind === "an iterable" ? records : later(records));
      expect(result).toEqual({ records: 25_000 });
      const log = await readLog(brokers, texts.name, { partitions: 3 });
      expect(log).toHaveLength(25_000);
      const last = new Map<string | null, number>();
      for (const { key, value } of log) {
        expect(Number(value)).toBeGreaterThan(last.get(key) ?? -1);
        last.set(key, Number(value));
      }
    },
  );

  test("takes arrays, and nothing", async () => {
    const texts = textTopic(await createTopic());
    const producer = kafka.producer();
    expect(await producer.sendAll(texts, [])).toEqual({ records: 0 });
    expect(await producer.sendAll(texts, [{ value: "a" }, { value: "b" }])).toEqual({ records: 2 });
    await expect(producer.sendAll(texts, 5 as never)).rejects.toThrow(ConfigError);
  });

  test("writes to partitions that records name, and to those a partitioner chooses", async () => {
    const texts = textTopic(await createTopic({ partitions: 3 }));
    await kafka.producer().sendAll(texts, [{ value: "a", partition: 2 }]);
    await kafka
      .producer({ partitioner: () => 1 })
      .sendAll(texts, [{ value: "b" }, { value: "c", partition: 0 }]);
    const log = await readLog(brokers, texts.name, { partitions: 3 });
    expect(log.map(({ partition, value }) => `${partition}${String(value)}`)).toEqual(["0c", "1b", "2a"]);
  });

  test("writes to a partition that was added since the last call", async () => {
    const texts = textTopic(await createTopic());
    const producer = kafka.producer();
    await producer.sendAll(texts, [{ value: "a", partition: 0 }]);
    await kafka.admin().createPartitions(texts, 2);
    await producer.sendAll(texts, [
      { value: "b", partition: 1 },
      { value: "c", partition: 1 },
    ]);
    const log = await readLog(brokers, texts.name, { partitions: 2 });
    expect(log.map(({ partition, value }) => `${partition}${String(value)}`)).toEqual(["0a", "1b", "1c"]);
  });

  test("runs several calls at the same time, each with its own outcome", async () => {
    const [one, other] = [textTopic(await createTopic()), textTopic(await createTopic())];
    const producer = kafka.producer();
    const results = await Promise.allSettled([
      ...Array.from({ length: 10 }, () => producer.sendAll(one, source(500).records)),
      producer.sendAll(other, source(500, { at: 300, give: () => ({ value: 5 }) }).records),
    ]);
    expect(results.map(({ status }) => status)).toEqual([...Array<string>(10).fill("fulfilled"), "rejected"]);
    expect(await readLog(brokers, one.name, { partitions: 1 })).toHaveLength(5_000);
    expect(await readLog(brokers, other.name, { partitions: 1 })).toHaveLength(300);
  });

  test("asks an async source for one record at a time", async () => {
    const texts = textTopic(await createTopic());
    let open = 0;
    const records = {
      [Symbol.asyncIterator]: () => ({
        count: 0,
        async next() {
          open += 1;
          expect(open).toBe(1);
          await sleep(1);
          open -= 1;
          this.count += 1;
          return this.count > 20 ? { done: true as const, value: undefined } : { value: { value: "x" } };
        },
      }),
    };
    expect(await kafka.producer().sendAll(texts, records)).toEqual({ records: 20 });
  });
});

describe("sendAll that cannot go on", () => {
  test.each(["an iterable", "an async iterable"])(
    "stops %s at a record that does not fit, and says how many were written before",
    async (kind) => {
      const texts = textTopic(await createTopic());
      const { seen, records } = source(5_000, { at: 3_210, give: () => ({ value: 5 }) });
      const failure = await deliveryErrorOf(
        kafka.producer().sendAll(texts, kind === "an iterable" ? records : later(records)),
      );
      expect(failure).toMatchObject({ code: "SERIALIZATION", acknowledged: 3_210, topic: texts.name });
      expect(failure.cause).toBeInstanceOf(SerializationError);
      expect((failure.cause as SerializationError).index).toBe(3_210);
      expect(seen).toEqual({ asked: 3_211, left: true });
      expect(await readLog(brokers, texts.name, { partitions: 1 })).toHaveLength(3_210);
    },
  );

  test("has what the source threw as its cause, untouched", async () => {
    const texts = textTopic(await createTopic());
    const mine = new Error("the file ended early");
    const give = (): never => {
      throw mine;
    };
    const failure = await deliveryErrorOf(
      kafka.producer().sendAll(texts, source(100, { at: 40, give }).records),
    );
    expect(failure).toMatchObject({ code: "DELIVERY", acknowledged: 40 });
    expect(failure.cause).toBe(mine);
    expect(failure.message).toContain("the file ended early");
  });

  test("stops the source when the broker refuses a record, and names topic and partition", async () => {
    const name = await createTopic({ partitions: 2, config: { "max.message.bytes": "20000" } });
    const texts = textTopic(name);
    const producer = kafka.producer({ maxBatchRecords: 10 });
    let index = 0;
    let isLeft = false;
    async function* endless() {
      try {
        for (;;) {
          index += 1;
          yield { value: index === 200 ? "x".repeat(50_000) : "small", partition: 1 };
          if (index % 10 === 0) await sleep(1);
        }
      } finally {
        isLeft = true;
      }
    }
    const failure = await deliveryErrorOf(producer.sendAll(texts, endless()));
    expect(failure).toMatchObject({ code: "RECORD_TOO_LARGE", topic: name, partition: 1 });
    expect(isLeft).toBe(true);
    const log = await readLog(brokers, name, { partitions: 2 });
    expect(failure.acknowledged).toBe(log.length);
    // The same producer goes on.
    expect(await producer.sendAll(texts, [{ value: "y" }])).toEqual({ records: 1 });
  });

  test("ends when the signal aborts, even while the source owes a record", async () => {
    const texts = textTopic(await createTopic());
    const abort = new AbortController();
    let isLeft = false;
    const stuck = {
      [Symbol.asyncIterator]: () => {
        let count = 0;
        return {
          next: () => {
            count += 1;
            if (count <= 10) return Promise.resolve({ done: false as const, value: { value: "x" } });
            setImmediate(() => abort.abort(new Error("enough")));
            return new Promise<never>(() => undefined);
          },
          return: () => {
            isLeft = true;
            return new Promise<never>(() => undefined);
          },
        };
      },
    };
    const failure = await deliveryErrorOf(kafka.producer().sendAll(texts, stuck, { signal: abort.signal }));
    expect(failure.cause).toBe(abort.signal.reason);
    expect(failure.acknowledged).toBe(10);
    expect(isLeft).toBe(true);
    await expect(kafka.producer().sendAll(texts, [{ value: "x" }], { signal: abort.signal })).rejects.toThrow(
      "enough",
    );
  });

  test("ends when the producer is closed, with what was sent written", async () => {
    const texts = textTopic(await createTopic());
    const producer = kafka.producer();
    let given = 0;
    async function* endless() {
      for (;;) {
        yield { value: "x" };
        given += 1;
        await sleep(1);
      }
    }
    const failing = deliveryErrorOf(producer.sendAll(texts, endless()));
    await until("some were sent", () => given > 20);
    await producer.close();
    const failure = await failing;
    expect(failure.code).toBe("CLOSED");
    expect(failure.acknowledged).toBeGreaterThan(20);
    expect(await readLog(brokers, texts.name, { partitions: 1 })).toHaveLength(failure.acknowledged);
    await expect(producer.sendAll(texts, [])).rejects.toThrow(ClosedError);
  });
});
