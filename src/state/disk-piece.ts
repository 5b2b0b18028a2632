import { type RawRecord, type Span, spanOf } from "../record.js";
import type { Turns } from "../waiting.js";
import { DiskChanges } from "./disk-changes.js";
import { entryBytes, entryOf, slotOf, timestampOf } from "./disk-entry.js";
import { KeyFilter } from "./key-filter.js";
import { hashOfBytes } from "./key-hash.js";
import type { LevelDatabase, LevelSnapshot } from "./level.js";
import { KeyPages } from "./key-pages.js";
import type { Piece, Proof } from "./piece.js";
import { type Entry, idOf, keyOfId, type Write } from "./write.js";

const scanAtOnce = 1_000;
const none: ReadonlyMap<string, Buffer | null> = new Map();

/** What a piece says of itself, written in the same batch as the entries. */
interface About {
  /** The id of the changelog, as brokers know it: one that was deleted and made anew has another. */
  readonly changelog: string;
  readonly size: number;
  readonly position: number;
  readonly currentAt: number;
}

/** What the pieces of one database share. */
export interface SharedByPieces {
  readonly database: LevelDatabase;
  readonly turns: Turns;
  /** How many slots each piece may remember of entries that were looked for and may be changed next. */
  readonly maxKnownSlots: () => number;
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
 * What is applied is written as one batch, behind the one before. After a crash the piece is as some batch left it, with
 * the position of that batch.
 */
export class DiskPiece implements Piece {
  readonly #database: LevelDatabase;
  readonly #turns: Turns;
  readonly #prefix: string;
  /** What the names of entries begin with. */
  readonly #keyPrefix: Buffer;
  readonly #changelog: string;
  /** The batch that the database may not have yet. */
  #written = none;
  /**
   * Which slot an entry has that was looked for, `undefined` where there is no such entry: whoever changes one has mostly
   * asked for it, and a look into the database takes more time than all the rest of a change.
   */
  readonly #knownSlots = new Map<string, number | undefined>();
  readonly #maxKnownSlots: () => number;
  #size = 0;
  #position = 0;
  #currentAt = 0;
  /** While a piece that was empty is restored: the keys that it has. */
  #restored: KeyFilter | undefined;
  #last: Promise<void> = Promise.resolve();

  /** `changelog` is the topic's id: what another one left here counts for nothing. */
  constructor(shared: SharedByPieces, store: string, partition: number, changelog: string) {
    this.#database = shared.database;
    this.#turns = shared.turns;
    this.#maxKnownSlots = shared.maxKnownSlots;
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
    const bytes = this.#entry(id);
    return bytes && entryOf(keyOfId(id), bytes);
  }

  has(id: string): boolean {
    return this.#slotOf(id) !== undefined;
  }

  *entries(): IterableIterator<Entry> {
    const size = this.#size;
    const from = { written: this.#written, snapshot: this.#database.snapshot() };
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
        for (const [name, bytes] of found) visit(Buffer.from(name.subarray(keyFrom)), timestampOf(bytes));
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
    return this.#enqueue(async () => {
      const changes = new DiskChanges({
        size: this.#size,
        read: (name) => this.#read(name),
        slotOf: (id) => this.#slotOf(id),
      });
      const batch = this.#database.batch();
      for (const write of writes) {
        if (this.#turns.isOver) await this.#turns.next();
        changes.add(write);
      }
      changes.end();
      for (const [name, bytes] of changes.written) {
        if (this.#turns.isOver) await this.#turns.next();
        if (bytes === null) batch.del(this.#nameOf(name));
        else batch.put(this.#nameOf(name), bytes);
      }
      // From here on all of it is seen.
      this.#size = changes.size;
      if (proof !== undefined) ({ position: this.#position, currentAt: this.#currentAt } = proof);
      this.#written = changes.written;
      this.#knownSlots.clear();
      batch.put(this.#nameOf("about"), this.#about());
      await batch.write();
      this.#written = none;
    });
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
    return this.#enqueue(async () => {
      this.#restored = undefined;
      this.#size = 0;
      this.#position = 0;
      this.#currentAt = 0;
      this.#knownSlots.clear();
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
    this.#knownSlots.clear();
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
      batch.put(name, entryBytes(slot, record.timestamp, value));
    }
    for (const [page, bytes] of pages.changed())
      if (bytes !== null) batch.put(this.#nameOf(`p${page}`), bytes);
    ({ position: this.#position, currentAt: this.#currentAt } = proof);
    batch.put(this.#nameOf("about"), this.#about());
    return this.#enqueue(() => batch.write());
  }

  /** One after the other, and none after one that failed: a batch that is missing would leave wrong numbers. */
  #enqueue(run: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(run);
    return this.#last;
  }

  #entry(id: string): Buffer | undefined {
    const bytes = this.#read(`k${id}`);
    if (this.#knownSlots.size >= this.#maxKnownSlots()) this.#knownSlots.clear();
    this.#knownSlots.set(id, bytes && slotOf(bytes));
    return bytes;
  }

  #slotOf(id: string): number | undefined {
    if (!this.#knownSlots.has(id)) this.#entry(id);
    return this.#knownSlots.get(id);
  }

  #read(
    name: string,
    from?: { readonly written: ReadonlyMap<string, Buffer | null>; readonly snapshot: LevelSnapshot },
  ): Buffer | undefined {
    const written = (from?.written ?? this.#written).get(name);
    if (written !== undefined) return written ?? undefined;
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

function writeOf({ key, value, timestamp }: RawRecord): readonly Write[] {
  return key === null ? [] : [{ id: idOf(key), key, value, timestamp }];
}
