import { checkInteger, describe } from "../check.js";
import { ConfigError } from "../errors.js";
import { isTopic } from "../given-topic.js";
import { checkValues } from "../options/check-options.js";
import { callback, choice, custom, flag, integer, nested, number, required } from "../options/kinds.js";
import type { Checked, OptionSpecs } from "../options/spec.js";
import type { AnyTopic } from "../topic.js";
import type { Backoff } from "./retry-delays.js";
import { deadLetterTopicOf, mayBeMadeFrom, retryTopicOf } from "./topic-names.js";

/** Calling a handler that threw again at once or after a delay, while the records behind it wait. */
export interface RetryOptions {
  /** How often the handler is called for one record at most, the first call included; 1 to 1,000. @default 5 */
  readonly attempts?: number | undefined;
  /** How long to wait after the first failed call, in milliseconds; 1 to 3,600,000. @default 200 */
  readonly initialDelayMs?: number | undefined;
  /** What the wait is multiplied by after each further one; 1 to 100. @default 2 */
  readonly factor?: number | undefined;
  /**
   * The longest wait, in milliseconds; 1 to 86,400,000, and not below `initialDelayMs`.
   * @default 30_000, or `initialDelayMs` where that is more
   */
  readonly maxDelayMs?: number | undefined;
  /**
   * Whether to wait a random time of up to that long (full jitter), so that what failed together does not come
   * back together.
   * @default true
   */
  readonly jitter?: boolean | undefined;
  /**
   * Whether to call the handler again after this error. What it throws stops the consumer.
   * @default every error but a {@link PermanentError}
   */
  readonly retryIf?: ((error: unknown, attempt: number) => boolean) | undefined;
}

/** Calling a handler again later, while the records behind the failed one go on. */
export interface RetryTopicsOptions {
  /**
   * How long a record waits in each of the retry topics, in milliseconds: one to ten delays of 1 to 86,400,000
   * (a day). Each gives the handler one more call, after those of `retry`.
   */
  readonly delaysMs: readonly number[];
}

/** What becomes of a record that does not decode: the consumer stops, it goes to the dead letters, or it is skipped. */
export type OnInvalid = "fail" | "dead-letter" | "skip";

/** What becomes of records that fail: options of a consumer and of a processor. Without any of them the first failure stops it. */
export interface FailureOptions {
  /** Call the handler again while the records behind it wait. Absent: it is called once. */
  readonly retry?: RetryOptions | undefined;
  /**
   * After that, call it again later: the record goes through the topics `<topic>.<groupId>.retry-<n>`, in
   * one transaction with the offset, and leaves the order of its partition. The topics are created where they are
   * missing. Absent: there are none.
   */
  readonly retryTopics?: RetryTopicsOptions | undefined;
  /**
   * Where records go for which every attempt of the handler failed (those that do not decode go there only with
   * `onInvalid: "dead-letter"`): `true` for `<topic>.<groupId>.dead-letter`, or a topic of yours,
   * of which only name, partitions, replication factor and configuration count. Created where it is missing.
   * Absent: the consumer stops, and the record stays uncommitted.
   */
  readonly deadLetter?: boolean | AnyTopic | undefined;
  /**
   * What becomes of records whose key, value or headers do not decode or do not fit the topic: the consumer stops,
   * they go to the dead letters (which needs `deadLetter`), or they are logged and skipped.
   * @default "fail"
   */
  readonly onInvalid?: OnInvalid | undefined;
}

/** {@link RetryOptions}, checked and complete. */
interface ResolvedRetry extends Backoff {
  readonly attempts: number;
  readonly retryIf: ((error: unknown, attempt: number) => boolean) | undefined;
}

/** A topic that the policy writes to; it is created where it is missing. */
export interface PolicyTopic {
  readonly name: string;
  /** The topics whose number of partitions it gets, the largest of them. */
  readonly sources: readonly string[];
  /** The user's own definition, whose settings it is created with. */
  readonly definition: AnyTopic | undefined;
  readonly use: "dead-letter" | "retry";
}

/** {@link FailureOptions}, checked and complete. */
export interface ResolvedFailureOptions {
  readonly groupId: string;
  /** `undefined`: the handler is called once. */
  readonly retry: ResolvedRetry | undefined;
  readonly delaysMs: readonly number[];
  readonly onInvalid: OnInvalid;
  /** The dead-letter topic of a source topic; `undefined` where there is none. */
  readonly deadLetterTopicOf: (topic: string) => string | undefined;
  /** The retry topics of each source topic, in the order of the delays; empty where there are none. */
  readonly retryTopics: ReadonlyMap<string, readonly string[]>;
  /** Every topic that the policy writes to. */
  readonly topics: readonly PolicyTopic[];
}

const dayMs = 86_400_000;
const maxAttempts = 1_000;
const maxRetryTopics = 10;

/** The options of a failure policy, for those that take them beside their own. */
export const failureSpecs = {
  retry: nested<RetryOptions>()({
    attempts: integer({ min: 1, max: maxAttempts, default: 5 }),
    initialDelayMs: integer({ min: 1, max: 3_600_000, default: 200 }),
    factor: number({ min: 1, max: 100, default: 2 }),
    maxDelayMs: integer({ min: 1, max: dayMs, absent: "30,000, or `initialDelayMs` where that is more" }),
    jitter: flag({ default: true }),
    retryIf: callback<NonNullable<RetryOptions["retryIf"]>>({ absent: "every error but a `PermanentError`" }),
  }),
  retryTopics: nested<RetryTopicsOptions>()({
    delaysMs: required(custom<readonly number[], readonly number[]>("list", checkDelays)),
  }),
  deadLetter: custom<boolean | AnyTopic, true | AnyTopic | undefined>("topic", checkDeadLetter),
  onInvalid: choice(["fail", "dead-letter", "skip"], { default: "fail" }),
} satisfies OptionSpecs<FailureOptions>;

/** What is consumed: topics by name, and regular expressions that names fit. */
export interface PolicySources {
  readonly topics: readonly string[];
  readonly patterns?: readonly RegExp[] | undefined;
}

/**
 * Checks a failure policy and fills in the defaults; `undefined` where there is none, and the first failure stops
 * the consumer.
 *
 * @throws `ConfigError` naming the field, such as `retry.attempts`
 */
export function resolveFailureOptions(
  options: FailureOptions,
  groupId: string,
  sources: PolicySources,
): ResolvedFailureOptions | undefined {
  const { retry: givenRetry, retryTopics: later, deadLetter, onInvalid } = checkValues(options, failureSpecs);
  const retry = givenRetry === undefined ? undefined : withMaxDelay(givenRetry);
  const delaysMs = later?.delaysMs ?? [];
  if (onInvalid === "dead-letter" && deadLetter === undefined)
    throw new ConfigError("onInvalid", '"dead-letter" needs the option deadLetter: true, or a topic');
  if (retry === undefined && delaysMs.length === 0 && deadLetter === undefined && onInvalid === "fail")
    return undefined;
  const { topics, patterns = [] } = sources;
  if (patterns.length > 0) checkForPattern(delaysMs, deadLetter);

  const retryTopics = new Map<string, readonly string[]>();
  const deadLetters = new Map<string, string>();
  const made: PolicyTopic[] = [];
  for (const topic of topics) {
    const names = delaysMs.map((_, index) => retryTopicOf(topic, groupId, index + 1));
    if (names.length > 0) retryTopics.set(topic, names);
    for (const name of names) made.push({ name, sources: [topic], definition: undefined, use: "retry" });
    if (deadLetter !== true) continue;
    const name = deadLetterTopicOf(topic, groupId);
    deadLetters.set(topic, name);
    made.push({ name, sources: [topic], definition: undefined, use: "dead-letter" });
  }
  const shared = typeof deadLetter === "object" ? deadLetter : undefined;
  if (shared !== undefined)
    made.push({ name: shared.name, sources: topics, definition: shared, use: "dead-letter" });
  checkNoCycle(sources, made);
  return {
    groupId,
    retry,
    delaysMs,
    onInvalid,
    deadLetterTopicOf: (topic) => shared?.name ?? deadLetters.get(topic),
    retryTopics,
    topics: made,
  };
}

/** The topics that a pattern fits are not known beforehand, so no retry or dead-letter topics can be created for them. */
function checkForPattern(delaysMs: readonly number[], deadLetter: true | AnyTopic | undefined): void {
  if (delaysMs.length > 0)
    throw new ConfigError("retryTopics", "a topic pattern has no retry topics: name the topics instead");
  if (deadLetter === true)
    throw new ConfigError("deadLetter", "with a topic pattern, give a topic of yours instead of true");
}

function withMaxDelay(retry: NonNullable<Checked<typeof failureSpecs>["retry"]>): ResolvedRetry {
  const { initialDelayMs } = retry;
  const maxDelayMs = retry.maxDelayMs ?? Math.max(30_000, initialDelayMs);
  if (maxDelayMs < initialDelayMs)
    throw new ConfigError("retry.maxDelayMs", `must not be below retry.initialDelayMs (${initialDelayMs})`);
  return { ...retry, maxDelayMs };
}

function checkDelays(path: string, delaysMs: unknown): readonly number[] {
  if (!Array.isArray(delaysMs) || delaysMs.length === 0 || delaysMs.length > maxRetryTopics)
    throw new ConfigError(
      path,
      `expected 1 to ${maxRetryTopics} delays, got ${Array.isArray(delaysMs) ? delaysMs.length : describe(delaysMs)}`,
    );
  // By index: a hole in the array is no delay.
  return Array.from({ length: delaysMs.length }, (_, index) =>
    checkInteger(`${path}[${index}]`, (delaysMs as unknown[])[index] ?? null, { min: 1, max: dayMs }),
  );
}

function checkDeadLetter(path: string, deadLetter: unknown): true | AnyTopic | undefined {
  if (deadLetter === undefined || deadLetter === false) return undefined;
  if (deadLetter === true) return true;
  if (isTopic(deadLetter)) return deadLetter;
  throw new ConfigError(path, `expected true, or a topic made with defineTopic, got ${describe(deadLetter)}`);
}

/** A record that fails must not be delivered again without end, neither to this consumer nor to that of its dead letters. */
function checkNoCycle({ topics, patterns = [] }: PolicySources, made: readonly PolicyTopic[]): void {
  for (const { name, use } of made) {
    const field = use === "retry" ? "retryTopics" : "deadLetter";
    if (topics.includes(name) || patterns.some((pattern) => pattern.test(name)))
      throw new ConfigError(
        field,
        `${name} is one of the topics that are consumed: a record that fails would be consumed again without end`,
      );
    if (made.filter((other) => other.name === name).length > 1)
      throw new ConfigError(
        field,
        `${name} would be a retry topic twice, or a retry topic and the dead letters too`,
      );
    const origin = topics.find((topic) => mayBeMadeFrom(topic, name));
    if (use === "dead-letter" && origin !== undefined)
      throw new ConfigError(
        field,
        `${name} is where the records of ${origin} come from: a record that fails again would go in a circle`,
      );
  }
}
