import type { RawHeaders } from "../record.js";
import { errorFields } from "./error-fields.js";
import { splitBlock, timestampOf, wholeNumber, withBlock } from "./header-block.js";

/** Where a record came from, and its bytes. */
export interface SourceRecord {
  /** The source topic's name, also where the record comes from one of its retry topics. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: RawHeaders;
}

/** Why a record is a dead letter, as the `dead-letter.*` headers say it. */
export interface DeadLetterInfo {
  /** `handler`: every attempt failed; `invalid`: it does not decode, or does not fit its topic. */
  readonly reason: "handler" | "invalid";
  /** The error's `name`. */
  readonly errorName: string;
  /** The error's message, at most 2,000 bytes of it. */
  readonly errorMessage: string;
  /** The error's `code`, where it has one. */
  readonly errorCode: string | undefined;
  /** How often the handler was called; 0 for `invalid`. */
  readonly attempts: number;
  /** The topic in which the record failed; for a record of a retry topic, the topic it was retried for. */
  readonly sourceTopic: string;
  /** The partition of the source topic. */
  readonly sourcePartition: number;
  /** The offset in that partition. */
  readonly sourceOffset: number;
  /** The record's timestamp there, in milliseconds since the epoch; -1 for none. */
  readonly sourceTimestamp: number;
  /** The id of the group in which it failed. */
  readonly groupId: string;
  /** When it was written to the dead letters, in milliseconds since the epoch. */
  readonly failedAt: number;
}

const prefix = "dead-letter";
const version = 1;

/** The headers of a dead letter: the record's own, byte for byte, and what became of it. */
export function deadLetterHeaders(
  record: SourceRecord,
  failure: {
    readonly reason: DeadLetterInfo["reason"];
    readonly error: unknown;
    readonly attempts: number;
    readonly group: string;
    readonly failedAt: number;
  },
): RawHeaders {
  return withBlock(record.headers, prefix, version, [
    ["reason", failure.reason],
    ...errorFields(failure.error),
    ["attempts", String(failure.attempts)],
    ["source-topic", record.topic],
    ["source-partition", String(record.partition)],
    ["source-offset", String(record.offset)],
    ["source-timestamp", String(record.timestamp)],
    ["group", failure.group],
    ["failed-at", String(failure.failedAt)],
  ]);
}

/**
 * What the headers of a dead letter say, and the headers that the record had before; `undefined` where they are
 * not complete, so that this was not written by the library.
 */
export function parseDeadLetter(
  headers: RawHeaders,
): { readonly info: DeadLetterInfo; readonly headers: RawHeaders } | undefined {
  const block = splitBlock(headers, prefix, version);
  if (block === undefined) return undefined;
  const { fields, rest } = block;
  const number = (name: string): number | undefined => wholeNumber(fields.get(name));
  const reason = fields.get("reason");
  const errorName = fields.get("error-name");
  const errorMessage = fields.get("error-message");
  const attempts = number("attempts");
  const sourceTopic = fields.get("source-topic");
  const sourcePartition = number("source-partition");
  const sourceOffset = number("source-offset");
  const sourceTimestamp = timestampOf(fields.get("source-timestamp"));
  const groupId = fields.get("group");
  const failedAt = number("failed-at");
  if (
    (reason !== "handler" && reason !== "invalid") ||
    errorName === undefined ||
    errorMessage === undefined ||
    attempts === undefined ||
    sourceTopic === undefined ||
    sourcePartition === undefined ||
    sourceOffset === undefined ||
    sourceTimestamp === undefined ||
    groupId === undefined ||
    failedAt === undefined
  )
    return undefined;
  const errorCode = fields.get("error-code");
  return {
    headers: rest,
    info: {
      reason,
      errorName,
      errorMessage,
      errorCode,
      attempts,
      sourceTopic,
      sourcePartition,
      sourceOffset,
      sourceTimestamp,
      groupId,
      failedAt,
    },
  };
}
