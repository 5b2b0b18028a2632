import { InvalidRecordError } from "../errors.js";
import type { EncodedRecord, RawHeaders, RawRecord } from "../record.js";
import { encodedRecord } from "../serde/encoded-record.js";
import { encodeRawHeaders, rawHeadersOf } from "../serde/headers.js";
import { deadLetterHeaders, type SourceRecord } from "./dead-letter.js";
import { decide, decideInvalid, type Decision } from "./decide.js";
import type { PolicyTopic, ResolvedFailureOptions } from "./options.js";
import { parseRetryRecord, retryHeaders } from "./retry-record.js";

/** A failed call of a handler, or a record that does not decode. */
export interface Failure {
  /** The record as it was fetched, from a source topic or one of its retry topics. */
  readonly raw: RawRecord;
  /** What the handler threw, or why the record does not decode. */
  readonly error: unknown;
  /** Which call for this record it was, from 1 (see {@link FailurePolicy.callsBefore}); 0 where it does not decode. */
  readonly attempt: number;
}

/** A record that is to be written elsewhere before its offset may be committed. */
export interface Move {
  readonly topic: string;
  readonly record: EncodedRecord;
}

/** What to do about a failed call; for `move` the record is finished once it is written. */
export type Outcome =
  | { readonly action: "retry"; readonly delayMs: number }
  | { readonly action: "move"; readonly to: "retry-topic" | "dead-letter"; readonly move: Move }
  | { readonly action: "skip" }
  | { readonly action: "fail"; readonly error: unknown };

/** How far beyond its delay a record of a retry topic may ask to wait: what a `RetryAfterError` can set. */
const maxWaitMs = 86_400_000;

/**
 * The failure policy of one consumer or processor: decides what becomes of records that fail, and builds the
 * records for the retry topics and the dead letters. No I/O: time, randomness and partition counts are given.
 */
export class FailurePolicy {
  readonly options: ResolvedFailureOptions;
  readonly #retrySources = new Map<string, { readonly topic: string; readonly stage: number }>();
  readonly #now: () => number;
  readonly #random: () => number;
  /** How many partitions each topic has that the policy writes to. */
  readonly #partitions = new Map<string, number>();

  constructor(
    options: ResolvedFailureOptions,
    now: () => number = Date.now,
    random: () => number = Math.random,
  ) {
    this.options = options;
    this.#now = now;
    this.#random = random;
    for (const [topic, names] of options.retryTopics)
      for (const [index, name] of names.entries()) this.#retrySources.set(name, { topic, stage: index + 1 });
  }

  /** The topics that the policy writes to; they are created where they are missing. */
  get topics(): readonly PolicyTopic[] {
    return this.options.topics;
  }

  /** The retry topics, to be consumed beside the source topics. */
  get retryTopics(): readonly string[] {
    return [...this.#retrySources.keys()];
  }

  /** Remembers how many partitions a topic has that the policy writes to. */
  learnPartitions(topic: string, count: number): void {
    this.#partitions.set(topic, count);
  }

  /** Whether this is one of the retry topics. */
  isRetryTopic(topic: string): boolean {
    return this.#retrySources.has(topic);
  }

  /** The source topic that a retry topic belongs to. */
  sourceOf(topic: string): string {
    return this.#retrySources.get(topic)?.topic ?? topic;
  }

  /**
   * A record as it was in the source topic. One of a source topic is returned as it is.
   *
   * @throws `InvalidRecordError` for a record of a retry topic that was not written by this policy
   */
  restore(raw: RawRecord): RawRecord {
    if (!this.#retrySources.has(raw.topic)) return raw;
    const { source } = this.#parse(raw);
    // Field by field, as everywhere here: those of a record that lies in a block are no properties of its own.
    return { ...source, headers: undefined, rawHeaders: source.headers, size: raw.size };
  }

  /** How often the handler was called for this record before it was written to this topic. */
  callsBefore(raw: RawRecord): number {
    if (!this.#retrySources.has(raw.topic)) return 0;
    return this.#parse(raw).attempts;
  }

  /** When a record of this topic may be delivered, in milliseconds since the epoch; `undefined` where all may be at once. */
  dueAtOf = (topic: string): ((raw: RawRecord) => number) | undefined =>
    this.#retrySources.has(topic) ? this.#dueAt : undefined;

  /** A record that this policy did not write need not wait. */
  readonly #dueAt = (raw: RawRecord): number => {
    try {
      return this.#parse(raw).dueAt;
    } catch {
      return 0;
    }
  };

  /** What to do about a batch whose handler threw: which record it failed for is not known, so it is only called again. */
  onBatchFailure(
    first: { readonly topic: string; readonly partition: number; readonly offset: number },
    error: unknown,
    attempt: number,
  ): Decision {
    const options = { ...this.options, delaysMs: [], deadLetterTopicOf: () => undefined };
    return decide(options, { ...first, error, attempt, stage: 0 }, this.#random);
  }

  /** What to do about a call that failed, or a record that does not decode (`error` is why). */
  onFailure({ raw, error, attempt }: Failure): Outcome {
    const isInvalid = attempt === 0;
    if (isInvalid && !(error instanceof InvalidRecordError)) return { action: "fail", error };
    const stage = this.#retrySources.get(raw.topic)?.stage ?? 0;
    let record: SourceRecord;
    try {
      record = this.#sourceRecord(raw);
    } catch (invalid) {
      // Not written by this policy: all there is to go by is where it lies.
      record = asItIs(raw);
      if (!isInvalid) return { action: "fail", error: invalid };
    }
    const decision: Decision =
      isInvalid && error instanceof InvalidRecordError
        ? decideInvalid(this.options, error)
        : decide(this.options, { ...record, error, attempt, stage }, this.#random);
    switch (decision.action) {
      case "retry":
      case "skip":
      case "fail":
        return decision;
      case "retry-topic": {
        const topic = this.options.retryTopics.get(record.topic)?.[decision.stage - 1] ?? "";
        const headers = retryHeaders(record, {
          attempts: attempt,
          dueAt: this.#now() + decision.delayMs,
          group: this.options.groupId,
          error,
        });
        return { action: "move", to: "retry-topic", move: this.#move(topic, record, headers) };
      }
      case "dead-letter": {
        const topic = this.options.deadLetterTopicOf(this.sourceOf(raw.topic)) ?? "";
        const headers = deadLetterHeaders(record, {
          reason: isInvalid ? "invalid" : "handler",
          error,
          attempts: attempt,
          group: this.options.groupId,
          failedAt: this.#now(),
        });
        return { action: "move", to: "dead-letter", move: this.#move(topic, record, headers) };
      }
    }
  }

  #sourceRecord(raw: RawRecord): SourceRecord {
    return this.#retrySources.has(raw.topic) ? this.#parse(raw).source : asItIs(raw);
  }

  #parse(raw: RawRecord): Exclude<ReturnType<typeof parseRetryRecord>, string> {
    const { topic, stage } = this.#retrySources.get(raw.topic) ?? { topic: raw.topic, stage: 1 };
    const headers = rawHeadersOf(raw);
    const parsed = parseRetryRecord(
      { timestamp: raw.timestamp, key: raw.key, value: raw.value, headers },
      {
        topic,
        group: this.options.groupId,
        maxDelayMs: Math.max(this.options.delaysMs[stage - 1] ?? 0, maxWaitMs),
        now: this.#now(),
      },
    );
    if (typeof parsed !== "string") return parsed;
    throw new InvalidRecordError(
      `${raw.topic}, partition ${raw.partition}, offset ${raw.offset}: headers: ${parsed}. ` +
        "Only this group may write to its retry topics; say with onInvalid what becomes of such records.",
      {
        topic: raw.topic,
        partition: raw.partition,
        offset: raw.offset,
        part: "headers",
        raw: { key: raw.key, value: raw.value, headers },
      },
    );
  }

  #move(topic: string, record: SourceRecord, headers: RawHeaders): Move {
    const count = this.#partitions.get(topic);
    // The records of a partition stay together, so that they keep their order.
    const partition = count === undefined ? undefined : record.partition % count;
    return {
      topic,
      record: encodedRecord(record.key, record.value, encodeRawHeaders(headers), partition, undefined),
    };
  }
}

function asItIs(raw: RawRecord): SourceRecord {
  const { topic, partition, offset, timestamp, key, value } = raw;
  return { topic, partition, offset, timestamp, key, value, headers: rawHeadersOf(raw) };
}
