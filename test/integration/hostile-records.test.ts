// Records that another program wrote, with any bytes, read by everything that reads.
import kafka from "@confluentinc/kafka-javascript";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { defineStore, defineTopic, InvalidRecordError, Kafka, KafkaError, type RecordOf } from "typed-kafka";
import { z } from "zod";
import { deadLetterHeaders } from "../../src/failure/dead-letter.js";
import { retryHeaders } from "../../src/failure/retry-record.js";
import type { RawHeaders } from "../../src/record.js";
import { callCommand } from "../support/call-command.js";
import { until, within } from "../support/consuming.js";
import { anyBytes, anyHeaders, changed, watchPrototypes } from "../support/hostile.js";
import { createTopic, uniqueName } from "../support/topics.js";

watchPrototypes();

const brokers = inject("brokers");
const count = 60;
const schema = z.looseObject({ id: z.number() });
/** The last record of each topic, which is a good one. */
const last = { key: Buffer.from("last"), value: Buffer.from('{"id":1}'), headers: [] as RawHeaders };
/** That of a changelog: the entry that the last record's handler looks up, and that no store wrote. */
const lastEntry = { ...last, value: Buffer.from('{"id":') };
const forged = "typed-kafka: forged";

let name: string;
let groupId: string;
const printed: string[] = [];
// Its own logger is the one that people see.
const client = new Kafka({ brokers });

beforeAll(async () => {
  for (const level of ["warn", "error"] as const)
    vi.spyOn(console, level).mockImplementation((_format: string, line: string) => void printed.push(line));
  name = await createTopic();
  groupId = uniqueName();
  await createTopic({ name: `${name}.${groupId}.retry-1` });
  await createTopic({ name: `${name}.${groupId}.dead-letter` });
  const suffixes = ["", `.${groupId}.retry-1`, `.${groupId}.dead-letter`];
  for (const suffix of suffixes) await writeHostile(`${name}${suffix}`);
});
afterAll(async () => {
  await client.close();
  vi.restoreAllMocks();
  expect(printed.flatMap((text) => text.split("\n")).filter((line) => line.startsWith(forged))).toEqual([]);
});

const people = () =>
  defineTopic(name, { value: schema, tombstones: true, headers: z.record(z.string(), z.string()) });

test("a consumer skips them, or gives them as values of their type", async () => {
  const seen: RecordOf<ReturnType<typeof people>>[] = [];
  const consumer = client.consumer(people(), { groupId: uniqueName(), onInvalid: "skip" });
  await within(
    30_000,
    "the last record",
    consumed(consumer, (record) => void seen.push(record)),
  );
  for (const { value } of seen) if (value !== null) expect(schema.safeParse(value).success).toBe(true);
  expect(seen.at(-1)).toMatchObject({ key: "last", value: { id: 1 } });
});

test("a consumer sends what it cannot read to the dead letters, those of its retry topic too", async () => {
  const consumer = client.consumer(people(), {
    groupId,
    retryTopics: { delaysMs: [1] },
    deadLetter: true,
    onInvalid: "dead-letter",
  });
  let handled = 0;
  const running = consumer.run(({ value }) => {
    handled += 1;
    throw new Error(`no\n${forged} ${JSON.stringify(value)}`);
  });
  running.catch(() => undefined);
  await until(
    "everything is a dead letter",
    async () => {
      const letters = await client.admin().logOffsets(`${name}.${groupId}.dead-letter`);
      // Its own hostile ones, those of the source and those of the retry topic.
      return (letters[0]?.end ?? 0) >= 3 * (count + 1);
    },
    40_000,
  );
  expect(handled).toBeGreaterThan(0);
  await consumer.close();
  await running;
});

test("a read skips them, or fails with an InvalidRecordError that names the record", async () => {
  let read = 0;
  for await (const { value } of client.read(people(), { onInvalid: "skip" })) {
    read += 1;
    if (value !== null) expect(schema.safeParse(value).success).toBe(true);
  }
  expect(read).toBeGreaterThan(0);
  const failure: unknown = await (async () => {
    for await (const _ of client.read(people())) continue;
  })().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(InvalidRecordError);
  expect(failure).toMatchObject({ topic: name, partition: 0, offset: expect.any(Number) as number });
});

test("a table skips them, or stops with an InvalidRecordError", async () => {
  const table = client.table(people(), { onInvalid: "skip" });
  await table.ready();
  expect(table.get("last")).toEqual({ id: 1 });
  await table.close();
  const strict = client.table(people());
  await expect(strict.ready()).rejects.toBeInstanceOf(InvalidRecordError);
  await strict.close();
});

const byKey = defineStore("byKey", { value: schema });

test("a processor with a store keeps what it can read, under any key", async () => {
  const processor = client.processor(people(), {
    groupId: uniqueName(),
    transactionalId: uniqueName(),
    stores: [byKey],
    onInvalid: "skip",
  });
  let isDone = false;
  const running = processor.run(({ key, value }, tx) => {
    if (key === null || value === null) return;
    tx.store(byKey).set(key, value);
    expect(tx.store(byKey).get(key)).toEqual(value);
    isDone ||= key === "last";
  });
  running.catch(() => undefined);
  await until("the last record", () => isDone, 30_000);
  await processor.close();
  await running;
});

test("a changelog of theirs stops the processor with an InvalidRecordError that names it", async () => {
  const other = uniqueName();
  const changelog = await createTopic({
    name: `${other}.byKey.changelog`,
    config: { "cleanup.policy": "compact" },
  });
  await writeHostile(changelog, lastEntry);
  const processor = client.processor(people(), {
    groupId: other,
    transactionalId: uniqueName(),
    stores: [byKey],
    onInvalid: "skip",
  });
  const failure: unknown = await within(
    30_000,
    "the processor stops",
    processor.run(({ key }, tx) => void tx.store(byKey).get(key ?? "")).catch((error: unknown) => error),
  );
  expect(failure).toBeInstanceOf(InvalidRecordError);
  expect(failure).toMatchObject({ topic: changelog });
});

describe("the command prints them as lines that no terminal obeys", () => {
  test.each([
    ["tail", ["tail", "--from", "beginning"]],
    ["tail --json", ["tail", "--from", "beginning", "--json"]],
    ["dead-letters list", ["dead-letters", "list", "--group"]],
    ["dead-letters list --json", ["dead-letters", "list", "--json", "--group"]],
  ])("%s", async (_, args) => {
    const stop = new AbortController();
    const more = args.includes("--group") ? [groupId] : ["--count", String(count)];
    const { code, out, error } = await callCommand(
      [...args, ...more, "-b", brokers, "-t", name],
      {},
      {
        signal: stop.signal,
      },
    );
    expect({ code, error }).toEqual({ code: 0, error: "" });
    expect(out.split("\n").length).toBeGreaterThan(10);
    expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
    expect(out.split("\n").filter((line) => line.startsWith(forged))).toEqual([]);
  });
});

test("redrive sends back dead letters and keeps what is none", async () => {
  const { redriven, kept } = await client.redrive(people(), { groupId });
  expect(redriven).toBeGreaterThan(0);
  expect(kept).toBeGreaterThanOrEqual(0);
});

/** Runs a consumer until it has the last record. */
async function consumed<Record extends { readonly key: string | null }>(
  consumer: { run: (handler: (record: Record) => void) => Promise<void>; close: () => Promise<void> },
  take: (record: Record) => void,
): Promise<void> {
  const running = consumer.run((record) => {
    take(record);
    if (record.key === "last") void consumer.close();
  });
  await running;
}

/** Writes records of any bytes past the library, and this one at the end. */
async function writeHostile(topic: string, end = last): Promise<void> {
  const source = { topic: name, partition: 0, offset: 2, timestamp: 3, key: null, value: null, headers: [] };
  const error = new Error(`no\n${forged}`);
  const letter = deadLetterHeaders(source, {
    reason: "handler",
    error,
    attempts: 1,
    group: groupId,
    failedAt: 4,
  });
  const retried = retryHeaders(source, { attempts: 1, dueAt: 5, group: groupId, error });
  const some = fc.oneof(anyBytes, fc.constant(Buffer.from(`\n${forged}\u001b[2J`)));
  const record = fc.record({
    // The binding makes null of an empty key, for which a compacted topic refuses the whole batch.
    key: end === lastEntry ? some.filter(({ length }) => length > 0) : fc.option(some),
    value: fc.option(some),
    headers: fc.oneof(anyHeaders, changed(letter), changed(retried), fc.constant(letter)),
  });
  const sample = fc.sample(record, count);
  const producer = new kafka.Producer({ "bootstrap.servers": brokers, "linger.ms": 0 });
  producer.on("event.error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (failure: unknown) => {
      if (failure) reject(new KafkaError("CONNECTION", "the raw client"));
      else resolve();
    });
  });
  for (const { key, value, headers } of [...sample, end])
    producer.produce(
      topic,
      0,
      value,
      key,
      null,
      undefined,
      headers.map(([header, bytes]) => ({ [header]: bytes ?? Buffer.alloc(0) })),
    );
  await new Promise<void>((resolve) => {
    producer.flush(20_000, () => resolve());
  });
  await new Promise<void>((resolve) => {
    producer.disconnect(() => resolve());
  });
  const [log] = await client.admin().logOffsets(topic);
  expect(log?.end).toBe(count + 1);
}
