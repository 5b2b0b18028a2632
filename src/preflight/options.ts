import type { FailureOptions } from "../failure/options.js";
import type { AnyTopic } from "../topic.js";

/**
 * Options of {@link Kafka.check}: those of the consumer, processor or producer that is going to start, as
 * far as something can be found out about them.
 */
export interface CheckOptions extends FailureOptions {
  /** The group that is going to read the topics. */
  readonly groupId?: string | undefined;
  /** The transactional id that is going to write. */
  readonly transactionalId?: string | undefined;
  /** Topics that are going to be written to, beside those checked for reading. */
  readonly writes?: AnyTopic | readonly AnyTopic[] | undefined;
  /** The consumer's `sessionTimeoutMs`. */
  readonly sessionTimeoutMs?: number | undefined;
  /** The consumer's `maxPollIntervalMs`. */
  readonly maxPollIntervalMs?: number | undefined;
  /** The consumer's `drainTimeoutMs`. */
  readonly drainTimeoutMs?: number | undefined;
  /** The consumer's or the processor's `commitIntervalMs`. */
  readonly commitIntervalMs?: number | undefined;
  /** The transaction's `timeoutMs`. @default 60_000 */
  readonly timeoutMs?: number | undefined;
}

/** The names of the options, for refusing others. */
export const checkOptionNames = [
  "groupId",
  "transactionalId",
  "writes",
  "retry",
  "retryTopics",
  "deadLetter",
  "onInvalid",
  "sessionTimeoutMs",
  "maxPollIntervalMs",
  "drainTimeoutMs",
  "commitIntervalMs",
  "timeoutMs",
] as const satisfies readonly (keyof CheckOptions)[];
