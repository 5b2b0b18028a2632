import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, inject, test } from "vitest";
import { ClosedError, ConnectionError, defineTopic, Kafka, string } from "typed-kafka";
import { deferred } from "../../src/waiting.js";
import { startEmbeddedKafka } from "typed-kafka/testing";
import { startBroker } from "../support/broker.js";
import { until } from "../support/consuming.js";
import { freePort } from "../support/ports.js";
import { runProgram } from "../support/run-example.js";
import { createTopic, uniqueName } from "../support/topics.js";

const topic = defineTopic("nobody-is-there", { value: string() });
const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

describe("with nobody listening at the address", () => {
  test("a producer and a consumer fail within the deadline given, with the address and the reason, and close ends", async () => {
    const port = await freePort();
    const kafka = new Kafka({ brokers: `127.0.0.1:${port}`, connectTimeoutMs: 5_000, logger: silent });
    const begin = performance.now();
    const failures = await Promise.all([
      kafka
        .producer()
        .send(topic, { value: "x" })
        .catch((error: unknown) => error),
      kafka
        .consumer(topic, { groupId: uniqueName() })
        .run(() => undefined)
        .catch((error: unknown) => error),
    ]);
    for (const failure of failures) {
      expect(failure).toBeInstanceOf(ConnectionError);
      expect((failure as ConnectionError).message).toContain(`127.0.0.1:${port}`);
      expect((failure as ConnectionError).message).toMatch(/refused/i);
    }
    // Unless told otherwise it is 30 s.
    expect(performance.now() - begin).toBeLessThan(25_000);
    await kafka.close();
  });

  test("close while connecting ends the wait", async () => {
    const kafka = new Kafka({
      brokers: `127.0.0.1:${await freePort()}`,
      connectTimeoutMs: 60_000,
      logger: silent,
    });
    const running = kafka.consumer(topic, { groupId: uniqueName() }).run(() => undefined);
    await kafka.close();
    await expect(running).resolves.toBeUndefined();
  });
});

test("no client creates a topic by using its name, where the broker would let it", async () => {
  const broker = await startBroker(await freePort(), { "auto.create.topics.enable": true });
  const kafka = new Kafka({ brokers: broker.brokers, logger: silent });
  const missing = (name: string) => defineTopic(`missing-${name}`, { value: string() });
  const uses = [
    kafka.producer().send(missing("send"), { value: "x" }),
    kafka.producer().sendAll(missing("send-all"), [{ value: "x" }]),
    kafka
      .transactionalProducer({ transactionalId: uniqueName() })
      .transaction((tx) => tx.send(missing("transaction"), { value: "x" }))
      .catch((error: unknown) => Promise.reject((error as Error).cause as Error)),
    kafka.consumer(missing("consumer"), { groupId: uniqueName() }).run(() => undefined),
    kafka
      .processor(missing("processor"), { groupId: uniqueName(), transactionalId: uniqueName() })
      .run(() => undefined),
    kafka.read(missing("read"))[Symbol.asyncIterator]().next(),
  ];
  try {
    for (const outcome of await Promise.allSettled(uses))
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "UNKNOWN_TOPIC" } });
    const topics = await kafka.admin().listTopics();
    expect(topics.filter((name) => name.startsWith("missing-"))).toEqual([]);
  } finally {
    await kafka.close();
    await broker.close();
  }
}, 60_000);

test("an outage that lasts is told once, and that the client goes on when it is over", async () => {
  const cluster = await startEmbeddedKafka();
  const warnings: string[] = [];
  const kafka = new Kafka({
    brokers: cluster.brokers,
    logger: { ...silent, warn: (message) => warnings.push(message) },
  });
  await kafka.producer().send(topic, { value: "x" });
  await cluster.close();
  await until("a warning", () => warnings.length > 0);
  expect(warnings).toEqual([
    expect.stringMatching(/^producer: no broker at .* has answered for 5 s.* It goes on/),
  ]);
  await kafka.close();
});

describe("a closed Kafka", () => {
  test("makes no more clients", async () => {
    const kafka = new Kafka({ brokers: "127.0.0.1:1" });
    await kafka.close();
    expect(() => kafka.producer()).toThrow(ClosedError);
  });

  test("lets the process end by itself", async () => {
    const program = runProgram("test/support/programs/close-and-end.ts");
    expect(await program.ended).toBe(0);
    expect(program.output()).toContain("closed");
  });
});

test("closing a Kafka lets handlers finish, which may be sending", async () => {
  const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
  const input = defineTopic(await createTopic(), { value: string() });
  const output = defineTopic(await createTopic(), { value: string() });
  const producer = kafka.producer();
  await producer.send(input, { value: "x" });
  const begun = deferred();
  const consumer = kafka.consumer(input, { groupId: uniqueName(), deadLetter: true });
  let outcome: unknown;
  const running = consumer.run(async ({ value }) => {
    begun.resolve();
    await sleep(300);
    outcome = await producer.send(output, { value }).catch((error: unknown) => error);
  });
  await begun.promise;
  await kafka.close();
  await running;
  expect(outcome).toMatchObject({ topic: output.name, offset: 0 });
});

describe("on a worker thread", () => {
  test("making a client says that it works on the main thread only", async () => {
    const program = runProgram("test/support/programs/worker-thread.ts");
    expect(await program.ended).toBe(0);
    expect(program.output()).toContain("BINDING: The native Kafka client works on the main thread only");
  });
});
