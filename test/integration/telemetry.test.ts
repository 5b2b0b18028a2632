import { Kafka } from "typed-kafka";
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
