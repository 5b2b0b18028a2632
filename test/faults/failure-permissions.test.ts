import { afterAll, beforeAll, expect, test } from "vitest";
import { AuthorizationError, defineTopic, Kafka, string } from "typed-kafka";
import { until } from "../support/consuming.js";
import { accessOf, type SecureKafka, startSecureKafka } from "../support/secure-kafka.js";
import { silent } from "../support/silent.js";

const password = "her password";
const orders = defineTopic("orders", { value: string() });
let secure: SecureKafka;
let kafka: Kafka;

beforeAll(async () => {
  secure = await startSecureKafka({ users: { alice: password } });
  kafka = new Kafka({
    ...accessOf(secure, "alice", password),
    logger: silent,
  });
  await secure.createTopic(orders.name, 2);
  await secure.grant("alice", ["--consumer", "--topic", orders.name, "--group", "billing"]);
});
afterAll(async () => {
  await kafka.close();
  await secure.close();
});

test("without the right to make them, the error names every topic that is missing; with it they are made", async () => {
  const options = { groupId: "billing", retryTopics: { delaysMs: [100] }, deadLetter: true } as const;
  const failure: unknown = await kafka
    .consumer(orders, options)
    .run(() => undefined)
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(AuthorizationError);
  expect((failure as AuthorizationError).message).toContain("orders.billing.retry-1");
  expect((failure as AuthorizationError).message).toContain("orders.billing.dead-letter");

  const prefixed = ["--resource-pattern-type", "prefixed"];
  await secure.grant("alice", ["--operation", "All", "--topic", "orders.billing", ...prefixed]);
  await secure.grant("alice", ["--operation", "All", "--transactional-id", "billing.retry.", ...prefixed]);
  const consumer = kafka.consumer(orders, options);
  const attempts: number[] = [];
  const running = consumer.run((_, { attempt }) => {
    attempts.push(attempt);
    if (attempt === 1) throw new Error("not yet");
  });
  await Promise.race([running, until("all are assigned", () => consumer.assignment.length === 4, 30_000)]);
  await secure.cluster.tool("org.apache.kafka.tools.ConsoleProducer", ["--topic", orders.name], "order\n");
  await Promise.race([running, until("it went through the retry topic", () => attempts.length === 2)]);
  expect(attempts).toEqual([1, 2]);
  await consumer.close();
  await running;
  expect(await settingsOf("orders.billing.dead-letter")).toEqual({
    "cleanup.policy": "delete",
    "max.message.bytes": "100000000",
    "retention.ms": "-1",
  });
  expect(await settingsOf("orders.billing.retry-1")).toEqual({
    "cleanup.policy": "delete",
    "max.message.bytes": "100000000",
  });
});

test("dead letters in a topic of the user's have its settings, and the library's where it says nothing", async () => {
  await secure.grant("alice", ["--operation", "All", "--topic", "letters"]);
  const letters = defineTopic("letters", { value: string(), config: { "retention.ms": "12345678" } });
  const consumer = kafka.consumer(orders, { groupId: "billing", deadLetter: letters });
  const running = consumer.run(() => undefined);
  await Promise.race([running, until("all are assigned", () => consumer.assignment.length === 2, 30_000)]);
  await consumer.close();
  await running;
  expect(await settingsOf(letters.name)).toEqual({
    "cleanup.policy": "delete",
    "max.message.bytes": "100000000",
    "retention.ms": "12345678",
  });
});

/** What a topic is set to, beside the broker's defaults. */
async function settingsOf(topic: string): Promise<Record<string, string>> {
  const describe = ["--describe", "--entity-type", "topics", "--entity-name", topic];
  const output = await secure.cluster.tool("kafka.admin.ConfigCommand", describe);
  const settings = output.matchAll(/^\s+(\S+?)=(\S*)/gm);
  return Object.fromEntries([...settings].map(([, name = "", value = ""]) => [name, value] as const));
}
