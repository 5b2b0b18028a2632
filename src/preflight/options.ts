import { type ConsumerOptions, consumerSpecs } from "../group/options.js";
import { text, unchecked } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import { type ProcessorOptions, processorSpecs } from "../processor/options.js";
import { type TransactionOptions, transactionSpecs } from "../transactions/transaction-options.js";
import type { AnyTopic } from "../topic.js";

/**
 * Options of {@link Kafka.check}: those of the consumer, processor or transactional producer that is going to
 * start, the same object. The groups, ids, time limits, the failure policy and the changelogs of stores are looked at;
 * nothing can be found out about the others before the start.
 */
export interface CheckOptions
  extends
    Omit<ConsumerOptions, "groupId">,
    Omit<TransactionOptions, "transactionalId">,
    Pick<
      ProcessorOptions,
      "maxTransactionRecords" | "stores" | "stateDirectory" | "maxTaskIdleMs" | "onRestore"
    > {
  /** The group that is going to read the topics. */
  readonly groupId?: string | undefined;
  /** The transactional id that is going to write. */
  readonly transactionalId?: string | undefined;
  /** Topics that are going to be written to, beside those checked for reading. */
  readonly writes?: AnyTopic | readonly AnyTopic[] | undefined;
}

/** The options of a check. */
export const checkSpecs = {
  ...consumerSpecs,
  ...transactionSpecs,
  groupId: text({ property: "group.id" }),
  transactionalId: text({ property: "transactional.id" }),
  maxTransactionRecords: processorSpecs.maxTransactionRecords,
  stores: processorSpecs.stores,
  stateDirectory: processorSpecs.stateDirectory,
  maxTaskIdleMs: processorSpecs.maxTaskIdleMs,
  onRestore: processorSpecs.onRestore,
  writes: unchecked<AnyTopic | readonly AnyTopic[]>("topic"),
} satisfies OptionSpecs<CheckOptions>;
