import type { NativeProperties } from "../driver/native.js";
import { checkOptions } from "../options/check-options.js";
import { choice, integer, required, text } from "../options/kinds.js";
import type { Checked, OptionSpecs } from "../options/spec.js";
import {
  type Compression,
  compressionSpec,
  type PartitionerName,
  partitioners,
} from "../producer/options.js";
import { oneInFlight } from "../producer/one-in-flight.js";

/** Options of a producer whose records are written in transactions. */
export interface TransactionOptions {
  /**
   * The producer's identity, which outlives restarts: one that starts with the same id takes over from the
   * one before, ends what it left open, and fences it. Give every instance of a service its own.
   * Kafka: `transactional.id`.
   */
  readonly transactionalId: string;
  /**
   * How long a transaction may take, in milliseconds, before it is aborted, by the library where a callback takes
   * that long, and by the broker; 1,000 to 900,000, and
   * within the broker's `transaction.max.timeout.ms`. Kafka: `transaction.timeout.ms`.
   * @default 60_000
   */
  readonly transactionTimeoutMs?: number | undefined;
  /**
   * How long a record waits for others to share a request with, in milliseconds; 0 to 1,000. A commit waits
   * for none. Kafka: `linger.ms`.
   * @default 5
   */
  readonly lingerMs?: number | undefined;
  /** How batches of records are compressed. Kafka: `compression.type`. @default "none" */
  readonly compression?: Compression | undefined;
  /**
   * How large a batch may grow, in bytes; 1 to 60,000,000. A record that is larger goes alone. Where a topic's
   * `max.message.bytes` is less than this, it refuses batches of records that it would take one by one: give
   * its limit, or less. Kafka: `batch.size`.
   * @default 1_000_000
   */
  readonly maxBatchBytes?: number | undefined;
  /**
   * How records that name no partition are spread. Kafka: `partitioner.class`.
   * @default "murmur2_random", the same partitions as Java's
   */
  readonly partitioner?: PartitionerName | undefined;
}

/** {@link TransactionOptions}, checked and complete. */
export interface ResolvedTransactionOptions {
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly properties: NativeProperties;
}

/** How long a topic may be missing before its records fail, for one that is just being made. */
const topicPropagationMs = 5_000;
const maxRecordBytes = 60_000_000;
/** A request that gets no answer is made again after this long, within the transaction's own time. */
const requestTimeoutMs = 10_000;

/** The options of transactions, for those that take them beside their own. */
export const transactionSpecs = {
  transactionalId: required(text({ property: "transactional.id", kafkajs: "transactionalId" })),
  transactionTimeoutMs: integer({
    min: 1_000,
    max: 900_000,
    default: 60_000,
    property: "transaction.timeout.ms",
    kafkajs: "transactionTimeout",
  }),
  lingerMs: integer({ min: 0, max: 1_000, default: 5, property: "linger.ms" }),
  compression: compressionSpec,
  maxBatchBytes: integer({ min: 1, max: maxRecordBytes, default: 1_000_000, property: "batch.size" }),
  partitioner: choice(partitioners, {
    default: "murmur2_random",
    property: "partitioner",
    kafkajs: "createPartitioner",
  }),
} satisfies OptionSpecs<TransactionOptions>;

/** Checks the options and names the field that is wrong. `shared` are the properties passed to `Kafka`. */
export function resolveTransactionOptions(
  options: TransactionOptions,
  shared: NativeProperties,
): ResolvedTransactionOptions {
  return settleTransactionOptions(checkOptions("TransactionOptions", options, transactionSpecs), shared);
}

/** Makes native properties of options that have been checked. */
export function settleTransactionOptions(
  options: Checked<typeof transactionSpecs>,
  shared: NativeProperties,
): ResolvedTransactionOptions {
  const { transactionalId, transactionTimeoutMs } = options;
  return {
    transactionalId,
    transactionTimeoutMs,
    properties: {
      // A transaction begins while the broker is still writing the end of the one before, and asks again
      // after this long: with the default of 100 ms that is most of a short transaction's time.
      "retry.backoff.ms": 20,
      "retry.backoff.max.ms": 200,
      "queue.buffering.max.messages": 100_000,
      "queue.buffering.max.kbytes": 65_536,
      // How large a record may be is the topic's to say; here, what the native queue can hold.
      "message.max.bytes": maxRecordBytes,
      "topic.metadata.propagation.max.ms": Math.min(topicPropagationMs, transactionTimeoutMs),
      ...shared,
      "transactional.id": transactionalId,
      "transaction.timeout.ms": transactionTimeoutMs,
      "socket.timeout.ms": Math.min(
        transactionTimeoutMs,
        Number(shared["socket.timeout.ms"] ?? requestTimeoutMs),
      ),
      "enable.idempotence": true,
      acks: -1,
      ...oneInFlight,
      // Success needs no report: a commit fails if a delivery did.
      "delivery.report.only.error": true,
      "linger.ms": options.lingerMs,
      "compression.type": options.compression,
      "batch.size": options.maxBatchBytes,
      partitioner: options.partitioner,
    },
  };
}
