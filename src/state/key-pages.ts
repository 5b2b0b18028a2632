/** How many keys are in a page. */
const pageKeys = 64;
/** In front of each key: its length. */
const lengthBytes = 4;

/** A list of keys as it is on disk: in pages, each of which is read and written as a whole. */
export class KeyPages {
  readonly #read: (page: number) => Buffer | undefined;
  readonly #pages = new Map<number, Buffer[]>();
  readonly #changed = new Set<number>();
  #last: { readonly page: number; readonly keys: Buffer[] } | undefined;

  constructor(read: (page: number) => Buffer | undefined) {
    this.#read = read;
  }

  get(slot: number): Buffer | undefined {
    return this.#keysOf(pageOf(slot))[slot % pageKeys];
  }

  /** Replaces a key, or adds one behind the last. */
  set(slot: number, key: Buffer): void {
    this.#change(pageOf(slot))[slot % pageKeys] = key;
  }

  /** Removes the last key, of this slot. */
  cut(slot: number): void {
    this.#change(pageOf(slot)).length = slot % pageKeys;
  }

  /** The pages that differ from what was read; `null` for one without keys. */
  *changed(): IterableIterator<readonly [page: number, bytes: Buffer | null]> {
    for (const page of this.#changed) {
      const keys = this.#pages.get(page) ?? [];
      yield [page, keys.length === 0 ? null : encode(keys)];
    }
  }

  #change(page: number): Buffer[] {
    let keys = this.#pages.get(page);
    if (keys === undefined) this.#pages.set(page, (keys = this.#keysOf(page)));
    this.#changed.add(page);
    return keys;
  }

  /** A page that is only read is kept until the next one. */
  #keysOf(page: number): Buffer[] {
    const known = this.#pages.get(page);
    if (known !== undefined) return known;
    if (this.#last?.page !== page) this.#last = { page, keys: decode(this.#read(page)) };
    return this.#last.keys;
  }
}

function pageOf(slot: number): number {
  return Math.floor(slot / pageKeys);
}

function encode(keys: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafe(keys.reduce((sum, { length }) => sum + lengthBytes + length, 0));
  let at = 0;
  for (const key of keys) {
    at = bytes.writeUInt32BE(key.length, at);
    at += key.copy(bytes, at);
  }
  return bytes;
}

function decode(bytes: Buffer | undefined): Buffer[] {
  const keys: Buffer[] = [];
  for (let at = 0; bytes !== undefined && at < bytes.length;) {
    const from = at + lengthBytes;
    at = from + bytes.readUInt32BE(at);
    keys.push(bytes.subarray(from, at));
  }
  return keys;
}
