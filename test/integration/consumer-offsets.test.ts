import native from "@confluentinc/kafka-javascript";
import { afterAll, describe, expect, inject, test } from "vitest";
import { Kafka, type KafkaError } from "typed-kafka";
import type { OffsetResetEvent } from "typed-kafka/telemetry";
import { committedOffsets, textTopic, until, within } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const warnings: string[] = [];
const resets: OffsetResetEvent[] = [];
const kafka = new Kafka({
  brokers,
  metadataMaxAgeMs: 5_000,
  logger: { ...silent, warn: (message) => void warnings.push(message) },
  telemetry: { onOffsetReset: (event) => void resets.push(event) },
});
const producer = kafka.producer();
const admin = kafka.admin();
afterAll(() => kafka.close());

type TextTopic = ReturnType<typeof textTopic>;
type Options = Pick<Parameters<typeof kafka.consumer>[1], "from" | "onOffsetOutOfRange" | "groupProtocol">;

const values = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({ value: `v${from + index}`, partition: 0 }));

const toldOf = ({ name }: TextTopic) => resets.filter(({ topic }) => topic === name);

/** A consumer or a processor, which are to do the same. */
const kinds = {
  consumer: (topic: TextTopic, groupId: string, options: Options = {}) =>
    kafka.consumer(topic, { groupId, commitIntervalMs: 100, ...options }),
  processor: (topic: TextTopic, groupId: string, options: Options = {}) =>
    kafka.processor(topic, { groupId, transactionalId: groupId, commitIntervalMs: 100, ...options }),
};

/** Runs one and gives the values that it handles. */
function reading(reader: ReturnType<(typeof kinds)[keyof typeof kinds]>) {
  const handled: (string | null)[] = [];
  const outcome = reader
    .run(({ value }: { readonly value: string | null }) => void handled.push(value))
    .then(
      () => undefined,
      (error: unknown) => error as KafkaError,
    );
  return { handled, outcome, reader };
}

/** A topic of which a group has read the first ten records, and that goes on to 110 while nobody reads. */
async function halfRead(kind: keyof typeof kinds, options: Options = {}) {
  const topic = textTopic(await createTopic());
  const groupId = uniqueName();
  const first = reading(kinds[kind](topic, groupId, options));
  await until("it has begun", () => first.reader.assignment.length === 1);
  if (options.from === "latest") await committed(groupId, topic, 0);
  await producer.send(topic, values(0, 10));
  await until("the first ten", () => first.handled.length === 10);
  await first.reader.close();
  await producer.send(topic, values(10, 110));
  return { topic, groupId };
}

const committed = (groupId: string, topic: TextTopic, offset: number) =>
  until(
    `${offset} is committed`,
    async () => (await committedOffsets(brokers, groupId, topic.name))[0] === offset,
  );

describe.each(["consumer", "processor"] as const)("%s overtaken by retention", (kind) => {
  test.each(["earliest", "latest"] as const)(
    "from: %s has no say; what the log still has is delivered, and what is gone is told",
    async (from) => {
      const { topic, groupId } = await halfRead(kind, { from });
      await admin.deleteRecords(topic, [{ topic: topic.name, partition: 0, offset: 60 }]);
      const { handled, reader, outcome } = reading(kinds[kind](topic, groupId, { from }));
      await until("the rest", () => handled.length === 50);
      expect(handled).toEqual(values(60, 110).map(({ value }) => value));
      await committed(groupId, topic, 110);
      const event = { groupId, topic: topic.name, partition: 0, reason: "retention" };
      expect(toldOf(topic)).toEqual([{ ...event, expected: 10, offset: 60, gone: 50 }]);
      expect(warnings.filter((warning) => warning.includes(`${topic.name}[0]`))).toEqual([
        expect.stringContaining("50 offsets, from 10 on, are gone"),
      ]);
      await reader.close();
      expect(await outcome).toBeUndefined();
    },
  );

  test("latest goes on at the end, and says so to the group at once", async () => {
    const { topic, groupId } = await halfRead(kind);
    await admin.deleteRecords(topic, [{ topic: topic.name, partition: 0, offset: 60 }]);
    const { handled, reader } = reading(kinds[kind](topic, groupId, { onOffsetOutOfRange: "latest" }));
    await committed(groupId, topic, 110);
    await producer.send(topic, values(110, 113));
    await until("what comes from then on", () => handled.includes("v112"));
    expect(handled).toEqual(["v110", "v111", "v112"]);
    expect(toldOf(topic)).toMatchObject([{ expected: 10, offset: 110, gone: 50 }]);
    await reader.close();
  });

  test("fail rejects run with what to do, and the group stays where it is", async () => {
    const { topic, groupId } = await halfRead(kind, { onOffsetOutOfRange: "fail" });
    await admin.deleteRecords(topic, [{ topic: topic.name, partition: 0, offset: 60 }]);
    const { handled, outcome } = reading(kinds[kind](topic, groupId, { onOffsetOutOfRange: "fail" }));
    const error = await within(20_000, "run rejects", outcome);
    expect(error).toMatchObject({
      code: "OFFSET_OUT_OF_RANGE",
      topic: topic.name,
      partition: 0,
      offset: 10,
      groupId,
    });
    expect(error?.message).toMatch(
      /50 offsets, from 10 on, .*offsets 60 to 110.*admin\.resetOffsets.*onOffsetOutOfRange/,
    );
    expect(handled).toEqual([]);
    await committed(groupId, topic, 10);
  });

  test("an offset behind the end: the group goes on at the first record, with a warning", async () => {
    const { topic, groupId } = await halfRead(kind);
    await commitPastTheLibrary(groupId, topic, 500);
    const { handled, reader } = reading(kinds[kind](topic, groupId));
    await until("all of it", () => handled.length === 110);
    expect(toldOf(topic)).toMatchObject([{ reason: "beyond-end", expected: 500, offset: 0, gone: 0 }]);
    await committed(groupId, topic, 110);
    await reader.close();
  });
});

test("a consumer that was paused while retention overtook it goes on with what is left", async () => {
  const topic = textTopic(await createTopic());
  const groupId = uniqueName();
  const consumer = kinds.consumer(topic, groupId);
  const { handled } = reading(consumer);
  await producer.send(topic, values(0, 10));
  await until("the first ten", () => handled.length === 10);
  consumer.pause();
  await producer.send(topic, values(10, 40));
  await admin.deleteRecords(topic, [{ topic: topic.name, partition: 0, offset: 30 }]);
  consumer.resume();
  await until("what is left", () => handled.length === 20);
  expect(handled.slice(10)).toEqual(values(30, 40).map(({ value }) => value));
  expect(toldOf(topic)).toMatchObject([{ reason: "retention", expected: 10, offset: 30, gone: 20 }]);
  await committed(groupId, topic, 40);
  await consumer.close();
});

describe.each(["consumer", "processor"] as const)("%s of a topic that is deleted and made again", (kind) => {
  test.each([
    { groupProtocol: "classic", from: "earliest", before: 20, after: 30 },
    { groupProtocol: "classic", from: "latest", before: 20, after: 30 },
    { groupProtocol: "classic", from: "earliest", before: 20, after: 5 },
    { groupProtocol: "consumer", from: "earliest", before: 20, after: 30 },
    { groupProtocol: "consumer", from: "latest", before: 20, after: 5 },
  ] as const)(
    "protocol $groupProtocol, from: $from, $before records before and $after after: it begins the new one at its first record",
    async ({ groupProtocol, from, before, after }) => {
      const topic = textTopic(await createTopic());
      const groupId = uniqueName();
      const { handled, reader } = reading(kinds[kind](topic, groupId, { groupProtocol, from }));
      await until("it has begun", () => reader.assignment.length === 1);
      if (from === "latest") await committed(groupId, topic, 0);
      await producer.send(topic, values(0, before));
      await committed(groupId, topic, before);
      await remake(topic);
      const fresh = values(1_000, 1_000 + after);
      await sendAnew(topic, fresh);
      await until("all of the new topic", () => handled.includes(fresh.at(-1)?.value ?? ""), 60_000);
      expect([...new Set(handled.slice(before))]).toEqual(fresh.map(({ value }) => value));
      await committed(groupId, topic, after);
      await until("it is told", () => toldOf(topic).length > 0);
      expect(toldOf(topic)).toMatchObject([{ groupId, reason: "topic-recreated", offset: 0, gone: 0 }]);
      expect(
        warnings.filter((warning) =>
          warning.startsWith(`${topic.name}: the topic was deleted and made again`),
        ),
      ).toHaveLength(1);
      await reader.close();
    },
  );
});

/** Deletes the topic and makes it again, as soon as brokers let it. */
async function remake(topic: TextTopic): Promise<void> {
  await admin.deleteTopics(topic);
  await until("the topic can be made again", async () => {
    try {
      await createTopic({ name: topic.name });
      return true;
    } catch {
      return false;
    }
  });
}

/** Sends with a producer that has not known the topic before. */
async function sendAnew(topic: TextTopic, records: ReturnType<typeof values>): Promise<void> {
  await using fresh = new Kafka({ brokers, logger: silent });
  await fresh.producer().send(topic, records);
}

/** Commits whatever offset it is, which the library does not. */
async function commitPastTheLibrary(groupId: string, { name }: TextTopic, offset: number): Promise<void> {
  const client = new native.KafkaConsumer({ "bootstrap.servers": brokers, "group.id": groupId }, {});
  await new Promise((resolve) => client.connect({}, resolve));
  const position = { topic: name, partition: 0, offset };
  client.assign([position]);
  client.commitSync(position);
  await new Promise((resolve) => client.disconnect(resolve));
}
