import { ClosedError, ConfigError, misuse } from "../errors.js";
import { describe } from "../check.js";
import type { StoreCodec } from "./store-codec.js";
import type { StoreState } from "./store-state.js";
import type { Changes } from "./task-store.js";
import { copyOf, type Entry, keyOfId } from "./write.js";

/**
 * A store as a handler sees it: the entries of its record's partition. All methods are synchronous. What it writes is
 * seen by itself at once, by later handlers when it has succeeded, and by everybody else when its transaction has been
 * committed; a handler that fails leaves nothing.
 */
export interface Store<Value, Key = string> {
  /**
   * The value of a key, `undefined` where there is none. It is the caller's own: changing it changes nothing until `set`.
   * @throws `InvalidRecordError` where the entry, written by an earlier version, does not fit the definition
   */
  readonly get: (key: Key) => Value | undefined;
  /** Whether there is an entry. */
  readonly has: (key: Key) => boolean;
  /** Sets the value of a key. @throws `SerializationError` for a key or value that does not fit the definition */
  readonly set: (key: Key, value: Value) => void;
  /** Deletes the entry, and tells whether there was one. */
  readonly delete: (key: Key) => boolean;
  /** The entries of the partition, in no particular order; those written meanwhile may be among them. */
  readonly entries: () => IterableIterator<readonly [key: Key, value: Value]>;
  /** How many entries the partition has; with `retentionMs`, those that have just expired may be among them. */
  readonly size: number;
}

/** A key that alone may be touched; `null`, which no store has, for a record without one. */
export interface OnlyKey {
  readonly key: unknown;
}

/** What one call of a handler works with. */
export interface CallScope {
  /** The timestamp of the record, in milliseconds since the epoch: that of the changelog's records. */
  readonly timestamp: number;
  /** With `order: "key"`, the record's key: no other may be touched. */
  readonly onlyKey: OnlyKey | undefined;
  /** The handler has returned: its stores are used no more. */
  hasEnded: boolean;
}

/** The store of one call of a handler. */
export class StoreOfCall implements Store<unknown, unknown> {
  readonly #state: StoreState;
  readonly #changes: Changes;
  readonly #scope: CallScope;

  constructor(state: StoreState, changes: Changes, scope: CallScope) {
    this.#state = state;
    this.#changes = changes;
    this.#scope = scope;
  }

  get = (key: unknown): unknown => {
    const entry = this.#find(this.#idOf(key));
    return entry === undefined ? undefined : this.#state.codec.decodeValue(entry);
  };

  has = (key: unknown): boolean => this.#has(this.#idOf(key));

  set = (key: unknown, value: unknown): void => {
    const id = this.#idOf(key);
    // A serde may give the caller's own bytes, which they may change afterwards.
    this.#write(id, copyOf(this.#state.codec.encodeValue(value)));
  };

  delete = (key: unknown): boolean => {
    const id = this.#idOf(key);
    const wasThere = this.#has(id);
    if (wasThere) this.#write(id, null);
    return wasThere;
  };

  *entries(): IterableIterator<readonly [unknown, unknown]> {
    checkScope(this.#scope, this.#state.name);
    this.#refuseScan("entries");
    const { codec } = this.#state;
    for (const entry of this.#state.entries(this.#changes))
      yield [codec.decodeKey(entry), codec.decodeValue(entry)];
  }

  get size(): number {
    checkScope(this.#scope, this.#state.name);
    this.#refuseScan("size");
    return this.#state.size(this.#changes);
  }

  #write(id: string, value: Buffer | null): void {
    this.#changes.set(id, { id, key: keyOfId(id), value, timestamp: this.#scope.timestamp });
  }

  #idOf(key: unknown): string {
    checkScope(this.#scope, this.#state.name);
    const id = this.#state.codec.idOf(key);
    const { onlyKey } = this.#scope;
    if (onlyKey !== undefined) checkKey(this.#state, onlyKey, key, id);
    return id;
  }

  #find(id: string): Entry | undefined {
    return this.#state.get(id, this.#changes);
  }

  #has(id: string): boolean {
    return this.#state.has(id, this.#changes);
  }

  #refuseScan(what: string): void {
    if (this.#scope.onlyKey !== undefined)
      throw misuse(
        new ConfigError(
          "order",
          `store ${this.#state.name}: ${what} is about every key, and with order: "key" handlers of other keys run beside this one. Use order: "partition"`,
        ),
      );
  }
}

export function checkScope({ hasEnded }: CallScope, store: string): void {
  if (hasEnded)
    throw misuse(
      new ClosedError(`store ${store}: its handler has ended; use tx.store within the handler's own call`),
    );
}

/** @throws `ConfigError` for another key than the only one that may be touched */
export function checkKey(
  { name, codec }: { readonly name: string; readonly codec: StoreCodec },
  only: OnlyKey,
  key: unknown,
  id: string,
): void {
  if (only.key !== null && codec.idOf(only.key) === id) return;
  throw misuse(
    new ConfigError(
      "order",
      `store ${name}: with order: "key" a handler may touch only its own record's key, not ${describe(key)}: handlers of other keys run beside it. Use order: "partition"`,
    ),
  );
}
