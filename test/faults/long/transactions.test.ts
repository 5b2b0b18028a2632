import { setTimeout as sleep } from "node:timers/promises";
import { defineTopic, string, TransactionAbortedError, TransactionOutcomeUnknownError } from "typed-kafka";
import { afterAll, describe, expect, test } from "vitest";
import { within } from "../../support/consuming.js";
import type { Fault, Request } from "../../support/protocol-proxy.js";
import { startProxiedKafka } from "../../support/proxied-kafka.js";
import { settled } from "../../support/settled.js";
import { createTopic, uniqueName } from "../../support/topics.js";

/** Warnings and worse, shown where a test fails. */
const log: string[] = [];
const write = (message: string): void => void log.push(`${new Date().toISOString()} ${message}`);
const { cluster, proxy, kafka, close } = await startProxiedKafka({
  nodes: 3,
  logger: { debug: write, info: write, warn: write, error: write },
});
afterAll(close);

async function newTopic(partitions: number) {
  const { brokers } = cluster;
  return defineTopic(await createTopic({ brokers, partitions }), { value: string() });
}

async function valuesOf(topic: Awaited<ReturnType<typeof newTopic>>): Promise<string[]> {
  await settled(cluster.brokers, [topic.name]);
  const values: string[] = [];
  for await (const { value } of kafka.read(topic)) values.push(value);
  return values;
}

const faults: readonly Fault[] = ["cut", "lost answer", "silence"];
const steps: readonly Request[] = ["init", "add partitions", "produce", "end"];

describe("the outcome that is reported is the outcome in the log", () => {
  test("of a transaction, whatever request of it fails and however", async () => {
    const [debits, credits] = [await newTopic(2), await newTopic(2)];
    const outcomes = new Map<string, "committed" | "aborted" | "unknown">();
    for (const { step, fault } of faults.flatMap((fault) => steps.map((step) => ({ step, fault })))) {
      const transactionalId = uniqueName("tx");
      const producer = kafka.transactionalProducer({ transactionalId, transactionTimeoutMs: 6_000 });
      const run = (name: string): Promise<void> =>
        producer.transaction(async (tx) => {
          await tx.send(debits, { key: name, value: name });
          await tx.send(credits, { key: name, value: name });
        });
      const name = `${step} ${fault}`;
      if (step !== "init") {
        await run(`before ${name}`);
        outcomes.set(`before ${name}`, "committed");
      }
      const hit = proxy.fail(step, fault);
      try {
        await within(60_000, name, run(name), log);
        outcomes.set(name, "committed");
      } catch (error) {
        if (error instanceof TransactionAbortedError) outcomes.set(name, "aborted");
        else if (error instanceof TransactionOutcomeUnknownError) outcomes.set(name, "unknown");
        else throw error;
      }
      await within(5_000, `${name}: the fault`, hit, log);
      await within(60_000, `after ${name}`, run(`after ${name}`), log);
      outcomes.set(`after ${name}`, "committed");
      await producer.close();
    }
    console.log(
      JSON.stringify(Object.fromEntries([...outcomes].filter(([name]) => !/before|after/.test(name)))),
    );
    const [debited, credited] = [await valuesOf(debits), await valuesOf(credits)];
    for (const [name, outcome] of outcomes) {
      const times = debited.filter((value) => value === name).length;
      expect(credited.filter((value) => value === name).length, name).toBe(times);
      if (outcome === "unknown") expect(times, name).toBeLessThanOrEqual(1);
      else expect(times, name).toBe(outcome === "committed" ? 1 : 0);
    }
  });

  test("or is said to be unknown, where no broker answers any more after the commit was sent", async () => {
    const [debits, credits] = [await newTopic(2), await newTopic(2)];
    const producer = kafka.transactionalProducer({
      transactionalId: uniqueName("tx"),
      transactionTimeoutMs: 2_000,
    });
    const run = (name: string): Promise<void> =>
      producer.transaction(async (tx) => {
        await tx.send(debits, { key: name, value: name });
        await tx.send(credits, { key: name, value: name });
      });
    await run("before");
    const hit = proxy.fail("end", "lost answer").then(() => {
      proxy.refuse(true);
    });
    const outcome = await within(
      60_000,
      "the outcome",
      run("unknown").catch((error: unknown) => error),
    );
    await hit;
    expect(outcome).toBeInstanceOf(TransactionOutcomeUnknownError);
    proxy.refuse(false);
    await within(60_000, "the next one", run("after"), log);
    await producer.close();
    const [debited, credited] = [await valuesOf(debits), await valuesOf(credits)];
    expect(debited.filter((value) => value !== "unknown").sort()).toEqual(["after", "before"]);
    expect(debited.sort()).toEqual(credited.sort());
  });

  test("of a processor's records: each comes out once", async () => {
    const [input, output] = [await newTopic(3), await newTopic(3)];
    const producer = kafka.producer();
    let sent = 0;
    const feed = async (count: number): Promise<void> => {
      const records = Array.from({ length: count }, (_, index) => ({
        key: `k${(sent + index) % 20}`,
        value: String(sent + index),
      }));
      sent += count;
      await producer.send(input, records);
    };
    const processor = kafka.processor(input, {
      groupId: uniqueName("group"),
      transactionalId: uniqueName("tx"),
      commitIntervalMs: 20,
      sessionTimeoutMs: 6_000,
      transactionTimeoutMs: 6_000,
    });
    const started = within(30_000, "the start", proxy.fail("init", "lost answer"));
    const done = processor.run(
      (record, tx) => void tx.send(output, { key: record.key, value: record.value }),
    );
    await started;
    await feed(50);
    for (const fault of faults) {
      for (const step of ["add partitions", "produce", "add offsets", "commit offsets", "end"] as const) {
        const hit = within(40_000, `${step} ${fault}`, proxy.fail(step, fault));
        await feed(50);
        await hit;
        await feed(50);
      }
    }
    const deadline = Date.now() + 60_000;
    while ((await valuesOf(output)).length < sent && Date.now() < deadline) await sleep(500);
    await processor.close();
    await done;
    await producer.close();
    const values = await valuesOf(output);
    expect(values.map(Number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: sent }, (_, index) => index),
    );
  });
});
