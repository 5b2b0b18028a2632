import { Deadlines } from "./deadlines.js";
import type { Piece } from "./piece.js";
import type { StoreCodec } from "./store-codec.js";
import { type Changes, TaskStore } from "./task-store.js";
import type { AnyWindowStore } from "./window-definition.js";
import { windowKey } from "./window-key.js";
import { closesAt, isClosed, type WindowSpan } from "./windows.js";
import { type Entry, idOf } from "./write.js";

/** A window that a store may hold. */
export interface KnownWindow extends WindowSpan {
  readonly id: string;
  readonly key: Buffer;
}

/** The windows of one key, by their id. */
interface WindowsOfKey {
  readonly keyId: string;
  readonly windows: Map<string, WindowOfKey>;
}

interface WindowOfKey extends KnownWindow {
  readonly ofKey: WindowsOfKey;
}

const none: Changes = new Map();

/**
 * A window store of one task. Beside the entries it knows the windows of each key, and when each closes: more of them
 * than there are, since a window that a handler failed to write stays known until its time comes; what `has` says counts.
 */
export class WindowState {
  readonly name: string;
  readonly changelog: string;
  readonly codec: StoreCodec;
  readonly store: TaskStore;
  readonly definition: AnyWindowStore;
  readonly #streamTime: () => number;
  readonly #byKey = new Map<string, WindowsOfKey>();
  readonly #byId = new Map<string, WindowOfKey>();
  readonly #closing = new Deadlines();
  readonly #deleting = new Deadlines();

  constructor(options: {
    readonly definition: AnyWindowStore;
    readonly changelog: string;
    readonly codec: StoreCodec;
    readonly piece: Piece;
    readonly streamTime: () => number;
  }) {
    this.name = options.definition.name;
    this.definition = options.definition;
    this.changelog = options.changelog;
    this.codec = options.codec;
    this.store = new TaskStore(options.piece);
    this.#streamTime = options.streamTime;
  }

  get streamTime(): number {
    return this.#streamTime();
  }

  /** When the next window closes or is deleted, in stream time; `undefined` where there is none. */
  get nextDue(): number | undefined {
    const [closing, deleting] = [this.#closing.first, this.#deleting.first];
    return deleting === undefined ? closing : Math.min(closing ?? Infinity, deleting);
  }

  /** The window of a key with this span, made known. */
  know(key: Buffer, span: WindowSpan): KnownWindow {
    const bytes = windowKey.encode(this.definition.window, key, span);
    const id = idOf(bytes);
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const window = this.#remember(idOf(key), { id, key: bytes, start: span.start, end: span.end });
    this.#closing.add(closesAt(this.definition.window, window), id);
    return window;
  }

  /** The windows of a key that exist as a handler with these changes sees them, the earliest first. */
  windowsOf(key: Buffer, changes: Changes): KnownWindow[] {
    const known = this.#byKey.get(idOf(key))?.windows.values() ?? [];
    return [...known].filter(({ id }) => this.store.has(id, changes)).sort((a, b) => a.start - b.start);
  }

  get(id: string, changes: Changes): Entry | undefined {
    return this.store.get(id, changes);
  }

  finish(changes: Changes): void {
    this.store.finish(changes);
  }

  /** The windows that close now, in order of their end, with the deletions that belong to it among `changes`. */
  close(changes: Changes): Entry[] {
    const closed: Entry[] = [];
    const now = this.#streamTime();
    for (const [time, id] of this.#closing.due(now)) {
      this.#closing.delete(time, id);
      const window = this.#byId.get(id);
      const entry = window && this.store.get(id, changes);
      if (window === undefined || entry === undefined) {
        this.#forget(id);
        continue;
      }
      closed.push(entry);
      if (this.definition.retentionMs === undefined) this.#delete(window, changes, now);
      else this.#deleting.add(window.end + this.definition.retentionMs, id);
    }
    for (const [time, id] of this.#deleting.due(now)) {
      this.#deleting.delete(time, id);
      const window = this.#byId.get(id);
      if (window !== undefined && this.store.has(id, changes)) this.#delete(window, changes, now);
      else this.#forget(id);
    }
    return closed;
  }

  /** Drops what is not committed: windows that had closed, or were merged, are open again. */
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
    this.#byKey.clear();
    this.#byId.clear();
    this.#closing.clear();
    this.#deleting.clear();
    await this.store.piece.scan((key) => {
      this.#reopen(key);
    });
  }

  /** Forgets windows whose deletion has been committed. */
  committed(deleted: Iterable<string>): void {
    for (const id of deleted) if (!this.store.has(id)) this.#forget(id);
  }

  #dropped(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.store.get(id, none);
      if (entry === undefined) this.#forget(id);
      else this.#reopen(entry.key);
    }
  }

  #delete({ id, key }: KnownWindow, changes: Changes, timestamp: number): void {
    changes.set(id, { id, key, value: null, timestamp: Math.max(0, timestamp) });
  }

  #reopen(bytes: Buffer): void {
    const { window: windows, retentionMs } = this.definition;
    const { key, start, end } = this.codec.decodeWindowKey(windows, bytes);
    const id = idOf(bytes);
    const window = this.#byId.get(id) ?? this.#remember(idOf(key), { id, key: bytes, start, end });
    // One that is kept after it has closed was told when it did.
    if (retentionMs !== undefined && isClosed(windows, window, this.#streamTime()))
      this.#deleting.add(window.end + retentionMs, window.id);
    else this.#closing.add(closesAt(windows, window), window.id);
  }

  #remember(keyId: string, { id, key, start, end }: KnownWindow): WindowOfKey {
    let ofKey = this.#byKey.get(keyId);
    if (ofKey === undefined) this.#byKey.set(keyId, (ofKey = { keyId, windows: new Map() }));
    const window = { id, key, start, end, ofKey };
    ofKey.windows.set(id, window);
    this.#byId.set(id, window);
    return window;
  }

  #forget(id: string): void {
    const window = this.#byId.get(id);
    if (window === undefined) return;
    this.#byId.delete(id);
    this.#closing.delete(closesAt(this.definition.window, window), id);
    const { keyId, windows } = window.ofKey;
    windows.delete(id);
    if (windows.size === 0) this.#byKey.delete(keyId);
  }
}
