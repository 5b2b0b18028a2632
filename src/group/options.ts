import type { NativeProperties } from "../driver/native.js";
import { ConfigError } from "../errors.js";
import { type Assignor, assignorSpec } from "./assignors.js";
import type { OffsetsByPartition, TopicPartition } from "../offsets.js";
import type { OutOfRangePolicy } from "./offset-reset.js";
import { failureSpecs, type FailureOptions } from "../failure/options.js";
import { checkOptions } from "../options/check-options.js";
import { callback, choice, integer, required, text } from "../options/kinds.js";
import type { Checked, OptionSpecs } from "../options/spec.js";

/**
 * What happened to the partitions of a consumer: `assigned` to it, `revoked` gracefully (its handlers have
 * finished and their offsets are committed), or `lost` (others have them already; nothing was committed).
 */
export interface RebalanceEvent {
  /** What happened. */
  readonly type: "assigned" | "revoked" | "lost";
  /** The partitions concerned; the others stay as they are. */
  readonly partitions: readonly TopicPartition[];
}

/** Options of {@link Kafka.consumer}. */
export interface ConsumerOptions extends FailureOptions {
  /** The consumer group: members with the same id share the partitions. Kafka: `group.id`. */
  readonly groupId: string;
  /**
   * Where a group begins in a partition for which it has no committed offset. `latest` is the end of the log
   * when the partition is first assigned, which is committed at once: what comes from then on is never passed
   * over, whoever has the partition next. A partition that has no leader then begins at its end as soon as a
   * leader tells it. Kafka: `auto.offset.reset`, but for `onOffsetOutOfRange`.
   * @default "earliest", so that a new group misses nothing
   */
  readonly from?: "earliest" | "latest" | undefined;
  /**
   * What happens in a partition whose log does not have the group's next offset, because retention has removed it or
   * the log ends before it. `earliest` goes on at the first record there is, `latest` at the end of the log; both are
   * told by a warning, with the number of offsets that are gone, and by the telemetry's `onOffsetReset`. `fail`
   * rejects `run` with `OFFSET_OUT_OF_RANGE`, and the group's offset stays. A topic that is deleted and made again
   * while it is read begins at its first records in any case.
   * @default "earliest", so that everything the log still has is delivered
   */
  readonly onOffsetOutOfRange?: "earliest" | "latest" | "fail" | undefined;
  /**
   * Where newly assigned partitions begin, in place of the group's committed offsets: for offsets that are kept in a
   * database, in the transaction that writes what was made of the records. It is called at each assignment with the
   * partitions that are new to this member, before their first record is delivered, and gives the offset of each
   * one's next record: `[{ topic, partition, offset }]`, or `{ 0: 1_200 }` where there is one topic. A partition that
   * it leaves out begins at the group's committed offset, or where `from` says; what it gives of others is ignored.
   * The group waits for the answer, at most `drainTimeoutMs`. Retry topics are not asked for.
   *
   * `run` rejects with the code `START_OFFSETS` where it throws, with a `TimeoutError` where it takes too long, and
   * with a `ConfigError` where what it gives are no offsets. For an offset that the log does not have,
   * `onOffsetOutOfRange` says what happens: with offsets of a database, mostly `"fail"`.
   * @default none: the group's committed offsets
   */
  readonly startOffsets?:
    ((partitions: readonly TopicPartition[]) => OffsetsByPartition | Promise<OffsetsByPartition>) | undefined;
  /**
   * A name for this member that survives restarts: a restart within `sessionTimeoutMs` moves no
   * partitions, and closing releases none before that time is over. Kafka: `group.instance.id` (KIP-345).
   */
  readonly groupInstanceId?: string | undefined;
  /**
   * `classic`, or `consumer` for the protocol of Kafka 4, where the broker assigns and rebalances are
   * quicker. All members of a group use the same. Kafka: `group.protocol` (KIP-848).
   * @default "classic"
   */
  readonly groupProtocol?: "classic" | "consumer" | undefined;
  /**
   * How partitions are shared out under `groupProtocol: "classic"`. `cooperative-sticky` moves only the
   * partitions that must move. All members of a group need one in common: a list, such as `["roundrobin", "range"]`, is
   * what this member knows, by preference, so that a running group can change from one to the other.
   * `cooperative-sticky` cannot be in a list with others. Kafka: `partition.assignment.strategy`.
   * @default "cooperative-sticky"
   */
  readonly assignor?: Assignor | readonly Assignor[] | undefined;
  /**
   * How long the group waits for a member that says nothing, in milliseconds, before it gives the
   * member's partitions to others; 1,000 to 2,000,000, and within the broker's limits. Not with
   * `groupProtocol: "consumer"`, where the broker sets it. Kafka: `session.timeout.ms`.
   * @default 45_000, or `maxPollIntervalMs` where that is less; it must not be more than that
   */
  readonly sessionTimeoutMs?: number | undefined;
  /**
   * How long one call of a handler may take, in milliseconds. At half of it a warning is logged; past
   * it the consumer stops with a `HANDLER_TIMEOUT` error. Waiting in the library's own queues does not
   * count. 1,000 to 86,400,000. Kafka: `max.poll.interval.ms`.
   * @default 300_000
   */
  readonly maxPollIntervalMs?: number | undefined;
  /**
   * `partition`: the records of a partition one after the other. `key`: records of different keys at
   * the same time, those of one key in order (records without a key in none). `none`: no order.
   * How many at the same time is for `concurrency` to say, and by default that is no more than one for each
   * partition: with `key` and `none` set it higher.
   * @default "partition"
   */
  readonly order?: "partition" | "key" | "none" | undefined;
  /**
   * How many handlers may run at the same time, 1 to 10,000. With `order: "partition"` there is never
   * more than one for each partition.
   * @default as many as there are assigned partitions
   */
  readonly concurrency?: number | undefined;
  /**
   * How often offsets are committed in the background, in milliseconds; 10 to 600,000, and after 10,000 records
   * at the latest. After a crash the records finished since the last commit are redelivered: more than these while
   * commits do not reach the brokers, with `runBatch` all of a batch, and with `order: "key"` or `"none"` up to
   * 10,000 of each partition that finished behind a slow one.
   * @default 1_000
   */
  readonly commitIntervalMs?: number | undefined;
  /**
   * How long a rebalance or `close` waits for handlers in flight, in milliseconds; 0 to 3,600,000 and
   * below `maxPollIntervalMs`. After it their `signal` aborts and their records are redelivered.
   * @default 30_000, or half of `maxPollIntervalMs` where that is less
   */
  readonly drainTimeoutMs?: number | undefined;
  /**
   * `read_committed` sees no records of aborted or open transactions. Kafka: `isolation.level`.
   * @default "read_committed"
   */
  readonly isolationLevel?: "read_committed" | "read_uncommitted" | undefined;
  /**
   * How much fetched data may wait for the handlers, in bytes, shared out among the assigned
   * partitions; 1 MiB to 1 GiB. (The native client holds up to 16 MiB more.)
   * @default 33_554_432 (32 MiB)
   */
  readonly maxBufferBytes?: number | undefined;
  /**
   * Called when partitions come and go, one call after the other. For `revoked` a promise is awaited, within
   * `drainTimeoutMs`, before the partitions are released; `seek` may be called for `assigned` ones, whose
   * records are handled meanwhile. What it throws is logged.
   */
  readonly onRebalance?: ((event: RebalanceEvent) => void | Promise<void>) | undefined;
}

/** Options with the defaults filled in. */
export interface ResolvedConsumerOptions {
  readonly groupId: string;
  readonly groupInstanceId: string | undefined;
  readonly from: "earliest" | "latest";
  readonly onOffsetOutOfRange: OutOfRangePolicy;
  readonly maxPollIntervalMs: number;
  readonly order: "partition" | "key" | "none";
  readonly concurrency: number | undefined;
  readonly commitIntervalMs: number;
  readonly drainTimeoutMs: number;
  readonly maxBufferBytes: number;
  readonly onRebalance: ConsumerOptions["onRebalance"];
  readonly startOffsets: ConsumerOptions["startOffsets"];
  readonly properties: NativeProperties;
}

const hourMs = 3_600_000;
/** librdkafka counts it in microseconds, in 32 bits. Brokers allow less unless told (`group.max.session.timeout.ms`). */
const maxSessionMs = 2_000_000;

/** The options of a consumer, for those that take them beside their own. */
export const consumerSpecs = {
  groupId: required(text({ property: "group.id", kafkajs: "groupId" })),
  from: choice(["earliest", "latest"], {
    default: "earliest",
    property: "auto.offset.reset",
    kafkajs: "fromBeginning",
  }),
  onOffsetOutOfRange: choice(["earliest", "latest", "fail"], {
    default: "earliest",
    property: "auto.offset.reset",
  }),
  startOffsets: callback<NonNullable<ConsumerOptions["startOffsets"]>>({
    absent: "the group's committed offsets",
  }),
  groupInstanceId: text({ property: "group.instance.id" }),
  groupProtocol: choice(["classic", "consumer"], { default: "classic", property: "group.protocol" }),
  assignor: assignorSpec,
  sessionTimeoutMs: integer({
    min: 1_000,
    max: maxSessionMs,
    absent: "45,000, or `maxPollIntervalMs` where that is less",
    property: "session.timeout.ms",
    kafkajs: "sessionTimeout",
  }),
  maxPollIntervalMs: integer({
    min: 1_000,
    max: 24 * hourMs,
    default: 300_000,
    property: "max.poll.interval.ms",
    kafkajs: "rebalanceTimeout",
  }),
  order: choice(["partition", "key", "none"], { default: "partition" }),
  concurrency: integer({
    min: 1,
    max: 10_000,
    absent: "as many as there are assigned partitions",
    kafkajs: "partitionsConsumedConcurrently",
  }),
  commitIntervalMs: integer({
    min: 10,
    max: 600_000,
    default: 1_000,
    property: "auto.commit.interval.ms",
    kafkajs: "autoCommitInterval",
  }),
  drainTimeoutMs: integer({
    min: 0,
    max: hourMs,
    absent: "30,000, or half of `maxPollIntervalMs` where that is less",
  }),
  isolationLevel: choice(["read_committed", "read_uncommitted"], {
    default: "read_committed",
    property: "isolation.level",
    kafkajs: "readUncommitted",
  }),
  maxBufferBytes: integer({ min: 2 ** 20, max: 2 ** 30, default: 2 ** 25 }),
  onRebalance: callback<NonNullable<ConsumerOptions["onRebalance"]>>(),
  ...failureSpecs,
} satisfies OptionSpecs<ConsumerOptions>;

type CheckedOptions = Omit<Checked<typeof consumerSpecs>, keyof FailureOptions>;

/** Checks the options of a consumer and fills in the defaults. Names the field that is wrong. */
export function resolveConsumerOptions(options: ConsumerOptions): ResolvedConsumerOptions {
  return settleConsumerOptions(checkOptions("ConsumerOptions", options, consumerSpecs));
}

/** Checks how options that are right by themselves go together, and makes native properties of them. */
export function settleConsumerOptions(options: CheckedOptions): ResolvedConsumerOptions {
  const { groupId, groupInstanceId, maxPollIntervalMs } = options;
  const drainTimeoutMs = options.drainTimeoutMs ?? Math.min(30_000, maxPollIntervalMs / 2);
  if (drainTimeoutMs >= maxPollIntervalMs)
    throw new ConfigError("drainTimeoutMs", `must be below maxPollIntervalMs (${maxPollIntervalMs})`);
  return {
    groupId,
    groupInstanceId,
    from: options.from,
    onOffsetOutOfRange: options.onOffsetOutOfRange,
    maxPollIntervalMs,
    drainTimeoutMs,
    order: options.order,
    concurrency: options.concurrency,
    commitIntervalMs: options.commitIntervalMs,
    maxBufferBytes: options.maxBufferBytes,
    onRebalance: options.onRebalance,
    startOffsets: options.startOffsets,
    properties: {
      "group.id": groupId,
      // With `from: "latest"` the session says where to begin, and with `latest` here it moves on to the end.
      "auto.offset.reset": options.onOffsetOutOfRange === "fail" ? "error" : "earliest",
      "isolation.level": options.isolationLevel,
      ...(groupInstanceId === undefined ? {} : { "group.instance.id": groupInstanceId }),
      ...membershipOf(options),
    },
  };
}

function membershipOf(options: CheckedOptions): NativeProperties {
  const { maxPollIntervalMs } = options;
  if (options.groupProtocol === "consumer") {
    for (const name of ["assignor", "sessionTimeoutMs"] as const)
      if (options[name] !== undefined)
        throw new ConfigError(
          name,
          'is the broker\'s to choose with groupProtocol: "consumer"; leave it out',
        );
    return { "group.protocol": "consumer", "max.poll.interval.ms": maxPollIntervalMs };
  }
  const sessionTimeoutMs = options.sessionTimeoutMs ?? Math.min(45_000, maxPollIntervalMs);
  if (maxPollIntervalMs < sessionTimeoutMs)
    throw new ConfigError("maxPollIntervalMs", `must not be below sessionTimeoutMs (${sessionTimeoutMs})`);
  return {
    "partition.assignment.strategy": options.assignor ?? "cooperative-sticky",
    "session.timeout.ms": sessionTimeoutMs,
    "heartbeat.interval.ms": Math.min(3_000, Math.floor(sessionTimeoutMs / 3)),
    "max.poll.interval.ms": maxPollIntervalMs,
  };
}
