import { checkInteger, checkKnown, checkText, describe } from "./check.js";
import type { ClientConfig, OAuthToken } from "./driver/client-config.js";
import type { NativeProperties } from "./driver/native.js";
import { ConfigError } from "./errors.js";
import { consoleLogger, type Logger, withPlainErrors } from "./logger.js";
import { ClientTelemetry } from "./telemetry/client-telemetry.js";
import { type Telemetry, telemetryHooks } from "./telemetry/telemetry.js";

/** TLS: certificates and keys in PEM, as text or bytes. */
export interface SslOptions {
  /** Certificate authorities to trust, in PEM. Absent: those of the system. Kafka: `ssl.ca.pem`. */
  readonly ca?: string | Buffer | undefined;
  /** The client's certificate chain, in PEM, for mutual TLS. Kafka: `ssl.certificate.pem`. */
  readonly cert?: string | Buffer | undefined;
  /** The client's private key, in PEM, for mutual TLS. Kafka: `ssl.key.pem`. */
  readonly key?: string | Buffer | undefined;
  /** The private key's password. Kafka: `ssl.key.password`. */
  readonly passphrase?: string | undefined;
  /**
   * Whether the broker's certificate and host name are verified. `false` only for tests.
   * Kafka: `enable.ssl.certificate.verification`.
   * @default true
   */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** How to authenticate; a union on `mechanism`. */
export type SaslOptions =
  | {
      /** User name and password; use TLS with `plain`. Kafka: `sasl.mechanisms`. */
      readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
      /** Kafka: `sasl.username`. */
      readonly username: string;
      /** Kafka: `sasl.password`. */
      readonly password: string;
    }
  | {
      /** OAuth 2 bearer tokens (KIP-255). */
      readonly mechanism: "oauthbearer";
      /** Called when a token is needed, and again before it expires. Rejecting fails the connection with its message. */
      readonly token: () => Promise<OAuthToken>;
    }
  | {
      /** Kerberos. librdkafka must have been built with it. */
      readonly mechanism: "gssapi";
      /** Kafka: `sasl.kerberos.service.name`. @default "kafka" */
      readonly serviceName?: string | undefined;
      /** Kafka: `sasl.kerberos.principal`. */
      readonly principal?: string | undefined;
      /** Path of the keytab. Kafka: `sasl.kerberos.keytab`. */
      readonly keytab?: string | undefined;
    };

/** Options of {@link Kafka}. */
export interface KafkaOptions {
  /** Where to find the cluster: `"host:port,host:port"` or an array of `"host:port"`. Any one broker is enough. Kafka: `bootstrap.servers`. */
  readonly brokers: string | readonly string[];
  /** Names this application in the brokers' logs and quotas. Kafka: `client.id`. @default "typed-kafka" */
  readonly clientId?: string | undefined;
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

/** What the guarantees rest on: never the user's to set natively. Each has an option where a choice is safe. */
const ownedProperties: Readonly<Record<string, string>> = {
  "bootstrap.servers": "use the option `brokers`",
  "metadata.broker.list": "use the option `brokers`",
  "client.id": "use the option `clientId`",
  "security.protocol": "use the options `ssl` and `sasl`",
  "sasl.mechanisms": "use the option `sasl`",
  "sasl.mechanism": "use the option `sasl`",
  "sasl.username": "use the option `sasl`",
  "sasl.password": "use the option `sasl`",
  "metadata.max.age.ms": "use the option `metadataMaxAgeMs`",
  "topic.metadata.refresh.interval.ms": "use the option `metadataMaxAgeMs`",
  "group.id": "use the option `groupId` of `consumer`",
  "group.instance.id": "use the option `groupInstanceId` of `consumer`",
  "group.protocol": "use the option `groupProtocol` of `consumer`",
  "partition.assignment.strategy": "use the option `assignor` of `consumer`",
  "session.timeout.ms": "use the option `sessionTimeoutMs` of `consumer`",
  "heartbeat.interval.ms": "it follows the option `sessionTimeoutMs` of `consumer`",
  "max.poll.interval.ms": "use the option `maxPollIntervalMs` of `consumer`",
  "auto.offset.reset": "use the option `from` of `consumer`",
  "isolation.level": "use the option `isolation` of `consumer`",
  "transactional.id": "use the option `transactionalId` of `transactionalProducer`",
  "transaction.timeout.ms": "use the option `transactionTimeoutMs` of `transactionalProducer`",
  "delivery.timeout.ms": "use the option `deliveryTimeoutMs` of `producer`",
  "message.timeout.ms": "use the option `deliveryTimeoutMs` of `producer`",
  "linger.ms": "use the option `lingerMs` of `producer`",
  "queue.buffering.max.ms": "use the option `lingerMs` of `producer`",
  "compression.type": "use the option `compression` of `producer`",
  "compression.codec": "use the option `compression` of `producer`",
  partitioner: "use the option `partitioner` of `producer`",
  retries: "use the option `retries` of `producer`",
  "message.send.max.retries": "use the option `retries` of `producer`",
  acks: "producers are idempotent with acks=all",
  "request.required.acks": "producers are idempotent with acks=all",
  "enable.idempotence": "producers are always idempotent",
  "enable.gapless.guarantee": "producers are always idempotent",
  "request.timeout.ms": "use the option `requestTimeoutMs` of `producer`",
  "message.max.bytes": "use the option `maxRecordBytes` of `producer`",
  "batch.size": "use the option `maxBatchBytes` of `producer`",
  "batch.num.messages": "use the option `maxBatchRecords` of `producer`",
  "queue.buffering.max.messages": "use the option `maxInFlightRecords` of `producer`",
  "queue.buffering.max.kbytes": "use the option `maxInFlightBytes` of `producer`",
  "max.in.flight": "producers are always idempotent",
  "max.in.flight.requests.per.connection": "producers are always idempotent",
  "enable.auto.commit": "offsets are committed after the handler",
  "auto.commit.enable": "offsets are committed after the handler",
  "auto.commit.interval.ms": "use the option `commitIntervalMs` of `consumer`",
  "enable.auto.offset.store": "offsets are committed after the handler",
  "enable.partition.eof": "the library reads it itself",
  "delivery.report.only.error": "the library chooses it for each call",
  "go.delivery.reports": "it is another binding's",
  event_cb: "use the option `logger`",
};

/** How a property that is a callback to the binding ends. */
const callbackSuffix = "_cb";

/** Checks the options, names the field that is wrong, and gives what every client of this `Kafka` shares. */
export function resolveKafkaOptions(options: KafkaOptions): ClientConfig {
  checkKnown("KafkaOptions", options, [
    "brokers",
    "clientId",
    "ssl",
    "sasl",
    "connectTimeoutMs",
    "metadataMaxAgeMs",
    "logger",
    "telemetry",
    "librdkafka",
  ]);
  const brokers = resolveBrokers(options.brokers);
  const metadataMaxAgeMs = checkInteger("metadataMaxAgeMs", options.metadataMaxAgeMs, {
    min: 1_000,
    max: 900_000,
    otherwise: 30_000,
  });
  const passedThrough = resolvePassedThrough(options.librdkafka);
  const clientId = checkText("clientId", options.clientId) ?? "typed-kafka";
  const logger = resolveLogger(options.logger);
  return {
    brokers,
    connectTimeoutMs: checkInteger("connectTimeoutMs", options.connectTimeoutMs, {
      min: 100,
      max: 300_000,
      otherwise: 10_000,
    }),
    metadataMaxAgeMs,
    logger,
    telemetry: resolveTelemetry(options.telemetry, clientId, logger),
    token: options.sasl?.mechanism === "oauthbearer" ? options.sasl.token : undefined,
    properties: {
      ...passedThrough,
      "bootstrap.servers": brokers,
      "client.id": clientId,
      "topic.metadata.refresh.interval.ms": metadataMaxAgeMs,
      "metadata.max.age.ms": Math.max(metadataMaxAgeMs * 3, 90_000),
      ...resolveSecurity(options),
    },
  };
}

function resolveBrokers(brokers: unknown): string {
  const list: unknown[] =
    typeof brokers === "string" ? brokers.split(",") : Array.isArray(brokers) ? brokers : [];
  if (list.length === 0) throw new ConfigError("brokers", 'expected "host:port" or an array of them');
  return list
    .map((broker, index) => {
      const address = typeof broker === "string" ? broker.trim() : "";
      const port = /^(?:[^\s:/]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(address)?.[1];
      if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
        throw new ConfigError(`brokers[${index}]`, `expected "host:port", got ${describe(broker)}`);
      return address;
    })
    .join(",");
}

function resolveLogger(logger: Logger | undefined): Logger {
  if (logger === undefined) return consoleLogger;
  for (const level of ["debug", "info", "warn", "error"] as const) {
    if (typeof (logger as Partial<Logger>)[level] !== "function")
      throw new ConfigError(`logger.${level}`, "expected a function (message, fields)");
  }
  return withPlainErrors(logger);
}

function resolveTelemetry(
  telemetry: Telemetry | undefined,
  clientId: string,
  logger: Logger,
): ClientTelemetry | undefined {
  if (telemetry === undefined) return undefined;
  if (typeof telemetry !== "object" || (telemetry as unknown) === null)
    throw new ConfigError("telemetry", `expected an object of functions, got ${describe(telemetry)}`);
  for (const name of telemetryHooks) {
    if (telemetry[name] !== undefined && typeof telemetry[name] !== "function")
      throw new ConfigError(`telemetry.${name}`, `expected a function, got ${describe(telemetry[name])}`);
  }
  return new ClientTelemetry(telemetry, { clientId }, logger);
}

function resolvePassedThrough(properties: KafkaOptions["librdkafka"]): NativeProperties {
  const passedThrough: NativeProperties = {};
  for (const [name, value] of Object.entries(properties ?? {})) {
    const path = `librdkafka["${name}"]`;
    const reason = ownedProperties[name];
    if (reason !== undefined) throw new ConfigError(path, `is set by the library: ${reason}`);
    if (name.endsWith(callbackSuffix)) throw new ConfigError(path, "callbacks are the library's");
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
      throw new ConfigError(path, `expected a text, number or boolean, got ${describe(value)}`);
    passedThrough[name] = value;
  }
  return passedThrough;
}

function resolveSecurity({ ssl, sasl }: KafkaOptions): NativeProperties {
  const encrypted = ssl !== undefined && ssl !== false;
  return {
    "security.protocol": `${sasl === undefined ? "" : "sasl_"}${encrypted ? "ssl" : "plaintext"}`,
    ...(encrypted ? resolveSsl(ssl) : {}),
    ...(sasl === undefined ? {} : resolveSasl(sasl)),
  };
}

function resolveSsl(ssl: true | SslOptions): NativeProperties {
  if (ssl === true) return {};
  checkKnown("ssl", ssl, ["ca", "cert", "key", "passphrase", "rejectUnauthorized"]);
  if ((ssl.cert === undefined) !== (ssl.key === undefined))
    throw new ConfigError(ssl.cert === undefined ? "ssl.cert" : "ssl.key", "cert and key go together");
  const properties: NativeProperties = {};
  const set = (name: string, path: string, pem: string | Buffer | undefined): void => {
    if (pem === undefined) return;
    const text = pem.toString();
    if (!text.includes("-----BEGIN"))
      throw new ConfigError(path, "expected PEM, which begins with -----BEGIN");
    properties[name] = text;
  };
  set("ssl.ca.pem", "ssl.ca", ssl.ca);
  set("ssl.certificate.pem", "ssl.cert", ssl.cert);
  set("ssl.key.pem", "ssl.key", ssl.key);
  if (ssl.passphrase !== undefined) properties["ssl.key.password"] = ssl.passphrase;
  if (ssl.rejectUnauthorized === false) properties["enable.ssl.certificate.verification"] = false;
  return properties;
}

function resolveSasl(sasl: SaslOptions): NativeProperties {
  switch (sasl.mechanism) {
    case "plain":
    case "scram-sha-256":
    case "scram-sha-512":
      checkKnown("sasl", sasl, ["mechanism", "username", "password"]);
      return {
        "sasl.mechanisms": sasl.mechanism.toUpperCase(),
        "sasl.username": checkText("sasl.username", sasl.username) ?? missing("sasl.username"),
        "sasl.password": checkText("sasl.password", sasl.password) ?? missing("sasl.password"),
      };
    case "oauthbearer":
      checkKnown("sasl", sasl, ["mechanism", "token"]);
      if (typeof sasl.token !== "function")
        throw new ConfigError("sasl.token", "expected a function that gives a token");
      return { "sasl.mechanisms": "OAUTHBEARER" };
    case "gssapi": {
      checkKnown("sasl", sasl, ["mechanism", "serviceName", "principal", "keytab"]);
      const properties: NativeProperties = { "sasl.mechanisms": "GSSAPI" };
      if (sasl.serviceName !== undefined) properties["sasl.kerberos.service.name"] = sasl.serviceName;
      if (sasl.principal !== undefined) properties["sasl.kerberos.principal"] = sasl.principal;
      if (sasl.keytab !== undefined) properties["sasl.kerberos.keytab"] = sasl.keytab;
      return properties;
    }
    default:
      throw new ConfigError(
        "sasl.mechanism",
        `expected plain, scram-sha-256, scram-sha-512, oauthbearer or gssapi, got ${describe((sasl as { mechanism: unknown }).mechanism)}`,
      );
  }
}

function missing(field: string): never {
  throw new ConfigError(field, "is required");
}
