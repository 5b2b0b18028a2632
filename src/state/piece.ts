import type { Entry, Write } from "./write.js";

/**
 * The committed entries of one partition of a store. Reading is synchronous, so that no handler waits for its own
 * state. Whoever gets an entry may keep and change its buffers.
 */
export interface Piece {
  /** How many entries there are. */
  readonly size: number;
  readonly get: (id: string) => Entry | undefined;
  readonly has: (id: string) => boolean;
  /**
   * All entries, in no particular order. An entry that is there from the beginning to the end comes once; one that
   * is written meanwhile comes once or not at all.
   */
  readonly entries: () => IterableIterator<Entry>;
  /**
   * Applies committed changes. A piece on disk gives a promise: until it resolves, `get` may still give what was
   * there before.
   */
  readonly apply: (writes: readonly Write[]) => Promise<void> | undefined;
  /** Forgets every entry, for a restore from the beginning. */
  readonly clear: () => Promise<void> | undefined;
  readonly close: () => Promise<void> | undefined;
}
