import type { RawRecord } from "../record.js";
import type { Entry, Write } from "./write.js";

/** How far a changelog is in a piece. */
export interface Proof {
  /** Everything below this offset is. */
  readonly position: number;
  /**
   * By when: at this time the changelog ended at `position`, or, while it is read from its start, that began. In
   * milliseconds since the epoch. What was deleted later has its tombstone behind `position`, for as long as they are kept.
   */
  readonly currentAt: number;
}

/**
 * The committed entries of one partition of a store. Reading is synchronous, so that no handler waits for its own
 * state. Whoever gets an entry may keep and change its buffers.
 */
export interface Piece {
  /** How many entries there are. */
  readonly size: number;
  /** What the changelog has below this offset is in the piece. What is above it may be as well. */
  readonly position: number;
  /** Since when, in milliseconds since the epoch, the changelog may have more: see {@link Proof}. 0 where nothing was applied. */
  readonly currentAt: number;
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
   * Applies committed changes, and how far the changelog is in the piece by then, absent: as far as before. They are seen
   * at once. A piece on disk gives a promise: by the time it resolves they are seen, all from the same moment on, and until
   * then a crash takes all of them back together.
   */
  readonly apply: (writes: readonly Write[], proof?: Proof) => Promise<void> | undefined;
  /** As `apply`, with records of the changelog. Each has a key. */
  readonly restore: (records: readonly RawRecord[], proof: Proof) => Promise<void> | undefined;
  /** Forgets every entry, for a restore from the beginning. Nothing is read until it resolves. */
  readonly clear: () => Promise<void> | undefined;
  readonly close: () => Promise<void> | undefined;
}
