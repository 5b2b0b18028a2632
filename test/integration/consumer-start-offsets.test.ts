import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, inject, test } from "vitest";
import { Kafka, type TopicPartition } from "typed-kafka";
import { committedOffsets, textTopic, until, within } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

/** A topic with ten records in each partition: `p-o` is that at offset o of partition p. */
async function written(partitions: number) {
  const topic = textTopic(await createTopic({ partitions }));
  for (let partition = 0; partition < partitions; partition += 1) {
    const records = Array.from({ length: 10 }, (_, offset) => ({
      value: `${partition}-${offset}`,
      partition,
    }));
    await producer.send(topic, records);
  }
  return topic;
}

const rest = (partition: number, from: number) =>
  Array.from({ length: 10 - from }, (_, index) => `${partition}-${from + index}`);

describe.each(["classic", "consumer"] as const)("startOffsets with the %s protocol", (groupProtocol) => {
  const consumer = (
    topic: Awaited<ReturnType<typeof written>>,
    options: Omit<Parameters<typeof kafka.consumer>[1], "groupProtocol">,
  ) => kafka.consumer(topic, { groupProtocol, commitIntervalMs: 100, ...options });

  test("run, runBatch and for await begin where it says, or where the group has committed", async () => {
    const topic = await written(2);
    const groupId = uniqueName();
    const first = consumer(topic, { groupId });
    let handled = 0;
    const running = first.run(() => void (handled += 1));
    await until("all are handled", () => handled === 20);
    await first.close();
    await running;

    const startOffsets = () => ({ 0: 4 });
    const runs = {
      run: (reader: typeof first, seen: (string | null)[]) =>
        reader.run(({ value }) => void seen.push(value)),
      runBatch: (reader: typeof first, seen: (string | null)[]) =>
        reader.runBatch((records) => void seen.push(...records.map(({ value }) => value))),
      "for await": async (reader: typeof first, seen: (string | null)[]) => {
        for await (const { value } of reader) seen.push(value);
      },
    };
    for (const [name, run] of Object.entries(runs)) {
      const reader = consumer(topic, { groupId, startOffsets });
      const seen: (string | null)[] = [];
      const outcome = run(reader, seen);
      await until(`${name} has read the rest`, () => seen.length === 6);
      await producer.send(topic, { value: null, partition: 1, key: name });
      await until(`${name} has read what came in the other partition`, () => seen.length === 7);
      expect(seen).toEqual([...rest(0, 4), null]);
      await reader.close();
      await outcome;
    }
  });

  test("is asked again for what a rebalance brings, and for nothing else", async () => {
    const topic = await written(2);
    const groupId = uniqueName();
    const offsets = new Map([
      [0, 2],
      [1, 3],
    ]);
    /** What is asked for, and read, by each member. */
    const member = () => {
      const asked: number[][] = [];
      const seen: (string | null)[] = [];
      const startOffsets = async (partitions: readonly TopicPartition[]) => {
        asked.push(partitions.map(({ partition }) => partition).toSorted());
        await sleep(200);
        return partitions.map((each) => ({ ...each, offset: offsets.get(each.partition) ?? -1 }));
      };
      const reader = consumer(topic, { groupId, startOffsets });
      return { asked, seen, reader, outcome: reader.run(({ value }) => void seen.push(value)) };
    };
    const first = member();
    await until("the first has read", () => first.seen.length === 15);
    expect(first.seen.toSorted()).toEqual([...rest(0, 2), ...rest(1, 3)]);
    offsets.set(0, 8).set(1, 9);
    const second = member();
    await until("both have one", () => [first, second].every(({ reader }) => reader.assignment.length === 1));
    const [moved = -1] = second.asked.flat();
    await until("the second has read", () => second.seen.length === 2 - moved);
    expect(second.seen).toEqual(rest(moved, 8 + moved));
    await second.reader.close();
    await until("the first has both", () => first.asked.length === 2);
    await until("it has read again", () => first.seen.length === 15 + 2 - moved);
    expect(first.asked).toEqual([[0, 1], [moved]]);
    await first.reader.close();
    await Promise.all([first.outcome, second.outcome]);
  }, 90_000);

  test("an error of it rejects run, and nothing is delivered or committed", async () => {
    const topic = await written(1);
    const groupId = uniqueName();
    const cause = new Error("the database is away");
    const seen: unknown[] = [];
    const reader = consumer(topic, { groupId, startOffsets: () => Promise.reject(cause) });
    const outcome = within(
      20_000,
      "run rejects",
      reader.run((record) => void seen.push(record)),
    );
    await expect(outcome).rejects.toMatchObject({ code: "START_OFFSETS", cause, groupId });
    await expect(outcome).rejects.toThrow("startOffsets failed: the database is away");
    expect(seen).toEqual([]);
    expect(await committedOffsets(brokers, groupId, topic.name)).toEqual([-1]);
  });
});

test("what takes longer than drainTimeoutMs is a TimeoutError, and a member that waits stays in the group", async () => {
  const topic = await written(1);
  const slow = (ms: number) => async () => {
    await sleep(ms);
    return { 0: 7 };
  };
  const options = { sessionTimeoutMs: 6_000, maxPollIntervalMs: 6_000, drainTimeoutMs: 5_000 };
  const late = kafka.consumer(topic, {
    groupId: uniqueName(),
    ...options,
    drainTimeoutMs: 500,
    startOffsets: slow(5_000),
  });
  const outcome = within(
    20_000,
    "run rejects",
    late.run(() => undefined),
  );
  await expect(outcome).rejects.toMatchObject({
    code: "TIMEOUT",
    message: expect.stringContaining("startOffsets") as string,
  });

  const seen: (string | null)[] = [];
  let assignments = 0;
  const reader = kafka.consumer(topic, {
    groupId: uniqueName(),
    ...options,
    startOffsets: slow(4_500),
    onRebalance: ({ type }) => void (assignments += type === "assigned" ? 1 : 0),
  });
  const running = reader.run(({ value }) => void seen.push(value));
  await until("it has read", () => seen.length === 3);
  expect({ seen, assignments }).toEqual({ seen: rest(0, 7), assignments: 1 });
  await reader.close();
  await running;
});

test("an offset that the log does not have is for onOffsetOutOfRange to say", async () => {
  const topic = await written(1);
  const options = { onOffsetOutOfRange: "fail", startOffsets: () => ({ 0: 1_000 }) } as const;
  const reader = kafka.consumer(topic, { groupId: uniqueName(), ...options });
  await expect(
    within(
      20_000,
      "run rejects",
      reader.run(() => undefined),
    ),
  ).rejects.toMatchObject({
    code: "OFFSET_OUT_OF_RANGE",
    offset: 1_000,
  });
});
