// Records that a real broker refuses by its own rules, through every way to write.
import { afterAll, describe, expect, inject, test } from "vitest";
import { bytes, defineTopic, DeliveryError, Kafka, string, TransactionAbortedError } from "typed-kafka";
import { errorOf } from "../support/outcomes.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
afterAll(() => kafka.close());

/** Over an hour ahead of the broker's clock: KIP-937. */
const refusedTimestamp = () => Date.now() + 7_200_000;
const textsOf = (name: string) => defineTopic(name, { value: string() });
async function* once<Item>(item: Item): AsyncGenerator<Item> {
  await Promise.resolve();
  yield item;
}

describe("a timestamp that the broker does not take", () => {
  const refused = { code: "RECORD_REFUSED", nativeCode: 32, retriable: false };

  test("fails `send`, which has written nothing", async () => {
    const texts = textsOf(await createTopic());
    const error = await errorOf(kafka.producer().send(texts, { value: "x", timestamp: refusedTimestamp() }));
    expect(error).toBeInstanceOf(DeliveryError);
    expect(error).toMatchObject({ ...refused, results: [{ status: "failed", error: refused }] });
    expect((error as Error).message).toContain("message.timestamp.after.max.ms");
  });

  test("says which record of a call it was; those of the same batch have failed and may be sent again", async () => {
    const texts = textsOf(await createTopic());
    const records = [{ value: "a" }, { value: "b", timestamp: refusedTimestamp() }, { value: "c" }];
    const producer = kafka.producer({ lingerMs: 100 });
    const error = (await errorOf(producer.send(texts, records))) as DeliveryError;
    expect(error).toMatchObject({ ...refused, acknowledged: 0 });
    expect(
      error.results.map((each) => (each.status === "written" ? undefined : each.error.retriable)),
    ).toEqual([true, false, true]);
    expect(error.results.map(({ status }) => status)).toEqual(["failed", "failed", "failed"]);
    await producer.send(texts, [{ value: "a" }, { value: "c" }]);
    const values: string[] = [];
    for await (const { value } of kafka.read(texts)) values.push(value);
    expect(values).toEqual(["a", "c"]);
  });

  test("fails `sendAll`", async () => {
    const texts = textsOf(await createTopic());
    const error = await errorOf(
      kafka.producer().sendAll(texts, once({ value: "x", timestamp: refusedTimestamp() })),
    );
    expect(error).toMatchObject({ code: "RECORD_REFUSED", nativeCode: 32, acknowledged: 0, cause: refused });
  });

  test("rolls a transaction back, which is not worth another try", async () => {
    const texts = textsOf(await createTopic());
    await using producer = kafka.transactionalProducer({ transactionalId: uniqueName() });
    const error = await errorOf(
      producer.transaction((tx) =>
        tx.send(texts, [{ value: "a" }, { value: "b", timestamp: refusedTimestamp() }, { value: "c" }]),
      ),
    );
    expect(error).toBeInstanceOf(TransactionAbortedError);
    expect(error).toMatchObject({ retriable: false, nativeCode: 32, topic: texts.name, cause: refused });
    await producer.transaction((tx) => tx.send(texts, { value: "after" }));
    const values: string[] = [];
    for await (const { value } of kafka.read(texts)) values.push(value);
    expect(values).toEqual(["after"]);
  });
});

describe("a compacted topic", () => {
  test("refuses a record without a key for good", async () => {
    const name = await createTopic({ config: { "cleanup.policy": "compact" } });
    const topic = defineTopic(name, { key: bytes(), value: string() });
    const error = await errorOf(kafka.producer().send(topic, { value: "x", key: null }));
    expect(error).toMatchObject({ code: "RECORD_REFUSED", nativeCode: 87, retriable: false });
    expect((error as Error).message).toContain("key");
  });
});
