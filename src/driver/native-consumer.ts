import { AuthorizationError, ClosedError, KafkaError, type KafkaErrorCode } from "../errors.js";
import { isEmbedded, refuseEmbedded } from "./embedded-clusters.js";
import { loadBinding } from "./binding.js";
import { Client, type LogWatch } from "./client.js";
import type { ClientConfig } from "./client-config.js";
import { type ConsumePath, type Fetched, type LentConsumer, plainConsumePath } from "./consume-path.js";
import { errorCodes } from "./error-codes.js";
import { fastPath } from "./fast/addon.js";
import { FastConsumer } from "./fast/fast-consumer.js";
import { JoinState } from "./join-state.js";
import { findingOf, groupErrorOf, type OffsetLost, type TopicIdKnown } from "./log-findings.js";
import { fromNative, nativeCodes } from "./native-errors.js";
import { settlesWithin } from "../waiting.js";
import { logEnd } from "./log-times.js";
import type {
  NativeConsumerClient,
  NativeError,
  NativeMetadata,
  NativeOffset,
  NativeOffsetResult,
  NativePartition,
  NativeProperties,
} from "./native.js";

/** How many partitions a topic has, and how many brokers keep each. */
export interface TopicSize {
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** What the native consumer tells without being asked. All are called on the main thread, between turns. */
export interface NativeConsumerEvents {
  /** Something is waiting in the queue that was empty: records, an error, a rebalance or a commit's outcome. */
  readonly onWake: () => void;
  /** The group wants to give or take partitions. librdkafka waits until `assign` or `unassign` is called. */
  readonly onRebalance: (kind: "assign" | "revoke", partitions: readonly NativePartition[]) => void;
  /** The real outcome of the commit that was asked for first. */
  readonly onCommit: (error: KafkaError | undefined) => void;
  /** The native client cannot go on. */
  readonly onFatal: (error: KafkaError) => void;
  /** The topic was deleted and made again: its offsets mean other records. */
  readonly onTopicRecreated?: (topic: string) => void;
  /** What only a member of a group needs to know. */
  readonly group?: GroupEvents;
}

/** What the native consumer tells a member of a group by lines of its log alone. */
interface GroupEvents {
  /**
   * The log of a partition does not have the next offset. The native client goes on as `auto.offset.reset` says;
   * with `error` it fetches nothing more of the partition.
   */
  readonly onOffsetLost: (lost: OffsetLost) => void;
  /** The brokers do not know the group protocol `consumer`; the native client would wait for ever. */
  readonly onProtocolUnknown: () => void;
  /** The group of the protocol `consumer` counts it as a member, and has no partition for it. */
  readonly onNoPartition: () => void;
}

/** How long a call may use the native client that is to be renewed; what hangs so long has read what it needs of it. */
const lentTimeoutMs = 30_000;

/** What passes by itself while a client connects, or comes of its being closed. */
const passingCodes: readonly KafkaErrorCode[] = ["CONNECTION", "TIMEOUT", "CLOSED"];

type OffsetResults = readonly (NativeOffsetResult | Error)[];

/**
 * The native consumer with promises and typed errors. `fetch` never waits for records: the caller waits
 * for `onWake` instead, so that idle consumers leave libuv's threads alone.
 */
export class NativeConsumer {
  readonly #config: ClientConfig;
  readonly #what: string;
  readonly #properties: NativeProperties;
  readonly #events: NativeConsumerEvents;
  #path: ConsumePath;
  #client: Client<NativeConsumerClient>;
  /** All ids that a topic was known by: a broker that lags behind may still tell one that was before. */
  readonly #topicIds = new Map<string, Set<string>>();
  /** Remembered from the first assignment: the native client says NONE while it closes. */
  #cooperative: boolean | undefined;
  /** Some native calls crash the process once the client is disconnected, so nothing passes this latch. */
  #dead = false;
  #closing = false;
  /** What was refused while connecting. librdkafka tells it once only, so the next fetch passes it on. */
  #refusal: KafkaError | undefined;
  /** Commits whose outcome is awaited. */
  #commits = 0;
  /** Calls of others that use the native client. */
  #lent = 0;
  #whenReturned: (() => void) | undefined;
  readonly #join = new JoinState();

  constructor(
    config: ClientConfig,
    what: string,
    properties: NativeProperties,
    events: NativeConsumerEvents,
  ) {
    this.#config = config;
    this.#what = what;
    this.#properties = properties;
    this.#events = events;
    const path = this.#choosePath();
    this.#path = path;
    this.#client = this.#newClient(path);
  }

  #newClient(path: ConsumePath): Client<NativeConsumerClient> {
    const { KafkaConsumer } = loadBinding();
    const config = this.#config;
    const what = this.#what;
    const properties = this.#properties;
    const events = this.#events;
    return new Client({
      config,
      what,
      create: (all) => new KafkaConsumer(all, null),
      firstProperties: path.properties,
      properties: {
        "enable.auto.commit": false,
        "enable.auto.offset.store": false,
        // What follows may be chosen otherwise by `librdkafka` of `Kafka`.
        "fetch.queue.backoff.ms": 10,
        // Fetched ahead, for all partitions together: large records are bounded by their size, small ones,
        // which take several times their size in native memory, by their number.
        "queued.max.messages.kbytes": 16_384,
        "queued.min.messages": 20_000,
        "allow.auto.create.topics": isEmbedded(config.brokers),
        ...config.properties,
        ...properties,
      },
      callbacks: {
        global: {
          rebalance_cb: this.#onRebalance,
          ...(path.usesCommitCallback && { offset_commit_cb: this.#onCommit }),
        },
        event: {
          queue_non_empty_cb: () => {
            if (!this.#dead) events.onWake();
          },
        },
      },
      onFatal: events.onFatal,
      fatalOf: (reason) => fatalOf(what, reason),
      beforeDisconnect: () => {
        path.close();
      },
      ...((events.group ?? events.onTopicRecreated) && { watch: this.#watch(events) }),
    });
  }

  /** Whether every error is told whatever comes with it, and the outcome of a commit without a fetch (see {@link ConsumePath}). */
  get tellsEverything(): boolean {
    return this.#path.tellsEverything;
  }

  get fatal(): KafkaError | undefined {
    return this.#client.fatal;
  }

  /** Which connection failed last, and why, to be put behind a message; empty where none did lately. */
  get trouble(): string {
    return this.#client.trouble;
  }

  /** Gives a call the native client, which stays connected while it lasts; `undefined` once it is disconnected. */
  async lend<Result>(call: (lent: LentConsumer | undefined) => Promise<Result>): Promise<Result> {
    this.#lent += 1;
    try {
      return await call(this.#dead ? undefined : { native: this.#client.native, token: this.#path.token });
    } finally {
      this.#lent -= 1;
      if (this.#lent === 0) this.#whenReturned?.();
    }
  }

  async connect(signal?: AbortSignal): Promise<void> {
    let polling: NodeJS.Timeout | undefined;
    let poll: Promise<void> | undefined;
    try {
      await this.#client.connect(() => {
        this.#path.open();
        polling = setInterval(() => {
          poll ??= this.#poll().finally(() => {
            poll = undefined;
          });
        }, 100);
      }, signal);
    } catch (error) {
      this.#dead = true;
      throw error;
    } finally {
      clearInterval(polling);
    }
    // One that is answered once there are records would take the first of them, and nobody would have it.
    await poll;
  }

  /** Nothing is subscribed yet, so this brings no records: it lets error events through. */
  async #poll(): Promise<void> {
    try {
      await this.#fetch(1);
    } catch (error) {
      if (!(error instanceof KafkaError) || passingCodes.includes(error.code)) return;
      this.#refusal = error;
      this.#events.onWake();
    }
  }

  /** The native client cannot go on. Until it is renewed, nothing passes to it, and its assignment is lost. */
  retire(): void {
    this.#dead = true;
  }

  /**
   * Another native client instead of the one that was retired, connected and subscribed to nothing. No partition may be
   * assigned, and no fetch be under way.
   */
  async renew(signal: AbortSignal): Promise<void> {
    this.#dead = true;
    if (this.#lent > 0) {
      const returned = new Promise<void>((resolve) => {
        this.#whenReturned = resolve;
      });
      await settlesWithin(returned, lentTimeoutMs);
    }
    this.#closing = true;
    await this.#client.disconnect();
    this.#closing = false;
    // Their outcomes went with the client, and so did the partitions.
    for (; this.#commits > 0; this.#commits -= 1)
      this.#events.onCommit(fromNative("commit", errorOf(nativeCodes.unknownMember)));
    this.#cooperative = undefined;
    this.#refusal = undefined;
    this.#path = this.#choosePath();
    this.#client = this.#newClient(this.#path);
    await this.connect(signal);
    this.#dead = false;
  }

  /** Whether it is on its way into its group, or takes part in a rebalance: then it cannot leave (see {@link JoinState}). */
  get isJoining(): boolean {
    return !this.#dead && this.#join.isJoining;
  }

  subscribe(topics: readonly string[]): void {
    this.#join.subscribed();
    this.#check("subscribe", this.#client.native.subscribe(topics));
  }

  unsubscribe(): void {
    if (!this.#dead) this.#check("unsubscribe", this.#client.native.unsubscribe());
  }

  /** Whatever is there, up to `count` records; it also lets rebalances and commit outcomes through. */
  async fetch(count: number): Promise<Fetched> {
    if (this.#dead) throw this.#closed("fetch");
    const refusal = this.#refusal;
    if (refusal !== undefined) {
      this.#refusal = undefined;
      throw refusal;
    }
    return this.#fetch(count);
  }

  async #fetch(count: number): Promise<Fetched> {
    return this.#client.call<Fetched>("fetch", (callback) => {
      this.#path.fetch(count, callback);
    });
  }

  /** Takes the partitions that `onRebalance` offered. */
  assign(partitions: readonly NativePartition[]): void {
    if (this.#dead) return;
    this.#cooperative ??= this.#client.native.rebalanceProtocol() === "COOPERATIVE";
    if (this.#cooperative) this.#client.native.incrementalAssign(partitions);
    else this.#client.native.assign(partitions);
  }

  /** Gives up the partitions that `onRebalance` asked for. */
  unassign(partitions: readonly NativePartition[]): void {
    if (this.#dead) return;
    if (this.#cooperative === true) this.#client.native.incrementalUnassign(partitions);
    else this.#client.native.unassign();
  }

  /** Assigns partitions by hand, without a group, beside those that are assigned. */
  assignManually(offsets: readonly NativeOffset[]): void {
    // Those stay untouched. To assign them anew restarts them on a thread of librdkafka, and a `resume` or `pause` meanwhile
    // gets lost, or the start does: each takes a number first and is queued then, and one with a lower number than the last
    // is dropped.
    this.#client.native.incrementalAssign(offsets);
  }

  /** Whether the group has given the partitions to others already, known before any rebalance event. */
  assignmentLost(): boolean {
    return this.#dead || this.#client.native.assignmentLost();
  }

  /** Asks for a commit; its outcome comes to `onCommit`. */
  commit(offsets: readonly NativeOffset[]): void {
    const code = this.#dead ? nativeCodes.state : this.#path.commit(offsets);
    if (code === 0) this.#commits += 1;
    this.#check("commit", code);
  }

  /** The group's committed offset of each partition, -1 where there is none. */
  async committed(
    partitions: readonly NativePartition[],
    timeoutMs: number,
  ): Promise<readonly NativeOffset[]> {
    const results = await this.#client.call<OffsetResults>("committed offsets", (callback) => {
      this.#client.native.committed(partitions, timeoutMs, callback);
    });
    return this.#offsetsOf("committed offsets", results);
  }

  /** The first offset at or after a time for each partition, -1 where there is none. `offset` is the time. */
  async offsetsForTimes(times: readonly NativeOffset[], timeoutMs: number): Promise<readonly NativeOffset[]> {
    if (times.some(({ offset }) => offset >= 0)) refuseEmbedded(this.#config.brokers, "offsets by time");
    const results = await this.#client.call<OffsetResults>("offsets for times", (callback) => {
      this.#client.native.offsetsForTimes(times, timeoutMs, callback);
    });
    return this.#offsetsOf("offsets for times", results);
  }

  /** The next offset of each partition's log, in the order of the partitions, or why no broker tells it. Under `read_committed` it is the end of what is stable. */
  async ends(
    partitions: readonly NativePartition[],
    timeoutMs: number,
  ): Promise<readonly (number | KafkaError)[]> {
    const times = partitions.map((partition) => ({ ...partition, offset: logEnd }));
    const results = await this.#client.call<OffsetResults>("ends of logs", (callback) => {
      this.#client.native.offsetsForTimes(times, timeoutMs, callback);
    });
    return results.map((result, index) => {
      if (!(result instanceof Error)) return result.offset ?? -1;
      const { topic, partition } = partitions[index] ?? {};
      return fromNative(`end of ${topic}[${partition}]`, codedError(result), { topic, partition });
    });
  }

  /** The first and the next offset of a partition's log, asked of the broker. */
  async watermarks(
    { topic, partition }: NativePartition,
    timeoutMs: number,
  ): Promise<{ readonly low: number; readonly high: number }> {
    const { lowOffset, highOffset } = await this.#client.call<{ lowOffset: number; highOffset: number }>(
      `offsets of ${topic}[${partition}]`,
      (callback) => {
        this.#client.native.queryWatermarkOffsets(topic, partition, timeoutMs, callback);
      },
    );
    return { low: lowOffset, high: highOffset };
  }

  /** The next offset of a partition's log as of the last fetch, `undefined` where nothing was fetched yet. */
  knownEnd({ topic, partition }: NativePartition): number | undefined {
    if (this.#dead) return undefined;
    const offsets = this.#client.native.getWatermarkOffsets(topic, partition);
    return typeof offsets === "number" || offsets.highOffset < 0 ? undefined : offsets.highOffset;
  }

  async seek(offset: NativeOffset, timeoutMs: number): Promise<void> {
    await this.#client.call(`seek ${offset.topic}[${offset.partition}] to ${offset.offset}`, (callback) => {
      this.#client.native.seek(offset, timeoutMs, callback);
    });
  }

  /** Stops fetching; what the native client had fetched ahead is dropped and fetched again later. */
  pause(partitions: readonly NativePartition[]): void {
    if (partitions.length > 0 && !this.#dead) this.#check("pause", this.#client.native.pause(partitions));
  }

  resume(partitions: readonly NativePartition[]): void {
    if (partitions.length > 0 && !this.#dead) this.#check("resume", this.#client.native.resume(partitions));
  }

  /** The partitions of a topic; none where it does not exist. */
  async partitionsOf(topic: string, timeoutMs: number): Promise<readonly number[]> {
    const partitions = await this.#metadataOf(topic, timeoutMs);
    return partitions.map(({ id }) => id);
  }

  /** How large a topic is: zeros where it does not exist. */
  async sizeOf(topic: string, timeoutMs: number): Promise<TopicSize> {
    const partitions = await this.#metadataOf(topic, timeoutMs);
    const replicas = partitions.map((partition) => partition.replicas.length);
    return { partitions: partitions.length, replicationFactor: Math.max(0, ...replicas) };
  }

  /** The broker that leads each partition of a topic, -1 where none does. */
  async leadersOf(topic: string, timeoutMs: number): Promise<ReadonlyMap<number, number>> {
    const partitions = await this.#metadataOf(topic, timeoutMs);
    return new Map(partitions.map(({ id, leader }) => [id, leader]));
  }

  /** Leaves nothing behind. The group's partitions must have been released before, or it can wait for them for ever. */
  async disconnect(): Promise<void> {
    this.#dead = true;
    this.#closing = true;
    await this.#client.disconnect();
  }

  readonly #onRebalance = (code: number, partitions: readonly NativePartition[]): void => {
    if (this.#closing && code === nativeCodes.revokePartitions) {
      // Closing waits for this for ever, and only here the latch may be passed.
      if (this.#cooperative === true) this.#client.native.incrementalUnassign(partitions);
      else this.#client.native.unassign();
    }
    if (this.#dead) return;
    this.#events.onRebalance(code === nativeCodes.assignPartitions ? "assign" : "revoke", partitions);
  };

  readonly #onCommit = (code: number | undefined): void => {
    this.#commits -= 1;
    // Nothing to commit is no failure: everything is committed already.
    if (code === undefined || code === nativeCodes.noOffset) this.#events.onCommit(undefined);
    else this.#events.onCommit(fromNative("commit", errorOf(code)));
  };

  #choosePath(): ConsumePath {
    const config = this.#config;
    const path = fastPath();
    config.logger.debug(`records come by the ${path.reason === undefined ? "fast" : "plain"} path`, {
      client: this.#what,
      ...(path.reason !== undefined && { reason: path.reason }),
    });
    if (path.reason !== undefined) return plainConsumePath(() => this.#client.native);
    return new FastConsumer(
      path,
      { ...config.properties, ...this.#properties },
      {
        onCommitted: (code) => {
          this.#onCommit(code === 0 ? undefined : code);
        },
        onWake: () => {
          if (!this.#dead) this.#events.onWake();
        },
      },
    );
  }

  #watch({ group, onTopicRecreated }: NativeConsumerEvents): LogWatch {
    return {
      contexts: group === undefined ? ["topic"] : ["topic", "cgrp"],
      onLine: (line) => {
        const finding = this.#dead ? undefined : findingOf(line);
        if (finding === undefined) return false;
        // Whoever asks for the lines of groups wants to see this one too.
        if (finding.type === "joining") {
          this.#join.told(finding.isJoining);
          return false;
        }
        if (finding.type === "offset-lost") group?.onOffsetLost(finding);
        else if (finding.type === "protocol-unknown") group?.onProtocolUnknown();
        else if (finding.type === "no-partition") group?.onNoPartition();
        else if (this.#isAnother(finding)) onTopicRecreated?.(finding.topic);
        return true;
      },
    };
  }

  /** Whether the topic was known by other ids, and not by this one. */
  #isAnother({ topic, id }: TopicIdKnown): boolean {
    const known = this.#topicIds.get(topic) ?? new Set();
    const isAnother = known.size > 0 && !known.has(id);
    this.#topicIds.set(topic, known.add(id));
    return isAnother;
  }

  async #metadataOf(
    topic: string,
    timeoutMs: number,
  ): Promise<NativeMetadata["topics"][number]["partitions"]> {
    const { topics } = await this.#client.metadata(topic, timeoutMs);
    return topics.find(({ name }) => name === topic)?.partitions ?? [];
  }

  #offsetsOf(what: string, results: OffsetResults): NativeOffset[] {
    return results.map((result) => {
      if (result instanceof Error) throw fromNative(what, codedError(result));
      if (result.error !== undefined) throw fromNative(what, result.error);
      const { topic, partition, offset = -1, metadata } = result;
      return { topic, partition, offset, metadata };
    });
  }

  /** Most native calls return an error code instead of throwing. */
  #check(what: string, code: unknown): void {
    if (typeof code === "number" && code !== 0) throw fromNative(what, errorOf(code));
  }

  #closed(what: string): ClosedError {
    return new ClosedError(`${what}: the consumer is closed`);
  }
}

/** An error of one partition, which the addon tells by its text alone. */
function codedError(error: Error): NativeError | Error {
  for (const code of errorCodes.keys()) if (errorOf(code).message === error.message) return errorOf(code);
  return error;
}

/** Why the group has ended the client, where that is what a line about a fatal error says. */
function fatalOf(what: string, reason: string): KafkaError | undefined {
  const text = groupErrorOf(reason);
  if (text === undefined) return undefined;
  const told = codedError(new Error(text));
  if (told instanceof Error) return undefined;
  const error = fromNative(what, told);
  if (error instanceof AuthorizationError || error.code === "CONSUMER_FENCED") return error;
  return new KafkaError("FATAL", error.message, { nativeCode: told.code });
}

function errorOf(code: number): NativeError {
  return { code, message: loadBinding().err2str(code) };
}

/**
 * A consumer with a group's id that never joins the group, and does not wait for what a transaction still open is about to
 * commit.
 */
export function outsider(
  config: ClientConfig,
  groupId: string,
  what: string,
  onOutcome: (error: KafkaError | undefined) => void = () => undefined,
): NativeConsumer {
  const properties = { "group.id": groupId, "isolation.level": "read_uncommitted" };
  return new NativeConsumer(config, what, properties, {
    onWake: () => undefined,
    onRebalance: () => undefined,
    onCommit: onOutcome,
    onFatal: onOutcome,
  });
}
