import type { RawRecord } from "../record.js";
import type { ReadPartition, RecordSlice } from "./read-partition.js";

/** Decides which of the fetched records is delivered next. */
export interface ReadOrder {
  /** How many records wait. */
  readonly waiting: number;
  readonly add: (partition: ReadPartition, slice: RecordSlice) => void;
  /** The next record; `undefined` where more has to be fetched before one can be chosen. */
  readonly take: () => RawRecord | undefined;
  /** Partitions of which too much waits, while others have nothing: they are not to be fetched for now. */
  readonly full: (partition: ReadPartition) => boolean;
}

/** Records in the order in which they arrive. */
export class ArrivalOrder implements ReadOrder {
  readonly #slices: RecordSlice[] = [];
  #records: readonly RawRecord[] = [];
  #next = 0;
  #end = 0;

  get waiting(): number {
    let waiting = this.#end - this.#next;
    for (const { from, to } of this.#slices) waiting += to - from;
    return waiting;
  }

  add = (_partition: ReadPartition, slice: RecordSlice): void => {
    this.#slices.push(slice);
  };

  take = (): RawRecord | undefined => {
    if (this.#next === this.#end) {
      const slice = this.#slices.shift();
      if (slice === undefined) {
        // What was taken is not kept in memory until more comes.
        this.#records = [];
        this.#next = this.#end = 0;
        return undefined;
      }
      this.#records = slice.records;
      this.#next = slice.from;
      this.#end = slice.to;
    }
    const record = this.#records[this.#next];
    this.#next += 1;
    return record;
  };

  /** One fetch is delivered before the next is taken in, so nothing piles up. */
  full = (): boolean => false;
}
