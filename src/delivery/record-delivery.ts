import { setImmediate as nextTurn } from "node:timers/promises";
import type { RawRecord } from "../record.js";
import { type Delivery, type DeliveryHost, type HandlerContext, isPromise } from "./delivery.js";
import { FailedRecord } from "./failed-record.js";
import { KeyOrder } from "./key-order.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { Settled } from "./record-failures.js";
import { SlotQueue } from "./slot-queue.js";
import { isOutage } from "./serde-outage.js";

/** How long synchronous handlers of all slots may occupy the event loop before others have a turn, in milliseconds. */
const turnMs = 20;
/** How many records are handled at most between two looks at the clock, which costs more than many a handler. */
const recordsBetweenLooks = 32;
/** How many records may wait behind others of their key, for each partition. */
const maxParked = 1_000;
/**
 * How many records of a partition may have started from the first unfinished one on. It bounds how many are redelivered
 * after a crash, and the memory for their offsets while one slow record holds back the commit.
 */
const maxPending = 10_000;

/** A handler slot that a partition has taken: which record runs in it, and since which second. */
interface Slot {
  readonly partition: OwnedPartition;
  offset: number;
  /** `undefined` while no handler or serde is being waited for. */
  second: number | undefined;
}

/** The key order of a partition, since its last seek. */
interface PartitionKeys {
  readonly moves: number;
  readonly order: KeyOrder<RawRecord>;
  /** Records whose turn came while the partition was paused. */
  readonly postponed: RawRecord[];
}

/** `run`: delivers records to a handler one by one, in the order that the option `order` asks for. */
export class RecordDelivery implements Delivery {
  readonly #host: DeliveryHost;
  readonly #handler: (record: never, context: HandlerContext) => unknown;
  readonly #order: "partition" | "key" | "none";
  readonly #second: () => number;
  /** Partitions with available records that wait for a free slot, in turn. */
  readonly #ready = new Set<OwnedPartition>();
  /** Partitions whose records are being handled in order. */
  readonly #busy = new Set<OwnedPartition>();
  /** A seek begins a new key order: records that wait in the old one are dropped. */
  readonly #keys = new WeakMap<OwnedPartition, PartitionKeys>();
  readonly #contexts = new WeakMap<OwnedPartition, HandlerContext>();
  readonly #slots = new Set<Slot>();
  /** Records in hand that released their slot while they waited, and wait for another. */
  readonly #slotQueue = new SlotQueue<Slot>();
  /** When the turn of the slots that begin now is over, in milliseconds; `undefined` where none has begun in it. */
  #turnEnds: number | undefined;
  #driving = false;
  #stopped = false;

  constructor(
    host: DeliveryHost,
    handler: (record: never, context: HandlerContext) => unknown,
    order: "partition" | "key" | "none",
    second: () => number,
  ) {
    this.#host = host;
    this.#handler = handler;
    this.#order = order;
    this.#second = second;
  }

  offer = (partition: OwnedPartition): void => {
    if (this.#busy.has(partition) || !this.#hasWork(partition)) return;
    this.#ready.add(partition);
    this.#drive();
  };

  stop = (): void => {
    this.#stopped = true;
    this.#ready.clear();
    this.#slotQueue.release();
  };

  isBusy = (): boolean => !this.#hasSlot();

  oldest = (): { seconds: number; partition: OwnedPartition; offset: number } | undefined => {
    let oldest: { seconds: number; partition: OwnedPartition; offset: number } | undefined;
    for (const { partition, offset, second } of this.#slots) {
      if (second === undefined) continue;
      const seconds = this.#second() - second;
      if (oldest === undefined || seconds > oldest.seconds) oldest = { seconds, partition, offset };
    }
    return oldest;
  };

  /** Fills the free slots. Partitions that become ready meanwhile have their turn in the same loop: synchronous handlers would otherwise recurse. */
  #drive(): void {
    if (this.#driving) return;
    this.#driving = true;
    this.#slotQueue.admit(this.#slots, this.#hasSlot);
    for (const partition of this.#ready) {
      if (this.#stopped || !this.#hasSlot()) break;
      this.#ready.delete(partition);
      if (!this.#hasWork(partition)) continue;
      if (this.#order === "partition") {
        this.#busy.add(partition);
        void this.#work(partition, () => this.#take(partition));
      } else this.#startOne(partition);
    }
    this.#driving = false;
  }

  /** Starts one record of the partition beside those that run; the next one takes its turn after the other partitions. */
  #startOne(partition: OwnedPartition): void {
    const keys = this.#order === "key" ? this.#keysOf(partition) : undefined;
    let first = keys?.postponed.shift();
    let key = first && keyOf(first);
    while (first === undefined) {
      if (partition.pending >= maxPending) return;
      if (keys !== undefined && keys.order.waiting >= maxParked) return;
      const record = this.#take(partition);
      if (record === undefined) return;
      key = keys && keyOf(record);
      if (keys?.order.enter(key, record) !== false) first = record;
    }
    const started = first;
    void this.#work(partition, (previous) => {
      if (previous === undefined) return started;
      const next = keys?.order.leave(key);
      if (next === undefined || partition.goesOn) return next;
      // A pause keeps the record; a seek or the end of the assignment drops its key order.
      keys?.postponed.push(next);
      return undefined;
    });
    if (this.#hasWork(partition)) this.#ready.add(partition);
  }

  /** Handles one record after the other in one slot; `next` gets the one before. */
  async #work(
    partition: OwnedPartition,
    next: (previous: RawRecord | undefined) => RawRecord | undefined,
  ): Promise<void> {
    const slot: Slot = { partition, offset: 0, second: undefined };
    this.#slots.add(slot);
    partition.enter();
    try {
      const shared = this.#contextOf(partition);
      let turnEnds = this.#firstTurnEnd();
      let handled = 0;
      let record: RawRecord | undefined;
      while (!this.#stopped && (record = next(record)) !== undefined) {
        let result: unknown;
        let isDecoded = false;
        let hasWaited = false;
        let calls = 1;
        try {
          let decoded = this.#host.decode(record);
          if (decoded instanceof Promise) {
            this.#begin(slot, record);
            decoded = await decoded;
            hasWaited = true;
            if (!(await this.#goesOn(slot))) return;
          }
          isDecoded = true;
          const refused = this.#host.failures?.refusedOutput?.(partition, record);
          if (refused !== undefined) {
            ({ calls } = refused);
            throw refused.error;
          }
          result = this.#handler(decoded as never, shared ?? this.#contextAt(partition, record));
          if (isPromise(result)) {
            this.#begin(slot, record);
            result = await result;
            slot.second = undefined;
            hasWaited = true;
          }
        } catch (error) {
          const settled = await this.#recover(slot, record, error, isDecoded ? calls : 0);
          if (settled === undefined) return;
          ({ result } = settled);
        }
        this.#host.finished(partition, record.offset, result);
        if (!this.#slots.has(slot)) await this.#waitForSlot(slot);
        handled += 1;
        if (isLookDue(handled, hasWaited) && performance.now() > turnEnds) {
          await nextTurn();
          turnEnds = this.#turnEnd();
          handled = 0;
        }
        // Others wait for a slot: take turns.
        if (this.#order === "partition" && this.#ready.size > 0 && !this.#hasSlot()) break;
      }
    } catch (error) {
      // A handler whose signal aborted has not failed: its record is redelivered.
      if (!partition.signal.aborted) this.#host.failed(error);
      return;
    } finally {
      this.#busy.delete(partition);
      this.#slots.delete(slot);
      partition.leave();
      this.#drive();
    }
    this.offer(partition);
  }

  /** However many slots begin one after the other, they have one turn together. */
  #firstTurnEnd(): number {
    if (this.#turnEnds === undefined) {
      this.#turnEnds = performance.now() + turnMs;
      setImmediate(() => (this.#turnEnds = undefined));
    }
    return Math.min(this.#turnEnds, this.#turnEnd());
  }

  /** The slots' turns follow one another. */
  #turnEnd(): number {
    return performance.now() + turnMs / this.#slots.size;
  }

  /**
   * Deals with a record that failed after so many calls of the handler, 0 where it did not decode, until it is finished
   * or is to be redelivered (`undefined`). While it waits it has
   * no slot, so that it holds up only the records behind it in its order.
   * @throws what stops the client
   */
  async #recover(
    slot: Slot,
    record: RawRecord,
    failure: unknown,
    calls: number,
  ): Promise<Settled | undefined> {
    const { partition } = slot;
    slot.second = undefined;
    const callsBefore = (): number => this.#host.failures?.policy.callsBefore(record) ?? 0;
    const failed = new FailedRecord(this.#host, partition, record);
    let error = failure;
    let attempt = calls > 0 ? callsBefore() + calls : 0;
    let hasDecoded = calls > 0;
    for (;;) {
      const verdict = failed.decide(error, attempt, hasDecoded);
      if (verdict === undefined) return undefined;
      if (verdict.action === "skip") return failed.settle(verdict, error);
      this.#slots.delete(slot);
      this.#drive();
      // A record that was moved is finished, whether there is a slot for the one after it or not.
      if (verdict.action === "move") return failed.settle(verdict, error);
      await partition.wait(verdict.delayMs);
      if (!(await this.#waitForSlot(slot))) return undefined;
      this.#begin(slot, record);
      hasDecoded = false;
      const next = attempt === 0 ? callsBefore() + 1 : attempt + 1;
      try {
        const decoded = await this.#host.decode(record);
        if (!(await this.#goesOn(slot))) return undefined;
        hasDecoded = true;
        this.#begin(slot, record);
        return { result: await this.#handler(decoded as never, { signal: partition.signal, attempt: next }) };
      } catch (again) {
        error = again;
        // A record that did not decode was no call of the handler, nor is an outage.
        if (hasDecoded || (attempt > 0 && !isOutage(again))) attempt = next;
      } finally {
        slot.second = undefined;
      }
    }
  }

  /** Waits for a free slot. Resolves to `false` where the partition is revoked or moves before that. */
  async #waitForSlot(slot: Slot): Promise<boolean> {
    const { partition } = slot;
    const isOver = (): boolean => this.#stopped || partition.releasing || partition.seeking;
    if (isOver()) return false;
    if (!this.#hasSlot()) {
      await this.#slotQueue.wait(slot, [partition]);
      if (isOver()) return false;
    }
    this.#slots.add(slot);
    return true;
  }

  /**
   * Whether a record that was decoded asynchronously is still to be handled: its partition may have moved meanwhile.
   * Waits for the end of a pause without a slot, because no handler runs.
   */
  async #goesOn(slot: Slot): Promise<boolean> {
    const { partition } = slot;
    // A loop, because the user may pause again between `resume` and the end of this wait.
    while (partition.paused) {
      slot.second = undefined;
      this.#slots.delete(slot);
      this.#drive();
      await partition.untilResumed();
      if (!(await this.#waitForSlot(slot))) return false;
    }
    return !this.#stopped && !partition.gone && !partition.signal.aborted && !partition.seeking;
  }

  #take(partition: OwnedPartition): RawRecord | undefined {
    const record = partition.take();
    if (record !== undefined) this.#host.session().freedMemory(partition);
    return record;
  }

  #begin(slot: Slot, { offset }: RawRecord): void {
    slot.offset = offset;
    slot.second = this.#second();
  }

  readonly #hasSlot = (): boolean => this.#slots.size < this.#host.limit();

  #hasWork(partition: OwnedPartition): boolean {
    if (partition.open && partition.hasMore) return true;
    return partition.goesOn && (this.#keys.get(partition)?.postponed.length ?? 0) > 0;
  }

  #keysOf(partition: OwnedPartition): PartitionKeys {
    const { moves } = partition;
    let keys = this.#keys.get(partition);
    if (keys?.moves !== moves) {
      keys = { moves, order: new KeyOrder(), postponed: [] };
      this.#keys.set(partition, keys);
    }
    return keys;
  }

  /** The context that all records of the partition share; `undefined` where each has its own. */
  #contextOf(partition: OwnedPartition): HandlerContext | undefined {
    if (this.#host.failures?.policy.isRetryTopic(partition.topic) === true) return undefined;
    let context = this.#contexts.get(partition);
    if (context === undefined) {
      context = Object.freeze({ signal: partition.signal, attempt: 1 });
      this.#contexts.set(partition, context);
    }
    return context;
  }

  #contextAt({ signal }: OwnedPartition, record: RawRecord): HandlerContext {
    return { signal, attempt: (this.#host.failures?.policy.callsBefore(record) ?? 0) + 1 };
  }
}

/** The same for the same bytes. A key that is not UTF-8 may share it with another one, which costs some concurrency. */
function keyOf(record: RawRecord): string | undefined {
  return record.text?.("key") ?? record.key?.toString("latin1");
}

/** The first records of a turn may each take as long as all of it. Others had their turn while one waited. */
function isLookDue(handled: number, hasWaited: boolean): boolean {
  return handled % recordsBetweenLooks === 0 || (!hasWaited && (handled & (handled - 1)) === 0);
}
