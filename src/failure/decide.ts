import { type InvalidRecordError, isMisuse, RetriesExhaustedError } from "../errors.js";
import { describeError } from "./error-fields.js";
import { PermanentError, RetryAfterError } from "./handler-errors.js";
import type { ResolvedFailureOptions } from "./options.js";
import { retryDelay } from "./retry-delays.js";

/** What becomes of a record whose handler failed, or that does not decode. */
export type Decision =
  /** Call the handler again after `delayMs`. */
  | { readonly action: "retry"; readonly delayMs: number }
  /** Forward it to the retry topic of this stage, counted from 1, to be called again no earlier than in `delayMs`. */
  | { readonly action: "retry-topic"; readonly stage: number; readonly delayMs: number }
  | { readonly action: "dead-letter" }
  /** Skip the record. */
  | { readonly action: "skip" }
  /** Stop with this error; the record stays uncommitted. */
  | { readonly action: "fail"; readonly error: unknown };

/** Which call failed, and of which record. */
export interface FailedCall {
  /** The name of the source topic. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** What the handler threw. */
  readonly error: unknown;
  /** How often the handler was called for this record until now. */
  readonly attempt: number;
  /** 0 for a record of the source topic, n for one of the n-th retry topic. */
  readonly stage: number;
}

/** Decides what becomes of a record whose handler threw. No I/O; randomness comes from `random`. */
export function decide(
  policy: ResolvedFailureOptions,
  call: FailedCall,
  random: () => number = Math.random,
): Decision {
  const { error, attempt, stage, topic } = call;
  if (isMisuse(error)) return { action: "fail", error };
  const { retry, delaysMs } = policy;
  let worthTrying: boolean;
  try {
    worthTrying = !(error instanceof PermanentError) && (retry?.retryIf?.(error, attempt) ?? true);
  } catch (thrown) {
    return { action: "fail", error: thrown };
  }
  if (worthTrying) {
    const asked = error instanceof RetryAfterError ? error.retryAfterMs : undefined;
    if (stage === 0 && retry !== undefined && attempt < retry.attempts)
      return { action: "retry", delayMs: asked ?? retryDelay(retry, attempt, random) };
    const next = nextStage(delaysMs, stage, asked ?? 0);
    if (next !== undefined)
      return {
        action: "retry-topic",
        stage: next,
        delayMs: Math.max(delaysMs[next - 1] ?? 0, asked ?? 0),
      };
  }
  if (policy.deadLetterTopicOf(topic) !== undefined) return { action: "dead-letter" };
  // Exhausted retries are an error of their own; an error that no retry could help stays what it is.
  return { action: "fail", error: worthTrying && attempt > 1 ? exhausted(policy, call) : error };
}

/** Decides what becomes of a record that does not decode. */
export function decideInvalid(policy: ResolvedFailureOptions, error: InvalidRecordError): Decision {
  if (policy.onInvalid === "fail") return { action: "fail", error };
  return { action: policy.onInvalid };
}

/** The next retry topic; where a longer wait is asked for than it has, the first one after it that has it, or the last. */
function nextStage(delaysMs: readonly number[], stage: number, askedMs: number): number | undefined {
  if (stage >= delaysMs.length) return undefined;
  const fitting = delaysMs.findIndex((delayMs, index) => index >= stage && delayMs >= askedMs);
  return fitting === -1 ? delaysMs.length : fitting + 1;
}

function exhausted(policy: ResolvedFailureOptions, call: FailedCall): RetriesExhaustedError {
  const { topic, partition, offset, attempt, error } = call;
  const reason = describeError(error).message;
  return new RetriesExhaustedError(
    `${topic}[${partition}] offset ${offset}: all ${attempt} calls of the handler failed, the last one with: ${reason}. ` +
      "Fix what fails and start again, or give deadLetter a topic for such records",
    { cause: error, attempts: attempt, topic, partition, offset, groupId: policy.groupId },
  );
}
