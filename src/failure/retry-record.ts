import type { RawHeaders } from "../record.js";
import type { SourceRecord } from "./dead-letter.js";
import { errorFields } from "./error-fields.js";
import { splitBlock, timestampOf, wholeNumber, withBlock } from "./header-block.js";

/** A record on its way through the retry topics. */
export interface RetryRecord {
  /** The record as it was in the source topic. */
  readonly source: SourceRecord;
  /** How often the handler was called for it until now, from 1. */
  readonly attempts: number;
  /** When it may be delivered again, in milliseconds since the epoch. */
  readonly dueAt: number;
}

const prefix = "retry";
const version = 1;
const maxAttempts = 10_000;

/** The headers of a record in a retry topic: the record's own, byte for byte, and how far it has come. */
export function retryHeaders(
  record: SourceRecord,
  state: {
    readonly attempts: number;
    readonly dueAt: number;
    readonly group: string;
    readonly error: unknown;
  },
): RawHeaders {
  return withBlock(record.headers, prefix, version, [
    ["attempts", String(state.attempts)],
    ["due-at", String(state.dueAt)],
    ["source-topic", record.topic],
    ["source-partition", String(record.partition)],
    ["source-offset", String(record.offset)],
    ["source-timestamp", String(record.timestamp)],
    ["group", state.group],
    ...errorFields(state.error),
  ]);
}

/**
 * Reads a record of a retry topic back. Anyone who may write to the topic can write these headers, so nothing
 * in them is believed beyond what the policy allows: the group and the source topic must be the expected ones,
 * numbers that are acted upon must be within bounds, and the wait ends `maxDelayMs` from now at the latest.
 *
 * @returns what is wrong with it, as a text, where it is no record of this policy
 */
export function parseRetryRecord(
  record: Omit<SourceRecord, "topic" | "partition" | "offset">,
  expected: {
    readonly topic: string;
    readonly group: string;
    readonly maxDelayMs: number;
    readonly now: number;
  },
): RetryRecord | string {
  const block = splitBlock(record.headers, prefix, version);
  if (block === undefined) return `there is no header ${prefix}.version ${version}`;
  const { fields, rest } = block;
  if (fields.get("group") !== expected.group) return `the header ${prefix}.group does not name this group`;
  if (fields.get("source-topic") !== expected.topic)
    return `the header ${prefix}.source-topic does not name ${expected.topic}`;
  const attempts = wholeNumber(fields.get("attempts"));
  if (attempts === undefined || attempts < 1 || attempts > maxAttempts)
    return `the header ${prefix}.attempts is no number from 1 to ${maxAttempts}`;
  const dueAt = wholeNumber(fields.get("due-at"));
  if (dueAt === undefined) return `the header ${prefix}.due-at is no time`;
  const partition = wholeNumber(fields.get("source-partition"));
  if (partition === undefined || partition > 2_147_483_647)
    return `the header ${prefix}.source-partition is no partition`;
  const offset = wholeNumber(fields.get("source-offset"));
  if (offset === undefined) return `the header ${prefix}.source-offset is no offset`;
  const timestamp = timestampOf(fields.get("source-timestamp"));
  if (timestamp === undefined) return `the header ${prefix}.source-timestamp is no time`;
  return {
    attempts,
    dueAt: Math.min(dueAt, expected.now + expected.maxDelayMs),
    source: {
      topic: expected.topic,
      partition,
      offset,
      timestamp,
      key: record.key,
      value: record.value,
      headers: rest,
    },
  };
}
