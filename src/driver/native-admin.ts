import { KafkaError } from "../errors.js";
import { limitConcurrency } from "../waiting.js";
import { askLeaders } from "./ask-leaders.js";
import { loadBinding } from "./binding.js";
import { Client } from "./client.js";
import { type EmbeddedCluster, embeddedCluster, refuseEmbedded } from "./embedded-clusters.js";
import { fastPath, pluginProperties } from "./fast/addon.js";
import type { ClientConfig } from "./client-config.js";
import { fromNative, nativeCodes } from "./native-errors.js";
import type {
  NativeBinding,
  NativeCallback,
  NativeError,
  NativeMetadata,
  NativeOffset,
  NativePartition,
  NativeProducerClient,
} from "./native.js";

interface NativeNode {
  readonly id: number;
}

/** A topic as the addon describes it. Its own declarations lack that `leader` may be absent. */
export interface NativeTopicDescription {
  readonly name: string;
  /** All bits are 0 where brokers have no ids. */
  readonly topicId?: { readonly base64: string };
  readonly isInternal: boolean;
  readonly error?: NativeError;
  readonly authorizedOperations?: readonly number[];
  readonly partitions: readonly {
    readonly partition: number;
    readonly leader?: NativeNode;
    readonly isr: readonly NativeNode[];
    readonly replicas: readonly NativeNode[];
  }[];
}

/** A group as the addon describes it; one that does not exist has the state "dead" and no error. */
export interface NativeGroupDescription {
  readonly groupId: string;
  readonly error?: NativeError;
  readonly state: number;
  readonly type: number;
  readonly partitionAssignor: string;
  readonly coordinator?: NativeNode;
  readonly authorizedOperations?: readonly number[];
  readonly members: readonly {
    readonly memberId: string;
    readonly clientId: string;
    readonly clientHost: string;
    readonly groupInstanceId?: string;
    readonly assignment: { readonly topicPartitions: readonly NativePartition[] };
  }[];
}

/** A group as the binding lists it. */
export interface NativeGroupListing {
  readonly groupId: string;
  readonly isSimpleConsumerGroup: boolean;
  readonly state: number;
  readonly type: number;
}

/** What a group is for. */
export interface NativeGroupKind {
  /** What its members agree on: `consumer`, `connect`. Empty for one that has none, or that speaks a newer protocol. */
  readonly protocolType: string;
  /** Of its members, as only their own kind understands them. */
  readonly assignments: readonly Buffer[];
}

interface NativeNewTopic {
  readonly topic: string;
  readonly num_partitions: number;
  readonly replication_factor: number;
  readonly config: Readonly<Record<string, string>>;
}

/** The outcome for one partition. */
export interface NativeOffsetOutcome extends NativePartition {
  readonly offset: number;
  readonly error?: KafkaError;
}

interface NativeAdminClient {
  createTopic: (topic: NativeNewTopic, timeoutMs: number, callback: NativeCallback) => void;
  deleteTopic: (topic: string, timeoutMs: number, callback: NativeCallback) => void;
  createPartitions: (topic: string, total: number, timeoutMs: number, callback: NativeCallback) => void;
  describeTopics: (
    topics: readonly string[],
    options: { readonly timeout: number; readonly includeAuthorizedOperations: boolean },
    callback: NativeCallback<readonly NativeTopicDescription[]>,
  ) => void;
  describeGroups: (
    groups: readonly string[],
    options: { readonly timeout: number; readonly includeAuthorizedOperations: boolean },
    callback: NativeCallback<{ readonly groups: readonly NativeGroupDescription[] }>,
  ) => void;
  listGroups: (
    options: { readonly timeout: number },
    callback: NativeCallback<{
      readonly groups: readonly NativeGroupListing[];
      readonly errors: readonly NativeError[];
    }>,
  ) => void;
  deleteGroups: (
    groups: readonly string[],
    options: { readonly timeout: number },
    callback: NativeCallback<readonly { readonly groupId: string; readonly error?: NativeError }[]>,
  ) => void;
  listOffsets: (
    partitions: readonly (NativePartition & { readonly offset: { readonly timestamp: number } })[],
    options: { readonly timeout: number; readonly isolationLevel: 0 | 1 },
    callback: NativeCallback<readonly (NativeOffset & { readonly error?: NativeError })[]>,
  ) => void;
  deleteRecords: (
    offsets: readonly NativeOffset[],
    options: { readonly timeout: number; readonly operation_timeout: number },
    callback: NativeCallback<
      readonly (NativePartition & { readonly lowWatermark: number; readonly error?: NativeError })[]
    >,
  ) => void;
}

/** rdkafka.h, `rd_kafka_ResourceType_t`. */
const resourceTypes = { topic: 2, broker: 4 } as const;

interface NativeAdminBinding extends NativeBinding {
  readonly AdminClient: new (
    properties: undefined,
    topicProperties: null,
    connection: NativeProducerClient,
  ) => NativeAdminClient;
}

/**
 * The native admin client with promises and typed errors, on the connection of a producer: by itself it
 * would tell no reason for a failed connection, and block the process while it disconnects.
 */
export class NativeAdmin {
  readonly #client: Client<NativeProducerClient>;
  /** Calls take a lock for as long as they last; waiting for it in here leaves libuv's threads to others. */
  readonly #oneAtATime = limitConcurrency(1);
  #admin: NativeAdminClient | undefined;
  /** What the addon knows the connection by; `undefined` where there is none. */
  readonly #token: string | undefined;
  readonly #brokers: string;
  readonly #embedded: EmbeddedCluster | undefined;

  constructor(config: ClientConfig, onFatal: (error: KafkaError) => void) {
    this.#brokers = config.brokers;
    this.#embedded = embeddedCluster(config.brokers);
    const { Producer } = loadBinding();
    const path = fastPath();
    const plugin = path.reason === undefined ? pluginProperties(path.file, config.properties) : undefined;
    this.#token = plugin?.token;
    this.#client = new Client({
      config,
      what: "admin",
      create: (all) => new Producer(all, null),
      properties: {},
      ...(plugin === undefined ? {} : { firstProperties: plugin.properties }),
      callbacks: { event: { delivery_cb: () => undefined } },
      onFatal,
    });
  }

  /** Which connection failed last, and why, to be put behind a message; empty where none did lately. */
  get trouble(): string {
    return this.#client.trouble;
  }

  async connect(signal?: AbortSignal): Promise<void> {
    await this.#client.connect(() => {
      this.#client.native.setPollInBackground(true);
    }, signal);
    // Only now: it copies the connection's lock, which nobody must hold at that moment.
    const { AdminClient } = loadBinding() as NativeAdminBinding;
    this.#admin = new AdminClient(undefined, null, this.#client.native);
  }

  /** -1 partitions, or a replication factor of -1, leave it to the broker. */
  async createTopic(
    topic: {
      readonly name: string;
      readonly partitions: number;
      readonly replicationFactor: number;
      readonly config: Readonly<Record<string, string>>;
    },
    timeoutMs: number,
  ): Promise<void> {
    if (this.#embedded !== undefined)
      return this.#embedded.createTopic(topic.name, topic.partitions, topic.replicationFactor);
    await this.#call(`create topic ${topic.name}`, (admin, callback) => {
      admin.createTopic(
        {
          topic: topic.name,
          num_partitions: topic.partitions,
          replication_factor: topic.replicationFactor,
          config: topic.config,
        },
        timeoutMs,
        callback,
      );
    });
  }

  async deleteTopic(topic: string, timeoutMs: number): Promise<void> {
    refuseEmbedded(this.#brokers, `delete topic ${topic}`);
    await this.#call(`delete topic ${topic}`, (admin, callback) => {
      admin.deleteTopic(topic, timeoutMs, callback);
    });
  }

  async createPartitions(topic: string, total: number, timeoutMs: number): Promise<void> {
    refuseEmbedded(this.#brokers, `more partitions for ${topic}`);
    await this.#call(`partitions of ${topic}`, (admin, callback) => {
      admin.createPartitions(topic, total, timeoutMs, callback);
    });
  }

  /** One description for each topic; one that does not exist has an error. */
  async describeTopics(
    topics: readonly string[],
    timeoutMs: number,
  ): Promise<readonly NativeTopicDescription[]> {
    if (this.#embedded !== undefined) return describedBy(topics, await this.#allTopics(timeoutMs));
    return this.#call("describe topics", (admin, callback) => {
      admin.describeTopics(topics, { timeout: timeoutMs, includeAuthorizedOperations: true }, callback);
    });
  }

  /** Whether it can ask what a group is for: with the addon. */
  readonly asksGroups: boolean = fastPath().addon?.askGroup !== undefined;

  /**
   * What a group is for; `undefined` where there is no such group, and `"unknown"` where the addon cannot be used or
   * brokers do not answer.
   */
  async kindOfGroup(groupId: string, timeoutMs: number): Promise<NativeGroupKind | "unknown" | undefined> {
    refuseEmbedded(this.#brokers, `describe group ${groupId}`);
    const askGroup = fastPath().addon?.askGroup;
    const token = this.#token;
    if (askGroup === undefined || token === undefined) return "unknown";
    return this.#oneAtATime(() =>
      this.#client.call<NativeGroupKind | "unknown" | undefined>(`kind of group ${groupId}`, (callback) => {
        askGroup(token, groupId, timeoutMs, (code, group) => {
          if (code !== 0) callback(null, "unknown");
          else if (group === undefined) callback(null, undefined);
          else callback(null, { protocolType: group[0], assignments: group.slice(1) as Buffer[] });
        });
      }),
    );
  }

  /** It ends the process where a broker refuses, and for groups that are of no consumers. */
  async describeGroups(
    groups: readonly string[],
    timeoutMs: number,
  ): Promise<readonly NativeGroupDescription[]> {
    // It ends the process there.
    refuseEmbedded(this.#brokers, `describe ${groups.join(", ")}`);
    const result = await this.#call<{ readonly groups: readonly NativeGroupDescription[] }>(
      "describe groups",
      (admin, callback) => {
        admin.describeGroups(groups, { timeout: timeoutMs, includeAuthorizedOperations: true }, callback);
      },
    );
    return result.groups;
  }

  /**
   * Every group of consumers that this principal may see, of all coordinators.
   * @throws what one of them answered instead: a list without its groups would look complete
   */
  async listGroups(timeoutMs: number): Promise<readonly NativeGroupListing[]> {
    refuseEmbedded(this.#brokers, "list groups");
    const { groups, errors } = await this.#call<{
      readonly groups: readonly NativeGroupListing[];
      readonly errors: readonly NativeError[];
    }>("list groups", (admin, callback) => {
      admin.listGroups({ timeout: timeoutMs }, callback);
    });
    const [error] = errors;
    if (error !== undefined) throw fromNative("list groups", error);
    return groups;
  }

  async deleteGroup(groupId: string, timeoutMs: number): Promise<void> {
    refuseEmbedded(this.#brokers, `delete group ${groupId}`);
    const results = await this.#call<readonly { readonly groupId: string; readonly error?: NativeError }[]>(
      `delete group ${groupId}`,
      (admin, callback) => {
        admin.deleteGroups([groupId], { timeout: timeoutMs }, callback);
      },
    );
    const error = results[0]?.error;
    if (error !== undefined) throw fromNative(`delete group ${groupId}`, error, { groupId });
  }

  /**
   * What a topic is configured with, or a broker, of which any does for settings that all have in common; by Kafka's
   * names. `undefined` where the addon cannot be used, for the binding cannot ask, and on the embedded cluster.
   * @throws `AuthorizationError` where this principal may not DESCRIBE_CONFIGS
   */
  async settingsOf(
    of: { readonly topic: string } | "brokers",
    timeoutMs: number,
  ): Promise<ReadonlyMap<string, string> | undefined> {
    const describeConfigs = fastPath().addon?.describeConfigs;
    const token = this.#token;
    if (describeConfigs === undefined || token === undefined || this.#embedded !== undefined)
      return undefined;
    const [type, name] =
      of === "brokers"
        ? [resourceTypes.broker, await this.#anyBroker(timeoutMs)]
        : [resourceTypes.topic, of.topic];
    const flat = await this.#client.call<readonly string[]>(`settings of ${name}`, (callback) => {
      describeConfigs(token, type, name, timeoutMs, (code, message, settings) => {
        callback(code === 0 ? null : { code, message }, settings);
      });
    });
    const settings = new Map<string, string>();
    for (let at = 0; at < flat.length; at += 2) settings.set(flat[at] ?? "", flat[at + 1] ?? "");
    return settings;
  }

  async #anyBroker(timeoutMs: number): Promise<string> {
    const { brokers } = await this.#client.metadata(undefined, timeoutMs);
    return String(brokers[0]?.id);
  }

  /** How many brokers the one that answers knows of. */
  async brokerCount(timeoutMs: number): Promise<number> {
    const { brokers } = await this.#client.metadata(undefined, timeoutMs);
    return brokers.length;
  }

  /** Every partition of every topic that this principal may see. */
  async allPartitions(timeoutMs: number): Promise<readonly NativePartition[]> {
    const topics = await this.#allTopics(timeoutMs);
    return topics.flatMap(({ name, partitions }) =>
      partitions.map(({ id }) => ({ topic: name, partition: id })),
    );
  }

  /** The name of every topic that this principal may see. */
  async listTopics(timeoutMs: number): Promise<readonly string[]> {
    return (await this.#allTopics(timeoutMs)).map(({ name }) => name);
  }

  async #allTopics(timeoutMs: number): Promise<NativeMetadata["topics"]> {
    const { topics } = await this.#client.metadataOfAll(timeoutMs);
    return topics;
  }

  /** The first offset at or after a time, `logStart` or `logEnd`; -1 where there is none. */
  async offsetsAt(
    partitions: readonly (NativePartition & { readonly time: number })[],
    isolation: "read_committed" | "read_uncommitted",
    timeoutMs: number,
  ): Promise<readonly NativeOffsetOutcome[]> {
    if (partitions.length === 0) return [];
    if (partitions.some(({ time }) => time >= 0)) refuseEmbedded(this.#brokers, "offsets by time");
    return askLeaders(
      async (withinMs) => {
        const results = await this.#call<readonly (NativeOffset & { readonly error?: NativeError })[]>(
          "offsets",
          (admin, callback) => {
            admin.listOffsets(
              partitions.map(({ topic, partition, time }) => ({
                topic,
                partition,
                offset: { timestamp: time },
              })),
              { timeout: withinMs, isolationLevel: isolation === "read_committed" ? 1 : 0 },
              callback,
            );
          },
        );
        return results.map((result) => outcomeOf("offsets", result, result.offset));
      },
      // Without a topic: all that it knows.
      (withinMs) => this.#client.metadata(undefined, withinMs),
      timeoutMs,
    );
  }

  /** Deletes what is before the offsets; gives the new first offset of each log. */
  async deleteRecords(
    offsets: readonly NativeOffset[],
    timeoutMs: number,
  ): Promise<readonly NativeOffsetOutcome[]> {
    refuseEmbedded(this.#brokers, "delete records");
    const results = await this.#call<
      readonly (NativePartition & { readonly lowWatermark: number; readonly error?: NativeError })[]
    >("delete records", (admin, callback) => {
      // The binding reads `operation_timeout`, whatever its documentation says.
      admin.deleteRecords(offsets, { timeout: timeoutMs, operation_timeout: timeoutMs }, callback);
    });
    return results.map((result) => outcomeOf("delete records", result, result.lowWatermark));
  }

  /** Never rejects. */
  async disconnect(): Promise<void> {
    await this.#client.disconnect();
  }

  async #call<Result = unknown>(
    what: string,
    start: (admin: NativeAdminClient, callback: NativeCallback<Result>) => void,
  ): Promise<Result> {
    return this.#oneAtATime(() =>
      this.#client.call<Result>(what, (callback) => {
        if (this.#admin === undefined) throw new KafkaError("FATAL", "the admin client is not connected");
        start(this.#admin, callback);
      }),
    );
  }
}

/** The embedded cluster answers no other question about topics than for metadata. */
function describedBy(
  names: readonly string[],
  metadata: NativeMetadata["topics"],
): readonly NativeTopicDescription[] {
  const node = (id: number): NativeNode => ({ id });
  return names.map((name) => {
    const topic = metadata.find((each) => each.name === name);
    const partitions = (topic?.partitions ?? []).map(({ id, leader, isrs, replicas }) => ({
      partition: id,
      leader: node(leader),
      isr: isrs.map(node),
      replicas: replicas.map(node),
    }));
    const error = { code: nativeCodes.unknownTopicOrPartition, message: "the topic does not exist" };
    return { name, isInternal: false, partitions, ...(topic === undefined ? { error } : {}) };
  });
}

/** What librdkafka leaves for the offset of a partition whose leader did not answer, without an error beside it. */
const untoldOffset = -1001;
const noAnswer: NativeError = { code: nativeCodes.timedOut, message: "its leader has not answered" };

/** What became of one partition. */
export function outcomeOf(
  what: string,
  result: NativePartition & { readonly error?: NativeError },
  offset: number,
): NativeOffsetOutcome {
  const { topic, partition } = result;
  const error = result.error ?? (offset === untoldOffset ? noAnswer : undefined);
  if (error === undefined) return { topic, partition, offset };
  const context = { topic, partition };
  return { topic, partition, offset, error: fromNative(`${what}: ${topic}[${partition}]`, error, context) };
}
