import { inspect } from "node:util";
import { defineTopic, Kafka, type KafkaOptions, string } from "typed-kafka";
import { expect, test } from "vitest";

const secret = "planted-secret";
const soon = () => Promise.resolve({ value: secret, principal: "somebody", expiresAt: Date.now() + 60_000 });

const show = (what: unknown): string => inspect(what, { depth: 20, showHidden: true, maxStringLength: null });

test.each<[string, object]>([
  ["a password", { sasl: { mechanism: "plain", username: "somebody", password: secret } }],
  ["a password for SCRAM", { sasl: { mechanism: "scram-sha-512", username: "somebody", password: secret } }],
  ["a token", { sasl: { mechanism: "oauthbearer", token: soon } }],
  ["a key and its passphrase", { ssl: { cert: "none", key: secret, passphrase: secret } }],
  ["a native property", { librdkafka: { "ssl.key.password": secret, debug: "security,broker,conf" } }],
  ["a native property that has an option", { librdkafka: { "sasl.password": secret } }],
  ["a misspelt option", { sasl: { mechanism: "plain", username: "somebody", passwort: secret } }],
  ["a password that is no text", { sasl: { mechanism: "plain", username: "somebody", password: [secret] } }],
  ["a password with a blank", { sasl: { mechanism: "plain", username: "u", password: ` ${secret}` } }],
  ["a password with NUL", { sasl: { mechanism: "plain", username: "u", password: `${secret}\0` } }],
])("%s is in no log line, error, or what a client shows of itself", async (_, options) => {
  const texts: string[] = [];
  const log = (message: string, fields?: object): void => void texts.push(message, show(fields));
  try {
    await using kafka = new Kafka({
      // Nobody listens there.
      brokers: "127.0.0.1:1",
      connectTimeoutMs: 500,
      logger: { debug: log, info: log, warn: log, error: log },
      ...(options as Partial<KafkaOptions>),
    });
    const topic = defineTopic("students", { value: string() });
    const producer = kafka.producer({ deliveryTimeoutMs: 500 });
    const consumer = kafka.consumer(topic, { groupId: "etl-group" });
    const outcomes = await Promise.allSettled([
      producer.send(topic, { value: "Samwel" }),
      consumer.run(() => undefined),
      kafka.admin().listTopics(),
      kafka.health(),
    ]);
    for (const each of [outcomes, kafka, producer, consumer]) texts.push(show(each), JSON.stringify(each));
  } catch (error) {
    texts.push(show(error));
  }
  expect(texts.length).toBeGreaterThan(0);
  expect(texts.filter((text) => text.includes(secret))).toEqual([]);
});
