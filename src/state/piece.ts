import type { Entry, Write } from "./write.js";

/**
 * The committed entries of one partition of a store. Reading is synchronous, so that no handler waits for its own
 * state. Whoever gets an entry may keep and change its buffers.
 */
export interface Piece {
  /** How many entries there are. */
  readonly size: number;
  /** What the changelog has below this offset is in the piece. What is above it may be as well. */
  readonly position: number;
  /** When something was applied last, in milliseconds since the epoch; 0 where nothing was. */
  readonly appliedAt: number;
  readonly get: (id: string) => Entry | undefined;
  readonly has: (id: string) => boolean;
  /**
   * All entries, in no particular order. An entry that is there from the beginning to the end comes once; one that
   * is written meanwhile comes once or not at all.
   */
  readonly entries: () => IterableIterator<Entry>;
  /** Tells all keys with the time of their last write, and lets other work go on meanwhile. Nothing is written until it resolves. */
  readonly scan: (visit: (key: Buffer, timestamp: number) => void) => Promise<void>;
  /**
   * Applies committed changes, which are seen at once, and the position that they bring, absent: the same as before. A
   * piece on disk gives a promise: until it resolves, a crash takes all of them back together.
   */
  readonly apply: (writes: readonly Write[], position?: number) => Promise<void> | undefined;
  /** Forgets every entry, for a restore from the beginning. Nothing is read until it resolves. */
  readonly clear: () => Promise<void> | undefined;
  readonly close: () => Promise<void> | undefined;
}
