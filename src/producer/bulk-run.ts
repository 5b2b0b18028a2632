import { setImmediate as nextTurn } from "node:timers/promises";
import { nativeCodes } from "../driver/native-errors.js";
import { DeliveryError, KafkaError } from "../errors.js";
import { copyOf, type EncodedRecord } from "../record.js";
import type { Encoder } from "../serde/encoder.js";
import type { AnyTopic, ProducerRecord } from "../topic.js";
import { sleep } from "../waiting.js";
import type { BulkClient } from "./bulk-client.js";
import { checkSize } from "./encoded-size.js";
import type { ResolvedProducerOptions } from "./options.js";
import type { Partitions } from "./partitions.js";

export type Source = Iterable<ProducerRecord<AnyTopic>> | AsyncIterable<ProducerRecord<AnyTopic>>;

/** The native queue is full: at 500,000 records a second, 2,500 leave it in this time. */
const fullQueuePauseMs = 5;
/** How many records, and bytes of them, are passed to the native client at once; then the event loop goes round. */
const recordsPerTurn = 1_000;
const bytesPerTurn = 1_000_000;

/** One `sendAll`: pulls the source as fast as the native queue takes them. */
export class BulkRun {
  readonly #client: BulkClient;
  readonly #topic: string;
  readonly #encode: Encoder;
  readonly #partitions: Partitions;
  readonly #options: ResolvedProducerOptions;
  /** How many records the source gave. */
  #taken = 0;
  /** Those of them that have not been passed to the native client: it gets those of a turn of the event loop together. */
  #gathered: EncodedRecord[] = [];
  #gatheredBytes = 0;
  #passDue: NodeJS.Immediate | undefined;
  #passing: Promise<void> | undefined;
  /** How many the native client has taken. */
  #sent = 0;
  #isLookedUp = false;
  /** What ended the run before the source did. */
  #end: { readonly reason: unknown } | undefined;
  #drainUntil = Infinity;
  /** Ends the wait for the source. */
  #interrupt: () => void = () => undefined;

  constructor(
    client: BulkClient,
    topic: string,
    encode: Encoder,
    partitions: Partitions,
    options: ResolvedProducerOptions,
  ) {
    this.#client = client;
    this.#topic = topic;
    this.#encode = encode;
    this.#partitions = partitions;
    this.#options = options;
  }

  /** Stops asking the source, and waits no longer than `drainMs` for what is on its way. */
  end(reason: unknown, drainMs = Infinity): void {
    this.#end ??= { reason };
    this.#drainUntil = Math.min(this.#drainUntil, performance.now() + drainMs);
    this.#interrupt();
  }

  /** Resolves with the number of records written. */
  async run(source: Source): Promise<number> {
    this.#client.begin((error) => {
      this.#gathered = [];
      this.end(error);
    });
    let isDone = false;
    try {
      // It may have been ended before it began.
      if (this.#end === undefined)
        isDone = Symbol.asyncIterator in source ? await this.#pullLater(source) : await this.#pull(source);
    } catch (error) {
      this.end(error);
    }
    await this.#pass();
    // It throws where the client was disconnected under it: a source or serde that never answers at the close.
    const isDrained = await this.#client.drain(() => performance.now() > this.#drainUntil).catch(() => false);
    const { failures } = this.#client;
    // What is still on its way is what the native queue can hold, at most.
    const unknown = isDrained ? 0 : this.#options.maxInFlightRecords;
    if (isDone && isDrained && failures === 0 && this.#sent === this.#taken) return this.#sent;
    throw this.#failure(Math.max(0, this.#sent - failures - unknown), isDrained);
  }

  /** Whether the source came to its end. Leaving the loop calls its `return()`. */
  async #pull(source: Iterable<ProducerRecord<AnyTopic>>): Promise<boolean> {
    for (const input of source) {
      const wait = this.#offer(input);
      if (wait !== undefined) await wait;
      if (this.#end !== undefined) return false;
    }
    return true;
  }

  /** The same, without waiting for a source that does not answer after the end. */
  async #pullLater(source: AsyncIterable<ProducerRecord<AnyTopic>>): Promise<boolean> {
    const iterator = source[Symbol.asyncIterator]();
    let isWaiting = true;
    let isOver = false;
    try {
      while (this.#end === undefined) {
        isWaiting = true;
        const step = await this.#next(iterator);
        if (step === undefined) break;
        isWaiting = false;
        if (step.done === true) {
          isOver = true;
          break;
        }
        const wait = this.#offer(step.value);
        if (wait !== undefined) await wait;
      }
    } catch (error) {
      // A source that throws is over; one whose record was refused is not.
      isOver = isWaiting;
      throw error;
    } finally {
      if (!isOver) await leave(iterator, isWaiting);
    }
    return isOver;
  }

  /** `undefined` where the end comes first. (A race against one lasting promise would keep every step in memory.) */
  #next(
    iterator: AsyncIterator<ProducerRecord<AnyTopic>>,
  ): Promise<IteratorResult<ProducerRecord<AnyTopic>> | undefined> {
    return new Promise((resolve, reject) => {
      this.#interrupt = () => {
        resolve(undefined);
      };
      iterator.next().then(resolve, reject);
    });
  }

  /** Takes one record; a promise where there is something to wait for. */
  #offer(input: ProducerRecord<AnyTopic>): Promise<void> | undefined {
    const record = this.#encode(input, this.#taken);
    this.#taken += 1;
    return record instanceof Promise ? this.#offerLater(record) : this.#choose(record);
  }

  async #offerLater(record: Promise<EncodedRecord>): Promise<void> {
    await this.#choose(await record);
  }

  #choose(record: EncodedRecord): Promise<void> | undefined {
    checkSize(this.#topic, record, this.#options.maxRecordBytes);
    const records = [record];
    if (!this.#partitions.areNeededFor(records)) return this.#gather(record);
    const chosen = this.#partitions.choose(this.#topic, records);
    return chosen instanceof Promise
      ? chosen.then(([ready = record]) => this.#gather(ready))
      : this.#gather(chosen[0] ?? record);
  }

  #gather(record: EncodedRecord): Promise<void> | undefined {
    // The source may use a buffer again for its next record.
    this.#gathered.push(copyOf(record));
    this.#gatheredBytes += record.size;
    if (this.#passing !== undefined) return this.#passing;
    if (this.#gathered.length >= this.#recordsPerTurn || this.#gatheredBytes >= this.#bytesPerTurn)
      return this.#pass();
    // A source that waits for something does not hold up what it gave.
    this.#passDue ??= setImmediate(() => void this.#pass());
    return undefined;
  }

  /** What waits here beside a full window is no more than the window itself. */
  get #recordsPerTurn(): number {
    return Math.min(recordsPerTurn, this.#options.maxInFlightRecords);
  }

  get #bytesPerTurn(): number {
    return Math.min(bytesPerTurn, this.#options.maxInFlightBytes);
  }

  /** Passes on what was gathered, and lets failures, signals and everybody else have their turn. What goes wrong ends the run. */
  #pass(): Promise<void> {
    clearImmediate(this.#passDue);
    this.#passDue = undefined;
    this.#passing ??= this.#passAll()
      .catch((error: unknown) => {
        this.#gathered = [];
        this.end(error);
      })
      .finally(() => {
        this.#passing = undefined;
      });
    return this.#passing;
  }

  async #passAll(): Promise<void> {
    while (this.#gathered.length > 0) {
      const records = this.#gathered;
      this.#gathered = [];
      this.#gatheredBytes = 0;
      const refused = this.#client.produce(this.#topic, records);
      this.#sent += refused?.queued ?? records.length;
      if (refused === undefined) await nextTurn();
      else {
        const left = records.slice(refused.queued);
        await this.#untilTaken(refused.code, left[0]?.partition);
        if (this.#end !== undefined) return;
        this.#gathered = [...left, ...this.#gathered];
      }
    }
  }

  /** Waits until a record that was refused may be passed on again. @throws why it will never be taken */
  async #untilTaken(code: number, partition: number | undefined): Promise<void> {
    const mayBeNew = code === nativeCodes.unknownTopic || code === nativeCodes.unknownPartition;
    if (code === nativeCodes.queueFull) await sleep(fullQueuePauseMs);
    else if (mayBeNew && !this.#isLookedUp) {
      this.#isLookedUp = true;
      await this.#client.lookUp(this.#topic);
    } else throw this.#client.errorOf(code, this.#topic, partition);
  }

  #failure(acknowledged: number, isDrained: boolean): DeliveryError {
    const reason: unknown = this.#end?.reason;
    const error = reason instanceof KafkaError ? reason : undefined;
    const why = reason instanceof Error ? reason.message : String(reason);
    const more = isDrained ? "" : ", and more may have been";
    return new DeliveryError(
      `sendAll to ${this.#topic}: ${acknowledged} records were written${more}, then: ${why}`,
      {
        code: error?.code,
        cause: reason,
        acknowledged,
        topic: this.#topic,
        partition: error?.partition,
        nativeCode: error?.nativeCode,
      },
    );
  }
}

/** Calls the source's `return()`, and waits for its clean-up unless it still owes an answer. */
async function leave(iterator: AsyncIterator<unknown>, isWaiting: boolean): Promise<void> {
  // The run has failed already: what the clean-up throws must not hide why.
  const left = Promise.resolve(iterator.return?.()).catch(() => undefined);
  if (!isWaiting) await left;
}
