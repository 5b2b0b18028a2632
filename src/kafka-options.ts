import { describe, nativeChangeOf } from "./check.js";
import type { ClientConfig } from "./driver/client-config.js";
import type { NativeProperties } from "./driver/native.js";
import { ConfigError } from "./errors.js";
import { consumerSpecs } from "./group/options.js";
import { consoleLogger, type Logger, safeLogger } from "./logger.js";
import { checkOptions, checkValues } from "./options/check-options.js";
import { custom, integer, required, text } from "./options/kinds.js";
import type { DeclaredOptions, OptionSpecs } from "./options/spec.js";
import { producerSpecs } from "./producer/options.js";
import { type SaslOptions, saslSpec, type SslOptions, sslSpec } from "./security-options.js";
import { ClientTelemetry } from "./telemetry/client-telemetry.js";
import { type Telemetry, telemetrySpecs } from "./telemetry/telemetry.js";
import { transactionSpecs } from "./transactions/transaction-options.js";

/** Options of {@link Kafka}. */
export interface KafkaOptions {
  /** Where to find the cluster: `"host:port,host:port"` or an array of `"host:port"`. Any one broker is enough. Kafka: `bootstrap.servers`. */
  readonly brokers: string | readonly string[];
  /** Names this application in the brokers' logs and quotas. Kafka: `client.id`. @default "typed-kafka" */
  readonly clientId?: string | undefined;
  /**
   * Where this application runs, by the name that the brokers' `broker.rack` gives the place: a data centre, or an
   * availability zone. A reader then fetches from the nearest replica where the brokers choose one by rack
   * (`replica.selector.class`, KIP-392), and the broker's assignor may prefer it too. Kafka: `client.rack`.
   * Absent: none.
   */
  readonly rack?: string | undefined;
  /** `true` for TLS with the system's certificate authorities, or certificates. Absent: no encryption. Kafka: `security.protocol`. */
  readonly ssl?: boolean | SslOptions | undefined;
  /** Credentials. Absent: none. Kafka: `sasl.mechanisms`. */
  readonly sasl?: SaslOptions | undefined;
  /**
   * How long a client may take to reach a broker for the first time, in milliseconds, before it fails
   * with a `ConnectionError`; 100 to 300,000.
   * @default 10_000
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * How old the list of brokers, topics and partitions may grow, in milliseconds: new partitions are
   * used within it; 1,000 to 900,000. Kafka: `metadata.max.age.ms`, `topic.metadata.refresh.interval.ms`.
   * @default 30_000
   */
  readonly metadataMaxAgeMs?: number | undefined;
  /** Where to log. @default warnings and errors to the console */
  readonly logger?: Logger | undefined;
  /** Who watches what the clients do, such as `openTelemetry()` of `typed-kafka/opentelemetry`. Absent: nobody. */
  readonly telemetry?: Telemetry | undefined;
  /**
   * librdkafka properties by their native names, for what no option covers. Those that the library sets
   * itself, because its guarantees rest on them, are refused.
   */
  readonly librdkafka?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** The options of `Kafka`. */
export const kafkaSpecs = {
  brokers: required(
    custom<KafkaOptions["brokers"], string>("list", checkBrokers, {
      property: "bootstrap.servers",
      kafkajs: "brokers",
    }),
    'expected "host:port" or an array of them',
  ),
  clientId: text({ default: "typed-kafka", property: "client.id", kafkajs: "clientId" }),
  rack: text({ property: "client.rack", kafkajs: "rackId" }),
  ssl: sslSpec,
  sasl: saslSpec,
  connectTimeoutMs: integer({ min: 100, max: 300_000, default: 10_000, kafkajs: "connectionTimeout" }),
  metadataMaxAgeMs: integer({
    min: 1_000,
    max: 900_000,
    default: 30_000,
    property: "metadata.max.age.ms",
    kafkajs: "metadataMaxAge",
  }),
  logger: custom<Logger, Logger>("object", checkLogger, {
    absent: "warnings and errors to the console",
    kafkajs: "logCreator",
  }),
  telemetry: custom<Telemetry>("object", checkTelemetry),
  librdkafka: custom<NonNullable<KafkaOptions["librdkafka"]>, NativeProperties>("object", checkPassedThrough),
} satisfies OptionSpecs<KafkaOptions>;

/**
 * Properties that no one may set natively, because an option does or because the guarantees rest on them, and what
 * to do instead.
 */
const ownedProperties = new Map<string, string>([
  ...ownedBy("", kafkaSpecs),
  ...ownedBy(" of `transactionalProducer`", transactionSpecs),
  ...ownedBy(" of `producer`", producerSpecs),
  ...ownedBy(" of `consumer`", consumerSpecs),
  ["metadata.broker.list", "use the option `brokers`"],
  ["security.protocol", "use the options `ssl` and `sasl`"],
  ["sasl.mechanism", "use the option `sasl`"],
  ["sasl.username", "use the option `sasl`"],
  ["sasl.password", "use the option `sasl`"],
  ["topic.metadata.refresh.interval.ms", "use the option `metadataMaxAgeMs`"],
  ["auto.offset.reset", "use the options `from` and `onOffsetOutOfRange` of `consumer`"],
  ["heartbeat.interval.ms", "it follows the option `sessionTimeoutMs` of `consumer`"],
  ["message.timeout.ms", "use the option `deliveryTimeoutMs` of `producer`"],
  ["queue.buffering.max.ms", "use the option `lingerMs` of `producer`"],
  ["compression.codec", "use the option `compression` of `producer`"],
  ["message.send.max.retries", "use the option `retries` of `producer`"],
  ["acks", "producers are idempotent with acks=all"],
  ["request.required.acks", "producers are idempotent with acks=all"],
  ["enable.idempotence", "producers are always idempotent"],
  ["enable.gapless.guarantee", "producers are always idempotent"],
  ["max.in.flight", "producers are always idempotent"],
  ["max.in.flight.requests.per.connection", "producers are always idempotent"],
  ["enable.auto.commit", "offsets are committed after the handler"],
  ["auto.commit.enable", "offsets are committed after the handler"],
  ["enable.auto.offset.store", "offsets are committed after the handler"],
  ["enable.partition.eof", "the library reads it itself"],
  ["delivery.report.only.error", "the library chooses it for each call"],
  ["go.delivery.reports", "it is another binding's"],
  ["event_cb", "use the option `logger`"],
]);

function ownedBy(where: string, specs: DeclaredOptions): [string, string][] {
  return Object.entries(specs).flatMap(([name, { property }]) =>
    property === undefined ? [] : [[property, `use the option \`${name}\`${where}`]],
  );
}

/** How a property that is a callback to the binding ends. */
const callbackSuffix = "_cb";
/**
 * What librdkafka knows of topics it must keep longer than `metadataMaxAgeMs`, and no longer than this: it counts in
 * microseconds, in 32 bits, and with more it would forget everything at once.
 */
const maxKnownMs = 2_000_000;

/** Checks the options, names the field that is wrong, and gives what every client of this `Kafka` shares. */
export function resolveKafkaOptions(options: KafkaOptions): ClientConfig {
  const given = checkOptions("KafkaOptions", options, kafkaSpecs);
  const { brokers, clientId, rack, ssl, sasl, metadataMaxAgeMs, logger, telemetry } = given;
  return {
    brokers,
    connectTimeoutMs: given.connectTimeoutMs,
    metadataMaxAgeMs,
    logger,
    telemetry: telemetry === undefined ? undefined : new ClientTelemetry(telemetry, { clientId }, logger),
    token: sasl?.token,
    properties: {
      ...given.librdkafka,
      "bootstrap.servers": brokers,
      "client.id": clientId,
      ...(rack === undefined ? {} : { "client.rack": rack }),
      "topic.metadata.refresh.interval.ms": metadataMaxAgeMs,
      "metadata.max.age.ms": Math.min(Math.max(metadataMaxAgeMs * 3, 90_000), maxKnownMs),
      "security.protocol": `${sasl === undefined ? "" : "sasl_"}${ssl === undefined ? "plaintext" : "ssl"}`,
      ...ssl,
      ...sasl?.properties,
    },
  };
}

function checkBrokers(path: string, brokers: unknown): string {
  const list: unknown[] =
    typeof brokers === "string" ? brokers.split(",") : Array.isArray(brokers) ? brokers : [];
  if (typeof brokers === "function")
    throw new ConfigError(
      path,
      'expected "host:port" or an array of them, got a function: give what it returns',
    );
  if (list.length === 0) throw new ConfigError(path, 'expected "host:port" or an array of them');
  return list
    .map((broker, index) => {
      const address = typeof broker === "string" ? broker.trim() : "";
      const port = /^(?:[^\s:/\0]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(address)?.[1];
      if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
        throw new ConfigError(`${path}[${index}]`, `expected "host:port", got ${addressShown(broker)}`);
      return address;
    })
    .join(",");
}

/** A URL may have a password in it. */
function addressShown(broker: unknown): string {
  return typeof broker === "string" && broker.includes("@") ? "an address with an @" : describe(broker);
}

function checkLogger(path: string, logger: unknown): Logger {
  if (logger === undefined) return consoleLogger;
  const given: Partial<Logger> | null = logger;
  for (const level of ["debug", "info", "warn", "error"] as const) {
    if (typeof given?.[level] !== "function")
      throw new ConfigError(`${path}.${level}`, "expected a function (message, fields)");
  }
  return safeLogger(given as Logger);
}

function checkTelemetry(path: string, telemetry: unknown): Telemetry | undefined {
  if (telemetry === undefined) return undefined;
  if (typeof telemetry !== "object" || telemetry === null)
    throw new ConfigError(path, `expected an object of functions, got ${describe(telemetry)}`);
  checkValues(telemetry, telemetrySpecs, `${path}.`);
  return telemetry;
}

function checkPassedThrough(path: string, properties: unknown): NativeProperties {
  const passedThrough: NativeProperties = {};
  for (const [name, value] of Object.entries(properties ?? {}) as [string, unknown][]) {
    const field = `${path}["${name}"]`;
    if (!/^[a-z0-9._]+$/.test(name)) throw new ConfigError(field, "is no name of a property");
    const reason = ownedProperties.get(name);
    if (reason !== undefined) throw new ConfigError(field, `is set by the library: ${reason}`);
    if (name.endsWith(callbackSuffix)) throw new ConfigError(field, "callbacks are the library's");
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
      throw new ConfigError(field, `expected a text, number or boolean, got ${describe(value)}`);
    const change = typeof value === "string" ? nativeChangeOf(value) : undefined;
    if (change !== undefined) throw new ConfigError(field, change);
    passedThrough[name] = value;
  }
  return passedThrough;
}
