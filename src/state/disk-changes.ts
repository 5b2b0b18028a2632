import { spanOf } from "../record.js";
import { entryBytes, slotOf } from "./disk-entry.js";
import { KeyPages } from "./key-pages.js";
import { idOf, type Write } from "./write.js";

/** What a piece on disk has, by the names of `DiskPiece`. */
export interface OnDisk {
  readonly size: number;
  readonly read: (name: string) => Buffer | undefined;
  /** The slot of an entry, by its id. */
  readonly slotOf: (id: string) => number | undefined;
}

/** Committed changes on their way into a piece on disk, which has none of them until it has all. */
export class DiskChanges {
  /** The last bytes of each name; `null` deletes. */
  readonly written = new Map<string, Buffer | null>();
  /** How many entries there are with the changes. */
  size: number;
  readonly #before: OnDisk;
  readonly #pages: KeyPages;

  constructor(before: OnDisk) {
    this.size = before.size;
    this.#before = before;
    this.#pages = new KeyPages((page) => before.read(`p${page}`));
  }

  add({ id, key, value, timestamp }: Write): void {
    const before = this.#slotOf(id);
    if (value === null) {
      if (before !== undefined) this.#delete(id, before);
      return;
    }
    const slot = before ?? this.size;
    if (before === undefined) {
      this.#pages.set(slot, key);
      this.size += 1;
    }
    this.written.set(`k${id}`, entryBytes(slot, timestamp, spanOf(value)));
  }

  /** There are no more: the pages that changed are written too. */
  end(): void {
    for (const [page, bytes] of this.#pages.changed()) this.written.set(`p${page}`, bytes);
  }

  /** The last entry of the list takes its slot. */
  #delete(id: string, slot: number): void {
    this.size -= 1;
    const lastKey = this.#pages.get(this.size);
    const lastId = lastKey && idOf(lastKey);
    const last = lastId === undefined ? undefined : this.#read(`k${lastId}`);
    this.#pages.cut(this.size);
    if (slot !== this.size && lastKey !== undefined && last !== undefined) {
      const moved = Buffer.from(last);
      moved.writeUInt32BE(slot, 0);
      this.written.set(`k${lastId}`, moved);
      this.#pages.set(slot, lastKey);
    }
    this.written.set(`k${id}`, null);
  }

  #read(name: string): Buffer | undefined {
    const written = this.written.get(name);
    return written === undefined ? this.#before.read(name) : (written ?? undefined);
  }

  #slotOf(id: string): number | undefined {
    const written = this.written.get(`k${id}`);
    if (written === undefined) return this.#before.slotOf(id);
    return written === null ? undefined : slotOf(written);
  }
}
