import type { RawRecord } from "../record.js";
import { deferred, type Deferred } from "../waiting.js";
import type { Delivery, DeliveryHost } from "./delivery.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import { FailedRecord } from "./failed-record.js";

/** After so many records the next partition has its turn. */
const turn = 100;

/** The record that the loop's body has, or that is being decoded for it. */
interface InHand {
  readonly partition: OwnedPartition;
  readonly record: RawRecord;
  /** When it began, as the clock of the client counts; `Infinity` while the record only waits. */
  second: number;
}

/**
 * `for await`: delivers records one at a time. Asking for the next one says that the loop's body has
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
  #inHand: InHand | undefined;
  #waiting: Deferred<void> | undefined;
  /** How many calls of `next` are not answered yet. */
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
  fail = (error: unknown): void => {
    this.#error ??= { error };
    this.stop();
  };

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
      this.#host.session().freedMemory(partition);
      partition.enter();
      const inHand = { partition, record, second: this.#second() };
      this.#inHand = inHand;
      let decoded: unknown;
      let isPrompt = false;
      try {
        decoded = this.#host.decode(record);
        isPrompt = !(decoded instanceof Promise);
        decoded = isPrompt ? decoded : await decoded;
      } catch (error) {
        isPrompt = false;
        decoded = await this.#recover(inHand, error);
      }
      if (decoded === settled) continue;
      // While it took its time, the partition may have moved or been paused, and the others are not to wait for that.
      if (!isPrompt && (decoded === redelivered || partition.paused || isOver(partition))) {
        this.#putDown();
        if (!isOver(partition)) this.#host.rewind(partition, record.offset);
        continue;
      }
      return { done: false, value: decoded as Record };
    }
  }

  /** Deals with a record that does not decode: gives it decoded after an outage, or `settled`, or `redelivered`. */
  async #recover(inHand: InHand, failure: unknown): Promise<unknown> {
    const { partition, record } = inHand;
    const failed = new FailedRecord(this.#host, partition, record);
    let error = failure;
    try {
      for (;;) {
        const verdict = failed.decide(error, 0, false);
        if (verdict === undefined) return redelivered;
        if (verdict.action !== "retry") {
          await failed.settle(verdict, error);
          this.#finishInHand();
          return settled;
        }
        // The loop's body is not running meanwhile.
        inHand.second = Infinity;
        await partition.wait(verdict.delayMs);
        if (partition.releasing || partition.seeking) return redelivered;
        inHand.second = this.#second();
        try {
          return await this.#host.decode(record);
        } catch (again) {
          error = again;
        }
      }
    } catch (stops) {
      this.#putDown();
      this.#host.failed(stops);
      return settled;
    }
  }

  async #end(): Promise<IteratorResult<Record, undefined>> {
    await this.#close();
    if (this.#error === undefined) return { done: true, value: undefined };
    const { error } = this.#error;
    this.#error = undefined;
    throw error;
  }

  /** The partition whose turn it is. */
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

/** Instead of a decoded record: it was finished without the loop's body, or the client stops because of it. */
const settled = Symbol("settled");
/** Instead of a decoded record: its partition was revoked or moved while it waited. */
const redelivered = Symbol("redelivered");

/** Whether records that were taken of the partition no longer count. */
function isOver({ gone, signal, seeking }: OwnedPartition): boolean {
  return gone || signal.aborted || seeking;
}
