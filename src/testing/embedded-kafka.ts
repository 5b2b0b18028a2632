import { checkInteger, checkKnown } from "../check.js";
import { loadBinding } from "../driver/binding.js";
import { Client } from "../driver/client.js";
import { registerEmbedded } from "../driver/embedded-clusters.js";
import { KafkaError } from "../errors.js";
import { consoleLogger } from "../logger.js";

/** Options of {@link startEmbeddedKafka}. */
export interface EmbeddedKafkaOptions {
  /** How many brokers, 1 to 10. @default 1 */
  readonly brokers?: number | undefined;
}

/** A running embedded cluster. */
export interface EmbeddedKafka {
  /** Its address for `new Kafka({ brokers })`, here and in other processes: `127.0.0.1:port`, separated by commas. */
  readonly brokers: string;
  /** Ends it; its records are gone. Close the clients first. */
  readonly close: () => Promise<void>;
  /** Ends it; its records are gone. Close the clients first. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const startTimeoutMs = 10_000;

/**
 * Starts librdkafka's mock cluster: in this process, in milliseconds, over the real wire protocol,
 * without Java or Docker. Topics come into being when they are first sent to, with 4 partitions (in another process
 * with `new Kafka({ librdkafka: { "allow.auto.create.topics": true } })`, else sending fails with `UNKNOWN_TOPIC`).
 *
 * It does not do everything that Kafka does. Not here: `read_committed` (aborted records can show),
 * offsets in transactions and fencing (a processor runs, and the next one begins anew), offsets by time, making
 * topics, and the rest of the admin requests, which time out (`describeGroups` and `resetOffsets` end the process). So
 * `retryTopics` do not work, and `deadLetter` only where something was sent to its topic before.
 * A group's first member waits 3 s for others, unless `groupProtocol` is `"consumer"`. Test those on a real broker.
 *
 * @example
 * ```ts
 * const embedded = await startEmbeddedKafka();
 * const kafka = new Kafka({ brokers: embedded.brokers });
 * ```
 * @throws `ConfigError` for a wrong option, `KafkaError` with code `BINDING` where the native client is not built
 */
export async function startEmbeddedKafka(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
  checkKnown("EmbeddedKafkaOptions", options, ["brokers"]);
  const count = checkInteger("brokers", options.brokers, { min: 1, max: 10, otherwise: 1 });
  const { Producer } = loadBinding();
  const host = new Client({
    config: {
      brokers: "the embedded cluster",
      connectTimeoutMs: startTimeoutMs,
      metadataMaxAgeMs: startTimeoutMs,
      logger: { ...consoleLogger, warn: () => undefined },
      token: undefined,
      properties: {},
    },
    what: "embedded cluster",
    create: (properties) => new Producer(properties, null),
    properties: { "test.mock.num.brokers": count },
    callbacks: {},
    onFatal: () => undefined,
  });
  await host.connect(() => {
    host.native.setPollInBackground(true);
  });
  const { brokers } = await host.metadata(undefined, startTimeoutMs);
  if (brokers.length < count) {
    await host.disconnect();
    throw new KafkaError("FATAL", `the embedded cluster started ${brokers.length} of ${count} brokers`);
  }
  const addresses = brokers.map(({ host: name, port }) => `${name}:${port}`);
  const forget = registerEmbedded(addresses);
  const close = (): Promise<void> => {
    forget();
    return host.disconnect();
  };
  return {
    brokers: addresses.join(","),
    close,
    [Symbol.asyncDispose]: close,
  };
}
