import { defineWindowStore, integer, Kafka, tumbling } from "typed-kafka";
import type { Telemetry } from "typed-kafka/telemetry";
import { expect, inject, test } from "vitest";
import { until } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { newTopic } from "../support/string-topics.js";
import { uniqueName } from "../support/topics.js";

const brokers = inject("brokers");

/** Telemetry that notes what begins, what ends and what happens, with some of its fields. */
function noting() {
  const noted: string[] = [];
  const note = (name: string, ...fields: unknown[]) => {
    noted.push([name, ...fields].join(" "));
    return { end: (ended: object) => noted.push([`end of ${name}`, ...Object.keys(ended)].join(" ")) };
  };
  const telemetry: Telemetry = {
    onSend: ({ batch, isTransactional }) => note("send", batch, isTransactional),
    onProcess: ({ records, isBatch, attempt }) => note("process", records.length, isBatch, attempt),
    onCommit: ({ topics, transactionalId }) => note("commit", topics.length, transactionalId !== undefined),
    onTransaction: () => note("transaction"),
    onFailure: ({ reason, action }) => void note("failure", reason, action),
    onRebalance: ({ type, partitions }) => void note("rebalance", type, partitions),
    onStoreRestore: ({ store, total }) => {
      noted.push(`restore ${store} ${total > 0}`);
      return { end: ({ entries, outcome }) => noted.push(`end of restore ${entries} ${outcome}`) };
    },
    onLateRecord: ({ store, partition }) => void note("late", store, partition),
    onWindowsClosed: ({ store, partition, windows }) => void note("closed", store, partition, windows),
    onMember: () => {
      const { end } = note("member");
      return () => void end({});
    },
  };
  return { noted, telemetry };
}

test("telemetry is told what a consumer does, from its beginning to its end", async () => {
  const { noted, telemetry } = noting();
  await using quiet = new Kafka({ brokers, logger: silent });
  await using kafka = new Kafka({ brokers, telemetry, logger: silent });
  const topic = await newTopic();
  await quiet.producer().send(topic, [{ value: "a" }, { value: "b" }]);
  const consumer = kafka.consumer(topic, {
    groupId: uniqueName(),
    retry: { attempts: 2, initialDelayMs: 1 },
    commitIntervalMs: 600_000,
  });
  await consumer.run(({ value }, { attempt }) => {
    if (value === "a" && attempt === 1) throw new Error("again");
    if (value === "b") void consumer.close();
  });
  expect(noted).toEqual([
    "member",
    "rebalance assigned 1",
    "process 1 false 1",
    "end of process error",
    "failure handler retry",
    "process 1 false 2",
    "end of process",
    "process 1 false 1",
    "end of process",
    "commit 1 false",
    "end of commit",
    "end of member",
    "rebalance revoked 1",
  ]);
});

test("telemetry is told what a processor and a transaction do", async () => {
  const { noted, telemetry } = noting();
  await using quiet = new Kafka({ brokers, logger: silent });
  await using kafka = new Kafka({ brokers, telemetry, logger: silent });
  const [input, output] = [await newTopic(), await newTopic()];
  await quiet.producer().send(input, { value: "a" });
  const processor = kafka.processor(input, {
    groupId: uniqueName(),
    transactionalId: uniqueName(),
    commitIntervalMs: 1,
  });
  const running = processor.run((record, tx) => tx.send(output, [{ value: record.value }]));
  await until("it is committed", () => noted.includes("end of commit outcome"));
  await processor.close();
  await running;
  const payments = kafka.transactionalProducer({ transactionalId: uniqueName() });
  await payments.transaction((tx) => tx.send(output, { value: "b" }));
  expect(noted.filter((line) => !/rebalance|member/.test(line))).toEqual([
    "process 1 false 1",
    "send 1 true",
    "end of send sent failed",
    "end of process",
    "commit 1 true",
    "end of commit outcome",
    "transaction",
    "send  true",
    "end of send sent failed",
    "end of transaction outcome",
  ]);
});

test("without telemetry nothing is added to a record", async () => {
  await using kafka = new Kafka({ brokers, logger: silent });
  const topic = await newTopic();
  await kafka.producer().send(topic, { value: "v" });
  for await (const { rawHeaders } of kafka.read(topic)) expect(rawHeaders).toEqual([]);
});

test("telemetry that throws at every turn changes nothing but the log", async () => {
  const thrown = (): never => {
    throw new Error("telemetry is broken");
  };
  const broken = { run: thrown, end: thrown };
  const telemetry: Telemetry = {
    onSend: () => ({
      get headers(): never {
        return thrown();
      },
      end: thrown,
    }),
    onProcess: () => broken,
    onCommit: thrown,
    onTransaction: () => broken,
    onFailure: thrown,
    onRebalance: thrown,
    onMember: () => thrown,
  };
  const warnings: string[] = [];
  await using kafka = new Kafka({
    brokers,
    telemetry,
    logger: { ...silent, warn: (message) => warnings.push(message) },
  });
  const topic = await newTopic();
  await kafka.producer().send(topic, [{ value: "a" }, { value: "b" }]);
  const payments = kafka.transactionalProducer({ transactionalId: uniqueName() });
  await payments.transaction((tx) => tx.send(topic, { value: "c" }));
  const consumer = kafka.consumer(topic, {
    groupId: uniqueName(),
    retry: { attempts: 2, initialDelayMs: 1 },
  });
  const handled: string[] = [];
  await consumer.run(({ value }, { attempt }) => {
    handled.push(`${value}${attempt}`);
    if (value === "b" && attempt === 1) throw new Error("again");
    if (value === "c") void consumer.close();
  });
  expect(handled).toEqual(["a1", "b1", "b2", "c1"]);
  expect(warnings.filter((message) => message.startsWith("telemetry: ")).toSorted()).toEqual(
    [
      "end of onProcess",
      "end of onSend",
      "end of onTransaction",
      "headers of onSend",
      "onCommit",
      "onFailure",
      "onRebalance",
      "run of onProcess",
      "run of onTransaction",
      "the end of onMember",
    ].map((what) => `telemetry: ${what} threw. It changes nothing, and is not logged again`),
  );
});

test("telemetry is told of windows that close, late records, and what is restored at a restart", async () => {
  const { noted, telemetry } = noting();
  await using quiet = new Kafka({ brokers, logger: silent });
  const topic = await newTopic();
  const store = defineWindowStore("per-second", { value: integer(), window: tumbling({ sizeMs: 1_000 }) });
  const groupId = uniqueName();
  const counts = async (done: () => boolean): Promise<void> => {
    await using kafka = new Kafka({ brokers, telemetry, logger: silent });
    const options = { groupId, transactionalId: groupId, commitIntervalMs: 1, stores: [store] };
    const processor = kafka.processor(topic, options);
    const running = processor.run(({ key, timestamp }, tx) => {
      tx.store(store).update(key ?? "", timestamp, (count = 0) => count + 1);
    });
    await until("it is told", done);
    await processor.close();
    await running;
  };
  const at = (key: string, timestamp: number) => ({ key, value: "x", timestamp });
  const records = [at("a", 1), at("b", 999), at("a", 5_000), at("a", 5_500), at("a", 500), at("b", 9_000)];
  await quiet.producer().send(topic, records);
  const told = () => noted.filter((note) => /closed|late|restore/.test(note));
  await counts(() => told().length >= 3);
  expect(told()).toEqual(["closed per-second 0 2", "late per-second 0", "closed per-second 0 1"]);
  // Three windows were written, three changes of which the last may be in one transaction with its deletion.
  await counts(() => told().length >= 5);
  expect(told()[3]).toBe("restore per-second true");
  expect(told()[4]).toMatch(/^end of restore [1-9] restored$/);
});
