import { checkInteger, checkKnown, describe } from "../check.js";
import { ConfigError, misuse } from "../errors.js";
import { isNullable } from "../serde/schema-serde.js";
import type { AnySerde, Serde } from "../serde/serde.js";
import { givesPromises } from "../serde/waiting-serde.js";
import type { ApplicationOf, CheckSource, Source } from "../serde/source.js";
import { resolveDefinition } from "../topic-definition.js";
import { checkTopicName } from "../topic-name.js";
import type { AnyTopic, Topic } from "../topic.js";

/** What `defineStore` takes. `key` and `value` are a {@link Serde}, or a Standard Schema, which means `json(schema)`. */
export interface StoreOptions<ValueSource extends Source, KeySource extends Source = Serde<string>> {
  /** What a value is: a `Serde`, or a schema for JSON. Synchronous, and not nullable: an entry is deleted instead. */
  readonly value: ValueSource & CheckSource<ValueSource, "value">;
  /** What a key is: a `Serde`, or a schema for JSON. Synchronous. Default `string()`. */
  readonly key?: (KeySource & CheckSource<KeySource, "key">) | undefined;
  /**
   * How long an entry is kept after it was last written, in milliseconds of stream time (the timestamps of the task's
   * records), 1 to 315,360,000,000 (ten years): then it is deleted, in the changelog too. Default: for ever.
   */
  readonly retentionMs?: number | undefined;
}

/**
 * A store of a processor: its name, and the types of its entries. Plain immutable data, made once with
 * {@link defineStore} at module scope, like a topic.
 */
export interface StoreDefinition<Value, Key = string, Name extends string = string> extends AnyStore {
  readonly name: Name;
  readonly value: Serde<Value>;
  readonly key: Serde<Key>;
  /**
   * The changelog of the store in a group as a topic, for reading it elsewhere: the last value of each key, and a
   * tombstone for each that was deleted.
   */
  readonly changelog: (groupId: string) => Topic<Value | null, Key>;
  /** Only for the compiler: a function of the types is what makes them invariant. Never set. */
  readonly "~types"?: (types: StoreTypes<Value, Key>) => StoreTypes<Value, Key>;
}

/** The types of a store's entries, gathered. */
export interface StoreTypes<Value, Key> {
  /** The type of the value. */
  readonly value: Value;
  /** The type of the key. */
  readonly key: Key;
}

/** Any {@link StoreDefinition} or {@link WindowStoreDefinition}, whatever its types. */
export interface AnyStore {
  /** The store's name: 1 to 100 of `a-z A-Z 0-9 . _ -`. Its changelog is `<groupId>.<name>.changelog`. */
  readonly name: string;
  /** Turns values into bytes and back. */
  readonly value: AnySerde;
  /** Turns keys into bytes and back. */
  readonly key: AnySerde;
  /** How long an entry is kept after it was last written, in milliseconds of stream time; `undefined`: for ever. */
  readonly retentionMs: number | undefined;
  /** Only for the compiler. Never set. */
  readonly "~types"?: (types: never) => unknown;
}

/**
 * Defines a store for a processor: state that is kept by key, and is exactly once with what the processor sends.
 *
 * @param name - 1 to 100 of `a-z A-Z 0-9 . _ -`, once in a processor; it is part of the changelog's name
 * @throws `ConfigError` naming the field: a wrong name, an unknown field, a schema that goes one way only or takes `null`,
 *   a serde that gives promises. Where that is found out only when it is used, the methods of the store throw it
 *
 * @example
 * ```ts
 * const totals = defineStore("totals", { value: z.object({ count: z.number().int(), cents: z.number().int() }) });
 * ```
 */
export function defineStore<
  const Name extends string,
  ValueSource extends Source,
  KeySource extends Source = Serde<string>,
>(
  name: Name,
  options: StoreOptions<ValueSource, KeySource>,
): StoreDefinition<ApplicationOf<ValueSource>, ApplicationOf<KeySource>, Name>;
export function defineStore(name: string, options: GivenStore): AnyStore {
  checkKnown("defineStore", options, ["value", "key", "retentionMs"]);
  const retentionMs =
    options.retentionMs === undefined
      ? undefined
      : checkInteger("retentionMs", options.retentionMs, { min: 1, max: maxRetentionMs, otherwise: 1 });
  const serdes = resolveStore(name, options);
  return Object.freeze({
    name,
    ...serdes,
    retentionMs,
    changelog: (groupId: string) => changelogTopic(groupId, name, serdes),
  });
}

/** Options as they may be at run time: whatever a caller without types gave. */
export interface GivenStore {
  readonly value?: unknown;
  readonly key?: unknown;
  readonly retentionMs?: unknown;
}

export const maxRetentionMs = 10 * 365 * 24 * 3_600_000;

/** Checks a store's name, and makes its serdes. */
export function resolveStore(
  name: unknown,
  { value, key }: GivenStore,
): { readonly value: AnySerde; readonly key: AnySerde } {
  if (typeof name !== "string" || !/^[a-zA-Z0-9._-]{1,100}$/u.test(name) || name === "." || name === "..")
    throw new ConfigError(
      "name",
      `a store's name is 1 to 100 of a-z A-Z 0-9 . _ -, because its changelog is named after it; got ${JSON.stringify(name)}`,
    );
  const serdes = resolveDefinition({ value, key });
  for (const field of ["value", "key"] as const)
    if (givesPromises(serdes[field])) throw notSynchronous(field, name);
  if (isNullable(serdes.value))
    throw new ConfigError(
      "value",
      "the schema takes null, which in a changelog deletes the entry: make it not nullable, and delete entries instead",
    );
  return { value: serdes.value, key: serdes.key };
}

/** A store that is used in a handler and that its processor does not have. */
export function notListed(given: unknown): ConfigError {
  const name = typeof given === "object" && given !== null && "name" in given ? given.name : given;
  return misuse(
    new ConfigError(
      "stores",
      `${describe(name)} is no store of this processor: list it in processor({ stores: [...] })`,
    ),
  );
}

/** A store's methods give no promises, so that a handler has no race with itself; nor can its serdes. */
export function notSynchronous(field: "value" | "key", store: string): ConfigError {
  return new ConfigError(
    field,
    `the serde gives promises, and the methods of the store ${store} are synchronous: give a schema, or a Serde that gives none. One that asks a schema registry is for topics`,
  );
}

/** The name of a store's changelog in a group. */
export function changelogName(groupId: string, store: string): string {
  return `${groupId}.${store}.changelog`;
}

/** A compacted topic of this name, with tombstones. */
export function changelogTopic(groupId: string, store: string, serdes: GivenStore): AnyTopic {
  const name = changelogName(groupId, store);
  checkTopicName(name);
  const config = { "cleanup.policy": "compact" };
  return Object.freeze({ name, ...resolveDefinition({ ...serdes, tombstones: true, config }) });
}
