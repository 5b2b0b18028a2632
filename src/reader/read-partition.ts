import type { RawRecord } from "../record.js";

/** A slice of a fetched array, `[from, to)`: nothing is copied. */
export interface RecordSlice {
  readonly records: readonly RawRecord[];
  from: number;
  readonly to: number;
}

/** The part of a partition that is read: `[from, to)`, and how far it is. Pure. */
export class ReadPartition {
  readonly topic: string;
  readonly partition: number;
  /** The first offset wanted. */
  readonly from: number;
  /** The offset to stop before; infinite while following. */
  readonly to: number;
  /** What was there at the start: the offset to stop before, or the end of the log where there is none. */
  readonly goal: number;
  /** The next offset of the log that has not been fetched: before `from` where the log does not reach that far yet. */
  #position: number;
  #atEnd = false;
  /** Not fetched for now. */
  held = false;

  constructor(range: {
    readonly topic: string;
    readonly partition: number;
    readonly from: number;
    readonly to: number;
    readonly goal: number;
  }) {
    this.topic = range.topic;
    this.partition = range.partition;
    this.from = range.from;
    this.to = range.to;
    this.goal = range.goal;
    this.#position = Math.min(range.from, range.goal);
  }

  get position(): number {
    return this.#position;
  }

  /** Nothing more of it is wanted. */
  get done(): boolean {
    return Math.max(this.#position, this.from) >= this.to;
  }

  /** Nothing more of it is in the log for now. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /** Something of what was there at the start has not arrived yet. */
  get behind(): boolean {
    return this.#position < this.goal;
  }

  /**
   * Takes a slice of this partition's records as far as it is wanted. What was taken before is passed
   * over: the native client fetches again what it had ahead of a pause.
   */
  accept({ records, from, to }: RecordSlice): RecordSlice | undefined {
    const wanted = Math.max(this.#position, this.from);
    const after = Math.min(this.to, offsetAt(records, to - 1) + 1);
    if (after > this.#position) {
      this.#position = after;
      this.#atEnd = false;
    }
    let begin = from;
    while (begin < to && offsetAt(records, begin) < wanted) begin += 1;
    let end = to;
    while (end > begin && offsetAt(records, end - 1) >= this.to) end -= 1;
    return begin === end ? undefined : { records, from: begin, to: end };
  }

  /** The end of the log was met at `offset`; records before it that never came are not there. */
  reachedEnd(offset: number): void {
    this.#atEnd = offset >= this.#position;
    if (this.#atEnd) this.#position = offset;
  }
}

function offsetAt(records: readonly RawRecord[], index: number): number {
  return records[index]?.offset ?? 0;
}
