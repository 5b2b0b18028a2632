import { afterAll, afterEach, describe, expect, inject, test, vi } from "vitest";
import { Kafka } from "typed-kafka";
import { loadBinding } from "../../src/driver/binding.js";
import type { NativeConsumerClient } from "../../src/driver/native.js";
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

  test("the first record of a partition, whose handler fails, is redelivered", async () => {
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

  test("a processor begins there in its first transaction, and what its handler failed for is redelivered", async () => {
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

describe("partitions whose ends cannot be asked for", () => {
  const { prototype } = loadBinding().KafkaConsumer as unknown as { prototype: NativeConsumerClient };
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Partition 1 of every topic gives this error instead of its end, as the addon does it, until the mock is restored. */
  function withoutEnd(message: string) {
    const original = prototype.offsetsForTimes;
    return vi.spyOn(prototype, "offsetsForTimes").mockImplementation(function (
      this: NativeConsumerClient,
      requested,
      timeoutMs,
      callback,
    ) {
      original.call(this, requested, timeoutMs, (error, results) => {
        callback(
          error,
          results.map((result, index) => (requested[index]?.partition === 1 ? new Error(message) : result)),
        );
      });
    });
  }

  /** Leaders say nothing: questions end when their time is over. */
  function silentLeaders() {
    return vi.spyOn(prototype, "offsetsForTimes").mockImplementation((_, timeoutMs, callback) => {
      setTimeout(() => {
        callback({ code: -185, message: "Local: Timed out" }, []);
      }, timeoutMs);
    });
  }

  test.each(["consumer", "processor"] as const)(
    "%s: the others are handled, and it begins at its end as soon as that is known",
    async (kind) => {
      const topic = await startedTopic();
      const groupId = uniqueName();
      const handled: (string | null)[] = [];
      const mock = withoutEnd("Broker: Leader not available");
      const options = { groupId, from: "latest" } as const;
      const member =
        kind === "consumer"
          ? kafka.consumer(topic, options)
          : kafka.processor(topic, { ...options, transactionalId: groupId });
      const ended = member.run(({ value }) => void handled.push(value));
      await until("the end that is known is committed", async () => {
        const [end] = await committedOffsets(brokers, groupId, topic.name, 2);
        return end === 1;
      });
      await producer.send(topic, [
        { value: "early", partition: 1 },
        { value: "a", partition: 0 },
      ]);
      await until("the others are handled", () => handled.length === 1);
      mock.mockRestore();
      await until("its end is committed", async () => {
        const offsets = await committedOffsets(brokers, groupId, topic.name, 2);
        return offsets.join() === "2,2";
      });
      await producer.send(topic, { value: "b", partition: 1 });
      await until("it is handled too", () => handled.length === 2);
      expect(handled).toEqual(["a", "b"]);
      await member.close();
      await ended;
    },
  );

  test("where the user moves one before its end is known, it stays there", async () => {
    const topic = await startedTopic();
    const mock = withoutEnd("Broker: Leader not available");
    const handled: (string | null)[] = [];
    const consumer = kafka.consumer(topic, { groupId: uniqueName(), from: "latest" });
    const ended = consumer.run(({ value }) => void handled.push(value));
    await until("both partitions", () => consumer.assignment.length === 2);
    await consumer.seek({ topic: topic.name, partition: 1 }, "earliest");
    mock.mockRestore();
    await until("the available record", () => handled.length === 1);
    expect(handled).toEqual(["before"]);
    await consumer.close();
    await ended;
  });

  test("a refusal is told at once", async () => {
    withoutEnd("Broker: Topic authorization failed");
    const consumer = kafka.consumer(await startedTopic(), { groupId: uniqueName(), from: "latest" });
    const begin = performance.now();
    await expect(consumer.run(() => {})).rejects.toMatchObject({ code: "AUTHORIZATION", partition: 1 });
    expect(performance.now() - begin).toBeLessThan(20_000);
  });

  test("close does not wait for leaders that say nothing", async () => {
    const mock = silentLeaders();
    const topic = await startedTopic();
    const consumer = kafka.consumer(topic, { groupId: uniqueName(), from: "latest" });
    const ended = consumer.run(() => {});
    await until("one was asked", () => mock.mock.calls.length > 0);
    const begin = performance.now();
    await consumer.close();
    await ended;
    expect(performance.now() - begin).toBeLessThan(20_000);
  });

  test("close does not wait for a question that nobody ever answers", async () => {
    let answer = (): void => {};
    vi.spyOn(prototype, "committed").mockImplementation((requested, _, callback) => {
      answer = () => {
        callback(
          null,
          requested.map((each) => ({ ...each, offset: 0 })),
        );
      };
    });
    const topic = await startedTopic();
    const consumer = kafka.consumer(topic, { groupId: uniqueName(), from: "latest" });
    const ended = consumer.run(() => {});
    await until("it is asked", () => vi.mocked(prototype.committed).mock.calls.length > 0);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    let isClosed = false as boolean;
    const closing = consumer.close().finally(() => (isClosed = true));
    // What it waits for next may begin only after some time of the native client's.
    while (!isClosed) await vi.advanceTimersByTimeAsync(1_000);
    vi.useRealTimers();
    await closing;
    await ended;
    // The native client ends once the question has been answered.
    answer();
  });
});
