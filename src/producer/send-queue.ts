import { nativeCodes } from "../driver/native-errors.js";
import type { Refused } from "../driver/native-producer.js";
import type { KafkaError } from "../errors.js";
import type { EncodedRecord } from "../record.js";
import { InFlight } from "./in-flight.js";
import type { SendCall } from "./send-call.js";

/** How many records of one call are sent before the next call has its turn, and how many are passed on at once. */
export const turnRecords = 1_000;

/**
 * Why records stay where they are: `full` (the native queue is full: the same again later), `held` (the whole call
 * leaves the queue and will be added again), or why a record will not be sent.
 */
export type Hindrance = "full" | "held" | KafkaError;

/** Where records go. */
export interface SendTarget {
  /** What keeps the records of this call from being sent now, if anything. */
  readonly hindrance: (call: SendCall) => "held" | KafkaError | undefined;
  /** Passes records of one topic to the native client: those that it queues are on their way and will be reported. */
  readonly produce: (
    topic: string,
    records: readonly EncodedRecord[],
    tags: readonly number[],
  ) => Refused | undefined;
  /** What becomes of a record that the native client refused with `code`, and of its call. */
  readonly refused: (call: SendCall, record: EncodedRecord, code: number) => Hindrance;
}

/**
 * The window: which records of which calls are sent when, and whose record a report is about. No I/O of its own.
 *
 * Calls are served in the order they came. One of more than {@link turnRecords} records goes to the end of
 * the queue after each turn, so that it delays the others by a turn and not by its length. The records of calls that
 * follow each other go to the native client together.
 */
export class SendQueue {
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  readonly #target: SendTarget;
  readonly #inFlight = new InFlight();
  #first: SendCall | undefined;
  #last: SendCall | undefined;
  #waiting = 0;
  /** How many records the first call has sent in its turn, which may go on over several pumps. */
  #turnCount = 0;
  /** What is passed on together: records with their tags, and how many of them are of which call. */
  #records: EncodedRecord[] = [];
  #tags: number[] = [];
  #calls: SendCall[] = [];
  #counts: number[] = [];
  /** How many records are gathered: less after one was refused, whose fate the others may share. */
  #gatherLimit = turnRecords;

  constructor(limits: { readonly maxRecords: number; readonly maxBytes: number }, target: SendTarget) {
    this.#maxRecords = limits.maxRecords;
    this.#maxBytes = limits.maxBytes;
    this.#target = target;
  }

  /** How many records wait to be sent. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many records are on their way. */
  get inFlight(): number {
    return this.#inFlight.records;
  }

  add(call: SendCall): void {
    this.#waiting += call.remaining;
    this.#append(call);
  }

  /** Puts calls that were set aside back, in their order, in front of those that came after them. */
  addFirst(calls: readonly SendCall[]): void {
    for (const call of calls.toReversed()) {
      this.#waiting += call.remaining;
      call.after = this.#first;
      this.#first = call;
      this.#last ??= call;
      this.#turnCount = 0;
    }
  }

  /** Sends what the window has capacity for. `false`: the native queue was full, ask again a little later. */
  pump(): boolean {
    for (let call = this.#first; call !== undefined; call = this.#first) {
      const hindrance = call.peek() === undefined ? undefined : this.#target.hindrance(call);
      if (hindrance !== undefined) {
        this.#hinder(call, hindrance);
        continue;
      }
      if (!this.#gather(call)) return true;
      const refused =
        this.#records.length === 0 ? undefined : this.#target.produce(call.topic, this.#records, this.#tags);
      if (!this.#passed(refused)) return false;
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
  }

  /**
   * Gathers records of calls to one topic, beginning with the first call, as far as the window, the turns of the
   * calls and the limit allow. `false` where there is no capacity for the next record.
   */
  #gather(first: SendCall): boolean {
    this.#records.length = 0;
    this.#tags.length = 0;
    this.#calls.length = 0;
    this.#counts.length = 0;
    let turnCount = this.#turnCount;
    for (
      let call: SendCall | undefined = first;
      call !== undefined && call.topic === first.topic;
      call = call.after
    ) {
      const count = this.#gatherOf(call, turnRecords - turnCount);
      this.#calls.push(call);
      this.#counts.push(count);
      if (call.peek(count) !== undefined) break;
      turnCount = 0;
    }
    return this.#records.length > 0 || first.peek() === undefined;
  }

  /** Gathers up to `most` records of a call, and returns how many. */
  #gatherOf(call: SendCall, most: number): number {
    let count = 0;
    for (; count < most && this.#records.length < this.#gatherLimit; count += 1) {
      const record = call.peek(count);
      if (record === undefined || !this.#hasCapacityFor(record.size)) break;
      this.#tags.push(this.#inFlight.add(call, call.next + count, record.size));
      this.#records.push(record);
    }
    return count;
  }

  /** Notes what became of what was gathered. `false`: the native queue is full. */
  #passed(refused: Refused | undefined): boolean {
    this.#gatherLimit = refused === undefined ? Math.min(turnRecords, 2 * this.#gatherLimit) : 1;
    let left = refused?.queued ?? this.#records.length;
    for (let at = this.#tags.length - 1; at >= left; at -= 1) this.#inFlight.remove(this.#tags[at] ?? 0);
    for (const [index, call] of this.#calls.entries()) {
      const count = this.#counts[index] ?? 0;
      const sent = Math.min(left, count);
      left -= sent;
      this.#waiting -= sent;
      this.#turnCount += sent;
      call.sent(sent);
      const record = call.peek();
      if (refused !== undefined && sent < count && record !== undefined)
        return this.#hinder(call, this.#target.refused(call, record, refused.code));
      if (record === undefined) this.#leave(call);
      else if (this.#turnCount >= turnRecords) {
        this.#leave(call);
        this.#append(call);
        this.#waiting += call.remaining;
      }
    }
    return true;
  }

  /** The first record of the first call is not sent now. `false` where nothing is, because the native queue is full. */
  #hinder(call: SendCall, hindrance: Hindrance): boolean {
    if (hindrance === "full") return false;
    if (hindrance !== "held") {
      this.#waiting -= 1;
      call.refused(hindrance);
    }
    this.#leave(call);
    return true;
  }

  /** The first call leaves the queue, with what has not been sent of it. */
  #leave(call: SendCall): void {
    this.#turnCount = 0;
    this.#first = call.after;
    if (this.#first === undefined) this.#last = undefined;
    call.after = undefined;
    this.#waiting -= call.remaining;
  }

  /** A record larger than the whole window goes alone. */
  #hasCapacityFor(size: number): boolean {
    const { records, bytes } = this.#inFlight;
    return records === 0 || (records < this.#maxRecords && bytes + size <= this.#maxBytes);
  }
}
