import { afterAll, beforeAll, expect, test } from "vitest";
import { AuthorizationError, Kafka } from "typed-kafka";
import { textTopic, until } from "../support/consuming.js";
import { accessOf, type SecureKafka, startSecureKafka } from "../support/secure-kafka.js";
import { silent } from "../support/silent.js";

const password = "her password";
let secure: SecureKafka;
let kafka: Kafka;

beforeAll(async () => {
  secure = await startSecureKafka({ users: { alice: password } });
  kafka = new Kafka({
    ...accessOf(secure, "alice", password),
    logger: silent,
  });
  await secure.createTopic("orders");
  const operations = ["Read", "Write", "Describe"].flatMap((operation) => ["--operation", operation]);
  await secure.grant("alice", [...operations, "--topic", "orders"]);
  await secure.grant("alice", ["--operation", "Read", "--group", "allowed"]);
  await secure.grant("alice", ["--operation", "All", "--transactional-id", "allowed"]);
});
afterAll(async () => {
  await kafka.close();
  await secure.close();
});

test.each([
  ["its group", { groupId: "refused", transactionalId: "allowed" }],
  ["its transactional id", { groupId: "allowed", transactionalId: "refused" }],
])("a processor without the right to %s stops with an AuthorizationError", async (_, options) => {
  const processor = kafka.processor(textTopic("orders"), options);
  await expect(processor.run(() => undefined)).rejects.toBeInstanceOf(AuthorizationError);
});

test("with both it works", async () => {
  await kafka.producer().send(textTopic("orders"), { value: "order" });
  const processor = kafka.processor(textTopic("orders"), { groupId: "allowed", transactionalId: "allowed" });
  const handled: (string | null)[] = [];
  const running = processor.run(({ value }) => void handled.push(value));
  await Promise.race([running, until("it is handled", () => handled.length === 1)]);
  await processor.close();
  await running;
});
