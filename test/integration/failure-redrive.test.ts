import { afterAll, describe, expect, inject, test } from "vitest";
import {
  type AnyTopic,
  bytes,
  ConfigError,
  defineTopic,
  Kafka,
  ProducerFencedError,
  type RedriveOptions,
  string,
} from "typed-kafka";
import { failAll, failedTopic, numberedTopic } from "../support/dead-letters.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
afterAll(() => kafka.close());

const textTopic = (name: string) => defineTopic(name, { value: string() });

async function contentsOf(name: string) {
  const records = [];
  const topic = defineTopic(name, { value: bytes(), key: bytes(), tombstones: true });
  for await (const record of kafka.read(topic)) records.push(record);
  return records;
}

/** A redrive that comes to nothing more after its first commit, as if its process were killed. */
async function redriveKilled(topic: AnyTopic, options: RedriveOptions): Promise<void> {
  const killed = new Kafka({ brokers, logger: silent });
  let closing: Promise<void> | undefined;
  const onProgress = () => {
    closing ??= killed.close();
  };
  await killed.redrive(topic, { ...options, onProgress }).catch(() => undefined);
  await closing;
}

describe("redrive", () => {
  test("sends dead letters back as they were, into their partitions, once, and says how many", async () => {
    const { topic, groupId } = await failedTopic(kafka, 20);
    const before = await contentsOf(topic.name);
    expect(await kafka.redrive(topic, { groupId, dryRun: true })).toEqual({ redriven: 20, kept: 0 });
    expect(await contentsOf(topic.name)).toHaveLength(20);
    const seen: number[] = [];
    const result = await kafka.redrive(topic, { groupId, onProgress: ({ redriven }) => seen.push(redriven) });
    expect(result).toEqual({ redriven: 20, kept: 0 });
    expect(seen.at(-1)).toBe(20);
    const after = (await contentsOf(topic.name)).filter(({ offset }) => offset >= 10);
    const bare = ({ partition, key, value, rawHeaders }: (typeof before)[number]) => ({
      partition,
      key,
      value,
      rawHeaders,
    });
    const byPlace = (records: typeof before) =>
      records.map(bare).toSorted((a, b) => Number(a.value) - Number(b.value));
    expect(byPlace(after)).toEqual(byPlace(before));
    expect(await kafka.redrive(topic, { groupId })).toEqual({ redriven: 0, kept: 0 });
    expect(await contentsOf(topic.name)).toHaveLength(40);
  });

  test("with a filter the others stay, and can be sent back later", async () => {
    const { topic, groupId, letters } = await failedTopic(kafka, 20);
    const filter = ({ errorName }: { errorName: string }) => errorName === "RangeError";
    expect(await kafka.redrive(topic, { groupId, filter })).toEqual({ redriven: 10, kept: 10 });
    expect(await kafka.redrive(topic, { groupId, filter })).toEqual({ redriven: 0, kept: 10 });
    expect((await contentsOf(letters)).map(({ headers }) => headers["dead-letter.error-name"])).toEqual(
      Array.from({ length: 10 }, () => "Error"),
    );
    expect(await kafka.redrive(topic, { groupId })).toEqual({ redriven: 10, kept: 0 });
    const values = (await contentsOf(topic.name)).filter(({ offset }) => offset >= 10);
    expect(values.map(({ value }) => Number(String(value))).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, index) => index),
    );
  });

  test("where topics and groups share a dead-letter topic, only its own are sent back, and the others stay", async () => {
    const shared = textTopic(await createTopic());
    const [orders, payments] = [await numberedTopic(kafka, 4), await numberedTopic(kafka, 4)];
    const [billing, shipping] = [uniqueName(), uniqueName()];
    const failed = [
      [payments, billing],
      [orders, billing],
      [orders, shipping],
    ] as const;
    for (const [topic, groupId] of failed) await failAll(kafka, topic, 4, { groupId, deadLetter: shared });
    const options = { groupId: billing, deadLetter: shared };
    expect(await kafka.redrive(orders, { ...options, dryRun: true })).toEqual({ redriven: 4, kept: 8 });
    expect(await kafka.redrive(orders, options)).toEqual({ redriven: 4, kept: 8 });
    expect((await contentsOf(orders.name)).length).toBe(8);
    expect((await contentsOf(payments.name)).length).toBe(4);
    const left = (await contentsOf(shared.name)).map(
      ({ headers }) => `${headers["dead-letter.source-topic"]} ${headers["dead-letter.group"]}`,
    );
    expect(left.toSorted()).toEqual(
      [
        ...Array<string>(4).fill(`${payments.name} ${billing}`),
        ...Array<string>(4).fill(`${orders.name} ${shipping}`),
      ].toSorted(),
    );
    expect(await kafka.redrive(payments, options)).toEqual({ redriven: 4, kept: 4 });
    expect((await contentsOf(payments.name)).length).toBe(8);
  });

  test("stops at the limit, and goes on from there; keeps the rate; sends elsewhere", async () => {
    const { topic, groupId } = await failedTopic(kafka, 12);
    const other = textTopic(await createTopic());
    const options = { groupId, toTopic: other, limit: 5 };
    const began = performance.now();
    expect((await kafka.redrive(topic, { ...options, maxRecordsPerSecond: 5 })).redriven).toBe(5);
    expect(performance.now() - began).toBeGreaterThan(700);
    expect((await kafka.redrive(topic, options)).redriven).toBe(5);
    expect((await kafka.redrive(topic, options)).redriven).toBe(2);
    expect(new Set((await contentsOf(other.name)).map(({ value }) => String(value))).size).toBe(12);
    expect(await contentsOf(topic.name)).toHaveLength(12);
  });

  test("that is ended in the middle goes on where it stopped, and sends nothing twice", async () => {
    const { topic, groupId } = await failedTopic(kafka, 300, 1);
    const stop = new AbortController();
    const reason = new Error("enough");
    const failure = await kafka
      .redrive(topic, {
        groupId,
        maxRecordsPerSecond: 200,
        signal: stop.signal,
        onProgress: () => {
          stop.abort(reason);
        },
      })
      .catch((error: unknown) => error);
    expect(failure).toBe(reason);
    const { redriven } = await kafka.redrive(topic, { groupId });
    expect(redriven).toBeGreaterThan(0);
    expect(redriven).toBeLessThan(300);
    const values = (await contentsOf(topic.name)).slice(300).map(({ value }) => String(value));
    expect(values).toEqual(Array.from({ length: 300 }, (_, index) => String(index)));
  });

  test("deletes what it sent back, also where it is ended, and what one before it had no time to delete", async () => {
    const { topic, groupId, letters } = await failedTopic(kafka, 20, 1);
    const left = async () => (await contentsOf(letters)).length;
    await redriveKilled(topic, { groupId, limit: 8 });
    expect(await left()).toBe(20);
    const mine = new Error("no more");
    const ended = kafka.redrive(topic, {
      groupId,
      limit: 7,
      onProgress: () => {
        throw mine;
      },
    });
    await expect(ended).rejects.toBe(mine);
    expect(await left()).toBe(5);
    await expect(kafka.redrive(topic, { groupId })).resolves.toEqual({ redriven: 5, kept: 0 });
    expect(await left()).toBe(0);
  });

  test("with nothing left to send back deletes what one before it had no time to delete", async () => {
    const { topic, groupId, letters } = await failedTopic(kafka, 5, 1);
    await redriveKilled(topic, { groupId });
    expect(await kafka.redrive(topic, { groupId, dryRun: true })).toEqual({ redriven: 0, kept: 0 });
    expect(await contentsOf(letters)).toHaveLength(5);
    expect(await kafka.redrive(topic, { groupId })).toEqual({ redriven: 0, kept: 0 });
    expect(await contentsOf(letters)).toEqual([]);
  });

  test("is fenced by another one that begins later, and together they send everything back once", async () => {
    const { topic, groupId } = await failedTopic(kafka, 300, 1);
    let second: Promise<unknown> | undefined;
    const first = kafka.redrive(topic, {
      groupId,
      maxRecordsPerSecond: 100,
      onProgress: () => {
        second ??= kafka.redrive(topic, { groupId });
      },
    });
    await expect(first).rejects.toBeInstanceOf(ProducerFencedError);
    expect(await second).toMatchObject({ kept: 0 });
    const values = (await contentsOf(topic.name)).slice(300).map(({ value }) => String(value));
    expect(values).toEqual(Array.from({ length: 300 }, (_, index) => String(index)));
  });

  test("of a dead letter that is refused fails with the reason, and loses none", async () => {
    const { topic, groupId, letters } = await failedTopic(kafka, 3, 1);
    // More than the native client takes into a transaction, which it refuses by itself.
    const producer = kafka.producer({ maxRecordBytes: 70_000_000, maxInFlightBytes: 70_000_000 });
    const big = defineTopic(letters, { value: string() });
    const [letter] = await contentsOf(letters);
    await producer.send(big, { value: "x".repeat(61_000_000), headers: letter?.headers ?? {} });
    await expect(kafka.redrive(topic, { groupId })).rejects.toMatchObject({ code: "RECORD_TOO_LARGE" });
    expect(await contentsOf(letters)).toHaveLength(4);
    expect(await contentsOf(topic.name)).toHaveLength(3);
    expect(await kafka.redrive(topic, { groupId, limit: 3 })).toEqual({ redriven: 3, kept: 0 });
    expect(await contentsOf(topic.name)).toHaveLength(6);
  });

  test("of dead letters that are not there, and with wrong options, is refused", async () => {
    const topic = textTopic(await createTopic());
    await expect(kafka.redrive(topic, { groupId: uniqueName() })).rejects.toMatchObject({
      code: "UNKNOWN_TOPIC",
    });
    for (const options of [
      { groupId: "" },
      { groupId: "g", limit: 0 },
      { groupId: "g", maxRecordsPerSecond: NaN },
    ])
      await expect(kafka.redrive(topic, options)).rejects.toBeInstanceOf(ConfigError);
  });
});
