import { type RawRecord, type Span, spanOf } from "../record.js";
import { KeyFilter } from "./key-filter.js";
import { hashOfBytes } from "./key-hash.js";
import type { LevelDatabase, LevelSnapshot } from "./level.js";
import { KeyPages } from "./key-pages.js";
import type { Piece, Proof } from "./piece.js";
import { type Entry, idOf, keyOfId, type Write } from "./write.js";

/** In front of a value: the slot (4 bytes), and the timestamp (8 bytes). */
const headerBytes = 12;
const scanAtOnce = 1_000;

/** What a piece says of itself, written in the same batch as the entries. */
interface About {
  /** The id of the changelog, as brokers know it: one that was deleted and made anew has another. */
  readonly changelog: string;
  readonly size: number;
  readonly position: number;
  readonly currentAt: number;
}

/** Bytes that are on their way to the disk; `null` deletes. */
interface Written {
  readonly bytes: Buffer | null;
}

/**
 * Entries on disk, in a range of a database whose names begin with those of the store and the partition:
 *
 * ```text
 *   k<key>    slot, timestamp, value
 *   p<page>   keys, by slot: a list without gaps, by which entries are gone through without waiting
 *   about     size, position, and which changelog this is
 * ```
 *
 * What is applied is seen at once, and written as one batch behind the one before. After a crash the piece is as some
 * batch left it, with the position of that batch.
 */
export class DiskPiece implements Piece {
  readonly #database: LevelDatabase;
  readonly #prefix: string;
  /** What the names of entries begin with. */
  readonly #keyPrefix: Buffer;
  readonly #changelog: string;
  /** The last bytes of each name that the database may not have yet. */
  readonly #written = new Map<string, Written>();
  #size = 0;
  #position = 0;
  #currentAt = 0;
  /** While a piece that was empty is restored: the keys that it has. */
  #restored: KeyFilter | undefined;
  #last: Promise<void> = Promise.resolve();

  /** `changelog` is the topic's id: what another one left here counts for nothing. */
  constructor(database: LevelDatabase, store: string, partition: number, changelog: string) {
    this.#database = database;
    // Names of stores have no slash.
    this.#prefix = `${store}/${partition}/`;
    this.#keyPrefix = this.#nameOf("k");
    this.#changelog = changelog;
    const bytes = this.#read("about");
    const about = bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as About);
    if (about?.changelog !== changelog) return;
    this.#size = about.size;
    this.#position = about.position;
    this.#currentAt = about.currentAt;
  }

  get size(): number {
    return this.#size;
  }

  get position(): number {
    return this.#position;
  }

  get currentAt(): number {
    return this.#currentAt;
  }

  get(id: string): Entry | undefined {
    const bytes = this.#read(`k${id}`);
    return bytes && entryOf(keyOfId(id), bytes);
  }

  has(id: string): boolean {
    return this.#read(`k${id}`) !== undefined;
  }

  *entries(): IterableIterator<Entry> {
    const size = this.#size;
    const from = { written: new Map(this.#written), snapshot: this.#database.snapshot() };
    try {
      const pages = new KeyPages((page) => this.#read(`p${page}`, from));
      for (let slot = 0; slot < size; slot += 1) {
        const key = pages.get(slot);
        const bytes = key && this.#read(`k${idOf(key)}`, from);
        if (bytes !== undefined) yield entryOf(Buffer.from(key ?? []), bytes);
      }
    } finally {
      void from.snapshot.close();
    }
  }

  async scan(visit: (key: Buffer, timestamp: number) => void): Promise<void> {
    await this.#last;
    const iterator = this.#database.iterator({ gte: this.#nameOf("k"), lt: this.#nameOf("l") });
    const keyFrom = this.#prefix.length + 1;
    try {
      for (;;) {
        const found = await iterator.nextv(scanAtOnce);
        if (found.length === 0) return;
        for (const [name, bytes] of found) visit(Buffer.from(name.subarray(keyFrom)), bytes.readDoubleBE(4));
      }
    } finally {
      await iterator.close();
    }
  }

  apply(writes: readonly Write[], proof?: Proof): Promise<void> {
    this.#restored = undefined;
    return this.#applyAll(writes, proof);
  }

  #applyAll(writes: readonly Write[], proof?: Proof): Promise<void> {
    const batch = new Map<string, Written>();
    const pages = new KeyPages((page) => this.#read(`p${page}`));
    for (const write of writes) this.#apply(write, batch, pages);
    for (const [page, bytes] of pages.changed()) this.#put(`p${page}`, bytes, batch);
    if (proof !== undefined) ({ position: this.#position, currentAt: this.#currentAt } = proof);
    this.#put("about", this.#about(), batch);
    return this.#enqueue(() => this.#write(batch));
  }

  #about(): Buffer {
    const about: About = {
      changelog: this.#changelog,
      size: this.#size,
      position: this.#position,
      currentAt: this.#currentAt,
    };
    return Buffer.from(JSON.stringify(about));
  }

  /**
   * Entries go into the batch at once, without what lets them be seen before that is written. Where the piece was empty,
   * most keys are known to be new, and the database is not asked for them.
   */
  async restore(records: readonly RawRecord[], proof: Proof): Promise<void> {
    for (let last: Promise<void> | undefined; last !== this.#last;) await (last = this.#last);
    if (this.#size === 0) this.#restored ??= new KeyFilter();
    // What a deletion leaves is put in order by `apply`.
    if (records.some(({ size, value }) => size === 0 && value === null))
      await this.#applyRestored(records.flatMap(writeOf), proof);
    else await this.#restore(records, proof);
  }

  clear(): Promise<void> {
    this.#restored = undefined;
    this.#size = 0;
    this.#position = 0;
    this.#currentAt = 0;
    return this.#enqueue(async () => {
      // First: without it whatever a crash leaves behind counts for nothing.
      await this.#database.del(this.#nameOf("about"));
      const [gte, lt] = rangeOf(this.#prefix.slice(0, -1));
      await this.#database.clear({ gte, lt });
    });
  }

  /** Resolves when everything that was applied is on disk. */
  async close(): Promise<void> {
    await this.#last;
  }

  #applyRestored(writes: readonly Write[], proof: Proof): Promise<void> {
    for (const { key } of writes) this.#restored?.add(hashOfBytes(spanOf(key)));
    return this.#applyAll(writes, proof);
  }

  /** Each record has a value, and nothing is on its way to the disk. */
  #restore(records: readonly RawRecord[], proof: Proof): Promise<void> {
    const batch = this.#database.batch();
    const pages = new KeyPages((page) => this.#read(`p${page}`));
    const slots = new Map<string, number>();
    const [key, value] = [spanOf(null), spanOf(null)];
    for (const record of records) {
      if (record.locate === undefined) {
        Object.assign(key, spanOf(record.key));
        Object.assign(value, spanOf(record.value));
      } else record.locate(key, value);
      const name = this.#nameOfKey(key);
      const mayBeThere = this.#restored?.add(hashOfBytes(key)) ?? true;
      const id = key.bytes.toString("latin1", key.start, key.end);
      let slot = mayBeThere ? (slots.get(id) ?? this.#database.getSync(name)?.readUInt32BE(0)) : undefined;
      if (slot === undefined) {
        slot = this.#size;
        this.#size += 1;
        pages.set(slot, name.subarray(this.#prefix.length + 1));
      }
      slots.set(id, slot);
      batch.put(name, valueOf(slot, record.timestamp, value));
    }
    for (const [page, bytes] of pages.changed())
      if (bytes !== null) batch.put(this.#nameOf(`p${page}`), bytes);
    ({ position: this.#position, currentAt: this.#currentAt } = proof);
    batch.put(this.#nameOf("about"), this.#about());
    return this.#enqueue(() => batch.write());
  }

  #apply({ id, key, value, timestamp }: Write, batch: Map<string, Written>, pages: KeyPages): void {
    const before = this.#read(`k${id}`);
    if (value === null) {
      if (before !== undefined) this.#delete(id, before.readUInt32BE(0), batch, pages);
      return;
    }
    const slot = before?.readUInt32BE(0) ?? this.#size;
    if (before === undefined) {
      pages.set(slot, key);
      this.#size += 1;
    }
    this.#put(`k${id}`, valueOf(slot, timestamp, spanOf(value)), batch);
  }

  /** The last entry of the list takes its slot. */
  #delete(id: string, slot: number, batch: Map<string, Written>, pages: KeyPages): void {
    this.#size -= 1;
    const lastKey = pages.get(this.#size);
    const last = lastKey && this.#read(`k${idOf(lastKey)}`);
    pages.cut(this.#size);
    if (slot !== this.#size && lastKey !== undefined && last !== undefined) {
      const moved = Buffer.from(last);
      moved.writeUInt32BE(slot, 0);
      this.#put(`k${idOf(lastKey)}`, moved, batch);
      pages.set(slot, lastKey);
    }
    this.#put(`k${id}`, null, batch);
  }

  #put(name: string, bytes: Buffer | null, batch: Map<string, Written>): void {
    const written = { bytes };
    this.#written.set(name, written);
    batch.set(name, written);
  }

  async #write(batch: ReadonlyMap<string, Written>): Promise<void> {
    const changes = this.#database.batch();
    for (const [name, { bytes }] of batch)
      if (bytes === null) changes.del(this.#nameOf(name));
      else changes.put(this.#nameOf(name), bytes);
    await changes.write();
    for (const [name, written] of batch) if (this.#written.get(name) === written) this.#written.delete(name);
  }

  /** One after the other, and none after one that failed: a batch that is missing would leave wrong numbers. */
  #enqueue(run: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(run);
    return this.#last;
  }

  #read(
    name: string,
    from?: { readonly written: ReadonlyMap<string, Written>; readonly snapshot: LevelSnapshot },
  ): Buffer | undefined {
    const written = (from?.written ?? this.#written).get(name);
    if (written !== undefined) return written.bytes ?? undefined;
    return this.#database.getSync(this.#nameOf(name), from && { snapshot: from.snapshot });
  }

  #nameOf(name: string): Buffer {
    return Buffer.from(this.#prefix + name, "latin1");
  }

  #nameOfKey({ bytes, start, end }: Span): Buffer {
    const name = Buffer.allocUnsafe(this.#keyPrefix.length + end - start);
    this.#keyPrefix.copy(name);
    bytes.copy(name, this.#keyPrefix.length, start, end);
    return name;
  }
}

/** From which name on, and before which, a database has a piece: `piece` is `<store>/<partition>`. */
export function rangeOf(piece: string): readonly [from: Buffer, before: Buffer] {
  // "0" is the character behind "/".
  return [Buffer.from(`${piece}/`, "latin1"), Buffer.from(`${piece}0`, "latin1")];
}

function entryOf(key: Buffer, bytes: Buffer): Entry {
  return { key, value: Buffer.from(bytes.subarray(headerBytes)), timestamp: bytes.readDoubleBE(4) };
}

function valueOf(slot: number, timestamp: number, { bytes, start, end }: Span): Buffer {
  const value = Buffer.allocUnsafe(headerBytes + end - start);
  value.writeUInt32BE(slot, 0);
  value.writeDoubleBE(timestamp, 4);
  bytes.copy(value, headerBytes, start, end);
  return value;
}

function writeOf({ key, value, timestamp }: RawRecord): readonly Write[] {
  return key === null ? [] : [{ id: idOf(key), key, value, timestamp }];
}
