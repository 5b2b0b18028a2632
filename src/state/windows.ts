import { checkInteger, checkKnown } from "../check.js";
import { ConfigError } from "../errors.js";

/** What all kinds of windows have. */
export interface WindowLimits {
  /**
   * How long after its end a window stays open for records that arrive late, in milliseconds of stream time; 0 to
   * 31,536,000,000 (a year). Kafka Streams: `grace`.
   * @default 0
   */
  readonly graceMs?: number | undefined;
  /**
   * Without records of the task for so long, stream time goes on with the clock, so that the last windows close; in
   * milliseconds, 100 to 31,536,000,000. Absent: the last windows stay open until the next record.
   */
  readonly idleMs?: number | undefined;
  /**
   * How far ahead of the clock a record may move stream time, in milliseconds; 0 to 31,536,000,000. A record with a
   * time that is further in the future would close every window.
   * @default 3_600_000 (an hour)
   */
  readonly maxAheadMs?: number | undefined;
}

/** Windows of one size, one behind the other: {@link tumbling}; or overlapping: {@link hopping}. */
export interface TimeWindows {
  /** Windows of time. */
  readonly type: "time";
  /** How long a window is, in milliseconds. */
  readonly sizeMs: number;
  /** From the beginning of one window to that of the next, in milliseconds. */
  readonly advanceMs: number;
  /** How long after its end a window stays open, in milliseconds of stream time. */
  readonly graceMs: number;
  /** After how long without records stream time goes on with the clock, in milliseconds; `undefined`: it does not. */
  readonly idleMs: number | undefined;
  /** How far ahead of the clock a record may move stream time, in milliseconds. */
  readonly maxAheadMs: number;
}

/** Windows that end where nothing came for a while: {@link session}. */
export interface SessionWindows {
  /** Sessions. */
  readonly type: "session";
  /** The longest time between two records of a session, in milliseconds. */
  readonly gapMs: number;
  /** How long after its end a window stays open, in milliseconds of stream time. */
  readonly graceMs: number;
  /** After how long without records stream time goes on with the clock, in milliseconds; `undefined`: it does not. */
  readonly idleMs: number | undefined;
  /** How far ahead of the clock a record may move stream time, in milliseconds. */
  readonly maxAheadMs: number;
}

/** How records are put into windows, made by {@link tumbling}, {@link hopping} or {@link session}. */
export type Windows = TimeWindows | SessionWindows;

/** In how many windows a record may be: each of them is read and written. */
const maxWindows = 10_000;
const yearMs = 365 * 24 * 3_600_000;

/**
 * Windows of `sizeMs` without gaps or overlaps, aligned to the epoch: each record is in one.
 *
 * @throws `ConfigError` for a size below 1 ms, or a limit outside its bounds
 * @example
 * ```ts
 * tumbling({ sizeMs: 60_000, graceMs: 10_000 }); // a window a minute, open 10 s longer for late records
 * ```
 */
export function tumbling(options: WindowLimits & { readonly sizeMs: number }): TimeWindows {
  checkKnown("tumbling", options, ["sizeMs", ...limitNames]);
  const sizeMs = duration("sizeMs", options.sizeMs);
  return Object.freeze({ type: "time", sizeMs, advanceMs: sizeMs, ...limitsOf(options) });
}

/**
 * Windows of `sizeMs`, of which one begins every `advanceMs`, aligned to the epoch: each record is in several, at most in
 * 10,000.
 *
 * @throws `ConfigError` for a size below 1 ms, an advance below 1 ms, larger than the size, or below a 10,000th of it
 */
export function hopping(
  options: WindowLimits & { readonly sizeMs: number; readonly advanceMs: number },
): TimeWindows {
  checkKnown("hopping", options, ["sizeMs", "advanceMs", ...limitNames]);
  const sizeMs = duration("sizeMs", options.sizeMs);
  const advanceMs = duration("advanceMs", options.advanceMs);
  if (advanceMs > sizeMs)
    throw new ConfigError(
      "advanceMs",
      `must not be larger than sizeMs (${String(sizeMs)}), or records between two windows would be in none; got ${String(advanceMs)}`,
    );
  const windows = Math.ceil(sizeMs / advanceMs);
  if (windows > maxWindows)
    throw new ConfigError(
      "advanceMs",
      `is too small for sizeMs (${String(sizeMs)}): a record would be in ${String(windows)} windows, ${String(maxWindows)} is the most; got ${String(advanceMs)}`,
    );
  return Object.freeze({ type: "time", sizeMs, advanceMs, ...limitsOf(options) });
}

/**
 * Windows of records of a key that follow each other within `gapMs` (inclusive), from the first one's timestamp to the
 * last one's (inclusive). A record that joins two of them merges them: give `merge` to `defineWindowStore`.
 *
 * @throws `ConfigError` for a gap below 1 ms, or a limit outside its bounds
 */
export function session(options: WindowLimits & { readonly gapMs: number }): SessionWindows {
  checkKnown("session", options, ["gapMs", ...limitNames]);
  return Object.freeze({ type: "session", gapMs: duration("gapMs", options.gapMs), ...limitsOf(options) });
}

const limitNames = ["graceMs", "idleMs", "maxAheadMs"];

function limitsOf(options: WindowLimits): Omit<SessionWindows, "type" | "gapMs"> {
  return {
    graceMs: checkInteger("graceMs", options.graceMs, { min: 0, max: yearMs, otherwise: 0 }),
    idleMs:
      options.idleMs === undefined
        ? undefined
        : checkInteger("idleMs", options.idleMs, { min: 100, max: yearMs, otherwise: 100 }),
    maxAheadMs: checkInteger("maxAheadMs", options.maxAheadMs, { min: 0, max: yearMs, otherwise: 3_600_000 }),
  };
}

function duration(field: string, value: unknown): number {
  if (value === undefined) throw new ConfigError(field, "is missing: give milliseconds, from 1");
  return checkInteger(field, value, { min: 1, max: yearMs, otherwise: 1 });
}

/** From when to when a window is, in milliseconds since the epoch. */
export interface WindowSpan {
  /** The first timestamp in it. */
  readonly start: number;
  /** A time window: the first timestamp after it. A session: the last timestamp in it. */
  readonly end: number;
}

/** The windows that a timestamp is in, the earliest first; none begins before the epoch. */
export function timeWindowsOf({ sizeMs, advanceMs }: TimeWindows, timestamp: number): WindowSpan[] {
  const spans: WindowSpan[] = [];
  const first = Math.max(0, Math.ceil((timestamp - sizeMs + 1) / advanceMs)) * advanceMs;
  for (let start = first; start <= timestamp; start += advanceMs) spans.push({ start, end: start + sizeMs });
  return spans;
}

/** Whether a window is closed at this stream time: nothing is added to it any more. */
export function isClosed(windows: Windows, { end }: WindowSpan, streamTime: number): boolean {
  return windows.type === "time"
    ? streamTime >= end + windows.graceMs
    : end < streamTime - windows.gapMs - windows.graceMs;
}

/** The stream time at which a window closes. */
export function closesAt(windows: Windows, { end }: WindowSpan): number {
  return windows.type === "time" ? end + windows.graceMs : end + windows.gapMs + windows.graceMs + 1;
}

/** The sessions that a record of this time joins, and what they become together with it. */
export function mergeSessions(
  { gapMs }: SessionWindows,
  sessions: readonly WindowSpan[],
  timestamp: number,
): { readonly merged: WindowSpan; readonly joined: readonly WindowSpan[] } {
  const joined = sessions
    .filter(({ start, end }) => start - gapMs <= timestamp && timestamp <= end + gapMs)
    .sort((a, b) => a.start - b.start);
  return {
    merged: {
      start: Math.min(timestamp, joined[0]?.start ?? timestamp),
      end: Math.max(timestamp, joined.at(-1)?.end ?? timestamp),
    },
    joined,
  };
}
