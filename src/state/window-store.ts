import { SerializationError } from "../errors.js";
import { describe } from "../check.js";
import { type CallScope, checkKey, checkScope } from "./store.js";
import type { Changes } from "./task-store.js";
import type { WindowState } from "./window-state.js";
import { copyOf, idOf } from "./write.js";
import { isClosed, mergeSessions, type SessionWindows, timeWindowsOf, type WindowSpan } from "./windows.js";

/** A window with its value. */
export interface WindowOf<Value, Key = string> extends WindowSpan {
  /** The key of the window. */
  readonly key: Key;
  /** The value, the caller's own. */
  readonly value: Value;
}

/** A store of windows as a handler sees it: those of its record's partition. All methods are synchronous. */
export interface WindowStore<Value, Key = string> {
  /**
   * Gives the next value of every window that the timestamp is in; `previous` is `undefined` for a new one.
   *
   * @returns the windows with their new values, the earliest first; none where the timestamp is late: every window that
   *   it is in has closed. A late record is counted in telemetry; send it elsewhere if it must not be lost
   * @throws `SerializationError` for a key, timestamp or value that does not fit the definition
   */
  readonly update: (
    key: Key,
    timestamp: number,
    next: (previous: Value | undefined) => Value,
  ) => readonly WindowOf<Value, Key>[];
  /** The value of the window that begins at `start`; `undefined` where there is none. */
  readonly get: (key: Key, start: number) => Value | undefined;
  /** The windows of a key, the earliest first. */
  readonly entries: (key: Key) => readonly WindowOf<Value, Key>[];
}

/** The window store of one call of a handler. */
export class WindowStoreOfCall implements WindowStore<unknown, unknown> {
  readonly #state: WindowState;
  readonly #changes: Changes;
  readonly #scope: CallScope;
  readonly #onLate: (store: string) => void;

  constructor(state: WindowState, changes: Changes, scope: CallScope, onLate: (store: string) => void) {
    this.#state = state;
    this.#changes = changes;
    this.#scope = scope;
    this.#onLate = onLate;
  }

  update = (
    key: unknown,
    timestamp: number,
    next: (previous: unknown) => unknown,
  ): readonly WindowOf<unknown, unknown>[] => {
    const bytes = this.#keyOf(key);
    if (!Number.isSafeInteger(timestamp) || timestamp < 0)
      throw new SerializationError(
        `store ${this.#state.name}: a window needs a timestamp, in whole milliseconds from 0, got ${describe(timestamp)}`,
        { topic: this.#state.changelog, part: "timestamp" },
      );
    const { window } = this.#state.definition;
    const updated =
      window.type === "session"
        ? this.#updateSession(window, bytes, timestamp, next)
        : timeWindowsOf(window, timestamp)
            .filter((span) => !isClosed(window, span, this.#state.streamTime))
            .map((span) => ({ ...span, value: this.#set(bytes, span, next(this.#valueOf(bytes, span))) }));
    if (updated.length === 0) this.#onLate(this.#state.name);
    return updated.map((each) => ({ key, ...each }));
  };

  get = (key: unknown, start: number): unknown => {
    const found = this.#windowsOf(this.#keyOf(key)).find((window) => window.start === start);
    return found === undefined ? undefined : this.#decode(found.id);
  };

  entries = (key: unknown): readonly WindowOf<unknown, unknown>[] =>
    this.#windowsOf(this.#keyOf(key)).map(({ id, start, end }) => ({
      key,
      start,
      end,
      value: this.#decode(id),
    }));

  #updateSession(
    windows: SessionWindows,
    key: Buffer,
    timestamp: number,
    next: (previous: unknown) => unknown,
  ): readonly (WindowSpan & { readonly value: unknown })[] {
    const open = this.#windowsOf(key).filter((span) => !isClosed(windows, span, this.#state.streamTime));
    const { merged, joined } = mergeSessions(windows, open, timestamp);
    if (isClosed(windows, merged, this.#state.streamTime)) return [];
    const merge = this.#state.definition.merge as (earlier: unknown, later: unknown) => unknown;
    const values = joined.map((span) => this.#valueOf(key, span));
    const previous = values.length === 0 ? undefined : values.reduce(merge);
    const value = next(previous);
    for (const span of joined)
      if (span.start !== merged.start || span.end !== merged.end) this.#write(key, span, null);
    return [{ ...merged, value: this.#set(key, merged, value) }];
  }

  /** What is read is what was written: the caller may change the value afterwards. */
  #set(key: Buffer, span: WindowSpan, value: unknown): unknown {
    this.#write(key, span, this.#state.codec.encodeValue(value));
    return value;
  }

  #write(key: Buffer, span: WindowSpan, value: Buffer | null): void {
    const window = this.#state.know(key, span);
    const { timestamp } = this.#scope;
    const { id } = window;
    // A serde may give the caller's own bytes, which they may change afterwards.
    this.#changes.set(id, { id, key: window.key, value: value && copyOf(value), timestamp });
  }

  #valueOf(key: Buffer, span: WindowSpan): unknown {
    return this.#decode(this.#state.know(key, span).id);
  }

  #decode(id: string): unknown {
    const entry = this.#state.get(id, this.#changes);
    return entry === undefined ? undefined : this.#state.codec.decodeValue(entry);
  }

  #windowsOf(key: Buffer): readonly (WindowSpan & { readonly id: string })[] {
    return this.#state.windowsOf(key, this.#changes);
  }

  #keyOf(key: unknown): Buffer {
    checkScope(this.#scope, this.#state.name);
    const bytes = this.#state.codec.encodeKey(key);
    if (this.#scope.onlyKey !== undefined) checkKey(this.#state, this.#scope.onlyKey, key, idOf(bytes));
    return bytes;
  }
}
