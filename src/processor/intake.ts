import type { BatchPart } from "../delivery/delivery.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import { KafkaError } from "../errors.js";
import type { TransactionRunner } from "../transactions/transaction-runner.js";
import { type EnteredCalls, type Finished, HeldResults } from "./finished.js";
import type { Rewinds, RewoundSession } from "./rewinds.js";
import type { TransactionClock } from "./transaction-clock.js";
import { TransactionPartitions } from "./transaction-partitions.js";

/** How many records may be finished ahead of the transaction that they will be in. */
const maxWaiting = 5_000;
/** How many records of a partition may be finished ahead of one in front of them, with what was sent for them. */
const maxHeld = 5_000;

/** What the intake asks of whoever delivers the records, and tells it. */
export interface IntakeEvents {
  /** The partitions assigned now. */
  readonly partitions: () => Iterable<OwnedPartition>;
  /** Records of the partition may be taken again. */
  readonly onReady: (partition: OwnedPartition) => void;
  /** The partition is read again. Gives those that must be read again with it, because they share its state. */
  readonly onReadAgain: (partition: OwnedPartition) => readonly OwnedPartition[];
  /** How many calls that sent something a transaction may take. Absent: as many as there are. */
  readonly callLimit?: (() => number) | undefined;
}

/**
 * What handlers have finished, on its way into a transaction. While one is open it enters at once: the sends go to
 * the native producer, and the offset counts as finished. Else it waits for the next one. So that memory stays
 * bounded, partitions are throttled where too much waits.
 */
export class Intake {
  /** The partitions of the open transaction. */
  readonly transaction = new TransactionPartitions();
  /** The partitions that are to be read again. */
  readonly rewinds: Rewinds;
  readonly #runner: Pick<TransactionRunner, "send" | "isFull" | "drained">;
  readonly #clock: TransactionClock;
  readonly #maxRecords: number;
  readonly #events: IntakeEvents;
  readonly #held = new HeldResults<Finished>();
  #isOpen = false;
  /** How many records are in the open transaction. */
  #count = 0;
  #callCount = 0;
  #firstCall: Finished | undefined;
  /** What finished while no transaction was open. */
  #waiting: Finished[] = [];
  #waitingRecords = 0;
  /** No more records of any partition are taken because too much is waiting. */
  #isThrottled = false;

  constructor(
    runner: Pick<TransactionRunner, "send" | "isFull" | "drained">,
    rewinds: Rewinds,
    clock: TransactionClock,
    maxRecords: number,
    events: IntakeEvents,
  ) {
    this.#runner = runner;
    this.rewinds = rewinds;
    this.#clock = clock;
    this.#maxRecords = maxRecords;
    this.#events = events;
  }

  /** Whether the open transaction has as many records as it may have. */
  get isFull(): boolean {
    return this.#count >= this.#maxRecords || this.#callCount >= this.#callLimit;
  }

  /** The calls whose sends, or changes of stores, are in the open transaction. */
  get calls(): EnteredCalls {
    return { count: this.#callCount, first: this.#firstCall };
  }

  get #callLimit(): number {
    return this.#events.callLimit?.() ?? Infinity;
  }

  /** Whether nothing is left for this transaction, or for the next. */
  isEmpty(): boolean {
    return this.transaction.isEmpty() && this.#waiting.length === 0;
  }

  /** Whether something of these partitions has finished and is not committed. */
  hasUncommitted(partitions: readonly OwnedPartition[]): boolean {
    return (
      partitions.some((partition) => this.transaction.has(partition)) ||
      this.#waiting.some(({ parts }) => parts.some(({ partition }) => partitions.includes(partition)))
    );
  }

  /** A transaction is open: what waits enters it, in order and as far as it takes more. */
  open(): void {
    this.#isOpen = true;
    this.#count = 0;
    this.#callCount = 0;
    this.#firstCall = undefined;
    this.#enterWaiting();
    this.#throttle();
    for (const partition of this.#events.partitions()) this.#throttleOne(partition);
  }

  /** From here on everything waits for the next transaction. */
  close(): void {
    this.#isOpen = false;
  }

  /** A handler has finished. Never waits. */
  take(finished: Finished): void {
    const counts = this.#stillCounts(finished);
    if (counts) finished.changes?.finish();
    finished.changes?.leave();
    if (!counts) return;
    if (this.#isOpen && this.#mayEnter(finished)) {
      this.#enter(finished);
      if (this.#callLimit < Infinity) this.#enterWaiting();
    } else this.#wait(finished);
    this.#throttle();
    for (const { partition } of finished.parts) this.#throttleOne(partition);
  }

  /** The offset that a partition starts at is in the next transaction, where the group has committed nothing. */
  takeStart(partition: OwnedPartition): void {
    if (partition.committable !== undefined && !partition.releasing)
      this.take({ parts: [{ partition, offsets: [] }], sends: [] });
  }

  /** Nothing of the partition is delivered, and nothing of it counts, until it is back at its committed offset. */
  readAgain(partition: OwnedPartition): void {
    this.#held.drop(partition);
    if (!this.rewinds.want(partition)) return;
    for (const other of this.#events.onReadAgain(partition)) this.readAgain(other);
    this.#dropStale();
    this.#clock.ring();
  }

  /** Moves the partitions that are to be read again. Gives the error where their committed offsets cannot be found out. */
  async rewind(
    session: RewoundSession,
    signal: AbortSignal,
    isOver: () => boolean,
  ): Promise<KafkaError | undefined> {
    return this.rewinds.run(session, signal, isOver, (partition) => {
      this.takeStart(partition);
    });
  }

  /** The open transaction is rolled back: its records are read again. */
  rollBack(): void {
    this.close();
    for (const partition of this.transaction.take()) this.readAgain(partition);
    this.#dropStale();
  }

  /** The assignment of these partitions has ended: what was sent for them belongs to whoever has them now. */
  readonly end = (partitions: readonly OwnedPartition[]): void => {
    for (const partition of partitions) {
      this.#held.drop(partition);
      this.rewinds.forget(partition);
    }
    this.#dropStale();
    this.#throttle();
  };

  /** Records of the partition were fetched: sets whether they may be taken. */
  fetched(partition: OwnedPartition): void {
    this.rewinds.fetched(partition);
    setThrottle(partition, this.#isTooFull(partition));
  }

  /**
   * Puts a finished call into the open transaction: the offsets that the group may go on from, and the sends that
   * belong below them.
   */
  #enter(finished: Finished): void {
    const { parts, sends, changes } = finished;
    const [only] = parts;
    if (only !== undefined && parts.length === 1 && only.offsets.length === 1) {
      const { partition, offsets } = only;
      const offset = offsets[0] ?? 0;
      partition.finish(offset);
      // Most finish in the order of the log, so that nothing is held in front of them.
      if (this.#held.sizeOf(partition) === 0 && (partition.committable ?? 0) > offset)
        this.#enterResult(finished);
      else if (sends.length > 0 || changes !== undefined) this.#held.hold(partition, offset, finished);
      this.#count += 1;
    } else {
      for (const { partition, offsets } of parts) {
        for (const offset of offsets) partition.finish(offset);
        this.#count += offsets.length;
        if (offsets.length > 0 && (partition.committable ?? 0) <= (offsets.at(-1) ?? -1))
          throw unordered(partition);
      }
      this.#enterResult(finished);
    }
    for (const { partition, offsets } of parts) {
      for (const result of this.#held.release(partition)) this.#enterResult(result);
      this.#add(partition, offsets.length === 0 && changes !== undefined);
    }
    if (this.isFull) this.#clock.ring();
  }

  /** Without its task's offsets a transaction would not be fenced: work without records adds them unchanged. */
  #add(partition: OwnedPartition, evenUnchanged: boolean): void {
    const { committable, committed } = partition;
    if (!evenUnchanged && (committable === undefined || committable === committed)) return;
    const isFirst = this.transaction.isEmpty();
    this.transaction.add(partition);
    if (isFirst) this.#clock.start();
  }

  #enterResult(finished: Finished): void {
    const { sends, changes } = finished;
    if (sends.length > 0 || changes !== undefined) {
      this.#callCount += 1;
      this.#firstCall ??= finished;
    }
    for (const { topic, record } of sends) this.#runner.send(topic, record);
    changes?.enter();
  }

  #wait(finished: Finished): void {
    this.#waiting.push(finished);
    for (const { offsets } of finished.parts) this.#waitingRecords += offsets.length;
  }

  /** Drops what waits and is redelivered: once its partition is back at its committed offset nothing would show it. */
  #dropStale(): void {
    for (const finished of this.#takeWaiting()) if (this.#stillCounts(finished)) this.#wait(finished);
  }

  #takeWaiting(): readonly Finished[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingRecords = 0;
    return waiting;
  }

  /** What waits enters the open transaction, in order and as far as it takes more. */
  #enterWaiting(): void {
    for (let hasEntered = true; hasEntered;) {
      hasEntered = false;
      for (const finished of this.#takeWaiting()) {
        if (!this.#stillCounts(finished)) continue;
        if (this.#mayEnter(finished)) {
          this.#enter(finished);
          // Now it may be the turn of one in front of it.
          hasEntered = this.#callLimit < Infinity && this.#waiting.length > 0;
        } else this.#wait(finished);
      }
    }
  }

  /**
   * Whether the call may enter the open transaction. While calls are counted, one enters only when no record in front
   * of its own is unfinished: else it would be held, and enter together with others.
   */
  #mayEnter({ parts }: Finished): boolean {
    if (!this.#takesMore()) return false;
    if (this.#callLimit === Infinity) return this.#waiting.length === 0;
    return parts.every(({ partition, offsets: [first] }) => first === undefined || partition.isFirst(first));
  }

  /** A transaction without partitions takes whatever finishes: only that can bring the offset which it waits for. */
  #takesMore(): boolean {
    return this.transaction.isEmpty() || !this.isFull;
  }

  /**
   * Whether none of the records is redelivered. If some of them are, the others of the same call must be too:
   * what it sent cannot be taken apart.
   */
  #stillCounts({ parts }: Finished): boolean {
    const counts = ({ partition }: BatchPart): boolean => this.rewinds.counts(partition);
    if (parts.every(counts)) return true;
    for (const part of parts) if (counts(part)) this.readAgain(part.partition);
    return false;
  }

  /** Takes no more records while too much waits, and goes on when there is less. */
  #throttle(): void {
    const isFull = this.#waitingRecords >= maxWaiting || this.#runner.isFull;
    if (isFull === this.#isThrottled) return;
    this.#isThrottled = isFull;
    for (const partition of this.#events.partitions()) this.#throttleOne(partition);
    if (this.#runner.isFull)
      void this.#runner.drained().then(() => {
        this.#throttle();
      });
  }

  /** Of a partition that has one slow record no more are taken once enough wait behind it; the others go on. */
  #throttleOne(partition: OwnedPartition): void {
    const isFull = this.#isTooFull(partition);
    if (isFull === partition.throttled) return;
    setThrottle(partition, isFull);
    if (!isFull) this.#events.onReady(partition);
  }

  #isTooFull(partition: OwnedPartition): boolean {
    return this.#isThrottled || this.#held.sizeOf(partition) >= maxHeld;
  }
}

function setThrottle(partition: OwnedPartition, isFull: boolean): void {
  if (isFull) partition.throttle();
  else partition.unthrottle();
}

/** What was sent for records that the offset does not cover would be sent again: better to stop. */
function unordered({ topic, partition }: OwnedPartition): KafkaError {
  return new KafkaError("FATAL", `${topic}[${partition}]: a batch finished before records in front of it`);
}
