import { callsOfKafkajs, refuseCalls } from "../kafkajs-habits.js";
import { checkTopics } from "../given-topic.js";
import { checkInteger, checkRequiredText } from "../check.js";
import type { ClientConfig } from "../driver/client-config.js";
import { logEnd, logStart } from "../driver/log-times.js";
import { fromNative, nativeCodes } from "../driver/native-errors.js";
import { ConfigError, KafkaError, TimeoutError } from "../errors.js";
import {
  type OffsetsByPartition,
  partitionId,
  type PartitionOffset,
  resolveTime,
  type TopicPartition,
  topicPartitionOf,
} from "../offsets.js";
import { checkOptions } from "../options/check-options.js";
import { integer } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import type { AnyTopic } from "../topic.js";
import { limitConcurrency, sleep } from "../waiting.js";
import {
  type GroupDescription,
  type GroupListing,
  groupListingOf,
  hasLeaders,
  type TopicDescription,
  topicDescriptionOf,
} from "./descriptions.js";
import { AdminConnection } from "./admin-connection.js";
import { describeGroup, isNotListed } from "./describe-group.js";
import { failTogether } from "./failures.js";
import { commitOffsets, committedOffsets, type GroupCall } from "./group-offsets.js";
import { idsOf, isLiveGroup, liveGroup } from "./live-group.js";
import { LogPositions, offsetOf, resolveDestination } from "./log-positions.js";
import { type EnsuredTopic, differencesOf } from "./topic-differences.js";
import { listOf, nameOf, namesOf, type TopicLike, unknownTopic } from "./topic-names.js";

/** Options of {@link Kafka.admin}. */
export interface AdminOptions {
  /**
   * How long a request to the brokers may take, in milliseconds; 1,000 to 600,000. Past it the call fails with a
   * `TimeoutError`; what it asked for may still happen.
   * @default 30_000
   */
  readonly timeoutMs?: number | undefined;
}

/** The options of an admin client. */
export const adminSpecs = {
  timeoutMs: integer({ min: 1_000, max: 600_000, default: 30_000 }),
} satisfies OptionSpecs<AdminOptions>;

/** How far a group is behind in a partition. */
export interface GroupLag {
  /** The topic's name. */
  readonly topic: string;
  /** The partition's number, from 0. */
  readonly partition: number;
  /** The offset that the group goes on from; `undefined` where it has committed none. */
  readonly committed: number | undefined;
  /** The offset that the partition's next record will get. */
  readonly end: number;
  /** `end` less `committed`, or less the start of the log: records, and the markers of transactions. */
  readonly lag: number;
}

/** Which offsets the log of a partition has. */
export interface LogOffsets extends TopicPartition {
  /** The first offset that is kept. */
  readonly start: number;
  /** The offset that the next record will get. Between both are records, and the markers of transactions. */
  readonly end: number;
  /** The first record at or after the time asked for, `end` where none is that young; `undefined` without a time. */
  readonly at: number | undefined;
}

/** Where `resetOffsets` moved a group to in a partition. */
export interface ResetOffset extends PartitionOffset {
  /** What the group had committed before; `undefined` for none. */
  readonly before: number | undefined;
}

const pollMs = 100;
const offsetsAreReset = "its offsets are reset";

/**
 * Makes, changes and looks at topics and groups; made by {@link Kafka.admin}. Connects when it is first
 * used. Every request ends within `timeoutMs`; a call that makes several, one for each topic or step, takes as
 * many times that at most. Where several things are asked for at once all of them are tried before it fails.
 */
export class Admin {
  static {
    refuseCalls(this.prototype, callsOfKafkajs.admin);
  }

  readonly #config: ClientConfig;
  readonly #timeoutMs: number;
  readonly #onClosed: () => void;
  readonly #connection: AdminConnection;
  /** A group is asked about with a native client of its own, which has several threads. */
  readonly #fewGroupsAtATime = limitConcurrency(4);
  #closed: Promise<void> | undefined;

  /** @internal Use {@link Kafka.admin}. */
  constructor(config: ClientConfig, options: AdminOptions, onClosed: () => void) {
    this.#timeoutMs = checkOptions("AdminOptions", options, adminSpecs).timeoutMs;
    this.#config = config;
    this.#connection = new AdminConnection(config);
    this.#onClosed = onClosed;
  }

  /**
   * Makes the topics that are missing, with the partitions, replication and configuration of their
   * definitions, and tells how those that exist differ. Changes and deletes nothing that exists.
   * Resolves when every partition made has a leader. (Configuration cannot be read, so it is not compared.)
   *
   * @throws `AuthorizationError`, or `KafkaError` with code `BROKER` for what a broker refuses
   */
  async ensureTopics(topics: AnyTopic | readonly AnyTopic[]): Promise<readonly EnsuredTopic[]> {
    const wanted = checkTopics(topics, "admin.ensureTopics(topic)");
    const names = namesOf(wanted);
    const before = await this.#existing(names);
    const made = new Set<string>();
    await failTogether(
      "could not be made",
      wanted.filter(({ name }) => !before.has(name)),
      async (topic) => {
        if (await this.#create(topic)) made.add(topic.name);
      },
    );
    const now = await this.#untilReady(names.filter((name) => !before.has(name)));
    return wanted.map((topic) => {
      const description = before.get(topic.name) ?? now.get(topic.name);
      const differences = description === undefined ? [] : differencesOf(topic, description);
      const status = made.has(topic.name) ? "created" : differences.length > 0 ? "differs" : "unchanged";
      return { topic: topic.name, status, differences };
    });
  }

  /**
   * Gives a topic more partitions, `total` in all. Nothing happens where it has as many. Records of a key
   * that come afterwards may go to another partition than those before.
   *
   * @throws `ConfigError` where it has more: Kafka takes none away
   */
  async createPartitions(topic: TopicLike, total: number): Promise<TopicDescription> {
    const name = nameOf(topic);
    const wanted = checkInteger("total", total, { min: 1, max: 1_000_000, otherwise: 0 });
    if (wanted === 0) throw new ConfigError("total", "is required");
    const description = await this.#describeTopic(name);
    const current = description.partitions.length;
    if (current > wanted)
      throw new ConfigError("total", `${name} has ${current} partitions, and Kafka takes none away`, {
        topic: name,
      });
    if (current === wanted) return description;
    const native = await this.#connection.get();
    await native.createPartitions(name, wanted, this.#timeoutMs);
    return this.#until(`${name} has ${wanted} partitions`, async () => {
      const now = (await this.#existing([name])).get(name);
      return now !== undefined && now.partitions.length >= wanted && hasLeaders(now) ? now : undefined;
    });
  }

  /**
   * Deletes topics and everything in them. Settles when the brokers know those no longer that were deleted.
   *
   * @throws `KafkaError` with code `UNKNOWN_TOPIC`, `AuthorizationError`
   */
  async deleteTopics(topics: TopicLike | readonly TopicLike[]): Promise<void> {
    const names = namesOf(listOf(topics));
    const native = await this.#connection.get();
    await failTogether("could not be deleted", names, async (name) => {
      await native.deleteTopic(name, this.#timeoutMs);
      await this.#until(`${name} is gone`, async () =>
        (await this.#existing([name])).size === 0 ? true : undefined,
      );
    });
  }

  /**
   * Partitions, leaders and replicas of topics, in the order asked for.
   *
   * @throws `KafkaError` with code `UNKNOWN_TOPIC`, `AuthorizationError`
   */
  async describeTopics(topics: TopicLike | readonly TopicLike[]): Promise<readonly TopicDescription[]> {
    const names = namesOf(listOf(topics));
    const existing = await this.#existing(names);
    return names.map((name) => existing.get(name) ?? unknownTopic(name));
  }

  /**
   * The names of all topics that this principal may see, sorted; Kafka's own (`__consumer_offsets`) are among them.
   */
  async listTopics(): Promise<readonly string[]> {
    const native = await this.#connection.get();
    return [...(await native.listTopics(this.#timeoutMs))].sort();
  }

  /**
   * All groups of consumers that this principal may see, of any client, sorted by their ids. A group that has committed
   * offsets and no members is `empty`. Groups of another kind, such as those of Kafka Connect, are left out.
   *
   * @throws where the coordinator of some groups does not answer: a list without them would look complete
   */
  async listGroups(): Promise<readonly GroupListing[]> {
    const native = await this.#connection.get();
    const groups = await native.listGroups(this.#timeoutMs);
    return groups.map(groupListingOf).sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
  }

  /**
   * Deletes groups, with the offsets that they have committed: a consumer that joins under the same id begins anew at
   * its `from`.
   *
   * @throws `KafkaError` with code `BROKER` for a group that has members: stop them first; or that does not exist
   * @throws `AuthorizationError` without the right to DELETE it
   */
  async deleteGroups(groupIds: string | readonly string[]): Promise<void> {
    const ids = idsOf(groupIds);
    const native = await this.#connection.get();
    await failTogether("could not be deleted", ids, async (groupId) => {
      try {
        await native.deleteGroup(groupId, this.#timeoutMs);
      } catch (error) {
        if (isLiveGroup(error)) throw liveGroup(groupId, "it is deleted", error);
        throw error;
      }
    });
  }

  /**
   * State and members of groups of consumers, in the order asked for. One that does not exist is `dead`. Where the
   * addon of the fast path is not used, it cannot be told from one of another kind: both are `unknown`.
   * Nor can a group whose members share out by an assignor of their own: librdkafka ends the process on an assignment
   * that is not in Kafka's format.
   *
   * @throws `KafkaError` with code `BROKER` for a group of another kind, such as one of Kafka Connect
   * @throws `AuthorizationError`
   */
  async describeGroups(groupIds: string | readonly string[]): Promise<readonly GroupDescription[]> {
    const ids = idsOf(groupIds);
    if (ids.length === 0) return [];
    const native = await this.#connection.get();
    return failTogether("could not be described", ids, (id) =>
      this.#fewGroupsAtATime(() => describeGroup(native, this.#callFor(id))),
    );
  }

  /**
   * How far a group is behind: in every partition in which it has committed, or in all partitions of the
   * topics named.
   *
   * @throws `KafkaError` with code `UNKNOWN_TOPIC`, `AuthorizationError`
   */
  async groupLag(groupId: string, topics?: TopicLike | readonly TopicLike[]): Promise<readonly GroupLag[]> {
    checkRequiredText("groupId", groupId);
    const asked = topics === undefined ? undefined : await this.#partitionsOf(namesOf(listOf(topics)));
    const committed = await this.#committed(groupId, asked);
    const partitions = asked ?? [...committed.values()].map(topicPartitionOf);
    const positions = await this.#positions();
    const starts = await positions.at(partitions, logStart);
    const ends = await positions.at(partitions, logEnd);
    return partitions
      .map(({ topic, partition }, index) => {
        const before = committed.get(partitionId(topic, partition))?.offset;
        const end = ends[index] ?? 0;
        const from = Math.max(before ?? 0, starts[index] ?? 0);
        return { topic, partition, committed: before, end, lag: Math.max(0, end - from) };
      })
      .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
  }

  /**
   * The first and the next offset of each partition of topics, and where a time is in it.
   *
   * @throws `KafkaError` with code `UNKNOWN_TOPIC`, `AuthorizationError`
   */
  async logOffsets(topics: TopicLike | readonly TopicLike[], time?: Date): Promise<readonly LogOffsets[]> {
    const partitions = await this.#partitionsOf(namesOf(listOf(topics)));
    const positions = await this.#positions();
    const starts = await positions.at(partitions, logStart);
    const ends = await positions.at(partitions, logEnd);
    const found = time === undefined ? [] : await positions.at(partitions, resolveTime("time", time));
    return partitions.map(({ topic, partition }, index) => {
      const [start = 0, end = 0, at] = [starts[index], ends[index], found[index]];
      return { topic, partition, start, end, at: at === -1 ? end : at };
    });
  }

  /**
   * Moves a group that has no members: to the start or the end of the log, to the first record at or
   * after a time, or to offsets by partition (only these partitions are then moved).
   *
   * @throws `ConfigError` where `to` is absent
   * @throws `KafkaError` with code `BROKER` while the group has members: stop them first; or where it is none of consumers
   * @throws `KafkaError` with code `OFFSET_OUT_OF_RANGE` for an offset that is not in the log
   */
  async resetOffsets(
    groupId: string,
    topics: TopicLike | readonly TopicLike[],
    to: "earliest" | "latest" | Date | OffsetsByPartition,
  ): Promise<readonly ResetOffset[]> {
    checkRequiredText("groupId", groupId);
    const names = namesOf(listOf(topics));
    const destination = resolveDestination("to", names, to);
    await this.#refuseLiveGroup(groupId);
    const targets = await (await this.#positions()).resolve(await this.#partitionsOf(names), destination);
    const committed = await this.#committed(groupId, targets);
    try {
      await commitOffsets(this.#callFor(groupId), targets);
    } catch (error) {
      // Someone joined in between.
      if (isLiveGroup(error)) throw liveGroup(groupId, offsetsAreReset, error);
      throw error;
    }
    return targets.map(({ topic, partition, offset }) => ({
      topic,
      partition,
      offset,
      before: committed.get(partitionId(topic, partition))?.offset,
    }));
  }

  /**
   * Deletes the records before an offset, for good: all of them (`latest`), those before a time, or those
   * before an offset for each partition named. Gives the new first offset of each log.
   *
   * @throws `ConfigError` where `before` is absent
   * @throws `KafkaError` with code `OFFSET_OUT_OF_RANGE`, `UNKNOWN_TOPIC`, `AuthorizationError`
   */
  async deleteRecords(
    topic: TopicLike,
    before: "latest" | Date | OffsetsByPartition,
  ): Promise<readonly PartitionOffset[]> {
    if ((before as string) === "earliest")
      throw new ConfigError("before", "nothing is before the earliest record");
    const names = [nameOf(topic)];
    const destination = resolveDestination("before", names, before);
    const targets = await (await this.#positions()).resolve(await this.#partitionsOf(names), destination);
    if (targets.length === 0) return [];
    const native = await this.#connection.get();
    return failTogether(
      "could not be truncated",
      await native.deleteRecords(targets, this.#timeoutMs),
      offsetOf,
    );
  }

  /** Ends the connection. May be called more than once. */
  async close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    await this.#closed;
  }

  /** Ends the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #shutDown(): Promise<void> {
    await this.#connection.close();
    this.#onClosed();
  }

  /** Whether it was made here; another may have been faster. */
  async #create({ name, partitions = -1, replicationFactor = -1, config }: AnyTopic): Promise<boolean> {
    const native = await this.#connection.get();
    try {
      await native.createTopic({ name, partitions, replicationFactor, config }, this.#timeoutMs);
      return true;
    } catch (error) {
      if (error instanceof KafkaError && error.nativeCode === nativeCodes.topicExists) return false;
      throw error;
    }
  }

  async #untilReady(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    return this.#until(`${names.join(", ")} have leaders`, async () => {
      const topics = await this.#existing(names);
      return names.every((name) => hasLeaders(topics.get(name))) ? topics : undefined;
    });
  }

  async #until<Result>(what: string, look: () => Promise<Result | undefined>): Promise<Result> {
    const deadline = performance.now() + this.#timeoutMs;
    for (;;) {
      const result = await look();
      if (result !== undefined) return result;
      if (performance.now() >= deadline)
        throw new TimeoutError(
          `it took more than ${this.#timeoutMs} ms until ${what}${this.#connection.trouble}`,
        );
      await sleep(pollMs, this.#connection.signal);
    }
  }

  /** Those of the topics that exist. */
  async #existing(names: readonly string[]): Promise<Map<string, TopicDescription>> {
    if (names.length === 0) return new Map();
    const native = await this.#connection.get();
    const described = await failTogether(
      "could not be described",
      await native.describeTopics(names, this.#timeoutMs),
      (topic) => {
        if (topic.error === undefined) return [topicDescriptionOf(topic)];
        const error = fromNative(`topic ${topic.name}`, topic.error, { topic: topic.name });
        if (error.code === "UNKNOWN_TOPIC") return [];
        throw error;
      },
    );
    return new Map(described.flat().map((topic) => [topic.name, topic]));
  }

  async #describeTopic(name: string): Promise<TopicDescription> {
    return (await this.#existing([name])).get(name) ?? unknownTopic(name);
  }

  async #partitionsOf(names: readonly string[]): Promise<readonly TopicPartition[]> {
    const topics = await this.describeTopics(names);
    return topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partition }) => ({ topic: name, partition })),
    );
  }

  async #committed(
    groupId: string,
    partitions?: readonly TopicPartition[],
  ): Promise<ReadonlyMap<string, PartitionOffset>> {
    const all = partitions ?? (await (await this.#connection.get()).allPartitions(this.#timeoutMs));
    const offsets = await committedOffsets(this.#callFor(groupId), all);
    return new Map(offsets.map((offset) => [partitionId(offset.topic, offset.partition), offset]));
  }

  #callFor(groupId: string): GroupCall {
    return { config: this.#config, groupId, timeoutMs: this.#timeoutMs, signal: this.#connection.signal };
  }

  async #positions(): Promise<LogPositions> {
    return new LogPositions(await this.#connection.get(), this.#timeoutMs);
  }

  async #refuseLiveGroup(groupId: string): Promise<void> {
    const [group] = await this.describeGroups(groupId);
    if (
      group === undefined ||
      group.state === "dead" ||
      isNotListed(group) ||
      (group.state === "empty" && group.members.length === 0)
    )
      return;
    throw liveGroup(groupId, offsetsAreReset, undefined, group);
  }
}
