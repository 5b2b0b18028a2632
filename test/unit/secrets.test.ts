import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { ConfigError, defineTopic, Kafka, type KafkaOptions, string } from "typed-kafka";
import { avro, schemaRegistry, type SchemaRegistryOptions } from "typed-kafka/schema-registry";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { callCommand } from "../support/call-command.js";
import { observedKafka } from "../support/open-telemetry.js";

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
  ["a token in the place of what gives one", { sasl: { mechanism: "oauthbearer", token: secret } }],
  ["credentials that are a text", { sasl: secret }],
  ["certificates that are a text", { ssl: secret }],
  ["a password with a blank", { sasl: { mechanism: "plain", username: "u", password: ` ${secret}` } }],
  ["a password in the address of a broker", { brokers: `somebody:${secret}@127.0.0.1:1` }],
  ["a password in a URL of a broker", { brokers: `kafka://somebody:${secret}@127.0.0.1:1` }],
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
  ["a token in the place of what it belongs to", { auth: secret as never }],
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

test.each<[string, Partial<KafkaOptions>]>([
  ["a password", { sasl: { mechanism: "plain", username: "somebody", password: secret } }],
  ["a token", { sasl: { mechanism: "oauthbearer", token: soon } }],
  [
    "what a token provider throws beside its message",
    { sasl: { mechanism: "oauthbearer", token: withBody } },
  ],
  ["a passphrase", { ssl: { passphrase: secret } }],
])("%s is in no span and no measurement of OpenTelemetry", async (_, options) => {
  const observed = observedKafka("127.0.0.1:1", {}, { connectTimeoutMs: 500, ...options });
  await using kafka = observed.kafka;
  const topic = defineTopic("students", { value: string() });
  const outcomes = await Promise.allSettled([
    kafka.producer({ deliveryTimeoutMs: 500 }).send(topic, { value: "Samwel" }),
    kafka.consumer(topic, { groupId: "etl-group" }).run(() => undefined),
    kafka
      .transactionalProducer({ transactionalId: "etl" })
      .transaction((tx) => tx.send(topic, { value: "Samwel" })),
  ]);
  for (const { status } of outcomes) expect(status).toBe("rejected");
  const texts = await observed.everything();
  expect(texts.length).toBeGreaterThan(0);
  expect(texts.filter((text) => text.includes(secret))).toEqual([]);
});

/** As a client of HTTP, whose errors have the request with them. */
async function withBody(): Promise<never> {
  await Promise.resolve();
  throw Object.assign(new Error("401"), { config: { headers: { authorization: secret } } });
}

const folder = mkdtempSync(join(tmpdir(), "typed-kafka-secrets-"));
const keyFile = join(folder, "own.key");
writeFileSync(keyFile, `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const environment = {
  KAFKA_PASSWORD: secret,
  KAFKA_SASL_PASSWORD: secret,
  KAFKA_SASL_MECHANISM: "PLAIN",
  KAFKA_SASL_USERNAME: "somebody",
  KAFKA_KEY_PASSPHRASE: secret,
  SCHEMA_REGISTRY_USERNAME: "somebody",
  SCHEMA_REGISTRY_PASSWORD: secret,
  SCHEMA_REGISTRY_TOKEN: secret,
};
const somebody = ["--sasl-mechanism", "plain", "--username", "somebody"];

describe.each([
  ["topics"],
  ["topics", "students"],
  ["tail", "students"],
  ["tail", "students", "-r", `http://somebody:${secret}@127.0.0.1:1`],
  ["tail", "students", "-r", `somebody:${secret}@127.0.0.1:1`],
  ["lag", "-G", "etl-group"],
  ["groups"],
  ["groups", "etl-group"],
  ["groups", "reset", "etl-group", "--to", "beginning"],
  ["check", "students", "--group", "etl-group"],
  ["dead-letters", "list", "-t", "students", "-G", "etl-group"],
  ["dead-letters", "redrive", "-t", "students", "-G", "etl-group"],
])("%s %s %s %s: a secret is in nothing that the command prints", (...given) => {
  const command = given.filter((word) => typeof word === "string");
  test.each([
    ["where nobody listens", ["-b", "127.0.0.1:1", "--timeout", "300", ...somebody]],
    ["by the environment alone", ["-b", "127.0.0.1:1", "--timeout", "300"]],
    [
      "with a key that is none",
      ["-b", "127.0.0.1:1", "--timeout", "300", "--cert", keyFile, "--cert-key", keyFile],
    ],
    ["with credentials in the address", ["-b", `somebody:${secret}@127.0.0.1:1`, "--timeout", "300"]],
    ["with an address that is a URL", ["-b", `kafka://somebody:${secret}@127.0.0.1:1`, "--timeout", "300"]],
    ["with a timeout that is none", ["-b", "127.0.0.1:1", "--timeout", "soon", ...somebody]],
    ["with a flag that is none", ["-b", "127.0.0.1:1", "--passwort", "x", ...somebody]],
    ["with a mechanism that is none", ["-b", "127.0.0.1:1", "--sasl-mechanism", "plian", "--username", "u"]],
  ])("%s", async (_, flags) => {
    const { code, out, error } = await callCommand([...command, ...flags], environment);
    expect(code).not.toBe(0);
    expect(`${out}${error}`).not.toContain(secret);
    expect(error).not.toBe("");
  });
});
