import type { RawRecord } from "../record.js";
import { deferred, type Deferred } from "../waiting.js";
import type { Delivery, DeliveryHost } from "./delivery.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import { isOutage, outageDelay } from "./serde-outage.js";

/** After so many records the next partition has its turn. */
const turn = 100;

/**
 * `for await`: hands records out one at a time. Asking for the next one says that the loop's body has
 * finished with the one in hand. Leaving the loop closes the consumer, and the record in hand stays
 * uncommitted: the iterator cannot tell `break` from a `throw`.
 */
export class RecordIterator<Record> implements Delivery, AsyncIterableIterator<Record> {
  readonly #host: DeliveryHost;
  readonly #close: () => Promise<void>;
  readonly #start: () => Promise<void>;
  readonly #second: () => number;
  readonly #ready = new Set<OwnedPartition>();
  #started = false;
  #inTurn = 0;
  #inHand: { readonly partition: OwnedPartition; readonly record: RawRecord; second: number } | undefined;
  #waiting: Deferred<void> | undefined;
  /** Calls of `next` that are not answered yet, and the last one. */
  #calls = 0;
  #last: Promise<unknown> = Promise.resolve();
  #ended = false;
  #error: { readonly error: unknown } | undefined;

  constructor(
    host: DeliveryHost,
    options: {
      readonly start: () => Promise<void>;
      readonly close: () => Promise<void>;
      readonly second: () => number;
    },
  ) {
    this.#host = host;
    this.#start = options.start;
    this.#close = options.close;
    this.#second = options.second;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  offer = (partition: OwnedPartition): void => {
    if (partition.queue.length === 0) return;
    this.#ready.add(partition);
    this.#waiting?.resolve();
  };

  stop = (): void => {
    this.#ended = true;
    this.#waiting?.resolve();
  };

  /** Makes the next `next()` throw. */
  fail(error: unknown): void {
    this.#error ??= { error };
    this.stop();
  }

  isBusy = (): boolean => this.#inHand !== undefined;

  oldest = (): { seconds: number; partition: OwnedPartition; offset: number } | undefined => {
    if (this.#inHand === undefined) return undefined;
    const { partition, record, second } = this.#inHand;
    return { seconds: this.#second() - second, partition, offset: record.offset };
  };

  next(): Promise<IteratorResult<Record, undefined>> {
    // Calls that overlap are answered one after the other, each for a record of its own.
    const result = this.#calls === 0 ? this.#next() : this.#last.then(() => this.#next());
    this.#calls += 1;
    this.#last = result.then(this.#answered, this.#answered);
    return result;
  }

  async return(): Promise<IteratorResult<Record, undefined>> {
    this.#putDown();
    await this.#close();
    return { done: true, value: undefined };
  }

  readonly #answered = (): void => {
    this.#calls -= 1;
  };

  async #next(): Promise<IteratorResult<Record, undefined>> {
    this.#finishInHand();
    if (!this.#started) {
      await this.#start();
      this.#started = true;
    }
    for (;;) {
      if (this.#ended) return this.#end();
      const partition = this.#turn();
      const record = partition?.take();
      if (partition === undefined || record === undefined) {
        this.#waiting = deferred();
        await this.#waiting.promise;
        this.#waiting = undefined;
        continue;
      }
      this.#host.taken(partition);
      partition.enter();
      this.#inHand = { partition, record, second: this.#second() };
      try {
        let decoded = this.#decode(partition, record);
        if (decoded instanceof Promise) {
          decoded = await decoded;
          // The partition may have moved meanwhile, or have been paused, and the others are not to wait for that.
          if (decoded === gaveUp || partition.paused || isOver(partition)) {
            this.#putDown();
            if (!isOver(partition)) this.#host.rewind(partition, record.offset);
            continue;
          }
        }
        return { done: false, value: decoded as Record };
      } catch (error) {
        // What is ours no longer does not fail here.
        if (isOver(partition)) this.#putDown();
        else await this.#recover(partition, record, error);
      }
    }
  }

  #decode(partition: OwnedPartition, record: RawRecord): unknown {
    const again = (error: unknown): Promise<unknown> => this.#decodeAgain(partition, record, error);
    try {
      const decoded = this.#host.decode(record);
      return decoded instanceof Promise ? decoded.catch(again) : decoded;
    } catch (error) {
      if (isOutage(error)) return again(error);
      throw error;
    }
  }

  /** Decodes again and again while what the serde needs is away. */
  async #decodeAgain(partition: OwnedPartition, record: RawRecord, failure: unknown): Promise<unknown> {
    const inHand = this.#inHand;
    let error = failure;
    for (let outages = 1; isOutage(error) && !isOver(partition); outages += 1) {
      this.#host.waiting(record, error);
      // The loop's body is not running meanwhile.
      if (inHand !== undefined) inHand.second = Infinity;
      await partition.wait(outageDelay(outages));
      if (partition.releasing || partition.seeking) return gaveUp;
      if (inHand !== undefined) inHand.second = this.#second();
      try {
        return await this.#host.decode(record);
      } catch (again) {
        error = again;
      }
    }
    throw error;
  }

  /** Deals with a record that does not decode: it is finished elsewhere, or the consumer stops. */
  async #recover(partition: OwnedPartition, record: RawRecord, error: unknown): Promise<void> {
    const { failures } = this.#host;
    try {
      const outcome = failures?.policy.onFailure({ raw: record, error, attempt: 0 });
      if (failures === undefined || outcome === undefined || partition.signal.aborted) throw error;
      if (outcome.action === "skip") failures.skip(record, error);
      else if (outcome.action === "move") await failures.move(partition, record, outcome, error);
      else throw error;
      this.#finishInHand();
    } catch (failure) {
      this.#putDown();
      this.#host.failed(failure);
    }
  }

  async #end(): Promise<IteratorResult<Record, undefined>> {
    await this.#close();
    if (this.#error === undefined) return { done: true, value: undefined };
    const { error } = this.#error;
    this.#error = undefined;
    throw error;
  }

  /** The partition whose records are handed out now; partitions take turns. */
  #turn(): OwnedPartition | undefined {
    for (const partition of this.#ready) {
      if (partition.open && partition.queue.length > 0) {
        this.#inTurn += 1;
        if (this.#inTurn >= turn) {
          this.#inTurn = 0;
          this.#ready.delete(partition);
          this.#ready.add(partition);
        }
        return partition;
      }
      this.#ready.delete(partition);
      this.#inTurn = 0;
    }
    return undefined;
  }

  #finishInHand(): void {
    if (this.#inHand === undefined) return;
    const { partition, record } = this.#inHand;
    this.#host.finished(partition, record.offset, undefined);
    this.#putDown();
  }

  /** The record in hand is no longer in flight, finished or not. */
  #putDown(): void {
    const inHand = this.#inHand;
    this.#inHand = undefined;
    inHand?.partition.leave();
  }
}

/** In place of a record that waited until its partition was given up or moved. */
const gaveUp = Symbol("gave up");

/** Whether what was taken of the partition is no longer to be dealt with. */
function isOver({ gone, signal, seeking }: OwnedPartition): boolean {
  return gone || signal.aborted || seeking;
}
