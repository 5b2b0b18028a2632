import fc from "fast-check";
import { ConfigError, defineTopic, Kafka, KafkaError, type KafkaOptions, string } from "typed-kafka";
import { describe, expect, test } from "vitest";
import { allOptions } from "../../support/all-options.js";
import { silent } from "../../support/silent.js";
import { oddNames, runs, watchPrototypes } from "../../support/hostile.js";

watchPrototypes();

const odd = [
  ...["a=b", "a,b", "a;b", "=", ",", ";", "a\nb", "a\r\nb", "\n", "a\tb", "\x7f", "\u0085", "\u2028", "a\0b"],
  ...[
    "\ud800",
    "a\udc00",
    "\u202e",
    "%s%n",
    "${HOME}",
    "$(id)",
    "../../etc/passwd",
    "{}",
    "[]",
    '"',
    "'",
    "\\",
  ],
  ...["sasl.password=x", "bootstrap.servers=a:1", "x".repeat(100_000), "é".repeat(16_001), "1e999", "👍"],
];
const anyText = fc.oneof(fc.constantFrom(...odd), oddNames, fc.string({ unit: "binary" }), fc.string());

const textOptions = allOptions.flatMap(({ of, specs }) =>
  Object.entries(specs).flatMap(([name, spec]) => (spec.kind === "text" ? [[of, name, spec] as const] : [])),
);

test("there are options that are texts", () => {
  expect(textOptions.length).toBeGreaterThan(20);
});

test.each(textOptions)(
  "%s: any text for `%s` is taken as it is, or is a ConfigError that names it",
  (of, name, spec) => {
    const path = `${of}.${name}`;
    fc.assert(
      fc.property(anyText, (given) => {
        try {
          const taken: unknown = spec.check(path, given);
          if (typeof taken === "string") expect(taken).toBe(given);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          expect((error as ConfigError).field).toContain(name);
          if (spec.secret === true && given.length > 8) expect((error as Error).message).not.toContain(given);
        }
      }),
      runs(200),
    );
  },
);

const topic = defineTopic("texts", { value: string() });
const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

describe("a client with any text ends in time, by a typed error where nobody listens", () => {
  test.each<[string, (text: string) => Partial<KafkaOptions>]>([
    ["brokers", (text) => ({ brokers: text })],
    ["clientId and rack", (text) => ({ clientId: text, rack: text })],
    ["plain", (text) => ({ sasl: { mechanism: "plain", username: text, password: text } })],
    ["scram", (text) => ({ sasl: { mechanism: "scram-sha-512", username: text, password: text } })],
    ["passphrase", (text) => ({ ssl: { passphrase: text } })],
    ["ca", (text) => ({ ssl: { ca: pem(text) } })],
    ["cert and key", (text) => ({ ssl: { cert: pem(text), key: pem(text) } })],
    ["a native property", (text) => ({ librdkafka: { "client.dns.lookup": text } })],
    ["the name of a native property", (text) => ({ librdkafka: { [text]: "x" } })],
  ])("%s", async (_, options) => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const outcome: unknown = await (async () => {
          await using kafka = new Kafka({
            brokers: "127.0.0.1:1",
            connectTimeoutMs: 100,
            logger: silent,
            ...options(text),
          });
          return await kafka.admin().listTopics();
        })().catch((error: unknown) => error);
        expect(outcome).toBeInstanceOf(KafkaError);
      }),
      runs(12),
    );
  });

  test("groupId, groupInstanceId and transactionalId", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        await using kafka = new Kafka({
          brokers: "127.0.0.1:1",
          connectTimeoutMs: 100,
          logger: silent,
        });
        const calls = [
          () => kafka.consumer(topic, { groupId: text, groupInstanceId: text }).run(() => undefined),
          () =>
            kafka
              .transactionalProducer({ transactionalId: text })
              .transaction((tx) => tx.send(topic, { value: text, key: text })),
        ];
        for (const call of calls) {
          const outcome: unknown = await Promise.resolve()
            .then(call)
            .catch((error: unknown) => error);
          expect(outcome).toBeInstanceOf(KafkaError);
        }
      }),
      runs(12),
    );
  });
});
