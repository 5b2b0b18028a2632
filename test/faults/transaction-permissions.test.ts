import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuthorizationError, Kafka, TransactionAbortedError } from "typed-kafka";
import { textTopic } from "../support/consuming.js";
import { accessOf, type SecureKafka, startSecureKafka } from "../support/secure-kafka.js";
import { silent } from "../support/silent.js";

let secure: SecureKafka;
let kafka: Kafka;
beforeAll(async () => {
  secure = await startSecureKafka({ users: { alice: "hers" } });
  await secure.createTopic("in");
  await secure.createTopic("shut");
  await secure.grant("alice", ["--operation", "All", "--topic", "in"]);
  await secure.grant("alice", ["--operation", "Describe", "--topic", "shut"]);
  await secure.grant("alice", ["--operation", "All", "--group", "*", "--transactional-id", "*"]);
  kafka = new Kafka({
    ...accessOf(secure, "alice", "hers"),
    logger: silent,
  });
});
afterAll(async () => {
  await kafka.close();
  await secure.close();
});

describe("without the right to write to a topic", () => {
  test("a transaction says so, and that it would fail again, however late its records are sent", async () => {
    await using producer = kafka.transactionalProducer({ transactionalId: "payments", lingerMs: 0 });
    for (const sends of [1, 1_000]) {
      const failure: unknown = await producer
        .transaction(async (tx) => {
          for (let sent = 0; sent < sends; sent += 1) {
            await tx.send(textTopic("shut"), { value: String(sent) });
            // Lets the broker's refusal of the first one come.
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        })
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(TransactionAbortedError);
      expect((failure as TransactionAbortedError).cause).toBeInstanceOf(AuthorizationError);
      expect(failure).toMatchObject({ retriable: false });
    }
  });

  test("a processor with a backlog stops and says so", async () => {
    const backlog = Array.from({ length: 20_000 }, (_, index) => ({ value: String(index) }));
    await kafka.producer().sendAll(textTopic("in"), backlog);
    await using processor = kafka.processor(textTopic("in"), { groupId: "copy", transactionalId: "copy" });
    const failure: unknown = await processor
      .run(({ value }, tx) => tx.send(textTopic("shut"), { value }))
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AuthorizationError);
  });
});
