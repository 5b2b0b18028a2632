import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { ConfigError, type KafkaError } from "../errors.js";
import type { FailurePolicy, Move, Outcome } from "../failure/failure-policy.js";
import type { Logger } from "../logger.js";
import type { EncodedRecord, RawRecord } from "../record.js";
import type { Committer } from "./committer.js";
import type { OwnedPartition } from "./owned-partition.js";
import { preparePolicyTopics } from "./policy-topics.js";

/** What a failed record is finished with, in place of what its handler would have returned. */
export interface Settled {
  readonly result: unknown;
}

/** What a delivery does about failed records. */
export interface RecordFailures {
  readonly policy: FailurePolicy;
  /** Writes the record elsewhere; `undefined` where that may not be any more, and it comes again. */
  readonly move: (
    partition: OwnedPartition,
    raw: RawRecord,
    outcome: Outcome & { readonly action: "move" },
    error: unknown,
  ) => Promise<Settled | undefined> | Settled;
  /** Passes over the record. */
  readonly skip: (raw: RawRecord, error: unknown) => Settled;
}

/** Writes records of the failure policy, each acknowledged by all in-sync replicas. */
export interface Mover {
  readonly write: (topic: string, record: EncodedRecord) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Writes records of the failure policy in one transaction with the offset of what failed. */
export interface TransactionalMover {
  /** `false`: nothing was written, because `isOurs` said that the partition is another member's now. */
  readonly write: (move: {
    readonly topic: string;
    readonly record: EncodedRecord;
    readonly offset: NativeOffset;
    readonly consumer: NativeConsumer;
    readonly isOurs: () => boolean;
  }) => Promise<boolean>;
  readonly close: () => Promise<void>;
}

/** Makes what writes for a consumer: it may not know producers itself. */
export interface Movers {
  readonly plain: () => Mover;
  /** `name` is the member's, where it has one that outlives restarts. */
  readonly transactional: (groupId: string, name: string | undefined) => TransactionalMover;
}

/**
 * The failure policy of a consumer at work. Dead letters are acknowledged before the failed record's offset
 * may be committed. With retry topics everything is moved in a transaction with that offset instead, so that
 * nothing is doubled either; a transaction commits an offset, so it waits until all before it is finished.
 */
export class ConsumerFailures implements RecordFailures {
  readonly policy: FailurePolicy;
  readonly #config: ClientConfig;
  readonly #logger: Logger;
  readonly #movers: Movers;
  readonly #memberName: string | undefined;
  readonly #native: () => NativeConsumer;
  readonly #committer: () => Committer;
  #plain: Mover | undefined;
  #transactional: TransactionalMover | undefined;

  constructor(options: {
    readonly policy: FailurePolicy;
    readonly config: ClientConfig;
    readonly movers: Movers;
    readonly memberName: string | undefined;
    readonly native: () => NativeConsumer;
    readonly committer: () => Committer;
  }) {
    this.policy = options.policy;
    this.#config = options.config;
    this.#logger = options.config.logger;
    this.#movers = options.movers;
    this.#memberName = options.memberName;
    this.#native = options.native;
    this.#committer = options.committer;
  }

  /** Makes the topics that are missing; resolves to those to subscribe to beside the sources. */
  prepare = async (native: NativeConsumer, signal: AbortSignal): Promise<readonly string[]> => {
    await preparePolicyTopics(this.policy, this.#config, native, signal);
    return this.policy.retryTopics;
  };

  move = async (
    partition: OwnedPartition,
    raw: RawRecord,
    { move, to }: Outcome & { readonly action: "move" },
    error: unknown,
  ): Promise<Settled | undefined> => {
    logMove(this.#logger, this.policy.options.groupId, raw, move, to, error);
    if (this.policy.retryTopics.length > 0) return this.#moveWithOffset(partition, raw, move);
    this.#plain ??= this.#movers.plain();
    await this.#plain.write(move.topic, move.record);
    return { result: undefined };
  };

  skip = (raw: RawRecord, error: unknown): Settled => {
    logSkip(this.#logger, this.policy.options.groupId, raw, error);
    return { result: undefined };
  };

  async close(): Promise<void> {
    await Promise.all([this.#plain?.close(), this.#transactional?.close()]);
  }

  async #moveWithOffset(
    partition: OwnedPartition,
    raw: RawRecord,
    { topic, record }: Move,
  ): Promise<Settled | undefined> {
    if (!(await partition.untilFirst(raw.offset))) return undefined;
    const committer = this.#committer();
    // From here to the end of the transaction nobody else commits for the partition: an offset from
    // before, arriving after it, would bring the record back.
    partition.transacting = true;
    try {
      await committer.quiet();
      this.#transactional ??= this.#movers.transactional(this.policy.options.groupId, this.#memberName);
      const native = this.#native();
      const offset = raw.offset + 1;
      const isWritten = await this.#transactional.write({
        topic,
        record,
        offset: { topic: partition.topic, partition: partition.partition, offset },
        consumer: native,
        isOurs: () => !partition.gone && !native.assignmentLost(),
      });
      if (!isWritten) return undefined;
      partition.committed = offset;
      return { result: undefined };
    } finally {
      partition.transacting = false;
    }
  }
}

/**
 * Refuses a policy for which the way of handing over has no use.
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

/** Says where a record went that failed. */
export function logMove(
  logger: Logger,
  groupId: string,
  raw: RawRecord,
  move: Move,
  to: "retry-topic" | "dead-letter",
  error: unknown,
): void {
  const level = to === "dead-letter" ? "warn" : "info";
  logger[level](`a record failed and goes to ${move.topic}`, { ...placeOf(raw), groupId, error });
}

/** Says which record was passed over. */
export function logSkip(logger: Logger, groupId: string, raw: RawRecord, error: unknown): void {
  logger.warn("a record does not fit its topic and is skipped", { ...placeOf(raw), groupId, error });
}

/** Says which record waits to be decoded. */
export function logWaiting(logger: Logger, groupId: string, raw: RawRecord, error: KafkaError): void {
  logger.warn(`a record cannot be decoded for now and waits: ${error.message}`, {
    ...placeOf(raw),
    groupId,
    error,
  });
}

function placeOf({ topic, partition, offset }: RawRecord): {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
} {
  return { topic, partition, offset };
}
