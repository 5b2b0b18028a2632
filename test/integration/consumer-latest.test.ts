import { afterAll, describe, expect, inject, test } from "vitest";
import { Kafka } from "typed-kafka";
import { committedOffsets, textTopic, until } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

/** A topic of two partitions with a record in each that `from: "latest"` passes over. */
async function startedTopic() {
  const topic = textTopic(await createTopic({ partitions: 2 }));
  await producer.send(topic, [
    { value: "before", partition: 0 },
    { value: "before", partition: 1 },
  ]);
  return topic;
}

/** The value of the first record that this gives. */
async function firstValue(reader: {
  readonly run: (handler: (record: { value: string | null }) => void) => Promise<void>;
  readonly close: () => Promise<void>;
}): Promise<string | null> {
  let value: string | null = null;
  await reader.run((record) => {
    ({ value } = record);
    void reader.close();
  });
  return value;
}

describe.each(["classic", "consumer"] as const)('from: "latest", groupProtocol: %s', (groupProtocol) => {
  test("what comes while nobody is there is read by whoever comes next, in partitions where nothing was handled too", async () => {
    const topic = await startedTopic();
    const options = { groupId: uniqueName(), from: "latest", groupProtocol } as const;
    const first = kafka.consumer(topic, options);
    const ended = first.run(() => {});
    await until("both partitions", () => first.assignment.length === 2);
    await first.close();
    await ended;
    await producer.send(topic, [
      { value: "a", partition: 0 },
      { value: "b", partition: 1 },
    ]);
    const handled: (string | null)[] = [];
    const second = kafka.consumer(topic, options);
    await second.run(({ value }) => {
      handled.push(value);
      if (handled.length === 2) void second.close();
    });
    expect(handled.toSorted()).toEqual(["a", "b"]);
  });

  test("a member that gets no partition at first begins where the one before it was", async () => {
    const topic = await startedTopic();
    const options = { groupId: uniqueName(), from: "latest", groupProtocol } as const;
    const handled: (string | null)[] = [];
    const members = [1, 2, 3].map(() => kafka.consumer(topic, options));
    const ended = members.map((member) => member.run(({ value }) => void handled.push(value)));
    const assigned = () => members.map(({ assignment }) => assignment.length);
    await until("two have one each", () => assigned().toSorted().join() === "0,1,1");
    const [busy] = members.filter(({ assignment }) => assignment.length > 0);
    await busy?.close();
    await until("the third has it", () => assigned().filter((count) => count === 1).length === 2);
    await producer.send(topic, [
      { value: "a", partition: 0 },
      { value: "b", partition: 1 },
    ]);
    await until("both", () => handled.length === 2);
    expect(handled.toSorted()).toEqual(["a", "b"]);
    await Promise.all(members.map((member) => member.close()));
    await Promise.all(ended);
  });

  test("the first record of a partition, whose handler fails, comes again", async () => {
    const topic = await startedTopic();
    const options = { groupId: uniqueName(), from: "latest", groupProtocol } as const;
    const first = kafka.consumer(topic, options);
    const failed = expect(
      first.run(() => {
        throw new Error("service down");
      }),
    ).rejects.toThrow("service down");
    await until("both partitions", () => first.assignment.length === 2);
    await producer.send(topic, { value: "a", partition: 0 });
    await failed;
    expect(await firstValue(kafka.consumer(topic, options))).toBe("a");
  });

  test("a processor begins there in its first transaction, and what its handler failed for comes again", async () => {
    const topic = await startedTopic();
    const groupId = uniqueName();
    const options = { groupId, transactionalId: groupId, from: "latest", groupProtocol } as const;
    const first = kafka.processor(topic, options);
    const failed = expect(
      first.run(() => {
        throw new Error("service down");
      }),
    ).rejects.toThrow("service down");
    await until("the ends are committed", async () =>
      (await committedOffsets(brokers, groupId, topic.name, 2)).every((offset) => offset === 1),
    );
    await producer.send(topic, { value: "a", partition: 0 });
    await failed;
    expect(await firstValue(kafka.processor(topic, options))).toBe("a");
  });
});
