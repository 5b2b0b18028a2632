import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { ConfigError, type KafkaError } from "../errors.js";
import type { FailurePolicy, Move, Outcome } from "../failure/failure-policy.js";
import { observedPolicy } from "../failure/observed-policy.js";
import { type FailureOptions, resolveFailureOptions } from "../failure/options.js";
import type { Logger } from "../logger.js";
import type { EncodedRecord, RawRecord } from "../record.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { AnyTopicPattern } from "../topic-pattern.js";
import type { AnyTopic } from "../topic.js";

/** Finishes a failed record: `result` stands for what its handler would have returned. */
export interface Settled {
  readonly result: unknown;
}

/** What deliveries need of a failure policy: its decisions, and how a client carries them out. */
export interface RecordFailures {
  readonly policy: FailurePolicy;
  /** Writes the record elsewhere. `undefined`: the partition was revoked or lost before, and the record is redelivered. */
  readonly move: (
    partition: OwnedPartition,
    raw: RawRecord,
    outcome: Outcome & { readonly action: "move" },
    error: unknown,
  ) => Promise<Settled | undefined> | Settled;
  /** Why, and after how many calls, what the record's handler sent was refused for good; absent where nothing can be. */
  readonly refusedOutput?: (
    partition: OwnedPartition,
    raw: RawRecord,
  ) => { readonly error: unknown; readonly calls: number } | undefined;
  /** Finishes the record without a call of its handler. */
  readonly skip: (raw: RawRecord, error: unknown) => Settled;
}

/** Writes records of the failure policy, each acknowledged by all in-sync replicas. */
export interface PolicyWriter {
  readonly write: (topic: string, record: EncodedRecord) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Writes records of the failure policy in one transaction with the offset of the record that failed. */
export interface TransactionalPolicyWriter {
  /** `false`: nothing was written, because the partition is no longer assigned to this member (`isAssigned`). */
  readonly write: (move: {
    readonly topic: string;
    readonly record: EncodedRecord;
    readonly offset: NativeOffset;
    readonly consumer: NativeConsumer;
    readonly isAssigned: () => boolean;
  }) => Promise<boolean>;
  readonly close: () => Promise<void>;
}

/** Makes the policy writers of a consumer, which itself knows no producers. */
export interface PolicyWriters {
  readonly plain: () => PolicyWriter;
  /** `name` is the `groupInstanceId`, where the member has one. */
  readonly transactional: (groupId: string, name: string | undefined) => TransactionalPolicyWriter;
}

/**
 * The failure policy that these options ask for; `undefined` where they ask for none.
 * @throws `ConfigError` that names the option which is wrong
 */
export function failurePolicyOf(
  config: ClientConfig,
  options: FailureOptions,
  groupId: string,
  topics: readonly (AnyTopic | AnyTopicPattern)[],
): FailurePolicy | undefined {
  const resolved = resolveFailureOptions(options, groupId, {
    topics: topics.flatMap((topic) => ("pattern" in topic ? [] : topic.name)),
    patterns: topics.flatMap((topic) => ("pattern" in topic ? topic.pattern : [])),
  });
  return resolved && observedPolicy(config.telemetry, resolved);
}

/**
 * Refuses a policy that the chosen delivery cannot carry out.
 * @throws `ConfigError`
 */
export function checkFailureUse(policy: FailurePolicy | undefined, way: "runBatch" | "for await"): void {
  if (policy === undefined) return;
  const { retry, delaysMs, onInvalid, topics } = policy.options;
  if (delaysMs.length > 0)
    throw new ConfigError("retryTopics", `is for run: ${way} does not tell which record failed`);
  if (way === "for await" && retry !== undefined)
    throw new ConfigError("retry", "the body of a loop cannot be called again: use run");
  if (onInvalid !== "dead-letter" && topics.length > 0)
    throw new ConfigError(
      "deadLetter",
      `${way} does not tell which record failed: use run, or onInvalid: "dead-letter" for records that do not decode`,
    );
}

/** Logs where a record that failed is written to. */
export function logMove(
  logger: Logger,
  groupId: string,
  raw: RawRecord,
  move: Move,
  to: "retry-topic" | "dead-letter",
  error: unknown,
): void {
  const level = to === "dead-letter" ? "warn" : "info";
  logger[level](`a record failed and goes to ${move.topic}`, { ...positionOf(raw), groupId, error });
}

/** Logs which record is skipped. */
export function logSkip(logger: Logger, groupId: string, raw: RawRecord, error: unknown): void {
  logger.warn("a record does not fit its topic and is skipped", { ...positionOf(raw), groupId, error });
}

/** Logs which record waits to be decoded. */
export function logWaiting(logger: Logger, groupId: string, raw: RawRecord, error: KafkaError): void {
  logger.warn(`a record cannot be decoded for now and waits: ${error.message}`, {
    ...positionOf(raw),
    groupId,
    error,
  });
}

function positionOf({ topic, partition, offset }: RawRecord): {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
} {
  return { topic, partition, offset };
}
