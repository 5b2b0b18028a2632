import type { SendCall } from "./send-call.js";

/**
 * The records that the native client has and has not reported yet, by the number (the tag) that each is sent and
 * reported with. Numbers are reused: there are never more than records were on their way at
 * once, and the native side holds small integers, which cost its garbage-collected handles nothing.
 */
export class InFlight {
  // An array each, not an object a record: that is less for the garbage collector, at a million a second.
  readonly #calls: (SendCall | undefined)[] = [];
  readonly #indexes: number[] = [];
  readonly #sizes: number[] = [];
  readonly #free: number[] = [];
  #bytes = 0;

  get records(): number {
    return this.#calls.length - this.#free.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the tag to send the record with. `size` in bytes. */
  add(call: SendCall, index: number, size: number): number {
    const tag = this.#free.pop() ?? this.#calls.length;
    this.#calls[tag] = call;
    this.#indexes[tag] = index;
    this.#sizes[tag] = size;
    this.#bytes += size;
    return tag;
  }

  /** The call whose record has this tag; `undefined` for a tag that is not in use. */
  callOf(tag: unknown): SendCall | undefined {
    return typeof tag === "number" ? this.#calls[tag] : undefined;
  }

  /** The index, in its call, of the record with a tag that is in use. */
  indexOf(tag: number): number {
    return this.#indexes[tag] ?? 0;
  }

  /** Frees a tag that is in use and returns its record's index in the call. */
  remove(tag: number): number {
    const index = this.#indexes[tag] ?? 0;
    this.#calls[tag] = undefined;
    this.#free.push(tag);
    this.#bytes -= this.#sizes[tag] ?? 0;
    return index;
  }

  /** The calls that have records here. */
  calls(): Set<SendCall> {
    return new Set(this.#calls.filter((call) => call !== undefined));
  }
}
