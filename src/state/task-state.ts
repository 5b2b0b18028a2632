import type { Proof } from "./piece.js";
import { StoreOfCall, type CallScope, type OnlyKey, type Store } from "./store.js";
import { type StoreState } from "./store-state.js";
import { type AnyStore, notListed, type StoreDefinition } from "./store-definition.js";
import { StreamTime } from "./stream-time.js";
import type { Changes } from "./task-store.js";
import { type AnyWindowStore, type WindowStoreDefinition } from "./window-definition.js";
import { windowKey } from "./window-key.js";
import { WindowState } from "./window-state.js";
import { type WindowOf, type WindowStore, WindowStoreOfCall } from "./window-store.js";
import type { Entry, Write } from "./write.js";

/** The store that a definition gives: {@link WindowStore} for windows, else {@link Store}. */
export type StoreOf<Definition extends AnyStore> = Definition extends AnyWindowStore
  ? Definition extends WindowStoreDefinition<infer Value, infer Key>
    ? WindowStore<Value, Key>
    : WindowStore<unknown, unknown>
  : Definition extends StoreDefinition<infer Value, infer Key>
    ? Store<Value, Key>
    : Store<unknown, unknown>;

/** A window that has closed, in `onWindowClosed`. */
export interface ClosedWindow<Value = unknown, Key = unknown, Name extends string = string> extends WindowOf<
  Value,
  Key
> {
  /** The name of the window store. */
  readonly store: Name;
}

/** What a call changed of one store. */
interface StoreChanges {
  readonly name: string;
  readonly changes: Changes;
}

/** What one call of a handler, or a piece of a task's work, changed. It counts when the call has succeeded. */
export interface CallChanges {
  readonly stores: readonly StoreChanges[];
  /** The stream time after it, in milliseconds since the epoch; -1 before the first record. */
  readonly streamTime: number;
}

/** One call of a handler: its stores, until it ends. */
export interface StateOfCall {
  /** @throws `ConfigError` for a store that the processor does not list */
  readonly store: <Definition extends AnyStore>(definition: Definition) => StoreOf<Definition>;
  /** Ends the call: its stores are used no more. */
  readonly end: () => CallChanges;
}

/**
 * The state of one task: its stores and its time. The loop knows it by what happens to a transaction: a call begins and
 * its changes count, `commit`, `rollBack`. Pure but for pieces on disk.
 */
export class TaskState {
  readonly #definitions: ReadonlySet<AnyStore>;
  readonly #stores = new Map<string, StoreState | WindowState>();
  readonly #time = new StreamTime();
  readonly #onLate: (store: string) => void;
  /** The stream time of what is in the transaction. */
  #pendingTime = -1;

  constructor(options: {
    readonly definitions: readonly AnyStore[];
    readonly make: (definition: AnyStore, streamTime: () => number) => StoreState | WindowState;
    readonly onLate: (store: string) => void;
  }) {
    this.#definitions = new Set(options.definitions);
    this.#onLate = options.onLate;
    for (const definition of options.definitions)
      this.#stores.set(
        definition.name,
        options.make(definition, () => this.#time.now),
      );
  }

  get streamTime(): number {
    return this.#time.now;
  }

  get stores(): Iterable<StoreState | WindowState> {
    return this.#stores.values();
  }

  /** A record of this time is processed next, or the clock stands in for one. Whether stream time has moved. */
  observe(timestamp: number, limit: number): boolean {
    return this.#time.observe(timestamp, limit);
  }

  /** The group's committed offsets say this stream time; -1 where they say none. */
  learnTime(streamTime: number): void {
    this.#time.learn(streamTime);
    this.#pendingTime = -1;
  }

  begin(timestamp: number, onlyKey?: OnlyKey): StateOfCall {
    const scope: CallScope = { timestamp, onlyKey, hasEnded: false };
    // Few: to look through them is less than to make a map for each call.
    const used: (StoreChanges & { readonly store: unknown })[] = [];
    return {
      store: <Definition extends AnyStore>(definition: Definition) => {
        if (!this.#definitions.has(definition)) throw notListed(definition);
        const { name } = definition;
        for (const each of used) if (each.name === name) return each.store as StoreOf<Definition>;
        const changes: Changes = new Map();
        const store = this.#storeOf(definition, changes, scope);
        used.push({ name, changes, store });
        return store as StoreOf<Definition>;
      },
      end: () => {
        scope.hasEnded = true;
        return { stores: used, streamTime: this.#time.now };
      },
    };
  }

  /** What is due at the present stream time: windows that close, in order of their end, and what expires. */
  due(): { readonly closed: readonly ClosedWindow[]; readonly changes: CallChanges } {
    const stores: StoreChanges[] = [];
    const closed: ClosedWindow[] = [];
    for (const [name, state] of this.#stores) {
      let changes: Changes = new Map();
      if (state instanceof WindowState)
        for (const entry of state.close(changes)) closed.push(closedWindow(state, entry));
      else changes = state.expire();
      if (changes.size > 0) stores.push({ name, changes });
    }
    closed.sort((a, b) => a.end - b.end);
    return { closed, changes: { stores, streamTime: this.#time.now } };
  }

  /** Whether something is due at the present stream time. */
  get isDue(): boolean {
    const now = this.#time.now;
    for (const { nextDue } of this.#stores.values()) if (nextDue !== undefined && nextDue <= now) return true;
    return false;
  }

  /** A call has succeeded: later ones see what it changed. */
  finish({ stores }: CallChanges): void {
    for (const { name, changes } of stores) this.#stores.get(name)?.finish(changes);
  }

  /** What a call changed is in the open transaction. */
  enter({ stores, streamTime }: CallChanges): void {
    for (const { name, changes } of stores) this.#stores.get(name)?.store.enter(changes);
    this.#pendingTime = Math.max(this.#pendingTime, streamTime);
  }

  /** The stream time that belongs to the open transaction's offsets; -1 before the first record. */
  get pendingTime(): number {
    return Math.max(this.#pendingTime, this.#time.committed);
  }

  /** What the changelogs need for the open transaction: the last change of each key. */
  *changelog(): IterableIterator<{ readonly topic: string; readonly write: Write }> {
    for (const state of this.#stores.values())
      for (const write of state.store.pending.values()) yield { topic: state.changelog, write };
  }

  /**
   * The transaction has been committed. Resolves when pieces on disk have its changes.
   *
   * @param proofs - by store: what its changelog has below this offset was read, or committed before
   */
  commit(proofs?: ReadonlyMap<string, Proof>): Promise<void> | undefined {
    this.#time.commit(this.#pendingTime);
    let applying: Promise<void>[] | undefined;
    for (const [name, state] of this.#stores) {
      const deleted = state instanceof WindowState ? deletedIn(state.store.pending) : [];
      const applied = state.store.commit(proofs?.get(name));
      if (applied === undefined) {
        if (state instanceof WindowState) state.committed(deleted);
      } else
        (applying ??= []).push(
          applied.then(() => {
            if (state instanceof WindowState) state.committed(deleted);
          }),
        );
    }
    return applying === undefined ? undefined : Promise.all(applying).then(() => undefined);
  }

  /** The transaction, and what finished behind it, is dropped: its records will be delivered again. */
  rollBack(): void {
    this.#time.rollBack();
    this.#pendingTime = -1;
    for (const state of this.#stores.values()) state.rollBack();
  }

  /** What finished behind the open transaction is dropped; what is in the transaction stays. */
  dropWaiting(): void {
    for (const state of this.#stores.values()) state.dropWaiting();
    this.#time.rewind(this.pendingTime);
  }

  /** Begins with what the pieces hold. */
  async restored(): Promise<void> {
    for (const state of this.#stores.values()) await state.restored();
  }

  #storeOf(
    definition: AnyStore,
    changes: Changes,
    scope: CallScope,
  ): Store<unknown, unknown> | WindowStore<unknown, unknown> {
    const state = this.#stores.get(definition.name);
    if (state === undefined) throw notListed(definition);
    return state instanceof WindowState
      ? new WindowStoreOfCall(state, changes, scope, this.#onLate)
      : new StoreOfCall(state, changes, scope);
  }
}

function closedWindow({ name, definition, codec }: WindowState, entry: Entry): ClosedWindow {
  const { key, start, end } = windowKey.decode(definition.window, entry.key);
  return {
    store: name,
    key: codec.decodeKey({ ...entry, key }),
    start,
    end,
    value: codec.decodeValue(entry),
  };
}

function deletedIn(pending: ReadonlyMap<string, Write>): string[] {
  return [...pending.values()].filter(({ value }) => value === null).map(({ id }) => id);
}
