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

/** The id of a key. */
export function idOf(key: Buffer): string {
  return key.toString("latin1");
}

/** The key of an id. */
export function keyOfId(id: string): Buffer {
  return Buffer.from(id, "latin1");
}
