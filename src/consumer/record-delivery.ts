import type { RawRecord } from "../record.js";
import { type Delivery, type DeliveryHost, type HandlerContext, isPromise } from "./delivery.js";
import { KeyLanes } from "./key-lanes.js";
import type { OwnedPartition } from "./owned-partition.js";

/** How long synchronous handlers may keep the event loop to themselves. */
const turnMs = 20;
/** How many records may wait behind others of their key, for each partition. */
const maxParked = 1_000;

/** A call in flight. */
interface Call {
  readonly partition: OwnedPartition;
  readonly record: RawRecord;
  readonly second: number;
}

/** `run`: hands records to a handler one by one, in the order asked for. */
export class RecordDelivery implements Delivery {
  readonly #host: DeliveryHost;
  readonly #handler: (record: never, context: HandlerContext) => unknown;
  readonly #order: "partition" | "key" | "none";
  readonly #second: () => number;
  /** Partitions with something to hand over that wait for a free place, in turn. */
  readonly #ready = new Set<OwnedPartition>();
  /** Partitions that are being worked through in order. */
  readonly #busy = new Set<OwnedPartition>();
  /** A seek begins new lanes: what waits in the old ones is dropped. */
  readonly #lanes = new WeakMap<
    OwnedPartition,
    { readonly generation: number; readonly lanes: KeyLanes<RawRecord> }
  >();
  readonly #contexts = new WeakMap<OwnedPartition, HandlerContext>();
  readonly #calls = new Set<Call>();
  #places = 0;
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
    if (partition.queue.length === 0 || this.#busy.has(partition)) return;
    this.#ready.add(partition);
    this.#drive();
  };

  stop = (): void => {
    this.#stopped = true;
    this.#ready.clear();
  };

  oldest = (): { seconds: number; partition: OwnedPartition; offset: number } | undefined => {
    let oldest: Call | undefined;
    for (const call of this.#calls) if (oldest === undefined || call.second < oldest.second) oldest = call;
    if (oldest === undefined) return undefined;
    return {
      seconds: this.#second() - oldest.second,
      partition: oldest.partition,
      offset: oldest.record.offset,
    };
  };

  #drive(): void {
    for (const partition of this.#ready) {
      if (this.#places >= this.#host.limit()) return;
      this.#ready.delete(partition);
      if (this.#stopped || !partition.open || partition.queue.length === 0) continue;
      if (this.#order === "partition") {
        if (!this.#busy.has(partition)) void this.#workThrough(partition);
      } else this.#startMany(partition);
    }
  }

  /** The records of one partition, one after the other, in one place. */
  async #workThrough(partition: OwnedPartition): Promise<void> {
    this.#busy.add(partition);
    this.#enter(partition);
    try {
      const context = this.#contextOf(partition);
      let began = performance.now();
      let handled = 0;
      while (!this.#stopped) {
        const record = partition.take();
        if (record === undefined) break;
        this.#host.taken(partition);
        const working = this.#handle(partition, record, context);
        if (working !== undefined) {
          if (!(await working)) return;
          // Others wait for a place: take turns.
          if (this.#ready.size > 0 && this.#places >= this.#host.limit()) break;
        } else {
          handled += 1;
          if (handled % 64 === 0 && performance.now() - began > turnMs) {
            await nextTurn();
            began = performance.now();
          }
        }
      }
    } catch (error) {
      this.#host.failed(error);
      return;
    } finally {
      this.#busy.delete(partition);
      this.#leave(partition);
    }
    this.offer(partition);
  }

  /** Records of one partition at the same time, as many as there are places. */
  #startMany(partition: OwnedPartition): void {
    while (this.#places < this.#host.limit()) {
      const lanes = this.#lanesOf(partition);
      if (lanes !== undefined && lanes.waiting >= maxParked) return;
      const record = partition.take();
      if (record === undefined) return;
      this.#host.taken(partition);
      if (lanes?.enter(keyOf(record), record) !== false) void this.#handleAlone(partition, record, lanes);
    }
    // What is left takes its turn after the other partitions.
    if (partition.queue.length > 0) this.#ready.add(partition);
  }

  /** One record in its own place, and after it those that waited behind it for its key. */
  async #handleAlone(
    partition: OwnedPartition,
    first: RawRecord,
    lanes: KeyLanes<RawRecord> | undefined,
  ): Promise<void> {
    this.#enter(partition);
    try {
      const context = this.#contextOf(partition);
      for (
        let record: RawRecord | undefined = first;
        record !== undefined;
        record = lanes?.leave(keyOf(record))
      ) {
        if (this.#stopped || partition.releasing || partition.seeking) return;
        const working = this.#handle(partition, record, context);
        if (working !== undefined && !(await working)) return;
      }
    } catch (error) {
      this.#host.failed(error);
      return;
    } finally {
      this.#leave(partition);
    }
    this.offer(partition);
  }

  /**
   * Decodes a record and calls the handler. `undefined` when it is finished already; otherwise a
   * promise of whether it was, which rejects with what the handler threw.
   */
  #handle(
    partition: OwnedPartition,
    record: RawRecord,
    context: HandlerContext,
  ): Promise<boolean> | undefined {
    const decoded = this.#host.decode(record);
    if (isPromise(decoded)) return this.#await(partition, record, decoded, context);
    const result = this.#handler(decoded as never, context);
    if (isPromise(result)) return this.#await(partition, record, undefined, context, result);
    this.#finish(partition, record);
    return undefined;
  }

  async #await(
    partition: OwnedPartition,
    record: RawRecord,
    decoding: PromiseLike<unknown> | undefined,
    context: HandlerContext,
    handling?: PromiseLike<unknown>,
  ): Promise<boolean> {
    const call: Call = { partition, record, second: this.#second() };
    this.#calls.add(call);
    try {
      await (handling ?? this.#handler((await decoding) as never, context));
    } catch (error) {
      // What stops because it was told to has not failed: its record comes again.
      if (partition.signal.aborted) return false;
      throw error;
    } finally {
      this.#calls.delete(call);
    }
    this.#finish(partition, record);
    return true;
  }

  #finish(partition: OwnedPartition, record: RawRecord): void {
    partition.finish(record.offset);
    this.#host.finished(partition, 1);
  }

  #enter(partition: OwnedPartition): void {
    partition.enter();
    this.#places += 1;
  }

  #leave(partition: OwnedPartition): void {
    this.#places -= 1;
    partition.leave();
    this.#drive();
  }

  #lanesOf(partition: OwnedPartition): KeyLanes<RawRecord> | undefined {
    if (this.#order !== "key") return undefined;
    const { generation } = partition;
    let entry = this.#lanes.get(partition);
    if (entry?.generation !== generation) {
      entry = { generation, lanes: new KeyLanes() };
      this.#lanes.set(partition, entry);
    }
    return entry.lanes;
  }

  #contextOf(partition: OwnedPartition): HandlerContext {
    let context = this.#contexts.get(partition);
    if (context === undefined) {
      context = Object.freeze({ signal: partition.signal, attempt: 1 });
      this.#contexts.set(partition, context);
    }
    return context;
  }
}

function keyOf({ key }: RawRecord): string | undefined {
  return key?.toString("latin1");
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
