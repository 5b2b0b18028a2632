import { defineStore, defineTopic, integer, Kafka, string } from "typed-kafka";
import { afterAll, expect, inject, onTestFinished, test } from "vitest";
import { resolveKafkaOptions } from "../../src/kafka-options.js";
import { resolveProcessorOptions } from "../../src/processor/options.js";
import { TransactionFailure } from "../../src/transactions/transaction-failure.js";
import { TransactionRunner } from "../../src/transactions/transaction-runner.js";
import { silent } from "../support/silent.js";
import { committedValuesOf } from "../support/string-topics.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
afterAll(() => kafka.close());

/** As a processor with stores has it. */
async function openRunner(): Promise<TransactionRunner> {
  const config = resolveKafkaOptions({ brokers: inject("brokers"), logger: silent });
  const stores = [defineStore("counts", { value: integer() })];
  const options = { groupId: uniqueName(), transactionalId: uniqueName("tx"), stores };
  const runner = new TransactionRunner(
    config,
    resolveProcessorOptions(options, config.properties).transaction,
  );
  onTestFinished(() => runner.close(10_000));
  await open(runner);
  return runner;
}

const open = (runner: TransactionRunner): Promise<void> =>
  runner.open(new AbortController().signal, { deadline: performance.now() + 30_000, isPatient: true });

const never = (): boolean => false;

test("ends are proven by records that no reader ever sees", async () => {
  const name = await createTopic({ partitions: 3, config: { "cleanup.policy": "compact" } });
  const topic = defineTopic(name, { value: string() });
  await kafka.producer().send(topic, [
    { key: "a", value: "1", partition: 0 },
    { key: "b", value: "2", partition: 0 },
    { key: "c", value: "3", partition: 2 },
  ]);
  const runner = await openRunner();
  const partitions = [2, 0, 1, 0].map((partition) => ({ topic: name, partition }));
  await runner.begin();
  expect(await runner.proveEnds(partitions, never)).toEqual([1, 2, 0, 2]);
  await runner.begin();
  // The mark and the marker of its rollback are behind them now.
  expect(await runner.proveEnds(partitions, never)).toEqual([3, 4, 2, 4]);
  expect((await committedValuesOf(kafka, topic)).sort()).toEqual(["1", "2", "3"]);
});

test("where a record is refused the transaction is to be rolled back, and the next one works", async () => {
  const runner = await openRunner();
  await runner.begin();
  const failure = await runner
    .proveEnds([{ topic: uniqueName("missing"), partition: 0 }], never)
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TransactionFailure);
  await runner.rollBack(failure as TransactionFailure);
  if (!runner.isOpen) await open(runner);
  const name = await createTopic();
  await runner.begin();
  expect(await runner.proveEnds([{ topic: name, partition: 0 }], never)).toEqual([0]);
});
