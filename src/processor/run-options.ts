import { ConfigError } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { callback, custom, integer } from "../options/kinds.js";
import { describe } from "../check.js";
import type { AnyStore } from "../state/store-definition.js";
import type { ClosedWindow } from "../state/task-state.js";
import {
  type AnyWindowStore,
  isWindowStore,
  type WindowStoreDefinition,
} from "../state/window-definition.js";
import type { StatefulTransaction } from "./stateful-transaction.js";

/** Options of {@link Processor.run}: work that no record brings. For processors with `stores`. */
export interface RunOptions<Stores extends AnyStore = AnyStore> {
  /**
   * Called once for each window that has closed, in order of their ends, in one transaction with the deletion of the
   * window: what it sends is exactly once. What it throws stops the processor, and the window closes again.
   */
  readonly onWindowClosed?:
    ((closed: ClosedWindowOf<Stores>, tx: StatefulTransaction<Stores>) => unknown) | undefined;
  /** Work of every task at intervals, between its handlers. */
  readonly schedule?: readonly ScheduledWork<Stores>[] | undefined;
}

/** Work of every task at intervals, in a transaction with what it sends and writes to stores. */
export interface ScheduledWork<Stores extends AnyStore = AnyStore> {
  /** The interval by the clock, in milliseconds, 10 to 86,400,000. Work that takes longer is not begun again meanwhile. */
  readonly everyMs: number;
  /** The work. What it throws stops the processor, and nothing of it counts. */
  readonly run: (tx: StatefulTransaction<Stores>, task: ScheduledTask) => unknown;
}

/** The task that scheduled work is done for. */
export interface ScheduledTask {
  /** The number of its partition, from 0. */
  readonly partition: number;
  /** The largest timestamp that its records have had, in milliseconds since the epoch; -1 before the first. */
  readonly streamTime: number;
}

/** The windows of these stores that close. */
export type ClosedWindowOf<Stores extends AnyStore> = Stores extends AnyWindowStore
  ? Stores extends WindowStoreDefinition<infer Value, infer Key, infer Name>
    ? ClosedWindow<Value, Key, Name>
    : ClosedWindow
  : never;

/** {@link RunOptions}, checked. */
export interface ResolvedRunOptions {
  readonly onWindowClosed: ((closed: ClosedWindow, tx: StatefulTransaction<AnyStore>) => unknown) | undefined;
  readonly schedule: readonly {
    readonly everyMs: number;
    readonly run: (tx: StatefulTransaction<AnyStore>, task: ScheduledTask) => unknown;
  }[];
}

const scheduleSpecs = {
  everyMs: integer({ min: 10, max: 86_400_000, default: 1_000 }),
  run: callback(),
};

/** The options of `run`. */
export const runSpecs = {
  onWindowClosed: callback(),
  schedule: custom("list", (path, given) => {
    if (given === undefined) return [];
    if (!Array.isArray(given)) throw new ConfigError(path, `expected an array, got ${describe(given)}`);
    return given.map((work: unknown, index) => {
      const checked = checkOptions(
        `${path}[${String(index)}]`,
        work,
        scheduleSpecs,
        `${path}[${String(index)}].`,
      );
      const { everyMs, run } = checked as { everyMs: number; run: unknown };
      if ((work as { everyMs?: unknown }).everyMs === undefined)
        throw new ConfigError(`${path}[${String(index)}].everyMs`, "is required");
      if (run === undefined) throw new ConfigError(`${path}[${String(index)}].run`, "is required");
      return { everyMs, run };
    });
  }),
};

/**
 * Checks the options of a run, and that there are stores for them.
 * @throws `ConfigError` that names the field
 */
export function resolveRunOptions(options: unknown, stores: readonly AnyStore[]): ResolvedRunOptions {
  const resolved = checkOptions("RunOptions", options, runSpecs) as unknown as ResolvedRunOptions;
  if (stores.length === 0 && resolved.schedule.length > 0)
    throw new ConfigError("schedule", "is for processors with stores: tasks are by their partitions");
  if (resolved.onWindowClosed !== undefined && !stores.some(isWindowStore))
    throw new ConfigError("onWindowClosed", "is for processors with a window store among their `stores`");
  return resolved;
}
