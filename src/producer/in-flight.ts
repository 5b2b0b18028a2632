import type { SendCall } from "./send-call.js";

/** A record on its way: the call it belongs to, and its place there. */
export interface InFlightRecord {
  readonly call: SendCall;
  readonly index: number;
  /** In bytes. */
  readonly size: number;
}

/**
 * The records handed to the native client and not reported yet, by the number (the tag) that each is handed
 * over and reported with. Numbers are used again: there are never more than records were on their way at
 * once, and the native side holds small integers, which cost its garbage-collected handles nothing.
 */
export class InFlight {
  readonly #slots: (InFlightRecord | undefined)[] = [];
  readonly #free: number[] = [];
  #bytes = 0;
  #begunCalls = 0;

  get records(): number {
    return this.#slots.length - this.#free.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many calls have their first record here: all that are on their way, but for large ones. */
  get begunCalls(): number {
    return this.#begunCalls;
  }

  /** Returns the tag to hand the record over with. */
  add(record: InFlightRecord): number {
    const tag = this.#free.pop() ?? this.#slots.length;
    this.#slots[tag] = record;
    this.#bytes += record.size;
    if (record.index === 0) this.#begunCalls += 1;
    return tag;
  }

  /** Frees the tag and returns whose it was; `undefined` for a tag that is not in use. */
  remove(tag: unknown): InFlightRecord | undefined {
    const record = typeof tag === "number" ? this.#slots[tag] : undefined;
    if (record === undefined) return undefined;
    this.#slots[tag as number] = undefined;
    this.#free.push(tag as number);
    this.#bytes -= record.size;
    if (record.index === 0) this.#begunCalls -= 1;
    return record;
  }

  /** The calls that have records here. */
  calls(): Set<SendCall> {
    return new Set(this.#slots.flatMap((record) => (record === undefined ? [] : [record.call])));
  }
}
