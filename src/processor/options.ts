import { checkInteger, checkKnown } from "../check.js";
import {
  consumerOptionNames,
  type ConsumerOptions,
  type ResolvedConsumerOptions,
  resolveConsumerOptions,
} from "../group/options.js";
import type { NativeProperties } from "../driver/native.js";
import { ConfigError } from "../errors.js";
import {
  type ResolvedTransactionOptions,
  resolveTransactionOptions,
  transactionOptionNames,
  type TransactionOptions,
} from "../transactions/transaction-options.js";

/**
 * Options of {@link Kafka.processor}: those of its transactions, and a consumer's. What a processor reads
 * is always `read_committed`.
 */
export interface ProcessorOptions
  extends TransactionOptions, Omit<ConsumerOptions, "isolationLevel" | "commitIntervalMs"> {
  /**
   * How long a transaction stays open for more records, in milliseconds from its first one; 1 to 60,000
   * and below `transactionTimeoutMs`. A longer one is more records a second and more time until readers see them.
   * @default 100
   */
  readonly commitIntervalMs?: number | undefined;
  /** After how many records a transaction is committed without waiting for its interval; 1 to 1,000,000. @default 10_000 */
  readonly maxTransactionRecords?: number | undefined;
}

/**
 * Where the group's coordinator has left the cluster, adding offsets to a transaction waits for ever: librdkafka
 * looks for the new one only when a connection comes up or goes down (librdkafka #5511, and #5456 for the time
 * limit that is not kept). Connections that idle go down by themselves after this long, so it looks then.
 */
const maxIdleMs = 6_000;

/** {@link ProcessorOptions}, checked and complete. */
export interface ResolvedProcessorOptions {
  readonly consumer: ResolvedConsumerOptions;
  readonly transaction: ResolvedTransactionOptions;
  readonly commitIntervalMs: number;
  readonly maxTransactionRecords: number;
}

/** Checks the options and names the field that is wrong. `shared` are the properties passed to `Kafka`. */
export function resolveProcessorOptions(
  options: ProcessorOptions,
  shared: NativeProperties,
): ResolvedProcessorOptions {
  checkKnown("ProcessorOptions", options, [
    ...transactionOptionNames,
    ...consumerOptionNames,
    "maxTransactionRecords",
  ]);
  const { commitIntervalMs, maxTransactionRecords, ...rest } = options;
  if ("isolationLevel" in rest)
    throw new ConfigError(
      "isolationLevel",
      "a processor reads read_committed, or it would not be exactly once",
    );
  const given = new Set<string>(transactionOptionNames);
  const pick = (wanted: boolean): object =>
    Object.fromEntries(Object.entries(rest).filter(([name]) => given.has(name) === wanted));
  const transaction = resolveTransactionOptions(pick(true) as TransactionOptions, {
    "connections.max.idle.ms": maxIdleMs,
    ...shared,
  });
  return {
    transaction,
    consumer: resolveConsumerOptions(pick(false) as ConsumerOptions),
    commitIntervalMs: checkInteger("commitIntervalMs", commitIntervalMs, {
      min: 1,
      max: Math.min(60_000, transaction.transactionTimeoutMs - 1),
      otherwise: 100,
    }),
    maxTransactionRecords: checkInteger("maxTransactionRecords", maxTransactionRecords, {
      min: 1,
      max: 1_000_000,
      otherwise: 10_000,
    }),
  };
}
