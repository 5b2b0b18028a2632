const fewBytes = 64;

/** One change of a store: an entry set, or deleted where `value` is `null`. */
export interface Write {
  /** The key's bytes as text, one character a byte: what maps of changes are kept by. */
  readonly id: string;
  readonly key: Buffer;
  /** `null` deletes the entry, which is a tombstone in the changelog. */
  readonly value: Buffer | null;
  /** The timestamp of the record that was processed, in milliseconds since the epoch. */
  readonly timestamp: number;
}

/** An entry as a piece of a store holds it. */
export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
  /** The timestamp of the record that wrote it last, in milliseconds since the epoch. */
  readonly timestamp: number;
}

/** An entry that was found by its id: most who look for one want no key. The value is whoever's who asked. */
export class FoundEntry implements Entry {
  readonly #id: string;
  readonly value: Buffer;
  readonly timestamp: number;

  constructor(id: string, value: Buffer, timestamp: number) {
    this.#id = id;
    this.value = value;
    this.timestamp = timestamp;
  }

  get key(): Buffer {
    return keyOfId(this.#id);
  }
}

/** A few bytes are copied sooner than the call of the function that copies many. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > fewBytes) from.copy(to, at, start, end);
  else for (let index = start; index < end; index += 1) to[at + index - start] = from[index] ?? 0;
}

/** Bytes of their own. */
export function copyOf(bytes: Buffer, start = 0, end = bytes.length): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  copyBytes(bytes, start, end, copy, 0);
  return copy;
}

/** The id of a key. */
export function idOf(key: Buffer): string {
  return key.toString("latin1");
}

/** The key of an id. */
export function keyOfId(id: string): Buffer {
  return Buffer.from(id, "latin1");
}
