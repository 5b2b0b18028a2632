import type { RawRecord } from "../record.js";
import type { ReadPartition, Stretch } from "./read-partition.js";

/** Decides which of the fetched records is handed over next. */
export interface Outlet {
  /** How many records wait. */
  readonly waiting: number;
  readonly add: (partition: ReadPartition, stretch: Stretch) => void;
  /** The next record; `undefined` where more has to be fetched before one can be chosen. */
  readonly take: () => RawRecord | undefined;
  /** Partitions of which too much waits, while others have nothing: they are not to be fetched for now. */
  readonly full: (partition: ReadPartition) => boolean;
}

/** Records in the order in which they arrive. */
export class ArrivalOutlet implements Outlet {
  readonly #stretches: Stretch[] = [];
  #records: readonly RawRecord[] = [];
  #next = 0;
  #end = 0;

  get waiting(): number {
    let waiting = this.#end - this.#next;
    for (const { from, to } of this.#stretches) waiting += to - from;
    return waiting;
  }

  add = (_partition: ReadPartition, stretch: Stretch): void => {
    this.#stretches.push(stretch);
  };

  take = (): RawRecord | undefined => {
    if (this.#next === this.#end) {
      const stretch = this.#stretches.shift();
      if (stretch === undefined) return undefined;
      this.#records = stretch.records;
      this.#next = stretch.from;
      this.#end = stretch.to;
    }
    const record = this.#records[this.#next];
    this.#next += 1;
    return record;
  };

  /** One fetch is handed over before the next is taken in, so nothing piles up. */
  full = (): boolean => false;
}
