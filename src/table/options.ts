import type { OffsetsByPartition } from "../offsets.js";
import { checkOptions } from "../options/check-options.js";
import { choice, integer, signal, unchecked } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import { type ResolvedReadOptions, resolveReadOptions } from "../reader/options.js";

/** Options of {@link Kafka.table}. */
export interface TableOptions {
  /**
   * Where to begin: the start of the log, the first record at or after a time, or an offset for each partition. What
   * was written before is not in the table.
   * @default "earliest"
   */
  readonly from?: "earliest" | Date | OffsetsByPartition | undefined;
  /**
   * What becomes of a record that does not fit its topic, or has no key: `fail` stops the table with an
   * `InvalidRecordError`, `skip` logs a warning and goes on.
   * @default "fail"
   */
  readonly onInvalid?: "fail" | "skip" | undefined;
}

/** How long to wait. */
export interface WaitOptions {
  /** How long to wait, in milliseconds; 1 to 86,400,000. @default 60_000 */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of a table. */
export const tableSpecs = {
  // The reader knows which partitions there are, and checks it.
  from: unchecked<NonNullable<TableOptions["from"]>>("position", {
    default: "earliest",
    words: ["earliest"],
  }),
  onInvalid: choice(["fail", "skip"], { default: "fail" }),
} satisfies OptionSpecs<TableOptions>;

/** The options of a wait. */
export const waitSpecs = {
  timeoutMs: integer({ min: 1, max: 86_400_000, default: 60_000 }),
  signal: signal(),
} satisfies OptionSpecs<WaitOptions>;

/** Checks the options, and makes those of the read that keeps the table. @throws `ConfigError` that names the field */
export function resolveTableOptions(options: TableOptions, topic: string): ResolvedReadOptions {
  const { from, onInvalid } = checkOptions("TableOptions", options, tableSpecs);
  // Outages are survived: whoever waits in `ready` has a deadline of their own.
  return resolveReadOptions({ from, onInvalid, follow: true, stallTimeoutMs: 3_600_000 }, [topic]);
}

/** Checks how long to wait. @throws `ConfigError` that names the field */
export function resolveWaitOptions(options: WaitOptions): {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
} {
  return checkOptions("WaitOptions", options, waitSpecs);
}
