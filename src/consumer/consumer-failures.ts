import { preparePolicyTopics } from "../delivery/policy-topics.js";
import {
  logMove,
  logSkip,
  type PolicyWriter,
  type PolicyWriters,
  type RecordFailures,
  type Settled,
  type TransactionalPolicyWriter,
} from "../delivery/record-failures.js";
import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { FailurePolicy, Move, Outcome } from "../failure/failure-policy.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { Logger } from "../logger.js";
import type { RawRecord } from "../record.js";
import type { Committer } from "./committer.js";

/**
 * Carries out the failure policy of a consumer. A dead letter is acknowledged before the failed record's offset
 * may be committed. With retry topics, dead letters and retries are written in one transaction with that offset
 * instead, so that none is written twice; because the transaction commits the offset, it waits until all records
 * before it are finished.
 */
export class ConsumerFailures implements RecordFailures {
  readonly policy: FailurePolicy;
  readonly #config: ClientConfig;
  readonly #logger: Logger;
  readonly #writers: PolicyWriters;
  readonly #memberName: string | undefined;
  readonly #native: () => NativeConsumer;
  readonly #committer: () => Committer;
  #plain: PolicyWriter | undefined;
  #transactional: TransactionalPolicyWriter | undefined;

  constructor(options: {
    readonly policy: FailurePolicy;
    readonly config: ClientConfig;
    readonly writers: PolicyWriters;
    readonly memberName: string | undefined;
    readonly native: () => NativeConsumer;
    readonly committer: () => Committer;
  }) {
    this.policy = options.policy;
    this.#config = options.config;
    this.#logger = options.config.logger;
    this.#writers = options.writers;
    this.#memberName = options.memberName;
    this.#native = options.native;
    this.#committer = options.committer;
  }

  /** Creates the topics that are missing; resolves to those to subscribe to beside the sources. */
  prepare = (native: NativeConsumer, signal: AbortSignal): Promise<readonly string[]> =>
    preparePolicyTopics(this.policy, this.#config, native, signal);

  move = async (
    partition: OwnedPartition,
    raw: RawRecord,
    { move, to }: Outcome & { readonly action: "move" },
    error: unknown,
  ): Promise<Settled | undefined> => {
    logMove(this.#logger, this.policy.options.groupId, raw, move, to, error);
    if (this.policy.retryTopics.length > 0) return this.#moveWithOffset(partition, raw, move);
    this.#plain ??= this.#writers.plain();
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
    partition.beginTransaction();
    try {
      await committer.quiet();
      this.#transactional ??= this.#writers.transactional(this.policy.options.groupId, this.#memberName);
      const native = this.#native();
      const offset = raw.offset + 1;
      const isWritten = await this.#transactional.write({
        topic,
        record,
        offset: { topic: partition.topic, partition: partition.partition, offset },
        consumer: native,
        isAssigned: () => !partition.gone && !native.assignmentLost(),
      });
      if (!isWritten) return undefined;
      partition.committedAt(offset);
      return { result: undefined };
    } finally {
      partition.endTransaction();
    }
  }
}
