import { KafkaError } from "../errors.js";
import type { RawRecord } from "../record.js";
import { OffsetTracker } from "./offset-tracker.js";
import { deferred, maxTimerMs } from "../waiting.js";
import type { TopicPartition } from "../offsets.js";
import { type FetchedRecords, RecordQueue } from "./record-queue.js";

/** A request, with its repetitions, is answered or given up before. */
const goesBackWithinMs = 120_000;

/** Keeps the records of a partition back until their time comes: those of a retry topic. */
export interface Delay {
  /** When the record may be delivered, in milliseconds since the epoch. */
  readonly dueAt: (record: RawRecord) => number;
  /** The next record may be delivered. */
  readonly onDue: (partition: OwnedPartition) => void;
}

/**
 * A partition while it is assigned to this member: what is fetched, what runs, and what may be committed.
 * Others change it by its verbs alone.
 */
export class OwnedPartition implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly queue = new RecordQueue();
  /** Aborts when the partition is lost, or when the time to finish gracefully is over. */
  readonly #abort = new AbortController();
  #tracker = new OffsetTracker();
  #active = 0;
  #whenIdle: (() => void)[] = [];
  #seeks = 0;
  #paused = false;
  /** Where it begins, if the user says so, or it was found out because the group had committed nothing. */
  #begin: number | undefined;
  #movedTo: number | undefined;
  /** It has moved, and no record has finished since. */
  #hasMoved = false;
  /** When it moved last, by `performance.now`. */
  #movedAt = -Infinity;
  /** What may be committed until a record has finished since the last move, or since the beginning. */
  #before: number | undefined;
  #position: number | undefined;
  #committed: number | undefined;
  #moves = 0;
  #generation = 0;
  #releasing = false;
  #gone = false;
  /** How many are finding out where to move it to. */
  #holds = 0;
  #pausedNatively = false;
  #throttled = false;
  #transacting = false;
  readonly #delay: Delay | undefined;
  /** Runs while the next record is kept back until its time comes. */
  #early: NodeJS.Timeout | undefined;
  /** Records in hand that wait for a time. */
  readonly #sleeping = new Set<() => void>();
  /** Records in hand that wait for the end of a pause. */
  readonly #pausing = new Set<() => void>();
  /** Records in hand that wait until all before them are finished, by offset. */
  readonly #queueing = new Map<number, () => void>();

  /** @param begin - where it begins, if that was found out because the group had committed nothing */
  constructor({ topic, partition }: TopicPartition, delay?: Delay, begin?: number) {
    this.topic = topic;
    this.partition = partition;
    this.#delay = delay;
    this.#begin = begin;
    this.#before = begin;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Handlers in flight. */
  get active(): number {
    return this.#active;
  }

  /** The next offset to commit; `undefined` where there is none yet. */
  get committable(): number | undefined {
    return this.#tracker.committable ?? this.#before;
  }

  /** The first offset that is not finished, as far as it is known here. */
  get next(): number | undefined {
    return (
      this.#tracker.committable ?? this.#movedTo ?? this.#before ?? this.#committed ?? this.#tracker.first
    );
  }

  /** The offset after the last record fetched; `undefined` before the first. */
  get position(): number | undefined {
    return this.#position;
  }

  /** What the group has committed, as far as this member knows. */
  get committed(): number | undefined {
    return this.#committed;
  }

  /** Counts the moves. */
  get moves(): number {
    return this.#moves;
  }

  /** Counts the moves that records have finished after: the outcome of a commit from before one says nothing about what is committed since. */
  get generation(): number {
    return this.#generation;
  }

  /** It is being released: nothing of it is delivered any more. */
  get releasing(): boolean {
    return this.#releasing;
  }

  /** Others have it, or may have it: whatever finishes now must not be committed. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Someone is finding out where to move it to; until then nothing is delivered. */
  get held(): boolean {
    return this.#holds > 0;
  }

  /** Paused natively, because too much of it is waiting while other partitions have nothing. */
  get pausedNatively(): boolean {
    return this.#pausedNatively;
  }

  /** No more records are taken for now; those that were taken go on, behind others of their key too. */
  get throttled(): boolean {
    return this.#throttled;
  }

  /** An offset of it is being committed in a transaction: until that has ended, nobody else commits for it. */
  get transacting(): boolean {
    return this.#transacting;
  }

  /** Paused by the user. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Where it began, where that was found out because the group had nothing to go on from. */
  get begin(): number | undefined {
    return this.#begin;
  }

  /** Whether nothing that was taken of it is unfinished, and all of it is committed. */
  get settled(): boolean {
    const { committable } = this;
    return (
      this.#active === 0 &&
      this.#tracker.pending === 0 &&
      (committable === undefined || committable === this.#committed)
    );
  }

  /** It moves to another offset as soon as its handlers in flight have finished. */
  get seeking(): boolean {
    return this.#seeks > 0;
  }

  /** How many records were delivered from the first unfinished one on, finished ones among them included. */
  get pending(): number {
    return this.#tracker.pending;
  }

  /** Whether its records may be delivered. */
  get open(): boolean {
    return this.goesOn && this.#early === undefined;
  }

  /** Whether records that were taken may be delivered. */
  get goesOn(): boolean {
    return this.wanted && !this.held;
  }

  /** Whether there are records to be taken. Only to be asked of one that is `open`. */
  get hasMore(): boolean {
    return this.queue.length > 0 && !this.#throttled;
  }

  /** Whether more of it is to be fetched, as far as there is memory for it. */
  get wanted(): boolean {
    return !this.#releasing && !this.seeking && !this.#paused;
  }

  /** Puts fetched records, from one index to before another, behind those that wait. */
  receive(records: FetchedRecords, from: number, to: number): void {
    this.queue.push(records, from, to);
    const last = records[to - 1];
    if (last !== undefined) this.#position = last.offset + 1;
  }

  /**
   * Whether the record of this offset is before where it has come to since it moved. librdkafka goes back to the first
   * record by itself, if it was asking for that offset when it moved: it takes the late answer for a reason to ask again.
   */
  hasPassed(offset: number): boolean {
    if (this.#position === undefined || offset >= this.#position) return false;
    return performance.now() - this.#movedAt < goesBackWithinMs;
  }

  /** The next record, which counts as started; `undefined` where there is none to deliver. */
  take(): RawRecord | undefined {
    if (!this.open || this.#throttled) return undefined;
    if (this.#delay !== undefined && this.#isEarly(this.#delay)) return undefined;
    const record = this.queue.shift();
    if (record !== undefined) this.#tracker.start(record.offset);
    return record;
  }

  /** The record is done with. Only for one that was taken since the last `moveTo`. */
  finish(offset: number): void {
    this.#tracker.finish(offset);
    if (this.#hasMoved && this.#tracker.committable !== undefined) {
      this.#hasMoved = false;
      this.#committed = undefined;
      this.#generation += 1;
    }
    if (this.#queueing.size > 0) this.#queueing.get(this.#tracker.first ?? -1)?.();
  }

  /** Waits `ms` milliseconds with a record in hand; less where the partition is released or moves. */
  async wait(ms: number): Promise<void> {
    if (this.#releasing || this.seeking) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#sleeping.delete(end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, maxTimerMs));
      this.#sleeping.add(end);
    });
  }

  /** Waits with a record in hand until the user resumes the partition, or it is released or moves. */
  async untilResumed(): Promise<void> {
    while (this.#paused && !this.#releasing && !this.seeking) {
      const { promise, resolve } = deferred();
      this.#pausing.add(resolve);
      await promise;
      this.#pausing.delete(resolve);
    }
  }

  /** Has `end` called when the partition is released or moves, until the function that it gives is called. */
  onEnd(end: () => void): () => void {
    this.#sleeping.add(end);
    return () => {
      this.#sleeping.delete(end);
    };
  }

  /** Whether the record is taken, and every one before it is finished. */
  isFirst(offset: number): boolean {
    return this.#tracker.first === offset;
  }

  /** Waits until every record before this one is finished: `false` where the partition is released or moves before that. */
  async untilFirst(offset: number): Promise<boolean> {
    if (this.#tracker.first === offset) return true;
    if (this.#releasing || this.seeking) return false;
    await new Promise<void>((resolve) => {
      this.#queueing.set(offset, resolve);
    });
    this.#queueing.delete(offset);
    return this.#tracker.first === offset;
  }

  enter(): void {
    this.#active += 1;
  }

  leave(): void {
    this.#active -= 1;
    if (this.#active > 0 || this.#whenIdle.length === 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when no handler of this partition is in flight. */
  async idle(): Promise<void> {
    if (this.#active === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
    });
  }

  /** The user pauses it: nothing of it is delivered until `resume`. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const end of this.#pausing) end();
  }

  /** Nothing is fetched until `resumeFetching`, for want of memory. */
  pauseFetching(): void {
    this.#pausedNatively = true;
  }

  resumeFetching(): void {
    this.#pausedNatively = false;
  }

  /** No more records are taken until `unthrottle`. */
  throttle(): void {
    this.#throttled = true;
  }

  unthrottle(): void {
    this.#throttled = false;
  }

  /** Nothing is delivered until as many `unhold` have followed: it is being found out where to move it to. */
  hold(): void {
    this.#holds += 1;
  }

  unhold(): void {
    this.#holds -= 1;
  }

  /** The group has committed this offset; `undefined` where that is not known any more. */
  committedAt(offset: number | undefined): void {
    this.#committed = offset;
  }

  /** A transaction commits an offset of it, until `endTransaction`: nobody else commits for it meanwhile. */
  beginTransaction(): void {
    this.#transacting = true;
  }

  endTransaction(): void {
    this.#transacting = false;
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** Nothing of it is delivered any more; what was fetched is dropped. */
  release(): void {
    this.#releasing = true;
    this.#dropQueue();
  }

  /** The assignment of it ends: others may have it, and nothing that finishes from here on counts. */
  end(): void {
    this.#gone = true;
  }

  /** Others have it, or may have it: nothing that finishes of it counts, and its handlers are told so. */
  lose(message: string): void {
    this.release();
    this.end();
    this.abort(new KafkaError("BROKER", message, this));
  }

  /**
   * Stops delivering until the `moveTo` that belongs to it. Several may be under way: none of them lets
   * records start before the last has moved, so that what is in flight is always of the tracker in use.
   */
  beginSeek(): void {
    this.#seeks += 1;
    this.#dropQueue();
  }

  /** It was found out where it begins, because the group had committed nothing; nothing may have been taken before. */
  beginAt(offset: number): void {
    this.#begin = offset;
    this.#before = offset;
  }

  /**
   * Begins anew at another offset. What was finished before may be committed until something has finished
   * since; after a `rollback` it may not, for it has not happened.
   */
  moveTo(offset: number, rollback = false): void {
    this.queue.clear();
    if (!rollback) this.#before = this.committable;
    else if (this.#committed !== undefined) this.#before = undefined;
    else this.#before = this.#begin;
    if (rollback) this.#committed = undefined;
    this.#tracker = new OffsetTracker();
    this.#hasMoved = true;
    this.#movedAt = performance.now();
    this.#position = offset;
    this.#movedTo = offset;
    this.#moves += 1;
    this.#seeks -= 1;
  }

  /**
   * Begins at another offset because what was before it is gone: nothing that was finished counts, and the group
   * goes on from here. As `moveTo` otherwise.
   */
  restartAt(offset: number): void {
    this.moveTo(offset, true);
    this.beginAt(offset);
    this.#hasMoved = false;
    this.#generation += 1;
  }

  #dropQueue(): void {
    this.queue.clear();
    clearTimeout(this.#early);
    this.#early = undefined;
    this.#wake();
  }

  /** Whether the next record is kept back; then `onDue` is called when its time has come. */
  #isEarly({ dueAt, onDue }: Delay): boolean {
    const next = this.queue.peek();
    const left = next === undefined ? 0 : dueAt(next) - Date.now();
    if (left <= 0) return false;
    this.#early = setTimeout(
      () => {
        this.#early = undefined;
        onDue(this);
      },
      Math.min(left, maxTimerMs),
    );
    return true;
  }

  /** Ends all waiting: the partition is released, or moves. */
  #wake(): void {
    for (const end of this.#sleeping) end();
    for (const end of this.#pausing) end();
    for (const end of this.#queueing.values()) end();
  }
}
