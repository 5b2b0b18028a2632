import { checkInteger, describe } from "../check.js";
import {
  type ConsumerOptions,
  consumerSpecs,
  type ResolvedConsumerOptions,
  settleConsumerOptions,
} from "../group/options.js";
import type { NativeProperties } from "../driver/native.js";
import { ConfigError } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { callback, custom, integer, text } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import type { RestoreProgress } from "../state/restorer.js";
import { type AnyStore, changelogName } from "../state/store-definition.js";
import { topicNameFlaw } from "../topic-name.js";
import {
  type ResolvedTransactionOptions,
  settleTransactionOptions,
  type TransactionOptions,
  transactionSpecs,
} from "../transactions/transaction-options.js";

/**
 * Options of {@link Kafka.processor}: those of its transactions, and a consumer's. What a processor reads
 * is always `read_committed`.
 */
export interface ProcessorOptions<Stores extends AnyStore = AnyStore>
  extends TransactionOptions, Omit<ConsumerOptions, "isolationLevel" | "commitIntervalMs" | "startOffsets"> {
  /**
   * How long a transaction stays open for more records, in milliseconds from its first one; 1 to 60,000
   * and below `transactionTimeoutMs`. A longer one is more records a second and more time until readers see them.
   * @default 100
   */
  readonly commitIntervalMs?: number | undefined;
  /** After how many records a transaction is committed without waiting for its interval; 1 to 1,000,000. @default 10_000 */
  readonly maxTransactionRecords?: number | undefined;
  /**
   * The stores that handlers use by `tx.store`, made with `defineStore` and `defineWindowStore`. With stores,
   * `transactionTimeoutMs` is 10,000 unless given, all topics must have the same number of partitions, and `order` is
   * `"partition"`, or with one topic `"key"`.
   * @default none
   */
  readonly stores?: readonly Stores[] | undefined;
  /**
   * A directory in which stores are kept on disk: for state that is larger than memory, and so that a restart reads only
   * the tail of each changelog. It is made where it is missing, and is for one running processor at a time. Needs the
   * package `classic-level`. What is in it can be removed while nobody uses it: it is restored. Absent: stores are
   * kept in memory. Kafka Streams: `state.dir`.
   */
  readonly stateDirectory?: string | undefined;
  /**
   * How long a task with several topics waits for one of which more is in the log than was fetched, in milliseconds, so
   * that records are processed in the order of their timestamps; 0 to 60,000. Kafka Streams: `max.task.idle.ms`.
   * @default 1_000
   */
  readonly maxTaskIdleMs?: number | undefined;
  /** Told how far the restoring of stores is: about once a second for each store and partition, and at its end. */
  readonly onRestore?: ((progress: RestoreProgress) => void) | undefined;
}

/**
 * Where the group's coordinator has left the cluster, adding offsets to a transaction waits for ever: librdkafka
 * looks for the new one only when a connection comes up or goes down (librdkafka #5511, and #5456 for the time
 * limit that is not kept). Connections that idle go down by themselves after this long, so it looks then.
 */
const maxIdleMs = 6_000;

/** As in Kafka Streams: an owner that is frozen holds up the restoring of its stores for as long as this. */
const storesTimeoutMs = 10_000;

function checkStores(path: string, given: unknown): readonly AnyStore[] {
  if (given === undefined) return [];
  if (!Array.isArray(given))
    throw new ConfigError(path, `expected an array of stores, got ${describe(given)}`);
  const names = new Set<string>();
  return given.map((store: unknown, index) => {
    if (typeof store !== "object" || store === null || !("changelog" in store) || !("name" in store))
      throw new ConfigError(
        `${path}[${String(index)}]`,
        `expected what defineStore or defineWindowStore gives, got ${describe(store)}`,
      );
    const { name } = store as unknown as AnyStore;
    if (names.has(name))
      throw new ConfigError(path, `two stores are called ${name}: their changelog would be one`);
    names.add(name);
    return store as unknown as AnyStore;
  });
}

/** Options that only stores have, without any, would be ignored. @throws `ConfigError` that names one */
export function checkStoreOptions(
  options: Pick<ProcessorOptions, "stores" | "stateDirectory" | "maxTaskIdleMs" | "onRestore">,
): void {
  if (options.stores !== undefined && options.stores.length > 0) return;
  for (const name of ["stateDirectory", "maxTaskIdleMs", "onRestore"] as const)
    if (options[name] !== undefined)
      throw new ConfigError(
        name,
        "is for stores, and none is listed in `stores`: list them, or leave it out",
      );
}

function checkChangelogNames(groupId: string, stores: readonly AnyStore[]): void {
  for (const { name } of stores) {
    const changelog = changelogName(groupId, name);
    const flaw = topicNameFlaw(changelog);
    if (flaw !== undefined)
      throw new ConfigError(
        "groupId",
        `the changelog of the store ${name} would be called ${describe(changelog)}, which is no topic name: ${flaw}`,
      );
  }
}

/** {@link ProcessorOptions}, checked and complete. */
export interface ResolvedProcessorOptions {
  readonly consumer: ResolvedConsumerOptions;
  readonly transaction: ResolvedTransactionOptions;
  readonly commitIntervalMs: number;
  readonly maxTransactionRecords: number;
  readonly stores: readonly AnyStore[];
  readonly stateDirectory: string | undefined;
  readonly maxTaskIdleMs: number;
  readonly onRestore: ((progress: RestoreProgress) => void) | undefined;
}

const { isolationLevel: _level, startOffsets: _offsets, ...readingSpecs } = consumerSpecs;

/** The options of a processor. */
export const processorSpecs = {
  ...transactionSpecs,
  ...readingSpecs,
  commitIntervalMs: integer({
    min: 1,
    max: 60_000,
    default: 100,
    property: "auto.commit.interval.ms",
    kafkajs: "autoCommitInterval",
  }),
  maxTransactionRecords: integer({ min: 1, max: 1_000_000, default: 10_000 }),
  stores: custom<readonly AnyStore[], readonly AnyStore[]>("list", checkStores, { absent: "none" }),
  stateDirectory: text(),
  maxTaskIdleMs: integer({ min: 0, max: 60_000, default: 1_000 }),
  onRestore: callback<NonNullable<ProcessorOptions["onRestore"]>>(),
} satisfies OptionSpecs<ProcessorOptions>;

/** Checks the options and names the field that is wrong. `shared` are the properties passed to `Kafka`. */
export function resolveProcessorOptions(
  options: ProcessorOptions,
  shared: NativeProperties,
): ResolvedProcessorOptions {
  if (typeof options === "object" && (options as unknown) !== null && "isolationLevel" in options)
    throw new ConfigError(
      "isolationLevel",
      "a processor reads read_committed, or it would not be exactly once",
    );
  const given = checkOptions("ProcessorOptions", options, processorSpecs);
  const { stores, order } = given;
  const transactionTimeoutMs =
    stores.length > 0 ? (options.transactionTimeoutMs ?? storesTimeoutMs) : given.transactionTimeoutMs;
  if (stores.length > 0 && order === "none")
    throw new ConfigError(
      "order",
      'with stores the handlers of a partition run one after the other: use "partition", or "key" with one topic',
    );
  checkChangelogNames(given.groupId, stores);
  checkStoreOptions(options);
  const transaction = settleTransactionOptions(
    { ...given, transactionTimeoutMs },
    { "connections.max.idle.ms": maxIdleMs, ...shared },
  );
  return {
    transaction: {
      ...transaction,
      // Where a record of a changelog is tells where the changelog ends.
      properties: { ...transaction.properties, "delivery.report.only.error": stores.length === 0 },
    },
    consumer: settleConsumerOptions({
      ...given,
      isolationLevel: "read_committed",
      startOffsets: undefined,
    }),
    // It must end before the transaction does.
    commitIntervalMs: checkInteger("commitIntervalMs", given.commitIntervalMs, {
      min: 1,
      max: Math.min(60_000, transaction.transactionTimeoutMs - 1),
    }),
    maxTransactionRecords: given.maxTransactionRecords,
    stores,
    stateDirectory: given.stateDirectory,
    maxTaskIdleMs: given.maxTaskIdleMs,
    onRestore: given.onRestore,
  };
}
