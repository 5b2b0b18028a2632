import { Deadlines } from "./deadlines.js";
import type { Piece } from "./piece.js";
import type { StoreCodec } from "./store-codec.js";
import { type Changes, TaskStore } from "./task-store.js";
import { type Entry, idOf } from "./write.js";

/** In how many steps entries expire within their retention: how exactly `size` counts. */
const retentionSteps = 64;

const none: Changes = new Map();

/** A store of one task with what its definition adds: the codec, and when entries expire. */
export class StoreState {
  readonly name: string;
  readonly changelog: string;
  readonly codec: StoreCodec;
  readonly store: TaskStore;
  readonly #retentionMs: number | undefined;
  readonly #expiries = new Deadlines();
  /** The time of the task, by which entries expire. */
  readonly #streamTime: () => number;

  constructor(options: {
    readonly name: string;
    readonly changelog: string;
    readonly codec: StoreCodec;
    readonly piece: Piece;
    readonly retentionMs: number | undefined;
    readonly streamTime: () => number;
  }) {
    this.name = options.name;
    this.changelog = options.changelog;
    this.codec = options.codec;
    this.store = new TaskStore(options.piece);
    this.#retentionMs = options.retentionMs;
    this.#streamTime = options.streamTime;
  }

  get(id: string, changes: Changes): Entry | undefined {
    const entry = this.store.get(id, changes);
    return entry === undefined || this.#hasExpired(entry) ? undefined : entry;
  }

  has(id: string, changes: Changes): boolean {
    return this.#retentionMs === undefined
      ? this.store.has(id, changes)
      : this.get(id, changes) !== undefined;
  }

  size(changes: Changes): number {
    return this.store.sizeWith(changes);
  }

  *entries(changes: Changes): IterableIterator<Entry> {
    for (const entry of this.store.entries(changes)) if (!this.#hasExpired(entry)) yield entry;
  }

  /** When the next entry may expire, in stream time; `undefined` where none does. */
  get nextDue(): number | undefined {
    return this.#expiries.first;
  }

  finish(changes: Changes): void {
    this.store.finish(changes);
    if (this.#retentionMs === undefined) return;
    for (const { id, value, timestamp } of changes.values())
      if (value !== null) this.#expireLater(id, timestamp);
  }

  /** The deletions of what has expired by now, as changes that nobody has made yet. */
  expire(): Changes {
    const expired: Changes = new Map();
    const timestamp = Math.max(0, this.#streamTime());
    for (const [time, id] of this.#expiries.due(timestamp)) {
      this.#expiries.delete(time, id);
      const entry = this.store.get(id, expired);
      if (entry === undefined) continue;
      if (this.#hasExpired(entry)) expired.set(id, { id, key: entry.key, value: null, timestamp });
      else this.#expireLater(id, entry.timestamp);
    }
    return expired;
  }

  /** Drops what is not committed. What was to be deleted is there again, and expires again. */
  rollBack(): void {
    this.#dropped(this.store.rollBack());
  }

  /** As `rollBack`, for what is not in the transaction. */
  dropWaiting(): void {
    this.#dropped(this.store.dropWaiting());
  }

  /** Begins with what the piece holds. */
  async restored(): Promise<void> {
    this.store.rollBack();
    this.#expiries.clear();
    if (this.#retentionMs === undefined) return;
    await this.store.piece.scan((key, timestamp) => {
      this.#expireLater(idOf(key), timestamp);
    });
  }

  #dropped(ids: readonly string[]): void {
    if (this.#retentionMs === undefined) return;
    for (const id of ids) {
      const entry = this.store.get(id, none);
      if (entry !== undefined) this.#expireLater(id, entry.timestamp);
    }
  }

  #hasExpired({ timestamp }: Entry): boolean {
    return this.#retentionMs !== undefined && timestamp + this.#retentionMs < this.#streamTime();
  }

  #expireLater(id: string, timestamp: number): void {
    if (this.#retentionMs === undefined) return;
    const step = Math.max(1, Math.ceil(this.#retentionMs / retentionSteps));
    this.#expiries.add(Math.ceil((timestamp + this.#retentionMs + 1) / step) * step, id);
  }
}
