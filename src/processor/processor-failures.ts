import type { OwnedPartition } from "../group/owned-partition.js";
import { preparePolicyTopics } from "../delivery/policy-topics.js";
import { logMove, logSkip, type RecordFailures, type Settled } from "../delivery/record-failures.js";
import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { FailurePolicy, Outcome } from "../failure/failure-policy.js";
import type { CallResult, EnteredCalls } from "./finished.js";
import { RefusedOutputs } from "./refused-outputs.js";
import type { KafkaError } from "../errors.js";
import type { RawRecord } from "../record.js";

/**
 * Carries out the failure policy of a processor. A dead letter, or a record for a retry topic, replaces what the
 * handler sent, and so is in the same transaction as the failed record's offset.
 */
export class ProcessorFailures implements RecordFailures {
  readonly policy: FailurePolicy;
  /** The records whose handlers sent what brokers refuse. */
  readonly outputs = new RefusedOutputs();
  readonly #config: ClientConfig;
  /** What was sent in place of what a handler sent. */
  readonly #moves = new WeakSet<object>();

  constructor(policy: FailurePolicy, config: ClientConfig) {
    this.policy = policy;
    this.#config = config;
  }

  /** Creates the topics that are missing; resolves to those to subscribe to beside the sources. */
  prepare = (native: NativeConsumer, signal: AbortSignal): Promise<readonly string[]> =>
    preparePolicyTopics(this.policy, this.#config, native, signal);

  move = (
    _: OwnedPartition,
    raw: RawRecord,
    { move, to }: Outcome & { readonly action: "move" },
    error: unknown,
  ): Settled => {
    logMove(this.#config.logger, this.policy.options.groupId, raw, move, to, error);
    const sends = [move];
    this.#moves.add(sends);
    return { result: { sends } satisfies CallResult };
  };

  refusedOutput = (
    partition: OwnedPartition,
    { offset }: RawRecord,
  ): { readonly error: unknown; readonly calls: number } | undefined => this.outputs.at(partition, offset);

  /**
   * A transaction with these calls was refused for good. `false` where the policy can do nothing about it, also because
   * it is what the policy itself wrote that was refused.
   */
  refused(calls: EnteredCalls, error: KafkaError): boolean {
    const { count, first } = calls;
    if (count === 1 && first !== undefined && this.#moves.has(first.sends)) return false;
    return this.outputs.refused(calls, error);
  }

  skip = (raw: RawRecord, error: unknown): Settled => {
    logSkip(this.#config.logger, this.policy.options.groupId, raw, error);
    return { result: { sends: [] } satisfies CallResult };
  };
}
