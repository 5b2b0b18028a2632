import type { Piece, Proof } from "./piece.js";
import { copyOf, type Entry, FoundEntry, idOf, type Write } from "./write.js";

/** What one call of a handler changes: nobody else sees it until the call has succeeded. */
export type Changes = Map<string, Write>;

/**
 * One store of one task: the committed entries, and above them what handlers have changed since. Pure: it decides
 * what is seen, what is in the transaction, and what a commit or a rollback makes of it.
 *
 * ```text
 *   changes of a handler      while it runs; dropped where it fails
 *   visible                   of handlers that succeeded, not committed yet
 *     in transaction          the part of it that is in the open transaction, or in one that is being committed
 *   piece                     committed
 * ```
 */
export class TaskStore {
  readonly piece: Piece;
  /** The last change of each key that the piece does not have yet. */
  readonly #visible: Changes = new Map();
  #inTransaction: Changes = new Map();
  /** Committed, and on its way to a piece on disk. */
  #applying: Changes | undefined;
  #size: number;

  constructor(piece: Piece) {
    this.piece = piece;
    this.#size = piece.size;
  }

  /** How many entries a handler sees that has changed nothing. */
  get size(): number {
    return this.#size;
  }

  get(id: string, changes: Changes): Entry | undefined {
    const write = changes.get(id) ?? this.#visible.get(id);
    if (write === undefined) return this.piece.get(id);
    return write.value === null ? undefined : new FoundEntry(id, copyOf(write.value), write.timestamp);
  }

  has(id: string, changes?: Changes): boolean {
    const write = changes?.get(id) ?? this.#visible.get(id);
    return write === undefined ? this.piece.has(id) : write.value !== null;
  }

  sizeWith(changes: Changes): number {
    let size = this.#size;
    for (const [id, { value }] of changes) size += Number(value !== null) - Number(this.has(id));
    return size;
  }

  /** All entries as a handler with these changes sees them, in no particular order. */
  *entries(changes: Changes): IterableIterator<Entry> {
    const uncommitted = new Map([...this.#visible, ...changes]);
    for (const { key, value, timestamp } of uncommitted.values())
      if (value !== null) yield { key: copyOf(key), value: copyOf(value), timestamp };
    for (const entry of this.piece.entries()) if (!uncommitted.has(idOf(entry.key))) yield entry;
  }

  /** A handler has succeeded: later ones see what it changed. */
  finish(changes: Changes): void {
    this.#size = this.sizeWith(changes);
    for (const [id, write] of changes) this.#visible.set(id, write);
  }

  /** The changes of a finished handler are in the open transaction from here on. */
  enter(changes: Changes): void {
    for (const [id, write] of changes) this.#inTransaction.set(id, write);
  }

  /** What the changelog needs for the open transaction: the last change of each key. */
  get pending(): ReadonlyMap<string, Write> {
    return this.#inTransaction;
  }

  /** The transaction has been committed. Resolves when the piece has its changes. `proof` is the piece's from here on. */
  commit(proof?: Proof): Promise<void> | undefined {
    const committed = this.#inTransaction;
    if (committed.size === 0 && proof === undefined) return undefined;
    this.#inTransaction = new Map();
    const applying = this.piece.apply([...committed.values()], proof);
    if (applying === undefined) {
      this.#applied(committed);
      return undefined;
    }
    this.#applying = new Map([...(this.#applying ?? []), ...committed]);
    return applying.then(() => {
      this.#applied(committed);
    });
  }

  /**
   * Everything that is not committed is dropped: the records that brought it will be delivered again.
   * @returns the ids that it was about
   */
  rollBack(): readonly string[] {
    this.#inTransaction = new Map();
    return this.dropWaiting();
  }

  /**
   * What is not in the transaction is dropped; what is in it stays, and may yet be committed.
   * @returns the ids that it was about
   */
  dropWaiting(): readonly string[] {
    const dropped = [...this.#visible].filter(([id, write]) => this.#entered(id) !== write);
    for (const [id] of dropped) {
      const entered = this.#entered(id);
      if (entered === undefined) this.#visible.delete(id);
      else this.#visible.set(id, entered);
    }
    this.#size = this.piece.size;
    for (const [id, { value }] of this.#visible)
      this.#size += Number(value !== null) - Number(this.piece.has(id));
    return dropped.map(([id]) => id);
  }

  /** The change of a key that is in the open transaction, or being applied to the piece. */
  #entered(id: string): Write | undefined {
    return this.#inTransaction.get(id) ?? this.#applying?.get(id);
  }

  #applied(committed: Changes): void {
    for (const [id, write] of committed) {
      if (this.#visible.get(id) === write) this.#visible.delete(id);
      if (this.#applying?.get(id) === write) this.#applying.delete(id);
    }
  }
}
