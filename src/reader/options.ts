import { checkOneOf, describe } from "../check.js";
import { ConfigError } from "../errors.js";
import {
  isOffsets,
  type OffsetsByPartition,
  partitionId,
  resolveOffsets,
  resolveTime,
  type TopicPartition,
  topicPartitionOf,
} from "../offsets.js";
import { checkOptions } from "../options/check-options.js";
import { callback, choice, flag, integer, signal, unchecked } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";

/** How far a read has come, as `onProgress` is told. */
export interface ReadProgress {
  /** Records delivered so far. */
  readonly records: number;
  /**
   * How much of the range is done, in offsets: those that hold no record (compacted, of aborted
   * transactions, markers) count too, so that it reaches `total` at the end.
   */
  readonly done: number;
  /** How many offsets the range had as of the start; where `follow` went past it, as many as `done`. */
  readonly total: number;
  /** Records delivered per second since the last call. */
  readonly recordsPerSecond: number;
}

/** Options of {@link Kafka.read}. */
export interface ReadOptions {
  /**
   * Where to begin: the start of the log, its end (only of use with `follow`), the first record at or
   * after a time, or an offset for each partition. Partitions that are not named begin at the start.
   * Offsets that the log no longer has are passed over.
   * @default "earliest"
   */
  readonly from?: "earliest" | "latest" | Date | OffsetsByPartition | undefined;
  /**
   * Where to stop: the end of the log as of the start (under `read_committed` the last stable offset,
   * which is where the first open transaction begins), before the first record at or after a time, or
   * before an offset for each partition. Partitions that are not named stop at the end. Never past the
   * end as of the start.
   * @default "latest"
   */
  readonly to?: "latest" | Date | OffsetsByPartition | undefined;
  /**
   * Goes on with what arrives after the end, new partitions included, until the loop is left. Not
   * together with `to`.
   * @default false
   */
  readonly follow?: boolean | undefined;
  /**
   * The partitions to read: numbers, which mean these of every topic, or `{ topic, partition }`.
   * @default all of them
   */
  readonly partitions?: readonly number[] | readonly TopicPartition[] | undefined;
  /**
   * `partition`: each partition in its own order, partitions in the order in which they arrive.
   * `timestamp`: merged over all partitions and topics, the oldest next record first; each partition
   * still keeps its own order. What arrives by `follow` is merged as far as it is there.
   * @default "partition"
   */
  readonly order?: "partition" | "timestamp" | undefined;
  /**
   * `read_committed` sees no records of aborted or open transactions. Kafka: `isolation.level`.
   * @default "read_committed"
   */
  readonly isolationLevel?: "read_committed" | "read_uncommitted" | undefined;
  /**
   * What becomes of a record that does not fit its topic: `fail` ends the read with an
   * `InvalidRecordError`, `skip` logs a warning and goes on.
   * @default "fail"
   */
  readonly onInvalid?: "fail" | "skip" | undefined;
  /**
   * How long to wait for the brokers while something is known to be there and nothing arrives, in
   * milliseconds; 1,000 to 3,600,000. Brokers that restart within it are waited for.
   * @default 60_000
   */
  readonly stallTimeoutMs?: number | undefined;
  /**
   * Called about once a second while records are delivered, and when everything that was there at the
   * start has been (`done` is `total`): at the end, or where the read `follow`s before it waits for more.
   * What it throws ends the read.
   */
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  /** Ends the read at once: the loop throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** One side of the range of a read. */
export type ReadBound =
  | { readonly type: "earliest" | "latest" }
  | { readonly type: "time"; readonly ms: number }
  | { readonly type: "offsets"; readonly offsets: ReadonlyMap<string, number> };

/** Options checked, with their defaults. */
export interface ResolvedReadOptions {
  readonly from: ReadBound;
  readonly to: ReadBound;
  readonly follow: boolean;
  /** The partitions to read; `undefined` for all. */
  readonly partitions: readonly TopicPartition[] | undefined;
  readonly order: "partition" | "timestamp";
  readonly isolationLevel: "read_committed" | "read_uncommitted";
  readonly onInvalid: "fail" | "skip";
  readonly stallTimeoutMs: number;
  readonly onProgress: ((progress: ReadProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

type Given<Name extends keyof ReadOptions> = NonNullable<ReadOptions[Name]>;

/** The options of a read. */
export const readSpecs = {
  from: unchecked<Given<"from">>("position", { words: ["earliest", "latest"], default: "earliest" }),
  to: unchecked<Given<"to">>("position", { words: ["latest"], default: "latest" }),
  follow: flag({ default: false }),
  partitions: unchecked<Given<"partitions">>("list", { absent: "all of them" }),
  order: choice(["partition", "timestamp"], { default: "partition" }),
  isolationLevel: choice(["read_committed", "read_uncommitted"], {
    default: "read_committed",
    property: "isolation.level",
    kafkajs: "readUncommitted",
  }),
  onInvalid: choice(["fail", "skip"], { default: "fail" }),
  stallTimeoutMs: integer({ min: 1_000, max: 3_600_000, default: 60_000 }),
  onProgress: callback<Given<"onProgress">>(),
  signal: signal(),
} satisfies OptionSpecs<ReadOptions>;

/**
 * Checks the options of a read and fills in the defaults.
 *
 * @throws `ConfigError` that names the field
 */
export function resolveReadOptions(options: ReadOptions, topics: readonly string[]): ResolvedReadOptions {
  const given = checkOptions("ReadOptions", options, readSpecs);
  if (given.follow && given.to !== undefined)
    throw new ConfigError("to", "a read with `follow` has no end: leave one of them out");
  return {
    ...given,
    from: resolveBound("from", given.from, ["earliest", "latest"], topics),
    to: resolveBound("to", given.to, ["latest"], topics),
    partitions: resolvePartitions(given.partitions, topics),
  };
}

function resolveBound(
  path: string,
  bound: ReadOptions["from"],
  words: readonly ["earliest" | "latest", ...("earliest" | "latest")[]],
  topics: readonly string[],
): ReadBound {
  if (bound instanceof Date) return { type: "time", ms: resolveTime(path, bound) };
  if (!isOffsets(bound)) return { type: checkOneOf(path, bound, words, words[0]) };
  const offsets = resolveOffsets(path, bound, topics);
  return {
    type: "offsets",
    offsets: new Map(offsets.map(({ topic, partition, offset }) => [partitionId(topic, partition), offset])),
  };
}

function resolvePartitions(
  partitions: ReadOptions["partitions"],
  topics: readonly string[],
): ResolvedReadOptions["partitions"] {
  if (partitions === undefined) return undefined;
  if (!Array.isArray(partitions))
    throw new ConfigError("partitions", `expected an array, got ${describe(partitions)}`);
  if (partitions.length === 0)
    throw new ConfigError("partitions", "is empty: name one at least, or leave it out");
  const named = partitions.flatMap((given: number | TopicPartition) =>
    typeof given === "object" ? [given] : topics.map((topic) => ({ topic, partition: given })),
  );
  return resolveOffsets(
    "partitions",
    named.map(({ topic, partition }) => ({ topic, partition, offset: 0 })),
    topics,
  ).map(topicPartitionOf);
}
