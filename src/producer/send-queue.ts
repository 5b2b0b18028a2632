import { nativeCodes } from "../driver/native-errors.js";
import type { KafkaError } from "../errors.js";
import type { EncodedRecord } from "../record.js";
import { InFlight } from "./in-flight.js";
import type { SendCall } from "./send-call.js";

/** How many records of one call are sent before the next call has its turn. */
export const turnRecords = 1_000;

/**
 * What passing one record to the native client came to: `queued` (it is on its way and will be reported), `full`
 * (the native queue is full: the same record again later), `held` (the whole call leaves the queue and will be
 * added again), or why it will not be sent.
 */
export type ProduceOutcome = "queued" | "full" | "held" | KafkaError;

/**
 * The window: which records of which calls are sent when, and whose record a report is about. No I/O of its own.
 *
 * Calls are served in the order they came. One of more than {@link turnRecords} records goes to the end of
 * the queue after each turn, so that it delays the others by a turn and not by its length.
 */
export class SendQueue {
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  readonly #produce: (call: SendCall, record: EncodedRecord, tag: number) => ProduceOutcome;
  readonly #inFlight = new InFlight();
  #first: SendCall | undefined;
  #last: SendCall | undefined;
  #waiting = 0;
  #waitingCalls = 0;
  /** How many records the first call has sent in its turn, which may go on over several pumps. */
  #turnCount = 0;

  constructor(
    limits: { readonly maxRecords: number; readonly maxBytes: number },
    produce: (call: SendCall, record: EncodedRecord, tag: number) => ProduceOutcome,
  ) {
    this.#maxRecords = limits.maxRecords;
    this.#maxBytes = limits.maxBytes;
    this.#produce = produce;
  }

  /** How many records wait to be sent. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many records are on their way. */
  get inFlight(): number {
    return this.#inFlight.records;
  }

  /** How many calls are in work: what gathering their records into larger requests can gain depends on it. */
  get load(): number {
    return this.#waitingCalls + this.#inFlight.begunCalls;
  }

  add(call: SendCall): void {
    this.#waiting += call.remaining;
    this.#append(call);
  }

  /** Puts calls that were set aside back, in their order, in front of those that came after them. */
  addFirst(calls: readonly SendCall[]): void {
    for (const call of calls.toReversed()) {
      this.#waiting += call.remaining;
      this.#waitingCalls += 1;
      call.after = this.#first;
      this.#first = call;
      this.#last ??= call;
      this.#turnCount = 0;
    }
  }

  /** Sends what the window has capacity for. `false`: the native queue was full, ask again a little later. */
  pump(): boolean {
    for (let call = this.#first; call !== undefined; call = this.#first) {
      const outcome = this.#turn(call);
      if (outcome === "full") return false;
      if (outcome === "window full") return true;
      this.#turnCount = 0;
      this.#first = call.after;
      if (this.#first === undefined) this.#last = undefined;
      call.after = undefined;
      this.#waitingCalls -= 1;
      if (outcome === "turn over") this.#append(call);
      else this.#waiting -= call.remaining;
    }
    return true;
  }

  /** The record of this tag was written. A tag that is not in use is ignored. */
  written(tag: unknown, partition: number, offset: number, timestamp: number): void {
    const call = this.#inFlight.callOf(tag);
    call?.written(this.#inFlight.remove(tag as number), { topic: call.topic, partition, offset, timestamp });
  }

  /** The record of this tag was refused (`failed`), or may or may not have been written (`unknown`). */
  lost(tag: unknown, status: "failed" | "unknown", errorOf: (topic: string) => KafkaError): void {
    const call = this.#inFlight.callOf(tag);
    call?.lost(this.#inFlight.remove(tag as number), status, errorOf(call.topic));
  }

  /**
   * Why the record of this tag was refused, of which the native client says `code`: it reports a refused timestamp
   * for every record of the batch, and only one that names a timestamp can be meant.
   */
  reasonOf(tag: unknown, code: number): number {
    if (code !== nativeCodes.invalidTimestamp) return code;
    const isMeant = this.#inFlight.callOf(tag)?.namesTimestamp(this.#inFlight.indexOf(tag as number));
    return isMeant === true ? code : nativeCodes.invalidDifferentRecord;
  }

  /** Calls that have waited since before `time` without a record sent, by the clock they were made with. */
  waitingSince(time: number): SendCall[] {
    const overdue: SendCall[] = [];
    for (let call = this.#first; call !== undefined; call = call.after) {
      // Those that have had a turn stand at the end again, whatever their age: the others are in order.
      if (call.next > 0 || call.isSettled) continue;
      if (call.since >= time) break;
      overdue.push(call);
    }
    return overdue;
  }

  /** Forgets the calls that failed while they waited. */
  sweep(): void {
    let call = this.#first;
    if (call?.isSettled === true) this.#turnCount = 0;
    this.#first = undefined;
    this.#last = undefined;
    while (call !== undefined) {
      const { after } = call;
      call.after = undefined;
      this.#waitingCalls -= 1;
      if (call.isSettled) this.#waiting -= call.remaining;
      else this.#append(call);
      call = after;
    }
  }

  /** Every call that waits or has records on their way. */
  calls(): Set<SendCall> {
    const calls = this.#inFlight.calls();
    for (let call = this.#first; call !== undefined; call = call.after) calls.add(call);
    return calls;
  }

  #append(call: SendCall): void {
    if (this.#last === undefined) this.#first = call;
    else this.#last.after = call;
    this.#last = call;
    this.#waitingCalls += 1;
  }

  #turn(call: SendCall): "done" | "turn over" | "window full" | "full" {
    for (; this.#turnCount < turnRecords; this.#turnCount += 1) {
      const record = call.peek();
      if (record === undefined) return "done";
      if (!this.#hasCapacityFor(record.size)) return "window full";
      const tag = this.#inFlight.add(call, call.next, record.size);
      const outcome = this.#produce(call, record, tag);
      if (outcome === "queued") {
        this.#waiting -= 1;
        call.sent();
        continue;
      }
      this.#inFlight.remove(tag);
      if (outcome === "full") return "full";
      if (outcome === "held") return "done";
      this.#waiting -= 1;
      call.refused(outcome);
    }
    return call.peek() === undefined ? "done" : "turn over";
  }

  /** A record larger than the whole window goes alone. */
  #hasCapacityFor(size: number): boolean {
    const { records, bytes } = this.#inFlight;
    return records === 0 || (records < this.#maxRecords && bytes + size <= this.#maxBytes);
  }
}
