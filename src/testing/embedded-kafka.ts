import { checkInteger, checkKnown, describe } from "../check.js";
import { loadBinding } from "../driver/binding.js";
import { Client } from "../driver/client.js";
import { type EmbeddedCluster, registerEmbedded } from "../driver/embedded-clusters.js";
import { fastPath, pluginProperties } from "../driver/fast/addon.js";
import type { NativeProducerClient } from "../driver/native.js";
import { fromNative } from "../driver/native-errors.js";
import { ConfigError, KafkaError } from "../errors.js";
import { checkTopic } from "../given-topic.js";
import { consoleLogger } from "../logger.js";
import type { AnyTopic } from "../topic.js";

/** Options of {@link startEmbeddedKafka}. */
export interface EmbeddedKafkaOptions {
  /** How many brokers, 1 to 10. @default 1 */
  readonly brokers?: number | undefined;
  /** Topics to make at once, with their `partitions` (4 where they say none). @default none: they come into being when they are first used */
  readonly topics?: readonly AnyTopic[] | undefined;
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
 * without Java or Docker. A topic comes into being when it is first sent to or consumed, with 4 partitions; `topics` and
 * `admin.ensureTopics` make topics with partitions of their own (where the library's addon is not built, with 4 only).
 * In another process that needs `new Kafka({ librdkafka: { "allow.auto.create.topics": true } })`, else sending fails
 * with `UNKNOWN_TOPIC`.
 *
 * It does not do everything that Kafka does. Not here: `read_committed` (aborted records can show), offsets in
 * transactions and fencing (a processor runs, and the next one begins anew), offsets by time, and most of the admin
 * requests. What it cannot answer is refused at once with the code `NOT_EMBEDDED`, in this process. A group's first member
 * waits 3 s for others, unless `groupProtocol` is `"consumer"`. Test those on a real broker.
 *
 * @example
 * ```ts
 * const embedded = await startEmbeddedKafka();
 * const kafka = new Kafka({ brokers: embedded.brokers });
 * ```
 * @throws `ConfigError` for a wrong option, `KafkaError` with code `BINDING` where the native client is not built
 */
export async function startEmbeddedKafka(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
  checkKnown("EmbeddedKafkaOptions", options, ["brokers", "topics"]);
  const topics = topicsOf(options.topics);
  const count = checkInteger("brokers", options.brokers, { min: 1, max: 10, otherwise: 1 });
  const { Producer } = loadBinding();
  const path = fastPath();
  const plugin = path.addon === undefined ? undefined : pluginProperties(path.file, {});
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
    properties: { "test.mock.num.brokers": count, "allow.auto.create.topics": true },
    ...(plugin === undefined ? {} : { firstProperties: plugin.properties }),
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
  const cluster = clusterOf(host, count, plugin?.token);
  const forget = registerEmbedded(addresses, cluster);
  const close = (): Promise<void> => {
    forget();
    return host.disconnect();
  };
  try {
    for (const { name, partitions = -1, replicationFactor = -1 } of topics)
      await cluster.createTopic(name, partitions, replicationFactor);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    brokers: addresses.join(","),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What the mock cluster makes topics with. */
const defaultPartitions = 4;

function clusterOf(
  host: Client<NativeProducerClient>,
  brokers: number,
  token: string | undefined,
): EmbeddedCluster {
  return {
    createTopic: async (name, givenPartitions, givenReplicas) => {
      const partitions = givenPartitions === -1 ? defaultPartitions : givenPartitions;
      const replicas = givenReplicas === -1 ? Math.min(3, brokers) : givenReplicas;
      if (replicas > brokers)
        throw new ConfigError(
          "replicationFactor",
          `${name} is to have ${replicas} replicas, and the embedded cluster has ${brokers} of brokers: startEmbeddedKafka({ brokers })`,
        );
      const createMockTopic = fastPath().addon?.createMockTopic;
      if (createMockTopic !== undefined && token !== undefined) {
        const code = createMockTopic(token, name, partitions, replicas);
        if (code !== 0)
          throw fromNative(`create topic ${name}`, { code, message: "refused" }, { topic: name });
      } else if (partitions === defaultPartitions) {
        // Asking for it makes it.
        await host.metadata(name, startTimeoutMs);
      } else {
        throw new KafkaError(
          "NOT_EMBEDDED",
          `${name}: without the addon of the fast path, topics of the embedded cluster have ${defaultPartitions} partitions`,
          { topic: name },
        );
      }
    },
  };
}

function topicsOf(given: unknown): readonly AnyTopic[] {
  if (given === undefined) return [];
  if (!Array.isArray(given))
    throw new ConfigError("topics", `expected an array of topics, got ${describe(given)}`);
  return given.map((topic: unknown, index) => checkTopic(`topics[${index}]`, topic));
}
