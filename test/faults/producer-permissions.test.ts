import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuthenticationError, AuthorizationError, type DeliveryError, Kafka } from "typed-kafka";
import { textTopic } from "../support/consuming.js";
import { errorOf } from "../support/outcomes.js";
import { accessOf, type SecureKafka, startSecureKafka } from "../support/secure-kafka.js";
import { silent } from "../support/silent.js";

let secure: SecureKafka;
beforeAll(async () => {
  secure = await startSecureKafka({ users: { alice: "hers", nobody: "theirs" } });
  await secure.createTopic("open", 2);
  await secure.createTopic("shut", 2);
  await secure.grant("alice", ["--producer", "--topic", "open"]);
});
afterAll(() => secure.close());

const kafkaOf = (username: string, password: string) =>
  new Kafka({
    ...accessOf(secure, username, password),
    logger: silent,
  });

describe("a producer with the right to one topic", () => {
  test("writes to it, and is told promptly that it may not write to another", async () => {
    const kafka = kafkaOf("alice", "hers");
    const producer = kafka.producer();
    await producer.send(textTopic("open"), { value: "x" });
    const begin = performance.now();
    const failure = (await errorOf(
      producer.send(textTopic("shut"), [{ value: "x" }, { value: "y" }]),
    )) as DeliveryError;
    expect(performance.now() - begin).toBeLessThan(3_000);
    expect(failure).toMatchObject({
      name: "DeliveryError",
      code: "AUTHORIZATION",
      topic: "shut",
      acknowledged: 0,
    });
    expect(failure.results.map(({ status }) => status)).toEqual(["failed", "failed"]);
    expect(failure.cause).toBeInstanceOf(AuthorizationError);
    expect(await errorOf(producer.sendAll(textTopic("shut"), [{ value: "x" }]))).toMatchObject({
      code: "AUTHORIZATION",
      acknowledged: 0,
    });
    // It goes on with what it may.
    await producer.send(textTopic("open"), { value: "y" });
    await kafka.close();
  });
});

describe("a producer without any right", () => {
  test("is dead, says why, and goes on saying so; a new one made after the grant works", async () => {
    const kafka = kafkaOf("nobody", "theirs");
    const producer = kafka.producer();
    const send = () => errorOf(producer.send(textTopic("open"), { value: "x" }));
    expect(await send()).toMatchObject({ name: "DeliveryError", code: "AUTHORIZATION", acknowledged: 0 });
    const again = await send();
    expect(again).toBeInstanceOf(AuthorizationError);
    expect((again as Error).message).toContain("make a new producer");
    await secure.grant("nobody", ["--producer", "--topic", "open"]);
    expect(await send()).toBe(again);
    await kafka.producer().send(textTopic("open"), { value: "x" });
    await kafka.close();
  });
});

describe("a wrong password", () => {
  test("is an AuthenticationError at the first send, within seconds", async () => {
    const kafka = kafkaOf("alice", "wrong");
    const begin = performance.now();
    expect(await errorOf(kafka.producer().send(textTopic("open"), { value: "x" }))).toBeInstanceOf(
      AuthenticationError,
    );
    expect(await errorOf(kafka.producer().sendAll(textTopic("open"), []))).toBeInstanceOf(
      AuthenticationError,
    );
    expect(performance.now() - begin).toBeLessThan(6_000);
    await kafka.close();
  });
});
