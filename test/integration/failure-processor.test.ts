import { afterAll, expect, inject, test } from "vitest";
import { defineTopic, Kafka, PermanentError, RetriesExhaustedError, string } from "typed-kafka";
import { z } from "zod";
import { committedOffsets, until } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

const textTopic = (name: string) => defineTopic(name, { value: string() });

async function valuesOf(name: string): Promise<string[]> {
  const values = [];
  for await (const { value } of kafka.read(textTopic(name))) values.push(value);
  return values;
}

async function setUp(values: readonly string[], partitions = 1) {
  const input = textTopic(await createTopic({ partitions }));
  const output = textTopic(await createTopic({ partitions: 1 }));
  await producer.send(
    input,
    values.map((value) => ({ value, key: value })),
  );
  const name = uniqueName();
  return { input, output, options: { groupId: name, transactionalId: name } };
}

test("a retry runs the handler again, and nothing of what the failed calls sent is seen", async () => {
  const { input, output, options } = await setUp(["a", "b"]);
  const processor = kafka.processor(input, { ...options, retry: { attempts: 4, initialDelayMs: 5 } });
  const running = processor.run(async ({ value }, tx, { attempt }) => {
    await tx.send(output, { value: `${value}${attempt}` });
    if (value === "a" && attempt < 3) throw new Error("not yet");
  });
  await until("both are out", async () => (await valuesOf(output.name)).length >= 2);
  await processor.close();
  await running;
  expect(await valuesOf(output.name)).toEqual(["a3", "b1"]);
  expect(await committedOffsets(brokers, options.groupId, input.name)).toEqual([2]);
});

test("a dead letter, instead of what the handler sent, is in the transaction with the offset", async () => {
  const { input, output, options } = await setUp(["good1", "bad", "good2"]);
  const processor = kafka.processor(input, { ...options, deadLetter: true });
  const running = processor.run(({ value }, tx) => {
    void tx.send(output, { value });
    if (value === "bad") throw new PermanentError("no");
  });
  await until("the rest is out", async () => (await valuesOf(output.name)).length >= 2);
  await processor.close();
  await running;
  expect(await valuesOf(output.name)).toEqual(["good1", "good2"]);
  expect(await valuesOf(`${input.name}.${options.groupId}.dead-letter`)).toEqual(["bad"]);
  expect(await committedOffsets(brokers, options.groupId, input.name)).toEqual([3]);
});

test.each(["partition", "key", "none"] as const)(
  'retry topics: every record is out once, with order: "%s"',
  async (order) => {
    const values = Array.from({ length: 100 }, (_, index) => String(index));
    const { input, output, options } = await setUp(values, 2);
    const processor = kafka.processor(input, {
      ...options,
      order,
      concurrency: 4,
      retryTopics: { delaysMs: [200] },
      deadLetter: true,
    });
    const running = processor.run(async ({ topic, value }, tx, { attempt }) => {
      expect(topic).toBe(input.name);
      await tx.send(output, { value });
      if (Number(value) % 10 === 0 && attempt === 1) throw new Error("later");
      if (Number(value) % 10 === 5) throw new Error("never");
    });
    const dead = `${input.name}.${options.groupId}.dead-letter`;
    await until(
      "all have ended",
      async () => (await valuesOf(output.name)).length >= 90 && (await valuesOf(dead)).length >= 10,
    );
    await processor.close();
    await running;
    const sorted = (texts: readonly string[]) => texts.map(Number).toSorted((a, b) => a - b);
    expect(sorted(await valuesOf(output.name))).toEqual(
      values.map(Number).filter((value) => value % 10 !== 5),
    );
    expect(sorted(await valuesOf(dead))).toEqual(values.map(Number).filter((value) => value % 10 === 5));
  },
);

test("records that do not decode go to the dead letters, one by one and in batches", async () => {
  for (const way of ["run", "runBatch"] as const) {
    const { input, output, options } = await setUp(["no JSON", '{"id":1}', "nor this", '{"id":2}']);
    const typed = defineTopic(input.name, { value: z.object({ id: z.number() }) });
    const processor = kafka.processor(typed, { ...options, onInvalid: "dead-letter", deadLetter: true });
    const running =
      way === "run"
        ? processor.run(({ value }, tx) => tx.send(output, { value: String(value.id) }))
        : processor.runBatch((records, tx) =>
            tx.send(
              output,
              records.map(({ value }) => ({ value: String(value.id) })),
            ),
          );
    await until("two are out", async () => (await valuesOf(output.name)).length >= 2);
    await processor.close();
    await running;
    expect(await valuesOf(output.name)).toEqual(["1", "2"]);
    expect(await valuesOf(`${input.name}.${options.groupId}.dead-letter`)).toEqual(["no JSON", "nor this"]);
  }
});

test("with no attempt left it stops, and the offset stays", async () => {
  const { input, output, options } = await setUp(["a", "b"]);
  const processor = kafka.processor(input, { ...options, retry: { attempts: 2, initialDelayMs: 1 } });
  const failure = await processor
    .run(({ value }, tx) => {
      void tx.send(output, { value });
      if (value === "b") throw new Error("no");
    })
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(RetriesExhaustedError);
  expect(await valuesOf(output.name)).toEqual(["a"]);
  expect(await committedOffsets(brokers, options.groupId, input.name)).toEqual([1]);
});

const twoHours = 7_200_000;

test("a record whose output brokers refuse is retried and goes to the dead letters, and the others are out once", async () => {
  const values = Array.from({ length: 40 }, (_, index) => (index === 17 ? "bad" : `good${index}`));
  const { input, output, options } = await setUp(values);
  const processor = kafka.processor(input, {
    ...options,
    deadLetter: true,
    retry: { attempts: 2, initialDelayMs: 5 },
  });
  let calls = 0;
  const attempts: number[] = [];
  const running = processor.run(async ({ value }, tx, { attempt }) => {
    calls += 1;
    if (value === "bad") attempts.push(attempt);
    // More than an hour ahead of its clock no broker takes a record, unless the topic says otherwise.
    await tx.send(output, value === "bad" ? { value, timestamp: Date.now() + twoHours } : { value });
  });
  const deadLetters = `${input.name}.${options.groupId}.dead-letter`;
  await until("it is a dead letter", async () => (await valuesOf(deadLetters)).length > 0);
  await until("the others are out", async () => (await valuesOf(output.name)).length >= 39);
  await processor.close();
  await running;
  expect(await valuesOf(deadLetters)).toEqual(["bad"]);
  expect(await valuesOf(output.name)).toEqual(values.filter((value) => value !== "bad"));
  expect(await committedOffsets(brokers, options.groupId, input.name)).toEqual([40]);
  expect(new Set(attempts)).toEqual(new Set([1, 2]));
  expect(calls).toBeLessThan(400);
});

test("a record whose output brokers refuse stops a processor that has no policy for it", async () => {
  const { input, output, options } = await setUp(["bad"]);
  const processor = kafka.processor(input, options);
  let calls = 0;
  const running = processor.run((_, tx) => {
    calls += 1;
    return tx.send(output, { value: "x", timestamp: Date.now() + twoHours });
  });
  await expect(running).rejects.toMatchObject({ topic: output.name });
  expect(calls).toBe(1);
});
