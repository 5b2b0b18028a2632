import { checkInteger, checkKnown, describe } from "../check.js";
import { ConfigError } from "../errors.js";
import type { Serde } from "../serde/serde.js";
import type { ApplicationOf, CheckSource, Source } from "../serde/source.js";
import type { Topic } from "../topic.js";
import {
  type AnyStore,
  changelogTopic,
  type GivenStore,
  maxRetentionMs,
  resolveStore,
  type StoreTypes,
} from "./store-definition.js";
import { windowKey } from "./window-key.js";
import {
  hopping,
  session,
  type SessionWindows,
  type TimeWindows,
  type Windows,
  type WindowSpan,
} from "./windows.js";

/** What `defineWindowStore` takes. */
export type WindowStoreOptions<
  ValueSource extends Source,
  KeySource extends Source,
  Kind extends Windows,
> = WindowStoreFields<ValueSource, KeySource, Kind> &
  (Kind extends SessionWindows
    ? {
        /** What two sessions become that a record joins: the earlier one's value, then the later one's. */
        readonly merge: (
          earlier: ApplicationOf<ValueSource>,
          later: ApplicationOf<ValueSource>,
        ) => ApplicationOf<ValueSource>;
      }
    : unknown);

/** The fields of {@link WindowStoreOptions} for every kind of window. */
export interface WindowStoreFields<
  ValueSource extends Source,
  KeySource extends Source,
  Kind extends Windows,
> {
  /** What the value of a window is: a `Serde`, or a schema for JSON. Synchronous, and not nullable. */
  readonly value: ValueSource & CheckSource<ValueSource, "value">;
  /** What windows are by: a `Serde`, or a schema for JSON. Synchronous. Default `string()`. */
  readonly key?: (KeySource & CheckSource<KeySource, "key">) | undefined;
  /** The windows: {@link tumbling}, {@link hopping} or {@link session}. */
  readonly window: Kind;
  /**
   * How long a window can be read after its end, in milliseconds of stream time, 1 to 315,360,000,000 (ten years), and
   * not less than it takes to close. Default: until it has closed.
   */
  readonly retentionMs?: number | undefined;
}

/** The key of an entry in the changelog of a window store. */
export interface WindowedKey<Key> extends WindowSpan {
  /** The key of the window. */
  readonly key: Key;
}

/** A store of windows: plain immutable data, made once with {@link defineWindowStore} at module scope. */
export interface WindowStoreDefinition<Value, Key = string, Name extends string = string> extends AnyStore {
  readonly name: Name;
  readonly value: Serde<Value>;
  readonly key: Serde<Key>;
  /** The windows. */
  readonly window: Windows;
  /** What two sessions become that a record joins; `undefined` for other windows. */
  readonly merge: ((earlier: Value, later: Value) => Value) | undefined;
  /** The changelog of the store in a group as a topic, for reading it elsewhere. */
  readonly changelog: (groupId: string) => Topic<Value | null, WindowedKey<Key>>;
  /** Only for the compiler. Never set. */
  readonly "~types"?: (types: StoreTypes<Value, Key>) => StoreTypes<Value, Key>;
}

/** Any {@link WindowStoreDefinition}. */
export interface AnyWindowStore extends AnyStore {
  /** The windows. */
  readonly window: Windows;
  /** What two sessions become that a record joins; `undefined` for other windows. */
  readonly merge: ((earlier: never, later: never) => unknown) | undefined;
}

/**
 * Defines a store of windows for a processor: a value for each key and window of time, by the timestamps of the records.
 *
 * @param name - 1 to 100 of `a-z A-Z 0-9 . _ -`, once in a processor; it is part of the changelog's name
 * @throws `ConfigError` naming the field
 *
 * @example
 * ```ts
 * const perMinute = defineWindowStore("enrolments-per-minute", {
 *   value: z.number().int(),
 *   window: tumbling({ sizeMs: 60_000, graceMs: 10_000 }),
 * });
 * ```
 */
export function defineWindowStore<
  const Name extends string,
  ValueSource extends Source,
  Kind extends Windows,
  KeySource extends Source = Serde<string>,
>(
  name: Name,
  options: WindowStoreOptions<ValueSource, KeySource, Kind>,
): WindowStoreDefinition<ApplicationOf<ValueSource>, ApplicationOf<KeySource>, Name>;
export function defineWindowStore(
  name: string,
  options: GivenStore & { readonly window?: unknown; readonly merge?: unknown },
): AnyWindowStore {
  checkKnown("defineWindowStore", options, ["value", "key", "window", "retentionMs", "merge"]);
  const window = windowsOf(options.window);
  const { value, key } = resolveStore(name, options);
  const serdes = { value, key: windowedKeySerde(key as Serde<unknown>, window) };
  return Object.freeze({
    name,
    value,
    key,
    window,
    merge: mergeOf(window, options.merge),
    retentionMs: retentionOf(window, options.retentionMs),
    changelog: (groupId: string) => changelogTopic(groupId, name, serdes),
  });
}

/** Whether a store is one of windows. */
export function isWindowStore(store: AnyStore): store is AnyWindowStore {
  return "window" in store;
}

function windowsOf(given: unknown): Windows {
  const { type, ...options } = (typeof given === "object" && given !== null ? given : {}) as Partial<Windows>;
  // Checked again: they are plain data, which anybody can make.
  if (type === "time") return hopping(options as TimeWindows);
  if (type === "session") return session(options as SessionWindows);
  throw new ConfigError(
    "window",
    `give tumbling({ … }), hopping({ … }) or session({ … }), got ${describe(given)}`,
  );
}

function mergeOf(window: Windows, merge: unknown): AnyWindowStore["merge"] {
  if (window.type !== "session") {
    if (merge !== undefined)
      throw new ConfigError("merge", "is for sessions: windows of time never become one; leave it out");
    return undefined;
  }
  if (typeof merge !== "function")
    throw new ConfigError(
      "merge",
      `a record can join two sessions: give (earlier, later) => value, got ${describe(merge)}`,
    );
  return merge as AnyWindowStore["merge"];
}

function retentionOf(window: Windows, retentionMs: unknown): number | undefined {
  if (retentionMs === undefined) return undefined;
  const min = Math.max(1, window.type === "time" ? window.graceMs : window.gapMs + window.graceMs);
  return checkInteger("retentionMs", retentionMs, { min, max: maxRetentionMs, otherwise: min });
}

function windowedKeySerde(key: Serde<unknown>, window: Windows): Serde<WindowedKey<unknown>> {
  return {
    serialize: (windowed, context) => {
      const bytes = key.serialize(windowed.key, context);
      return bytes instanceof Promise
        ? bytes.then((later) => windowKey.encode(window, later, windowed))
        : windowKey.encode(window, bytes, windowed);
    },
    deserialize: (bytes, context) => {
      const { key: keyBytes, ...span } = windowKey.decode(window, bytes);
      const decoded = key.deserialize(keyBytes, context);
      return decoded instanceof Promise
        ? decoded.then((later: unknown) => ({ key: later, ...span }))
        : { key: decoded, ...span };
    },
  };
}
