import { checkInteger, checkOneOf, describe } from "../check.js";
import type { NativeProperties } from "../driver/native.js";
import { ConfigError } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { choice, custom, integer } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import { oneInFlight } from "./one-in-flight.js";

/**
 * Chooses the partition of a record: a whole number from 0 to `partitionCount - 1`. It is called for every
 * record that names no partition, with the key's bytes (`null` for a record without one), and must return
 * the same for the same key if the order of a key's records matters. What it throws rejects the call.
 */
export type PartitionerFunction = (key: Buffer | null, partitionCount: number, topic: string) => number;

/**
 * How records that name no partition are spread, by librdkafka's names. `murmur2_random` is Java's: by the
 * murmur2 hash of the key, records without a key at random; `murmur2` hashes those too, onto one partition.
 * `consistent_random` and `consistent` do the same with CRC32 (librdkafka's own default), `fnv1a_random` and
 * `fnv1a` with FNV-1a (Sarama's); `random` ignores the key.
 */
export type PartitionerName =
  "murmur2_random" | "murmur2" | "consistent_random" | "consistent" | "fnv1a_random" | "fnv1a" | "random";

/** How batches of records are compressed. */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/**
 * Options of a producer. Every producer is idempotent and waits for all in-sync replicas (Kafka:
 * `enable.idempotence`, `acks=all`): a retry neither duplicates a record nor changes the order.
 */
export interface ProducerOptions {
  /**
   * How long a record may take from the native queue until it is acknowledged, retries included, in
   * milliseconds; 100 to 86,400,000. Then it fails with the code `TIMEOUT`, and may or may not have been
   * written. A call that gets no turn for as long fails too, and then nothing of it was
   * written. At least `lingerMs` + `requestTimeoutMs`. Kafka: `delivery.timeout.ms`.
   * @default 120_000
   */
  readonly deliveryTimeoutMs?: number | undefined;
  /**
   * How long one request to a broker may take before it is made again, in milliseconds; 10 to 300,000.
   * Kafka: `request.timeout.ms`.
   * @default 30_000, or what `deliveryTimeoutMs` leaves
   */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * How often a record's request is made again after a failure that may pass; 1 to 2,147,483,647 (0 is
   * refused: an idempotent producer must be able to repeat itself). `deliveryTimeoutMs` ends it sooner, as
   * in Java's producer. Between two tries pass 100 ms, growing to 1 s (`retry.backoff.ms`,
   * `retry.backoff.max.ms`). Kafka: `retries`.
   * @default 2_147_483_647
   */
  readonly retries?: number | undefined;
  /**
   * How long a record waits for others to share a request with, in milliseconds; 0 to 900,000. With 0 a record leaves
   * at once, and records still share requests: those of the calls that are made together, and those that come while
   * earlier ones are on their way. `sendAll`, where nobody waits for one record, uses at least 5. Kafka: `linger.ms`.
   * @default 0
   */
  readonly lingerMs?: number | undefined;
  /** How batches are compressed. Kafka: `compression.type`. @default "none" */
  readonly compression?: Compression | undefined;
  /**
   * How records that name no partition are spread: a name, or a function of yours.
   * Kafka: `partitioner.class`, librdkafka: `partitioner`.
   * @default "murmur2_random", the same partitions as Java's
   */
  readonly partitioner?: PartitionerName | PartitionerFunction | undefined;
  /**
   * How large one record may be, in bytes: key, value and headers, and up to 36 of framing; 1,000 to 1,000,000,000.
   * It is also the limit of one request. A larger record is refused with `RECORD_TOO_LARGE` before anything of
   * its call is sent. The broker has a limit of its own (`message.max.bytes`, 1,048,588), by topic
   * `max.message.bytes`. Kafka: `max.request.size`, librdkafka: `message.max.bytes`.
   * @default 1_000_000
   */
  readonly maxRecordBytes?: number | undefined;
  /** How large a batch may grow, in bytes; 1 to 1,000,000,000, and `maxRecordBytes` at most. Kafka: `batch.size`. @default the lesser of 1_000_000 and `maxRecordBytes` */
  readonly maxBatchBytes?: number | undefined;
  /** How many records a batch may have; 1 to 1,000,000. librdkafka: `batch.num.messages`. @default 10_000 */
  readonly maxBatchRecords?: number | undefined;
  /**
   * The window: how many records may be on their way at the same time; 1 to 1,000,000. Calls that find it
   * full wait for their turn. `sendAll` has a window of its own of the same size.
   * @default 20_000
   */
  readonly maxInFlightRecords?: number | undefined;
  /**
   * The window in bytes of keys, values and headers; 1,000 to 2,000,000,000. A record larger than that goes
   * alone.
   * @default 33_554_432 (32 MiB)
   */
  readonly maxInFlightBytes?: number | undefined;
  /**
   * How many requests may be on their way to each broker at the same time; 1 to 5. More than one is faster over links
   * with a long round trip. But librdkafka (issue 4953) can then write records twice while leaders move: take it where
   * that does no harm. `sendAll` and transactions always have one. Kafka: `max.in.flight.requests.per.connection`.
   * @default 1
   */
  readonly maxInFlightRequests?: number | undefined;
  /**
   * How many records may wait for their turn, in all calls together; 1 to 100,000,000. Where nobody
   * awaits what `send` returns, as in the handler of an event, it is what keeps memory bounded: a call that
   * finds others waiting and would exceed it is rejected at once as a whole (`DeliveryError`, retriable).
   * @default 1_000_000
   */
  readonly maxWaitingRecords?: number | undefined;
  /**
   * How long `close` lets records on their way arrive, in milliseconds; 0 to 86,400,000. Their calls are
   * then rejected, each with what became of its records.
   * @default 30_000
   */
  readonly closeTimeoutMs?: number | undefined;
}

/** {@link ProducerOptions}, checked and complete. */
export interface ResolvedProducerOptions {
  readonly deliveryTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly maxRecordBytes: number;
  readonly maxInFlightRecords: number;
  readonly maxInFlightBytes: number;
  readonly maxWaitingRecords: number;
  readonly partitioner: PartitionerFunction | undefined;
  /** For the native client that reports every record. */
  readonly properties: NativeProperties;
  /** For the one of `sendAll`, which reports failures alone. */
  readonly bulkProperties: NativeProperties;
}

/** The names of partitioners. */
export const partitioners = [
  "murmur2_random",
  "murmur2",
  "consistent_random",
  "consistent",
  "fnv1a_random",
  "fnv1a",
  "random",
] as const satisfies readonly PartitionerName[];

/** How batches are compressed. */
export const compressionSpec = choice(["none", "gzip", "snappy", "lz4", "zstd"], {
  default: "none",
  property: "compression.type",
  kafkajs: "compression",
});

/** The options of a producer. */
export const producerSpecs = {
  deliveryTimeoutMs: integer({
    min: 100,
    max: 86_400_000,
    default: 120_000,
    property: "delivery.timeout.ms",
    kafkajs: "timeout",
  }),
  requestTimeoutMs: integer({
    min: 10,
    max: 300_000,
    absent: "30,000, or what `deliveryTimeoutMs` leaves",
    property: "request.timeout.ms",
    kafkajs: "requestTimeout",
  }),
  retries: integer({
    min: 1,
    max: 2_147_483_647,
    default: 2_147_483_647,
    property: "retries",
    kafkajs: "retry.retries",
  }),
  lingerMs: integer({ min: 0, max: 900_000, default: 0, property: "linger.ms" }),
  compression: compressionSpec,
  partitioner: custom<PartitionerName | PartitionerFunction, PartitionerName | PartitionerFunction>(
    "choice",
    checkPartitioner,
    { words: partitioners, default: "murmur2_random", property: "partitioner", kafkajs: "createPartitioner" },
  ),
  maxRecordBytes: integer({
    min: 1_000,
    max: 1_000_000_000,
    default: 1_000_000,
    property: "message.max.bytes",
  }),
  maxBatchBytes: integer({
    min: 1,
    max: 1_000_000_000,
    absent: "1,000,000, or `maxRecordBytes` where that is less",
    property: "batch.size",
  }),
  maxBatchRecords: integer({ min: 1, max: 1_000_000, default: 10_000, property: "batch.num.messages" }),
  maxInFlightRecords: integer({
    min: 1,
    max: 1_000_000,
    default: 20_000,
    property: "queue.buffering.max.messages",
  }),
  maxInFlightBytes: integer({
    min: 1_000,
    max: 2_000_000_000,
    default: 33_554_432,
    property: "queue.buffering.max.kbytes",
  }),
  maxInFlightRequests: integer({
    min: 1,
    max: 5,
    default: 1,
    property: "max.in.flight.requests.per.connection",
  }),
  maxWaitingRecords: integer({ min: 1, max: 100_000_000, default: 1_000_000 }),
  closeTimeoutMs: integer({ min: 0, max: 86_400_000, default: 30_000 }),
} satisfies OptionSpecs<ProducerOptions>;

/**
 * How long a topic may be missing before its records fail with `UNKNOWN_TOPIC`: long enough for one that was made
 * this moment to be known to every broker.
 */
const topicPropagationMs = 5_000;

/** What a batch of `sendAll` may wait: nobody waits for one of its records, and full batches cost least. */
const bulkLingerMs = 5;

/** Checks the options and their relations, and names the field that is wrong. `shared` are the properties passed to `Kafka`. */
export function resolveProducerOptions(
  options: ProducerOptions,
  shared: NativeProperties,
): ResolvedProducerOptions {
  const given = checkOptions("ProducerOptions", options, producerSpecs);
  const { deliveryTimeoutMs, lingerMs, maxRecordBytes, maxInFlightRecords, maxInFlightBytes } = given;
  const { partitioner } = given;
  const left = deliveryTimeoutMs - lingerMs;
  if (left < 10) {
    throw new ConfigError(
      "deliveryTimeoutMs",
      `must be more than lingerMs (${lingerMs}), got ${deliveryTimeoutMs}`,
    );
  }
  const requestTimeoutMs = given.requestTimeoutMs ?? Math.min(30_000, left);
  if (requestTimeoutMs > left) {
    throw new ConfigError(
      "deliveryTimeoutMs",
      `must be at least lingerMs + requestTimeoutMs (${lingerMs} + ${requestTimeoutMs}), got ${deliveryTimeoutMs}`,
    );
  }
  const maxBatchBytes = checkInteger("maxBatchBytes", given.maxBatchBytes, {
    min: 1,
    max: maxRecordBytes,
    otherwise: Math.min(1_000_000, maxRecordBytes),
  });

  const properties: NativeProperties = {
    // As Java's producer: a broker that is back is used within a second, not ten.
    "reconnect.backoff.max.ms": 1_000,
    "topic.metadata.propagation.max.ms": Math.min(topicPropagationMs, deliveryTimeoutMs),
    "socket.timeout.ms": requestTimeoutMs,
    ...shared,
    "enable.idempotence": true,
    acks: -1,
    "max.in.flight.requests.per.connection": given.maxInFlightRequests,
    "delivery.timeout.ms": deliveryTimeoutMs,
    "request.timeout.ms": requestTimeoutMs,
    retries: given.retries,
    "linger.ms": lingerMs,
    "compression.type": given.compression,
    partitioner: typeof partitioner === "string" ? partitioner : "murmur2_random",
    "message.max.bytes": maxRecordBytes,
    "batch.size": maxBatchBytes,
    "batch.num.messages": given.maxBatchRecords,
    // The window is kept before the native queue, so that queue never fills.
    "queue.buffering.max.messages": maxInFlightRecords,
    "queue.buffering.max.kbytes": nativeQueueKbytes(maxInFlightBytes, maxRecordBytes),
  };
  return {
    deliveryTimeoutMs,
    closeTimeoutMs: given.closeTimeoutMs,
    maxRecordBytes,
    maxInFlightRecords,
    maxInFlightBytes,
    maxWaitingRecords: given.maxWaitingRecords,
    partitioner: typeof partitioner === "string" ? undefined : partitioner,
    properties,
    bulkProperties: {
      ...properties,
      ...oneInFlight,
      "linger.ms": Math.max(lingerMs, bulkLingerMs),
      "delivery.report.only.error": true,
    },
  };
}

function checkPartitioner(path: string, partitioner: unknown): PartitionerName | PartitionerFunction {
  if (typeof partitioner === "function") return partitioner as PartitionerFunction;
  if (partitioner !== undefined && typeof partitioner !== "string") {
    throw new ConfigError(path, `expected a name or a function, got ${describe(partitioner)}`);
  }
  return checkOneOf(path, partitioner, partitioners, "murmur2_random");
}

/** The native queue's limit of bytes, never below one record: librdkafka takes 1 to 2,147,483,647. */
function nativeQueueKbytes(maxInFlightBytes: number, maxRecordBytes: number): number {
  return Math.ceil(Math.max(maxInFlightBytes, maxRecordBytes) / 1_024) + 1;
}
