import { inspect } from "node:util";
import { ConfigError, defineTopic, Kafka, type KafkaOptions, string } from "typed-kafka";
import { avro, schemaRegistry, type SchemaRegistryOptions } from "typed-kafka/schema-registry";
import { expect, test } from "vitest";
import { z } from "zod";

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

test.each<[string, Partial<SchemaRegistryOptions>]>([
  ["a password", { auth: { username: "somebody", password: secret } }],
  ["a token", { auth: { token: secret } }],
  ["a token that is asked for", { auth: { token: () => Promise.resolve(secret) } }],
  ["a header", { headers: { "x-api-key": secret } }],
  ["a header that cannot be sent", { headers: { "x-api-key": `a\n${secret}` } }],
  ["a token that cannot be sent", { auth: { token: `${secret}\0a` } }],
  ["a misspelt password", { auth: { username: "somebody", passwort: secret } as never }],
  ["a password in the address", { url: `http://somebody:${secret}@127.0.0.1:1` }],
  ["a password in an address that is none", { url: `somebody:${secret}@registry` }],
])("%s of a schema registry is in no error, or what it shows of itself", async (_, options) => {
  const texts: string[] = [];
  const answers = [401, 403, 404, 500, 302, 200].map(
    (status) => () => Promise.resolve(new Response("{}", { status })),
  );
  const fetches = [undefined, () => Promise.reject(new TypeError("fetch failed")), ...answers];
  for (const fetch of fetches) {
    try {
      const registry = schemaRegistry({ url: "http://127.0.0.1:1", timeoutMs: 100, fetch, ...options });
      const serde = avro(registry, "string", z.string());
      const topic = defineTopic("students", { value: serde });
      for (const each of [registry, serde, topic]) texts.push(show(each), JSON.stringify(each));
      const context = { topic: "students", part: "value" } as const;
      const outcomes = await Promise.allSettled([
        serde.serialize("a", context),
        serde.deserialize(Buffer.from([0, 0, 0, 0, 1, 2, 97]), context),
      ]);
      for (const outcome of outcomes) expect(outcome.status).toBe("rejected");
      texts.push(show(outcomes));
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      texts.push(show(error));
    }
  }
  expect(texts.length).toBeGreaterThan(0);
  expect(texts.filter((text) => text.includes(secret))).toEqual([]);
});
