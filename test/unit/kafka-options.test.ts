import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ConfigError, defineTopic, Kafka, type KafkaOptions, type LogFields, string } from "typed-kafka";
import { resolveKafkaOptions } from "../../src/kafka-options.js";
import { version } from "../../src/version.js";

const brokers = "localhost:9092";

function fieldOf(options: unknown): string {
  try {
    new Kafka(options as KafkaOptions);
  } catch (error) {
    if (error instanceof ConfigError) return error.field;
    throw error;
  }
  throw new Error("the options were accepted");
}

describe("the options of Kafka", () => {
  test("take brokers as a text or an array", () => {
    expect(resolveKafkaOptions({ brokers: "a:1, b:2" }).brokers).toBe("a:1,b:2");
    expect(resolveKafkaOptions({ brokers: ["a:1", "[::1]:9092"] }).brokers).toBe("a:1,[::1]:9092");
  });

  test.each([
    ["no brokers", {}, "brokers"],
    ["empty brokers", { brokers: "" }, "brokers[0]"],
    ["an empty array", { brokers: [] }, "brokers"],
    ["a broker without a port", { brokers: ["a:1", "b"] }, "brokers[1]"],
    ["a port that is none", { brokers: "a:70000" }, "brokers[0]"],
    ["a URL", { brokers: "kafka://a:9092" }, "brokers[0]"],
    ["an unknown option", { brokers, broker: "x" }, "KafkaOptions.broker"],
    ["options that are no object", "localhost:9092", "KafkaOptions"],
    ["a client id that is empty", { brokers, clientId: "" }, "clientId"],
    ["a time out of bounds", { brokers, connectTimeoutMs: 5 }, "connectTimeoutMs"],
    ["a time that is no number", { brokers, metadataMaxAgeMs: Number.NaN }, "metadataMaxAgeMs"],
    ["a mechanism that does not exist", { brokers, sasl: { mechanism: "md5" } }, "sasl.mechanism"],
    ["no password", { brokers, sasl: { mechanism: "plain", username: "u" } }, "sasl.password"],
    ["no token provider", { brokers, sasl: { mechanism: "oauthbearer" } }, "sasl.token"],
    ["a certificate without its key", { brokers, ssl: { cert: "-----BEGIN x" } }, "ssl.key"],
    ["a certificate that is not PEM", { brokers, ssl: { ca: "abc" } }, "ssl.ca"],
    ["an unknown TLS option", { brokers, ssl: { pfx: "x" } }, "ssl.pfx"],
    ["a logger that lacks a level", { brokers, logger: { debug: () => undefined } }, "logger.info"],
    ["telemetry that is no object", { brokers, telemetry: () => undefined }, "telemetry"],
    ["telemetry of which one is no function", { brokers, telemetry: { onSend: true } }, "telemetry.onSend"],
    ["a property that the library owns", { brokers, librdkafka: { acks: 0 } }, 'librdkafka["acks"]'],
    [
      "a property that has an option",
      { brokers, librdkafka: { "batch.size": 10 } },
      'librdkafka["batch.size"]',
    ],
    ["a native callback", { brokers, librdkafka: { dr_cb: true } }, 'librdkafka["dr_cb"]'],
  ])("refuse %s, and name the field", (_, options, field) => {
    expect(fieldOf(options)).toBe(field);
  });

  test("leave what the caller passed unchanged, frozen or not", () => {
    const options: KafkaOptions = Object.freeze({
      brokers,
      librdkafka: Object.freeze({ "log.queue": false }),
    });
    expect(new Kafka(options)).toBeInstanceOf(Kafka);
    expect(options).toEqual({ brokers, librdkafka: { "log.queue": false } });
  });

  test("say which native property does not exist, when the first client is made", () => {
    const kafka = new Kafka({ brokers, librdkafka: { "no.such.property": 1 } });
    const topic = defineTopic("t", { value: string() });
    expect(() => kafka.consumer(topic, { groupId: "g" })).toThrow('librdkafka["no.such.property"]');
  });

  test("give a logger errors as texts, whatever was thrown", () => {
    const fields: unknown[] = [];
    const log = (_: string, given?: LogFields) => void fields.push(given?.["error"]);
    const { logger } = resolveKafkaOptions({
      brokers,
      logger: { debug: log, info: log, warn: log, error: log },
    });
    const circular: { self?: unknown } = {};
    circular.self = circular;
    const unreadable: unknown = Object.create(null);
    for (const error of [new RangeError("boom"), circular, unreadable]) logger.warn("failed", { error });
    expect(fields).toEqual([
      expect.stringMatching(/^RangeError: boom\n +at /),
      "[object Object]",
      "what was thrown cannot be read",
    ]);
  });

  test.each([
    ["plain", "PLAIN"],
    ["Plain", "PLAIN"],
    ["scram-sha-256", "SCRAM-SHA-256"],
    ["SCRAM-SHA-256", "SCRAM-SHA-256"],
    ["SCRAM-SHA-512", "SCRAM-SHA-512"],
  ])("take a SASL mechanism as kafkajs and as Kafka write it: %s", (mechanism, native) => {
    const sasl = { mechanism: mechanism as "plain", username: "u", password: "p" };
    expect(resolveKafkaOptions({ brokers, sasl }).properties).toMatchObject({ "sasl.mechanisms": native });
    expect(sasl.mechanism).toBe(mechanism);
  });

  test.each([
    [1_000, 90_000],
    [100_000, 300_000],
    [900_000, 2_000_000],
  ])(
    "keep what is known of topics longer than metadataMaxAgeMs, %i, within librdkafka's 32 bits of microseconds",
    (metadataMaxAgeMs, maxAgeMs) => {
      expect(resolveKafkaOptions({ brokers, metadataMaxAgeMs }).properties).toMatchObject({
        "topic.metadata.refresh.interval.ms": metadataMaxAgeMs,
        "metadata.max.age.ms": maxAgeMs,
      });
    },
  );

  test("carry the version of the package", () => {
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(version).toBe(manifest.version);
  });
});
