import type { TopicPartition } from "../offsets.js";

/** What a group does in a partition whose log does not have its next offset. */
export type OutOfRangePolicy = "earliest" | "latest" | "fail";

/** The first offset that a log has, and the one that its next record gets. */
export interface LogRange {
  readonly low: number;
  readonly high: number;
}

/** Where a member goes on in a partition whose log does not have the next offset. */
export interface OffsetReset {
  /**
   * `retention`: the log begins after it; `beyond-end`: the log ends before it; `truncation`: the log was cut off
   * before it when another broker took over, and has other records from there; `topic-recreated`: the topic was
   * deleted and made again.
   */
  readonly reason: "retention" | "beyond-end" | "truncation" | "topic-recreated";
  /** The offset that was next; `undefined` where it is not known. */
  readonly expected: number | undefined;
  /** Where it goes on. */
  readonly offset: number;
  /** How many offsets are gone that were not read: those that retention removed. */
  readonly gone: number;
}

/** Where to go on, if the log does not have the next offset; `undefined` where it has. Pure. */
export function resetOf(
  expected: number,
  { low, high }: LogRange,
  policy: Exclude<OutOfRangePolicy, "fail">,
): OffsetReset | undefined {
  const offset = policy === "latest" ? high : low;
  if (expected < low) return { reason: "retention", expected, offset, gone: low - expected };
  if (expected > high) return { reason: "beyond-end", expected, offset, gone: 0 };
  return undefined;
}

/**
 * What happened to an offset that a broker has refused, whatever the log is by now. Pure.
 *
 * @param truncatedAt - where the log was cut off, if that is why
 */
export function resetAfter(expected: number, range: LogRange, truncatedAt: number | undefined): OffsetReset {
  const reset = resetOf(expected, range, "earliest");
  if (reset?.reason === "retention") return reset;
  if (truncatedAt !== undefined) return { reason: "truncation", expected, offset: truncatedAt, gone: 0 };
  return reset ?? { reason: "beyond-end", expected, offset: range.low, gone: 0 };
}

/** What happened, in words for a log line or an error. Pure. */
export function describeReset(
  { reason, expected = 0, gone }: OffsetReset,
  { topic, partition }: TopicPartition,
  groupId: string,
): string {
  const where = `${topic}[${partition}], group ${groupId}`;
  switch (reason) {
    case "retention":
      return `${where}: ${gone} offsets, from ${expected} on, are gone from the log and were never read`;
    case "beyond-end":
      return `${where}: the next offset is ${expected}, and the log ends before it`;
    case "truncation":
      return `${where}: the log was cut off before the next offset, ${expected}, when another broker took over`;
    case "topic-recreated":
      return `${where}: the topic was deleted and made again`;
  }
}
