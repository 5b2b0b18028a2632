import { checkInteger } from "../check.js";
import {
  type ConsumerOptions,
  consumerSpecs,
  type ResolvedConsumerOptions,
  settleConsumerOptions,
} from "../group/options.js";
import type { NativeProperties } from "../driver/native.js";
import { ConfigError } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { integer } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
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

const { isolationLevel: _, ...readingSpecs } = consumerSpecs;

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
  const transaction = settleTransactionOptions(given, { "connections.max.idle.ms": maxIdleMs, ...shared });
  return {
    transaction,
    consumer: settleConsumerOptions({ ...given, isolationLevel: "read_committed" }),
    // It must end before the transaction does.
    commitIntervalMs: checkInteger("commitIntervalMs", given.commitIntervalMs, {
      min: 1,
      max: Math.min(60_000, transaction.transactionTimeoutMs - 1),
    }),
    maxTransactionRecords: given.maxTransactionRecords,
  };
}
