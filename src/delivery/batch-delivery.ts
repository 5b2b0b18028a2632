import { ConfigError } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { flag, integer } from "../options/kinds.js";
import type { Checked, OptionSpecs } from "../options/spec.js";
import { type Delivery, type DeliveryHost, type HandlerContext, isPromise } from "./delivery.js";
import { FailedRecord } from "./failed-record.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { Settled } from "./record-failures.js";
import { SlotQueue } from "./slot-queue.js";

/** Options of {@link Consumer.runBatch}. */
export interface BatchOptions {
  /** The most records to a batch, 1 to 100,000. @default 500 */
  readonly maxRecords?: number | undefined;
  /**
   * How long to wait for a batch to fill, in milliseconds from its first record, 0 to 60,000; 0 takes
   * the available records at once.
   * @default 0
   */
  readonly maxWaitMs?: number | undefined;
  /**
   * Whether a batch may hold records of several partitions; each partition's are in order. If so, one
   * batch is handled at a time, otherwise one for each partition.
   * @default false
   */
  readonly acrossPartitions?: boolean | undefined;
}

/** A batch in flight: its offsets by partition, and since which second its handler runs. */
interface Call {
  readonly parts: readonly { readonly partition: OwnedPartition; readonly offsets: readonly number[] }[];
  second: number;
}

/** The options of a `runBatch`. */
export const batchSpecs = {
  maxRecords: integer({ min: 1, max: 100_000, default: 500 }),
  maxWaitMs: integer({ min: 0, max: 60_000, default: 0 }),
  acrossPartitions: flag({ default: false }),
} satisfies OptionSpecs<BatchOptions>;

type ResolvedBatchOptions = Checked<typeof batchSpecs>;

/** Checks the options of a `runBatch` and fills in the defaults. Names the field that is wrong. */
export function resolveBatchOptions(
  options: BatchOptions,
  order: "partition" | "key" | "none",
): ResolvedBatchOptions {
  if (order !== "partition")
    throw new ConfigError("order", `batches are in the order of the partition; "${order}" is for run`);
  return checkOptions("BatchOptions", options, batchSpecs);
}

/** `runBatch`: delivers records in batches. Batches of the same partition never run at the same time. */
export class BatchDelivery implements Delivery {
  readonly #host: DeliveryHost;
  readonly #handler: (records: never, context: HandlerContext) => unknown;
  readonly #maxRecords: number;
  readonly #maxWaitMs: number;
  readonly #across: boolean;
  readonly #second: () => number;
  readonly #ready = new Set<OwnedPartition>();
  readonly #busy = new Set<OwnedPartition>();
  /** When the first record of the batch that is filling was seen. */
  readonly #since = new WeakMap<OwnedPartition, number>();
  readonly #calls = new Set<Call>();
  /** Batches that released their slot while they waited, and wait for another. */
  readonly #slotQueue = new SlotQueue<Call>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    host: DeliveryHost,
    handler: (records: never, context: HandlerContext) => unknown,
    options: ResolvedBatchOptions,
    second: () => number,
  ) {
    this.#host = host;
    this.#handler = handler;
    this.#maxRecords = options.maxRecords;
    this.#maxWaitMs = options.maxWaitMs;
    this.#across = options.acrossPartitions;
    this.#second = second;
  }

  offer = (partition: OwnedPartition): void => {
    if (!partition.hasMore || this.#busy.has(partition)) return;
    this.#ready.add(partition);
    this.#drive();
  };

  stop = (): void => {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#ready.clear();
    this.#slotQueue.release();
  };

  /** Never: records that arrive while batches are handled fill the next ones. */
  isBusy = (): boolean => false;

  oldest = (): { seconds: number; partition: OwnedPartition; offset: number } | undefined => {
    let oldest: Call | undefined;
    for (const call of this.#calls) if (oldest === undefined || call.second < oldest.second) oldest = call;
    const part = oldest?.parts[0];
    if (oldest === undefined || part === undefined) return undefined;
    return {
      seconds: this.#second() - oldest.second,
      partition: part.partition,
      offset: part.offsets[0] ?? 0,
    };
  };

  #drive(): void {
    const limit = this.#limit();
    this.#slotQueue.admit(this.#calls, () => this.#calls.size < limit);
    for (const partition of this.#ready) {
      if (this.#stopped || this.#calls.size >= limit) return;
      if (!hasWork(partition)) {
        this.#ready.delete(partition);
        continue;
      }
      const group = this.#across ? [...this.#ready].filter(hasWork) : [partition];
      if (!this.#isDue(group)) continue;
      for (const each of group) this.#ready.delete(each);
      void this.#work(group);
    }
  }

  /** Whether the batch is full, cannot get fuller, or has waited for `maxWaitMs`. If not, a timer looks again then. */
  #isDue(group: readonly OwnedPartition[]): boolean {
    if (this.#maxWaitMs === 0) return true;
    let waiting = 0;
    let since = Infinity;
    const now = performance.now();
    for (const partition of group) {
      waiting += partition.queue.length;
      const first = this.#since.get(partition) ?? now;
      this.#since.set(partition, first);
      since = Math.min(since, first);
      if (this.#host.session().isFull(partition)) return true;
    }
    const left = since + this.#maxWaitMs - now;
    if (waiting >= this.#maxRecords || left <= 0) return true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#drive();
    }, left);
    return false;
  }

  async #work(group: readonly OwnedPartition[]): Promise<void> {
    for (const partition of group) {
      this.#busy.add(partition);
      this.#since.delete(partition);
      partition.enter();
    }
    const parts = group.map((partition) => ({ partition, offsets: [] as number[] }));
    const call: Call = { parts, second: this.#second() };
    this.#calls.add(call);
    try {
      const records: unknown[] = [];
      for (const part of parts) await this.#fill(call, part, records);
      if (records.length > 0 && !this.#stopped) {
        const taken = parts.filter(({ offsets }) => offsets.length > 0);
        const { signal, stop } = anyOf(group.map((partition) => partition.signal));
        const settled = await this.#handle(call, group, records, signal).finally(stop);
        if (settled === undefined) {
          // A handler whose signal aborted has not failed. Partitions that stay assigned are read again from here.
          for (const { partition, offsets } of taken)
            if (!partition.seeking) this.#host.rewind(partition, offsets[0] ?? 0);
        } else this.#host.batchFinished(taken, settled.result);
      }
    } catch (error) {
      this.#host.failed(error);
      return;
    } finally {
      this.#calls.delete(call);
      for (const partition of group) {
        this.#busy.delete(partition);
        partition.leave();
      }
    }
    for (const partition of group) this.offer(partition);
    this.#drive();
  }

  /** Calls the handler, again after a failure as often as the policy says. `undefined`: a partition was revoked or moves, and the batch is redelivered. */
  async #handle(
    call: Call,
    group: readonly OwnedPartition[],
    records: readonly unknown[],
    signal: AbortSignal,
  ): Promise<Settled | undefined> {
    // A partition may have been paused or moved while an asynchronous serde worked. The others do not wait for it.
    if (group.some(({ seeking, paused }) => seeking || paused)) return undefined;
    for (let attempt = 1; ; attempt += 1) {
      if (signal.aborted) return undefined;
      try {
        return { result: await this.#handler(records as never, { signal, attempt }) };
      } catch (error) {
        // A signal may have aborted while the handler ran.
        if (group.some((partition) => partition.signal.aborted)) return undefined;
        const [part] = call.parts;
        const { failures } = this.#host;
        if (part === undefined || failures === undefined) throw error;
        const { topic, partition } = part.partition;
        const slot = { topic, partition, offset: part.offsets[0] ?? 0 };
        const outcome = failures.policy.onBatchFailure(slot, error, attempt);
        if (outcome.action !== "retry") throw outcome.action === "fail" ? outcome.error : error;
        if (!(await this.#wait(call, group, outcome.delayMs))) return undefined;
      }
    }
  }

  /** Waits without a slot; `false` where a partition of the batch is revoked or moves meanwhile. */
  async #wait(call: Call, group: readonly OwnedPartition[], ms: number): Promise<boolean> {
    this.#calls.delete(call);
    this.#drive();
    await Promise.race(group.map((partition) => partition.wait(ms)));
    const isOver = (): boolean =>
      this.#stopped || group.some(({ releasing, seeking }) => releasing || seeking);
    if (!isOver() && this.#calls.size >= this.#limit()) await this.#slotQueue.wait(call, group);
    else this.#calls.add(call);
    call.second = this.#second();
    return !isOver();
  }

  #limit(): number {
    return this.#across ? 1 : this.#host.limit();
  }

  /** Takes records up to the limit. A record that does not decode ends the batch before it, and is dealt with as the first of the next. */
  async #fill(
    call: Call,
    part: { readonly partition: OwnedPartition; readonly offsets: number[] },
    records: unknown[],
  ): Promise<void> {
    const { partition, offsets } = part;
    let failed: FailedRecord | undefined;
    while (records.length < this.#maxRecords) {
      const next = partition.open ? partition.queue.peek() : undefined;
      if (next === undefined) return;
      let record: unknown;
      try {
        record = this.#host.decode(next);
        if (isPromise(record)) record = await record;
      } catch (error) {
        if (records.length > 0) return;
        if (failed?.raw !== next) failed = new FailedRecord(this.#host, partition, next);
        if (await this.#recover(call, failed, error)) continue;
        return;
      }
      // While an asynchronous serde worked, a seek or a rebalance may have emptied the queue, or a pause closed it.
      if (partition.queue.peek() !== next || partition.take() === undefined) return;
      this.#host.session().freedMemory(partition);
      offsets.push(next.offset);
      records.push(record);
    }
  }

  /**
   * Deals with a record that does not decode and is the first of its batch: whether the batch may go on filling.
   * @throws what stops the client
   */
  async #recover(call: Call, failed: FailedRecord, error: unknown): Promise<boolean> {
    const { partition, raw } = failed;
    const verdict = failed.decide(error, 0, false);
    if (verdict === undefined) return false;
    if (verdict.action === "retry") {
      // No handler is running meanwhile.
      call.second = Infinity;
      await partition.wait(verdict.delayMs);
      call.second = this.#second();
      return true;
    }
    if (partition.queue.peek() !== raw || partition.take() === undefined) return false;
    this.#host.session().freedMemory(partition);
    const settled = await failed.settle(verdict, error);
    if (settled === undefined) return false;
    this.#host.finished(partition, raw.offset, settled.result);
    return true;
  }
}

function hasWork(partition: OwnedPartition): boolean {
  return partition.open && partition.hasMore;
}

/** Aborts with the first of these. (`AbortSignal.any` leaves something behind in them for each call, in Node 20 for ever.) */
function anyOf(signals: readonly AbortSignal[]): { readonly signal: AbortSignal; readonly stop: () => void } {
  const [only] = signals;
  if (only !== undefined && signals.length === 1) return { signal: only, stop: () => undefined };
  const any = new AbortController();
  const listeners = signals.map((signal) => {
    const onAbort = (): void => {
      any.abort(signal.reason);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    return { signal, onAbort };
  });
  return {
    signal: any.signal,
    stop: () => {
      for (const { signal, onAbort } of listeners) signal.removeEventListener("abort", onAbort);
    },
  };
}
