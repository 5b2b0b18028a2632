import { ConfigError } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { callback, flag, integer, required, signal, text, topic } from "../options/kinds.js";
import type { Checked, OptionSpecs } from "../options/spec.js";
import type { RawHeaders } from "../record.js";
import type { AnyTopic } from "../topic.js";
import type { DeadLetterInfo } from "../failure/dead-letter.js";
import { deadLetterTopicOf } from "../failure/topic-names.js";

/** A dead letter: the record as it was, and why it failed. */
export interface DeadLetter extends DeadLetterInfo {
  /** The dead-letter topic's partition. */
  readonly partition: number;
  /** The offset in it. */
  readonly offset: number;
  /** The record's key, as bytes. */
  readonly key: Buffer | null;
  /** The record's value, as bytes; `null` for a tombstone. */
  readonly value: Buffer | null;
  /** The record's headers as they were. */
  readonly headers: RawHeaders;
}

/** How far a redrive has come, and what it did in the end. */
export interface RedriveResult {
  /** Dead letters sent back; with `dryRun`, those that would be. */
  readonly redriven: number;
  /** Dead letters that stay: the filter did not choose them, or they are of another topic or group. */
  readonly kept: number;
}

/** Options of {@link Kafka.redrive}. */
export interface RedriveOptions {
  /** The group in which the records failed. */
  readonly groupId: string;
  /** Where the dead letters are, if not in `<topic>.<groupId>.dead-letter`. */
  readonly deadLetter?: AnyTopic | undefined;
  /** Where to send them. Absent: where they came from, into the same partitions. */
  readonly toTopic?: AnyTopic | undefined;
  /** Which dead letters to send back. Absent: all of this topic and group. What it throws ends the redrive. */
  readonly filter?: ((letter: DeadLetter) => boolean | Promise<boolean>) | undefined;
  /** How many to send back at most, from 1. Absent: all in the topic at the start. */
  readonly limit?: number | undefined;
  /** How many to send back in a second at most, 1 to 1,000,000. Absent: no limit. */
  readonly maxRecordsPerSecond?: number | undefined;
  /** Counts what would be done, and does nothing. @default false */
  readonly dryRun?: boolean | undefined;
  /** Called after each transaction, and once at the end. */
  readonly onProgress?: ((progress: RedriveResult) => void) | undefined;
  /** Ends the redrive: what is committed by then stays so. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of a redrive. */
export const redriveSpecs = {
  groupId: required(text({ kafkajs: "groupId" })),
  deadLetter: topic({ absent: "`<topic>.<groupId>.dead-letter`" }),
  toTopic: topic({ absent: "where they came from" }),
  filter: callback<NonNullable<RedriveOptions["filter"]>>({ absent: "all of this topic and group" }),
  limit: integer({ min: 1, max: Number.MAX_SAFE_INTEGER, default: Number.MAX_SAFE_INTEGER }),
  maxRecordsPerSecond: integer({ min: 1, max: 1_000_000, absent: "no limit" }),
  dryRun: flag({ default: false }),
  onProgress: callback<NonNullable<RedriveOptions["onProgress"]>>(),
  signal: signal(),
} satisfies OptionSpecs<RedriveOptions>;

/** {@link RedriveOptions}, checked and complete. */
export interface ResolvedRedriveOptions extends Omit<Checked<typeof redriveSpecs>, "deadLetter" | "toTopic"> {
  /** The name of the topic that the records failed in. */
  readonly source: string;
  /** The name of the dead-letter topic. */
  readonly letters: string;
  /** The name of the topic to send to; `undefined` for the source. */
  readonly to: string | undefined;
}

/**
 * Checks the options of a redrive.
 *
 * @throws `ConfigError` naming the field
 */
export function resolveRedriveOptions(source: AnyTopic, options: RedriveOptions): ResolvedRedriveOptions {
  const { deadLetter, toTopic, ...rest } = checkOptions("RedriveOptions", options, redriveSpecs);
  const letters = deadLetter?.name ?? deadLetterTopicOf(source.name, rest.groupId);
  if (toTopic?.name === letters)
    throw new ConfigError(
      "toTopic",
      `${letters} is where the dead letters are: they would be sent back without end`,
    );
  return { ...rest, source: source.name, letters, to: toTopic?.name };
}
