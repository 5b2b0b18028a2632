import { expect, test } from "vitest";
import { AuthorizationError, defineTopic, Kafka, string } from "typed-kafka";
import { startSecureKafka } from "../support/secure-kafka.js";

test("without the right to make them, the error names every topic that is missing; with it they are made", async () => {
  const users = { alice: "her password" };
  const secure = await startSecureKafka({ users });
  const kafka = new Kafka({
    brokers: secure.brokers,
    ssl: { ca: secure.ca },
    sasl: { mechanism: "scram-sha-512", username: "alice", password: users.alice },
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  });
  try {
    await secure.createTopic("orders", 2);
    await secure.grant("alice", ["--consumer", "--topic", "orders", "--group", "billing"]);
    const orders = defineTopic("orders", { value: string() });
    const options = { groupId: "billing", retryTopics: { delaysMs: [100] }, deadLetter: true } as const;
    const failure: unknown = await kafka
      .consumer(orders, options)
      .run(() => undefined)
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AuthorizationError);
    expect((failure as AuthorizationError).message).toContain("orders.billing.retry-1");
    expect((failure as AuthorizationError).message).toContain("orders.billing.dead-letter");

    const made = ["--topic", "orders.billing", "--resource-pattern-type", "prefixed"];
    await secure.grant("alice", ["--operation", "All", ...made]);
    await secure.grant("alice", ["--operation", "All", "--transactional-id", "*"]);
    const consumer = kafka.consumer(orders, options);
    const running = consumer.run(() => undefined);
    const deadline = Date.now() + 30_000;
    while (consumer.assignment.length < 4 && Date.now() < deadline)
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 50))]);
    expect(consumer.assignment.length).toBe(4);
    await consumer.close();
    await running;
  } finally {
    await kafka.close();
    await secure.close();
  }
});
