import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, ConfigError, InvalidRecordError } from "../errors.js";
import type { RawRecord } from "../record.js";
import { createDecoder, type Decoder } from "../serde/decoder.js";
import type { AnyTopic, RecordOf } from "../topic.js";
import { LogSource } from "./log-source.js";
import { TimestampOrder } from "./merge-order.js";
import { type ReadOptions, type ResolvedReadOptions, resolveReadOptions } from "./options.js";
import { ArrivalOrder, type ReadOrder } from "./read-order.js";
import { Progress } from "./progress.js";

/**
 * The records of a range of the log, made by {@link Kafka.read}: for one `for await`. It connects when
 * the first record is asked for, joins no group and commits nothing. Leaving the loop closes it.
 */
export class Reader<T extends AnyTopic> implements AsyncIterableIterator<RecordOf<T>> {
  readonly #config: ClientConfig;
  readonly #options: ResolvedReadOptions;
  readonly #decoders: ReadonlyMap<string, Decoder<T>>;
  readonly #onlyDecoder: Decoder<T> | undefined;
  readonly #onClosed: () => void;
  #source: LogSource | undefined;
  #order: ReadOrder = new ArrivalOrder();
  #progress: Progress | undefined;
  /** Everything that was there at the start has been delivered, and that was told. */
  #arrived = false;
  /** Calls of `next` under way, and the last of them. */
  #turns = 0;
  #last: Promise<unknown> = Promise.resolve();
  #outcome: { readonly error: unknown } | "done" | undefined;
  #closing: Promise<void> | undefined;

  /** @internal Use {@link Kafka.read}. */
  constructor(config: ClientConfig, topics: readonly T[], options: ReadOptions, onClosed: () => void) {
    if (topics.length === 0) throw new ConfigError("topics", "expected a topic or an array of them");
    this.#decoders = new Map(topics.map((topic) => [topic.name, createDecoder(topic)]));
    if (this.#decoders.size < topics.length) throw new ConfigError("topics", "a topic is named twice");
    const [only] = this.#decoders.values();
    this.#onlyDecoder = this.#decoders.size === 1 ? only : undefined;
    this.#options = resolveReadOptions(options, [...this.#decoders.keys()]);
    this.#config = config;
    this.#onClosed = onClosed;
  }

  /** The records, once: another loop goes on where the first one stopped. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next record.
   *
   * @throws `InvalidRecordError` for a record that does not fit its topic, unless `onInvalid` is `skip`
   * @throws `ConnectionError`, `AuthenticationError`, `AuthorizationError`
   * @throws `TimeoutError` where nothing arrives for `stallTimeoutMs` though something is there
   * @throws `KafkaError` with code `UNKNOWN_TOPIC`, `UNKNOWN_PARTITION` or `FATAL`
   * @throws `ClosedError` where it was closed before its end; one that follows just ends
   * @throws the reason of the `signal`
   */
  next(): Promise<IteratorResult<RecordOf<T>, undefined>> {
    // No waiting and no further promise while records are there.
    if (this.#turns === 0 && this.#outcome === undefined) {
      const raw = this.#order.take();
      if (raw !== undefined) {
        const value = this.#decode(raw);
        if (value !== undefined && !(value instanceof Promise)) return Promise.resolve(this.#give(value));
        return this.#inTurn(async () => {
          const decoded = await value;
          return decoded === undefined ? this.#next() : this.#give(decoded);
        });
      }
    }
    return this.#inTurn(() => this.#next());
  }

  /** Leaves the loop: closes at once. */
  async return(): Promise<IteratorResult<RecordOf<T>, undefined>> {
    this.#outcome = "done";
    await this.close();
    return { done: true, value: undefined };
  }

  /** Ends the read before its end. May be called at any time and more than once. */
  async close(): Promise<void> {
    this.#end(
      this.#options.follow ? "done" : { error: new ClosedError("the read was closed before its end") },
    );
    await this.#closing;
  }

  /** Ends the read. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Calls that overlap are answered one after the other. */
  #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const before = this.#last;
    this.#turns += 1;
    const turn = async (): Promise<Result> => {
      if (this.#turns > 1) await before;
      try {
        return await run();
      } finally {
        // Before the caller goes on, so that its next call finds the short way open.
        this.#turns -= 1;
      }
    };
    const result = turn();
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #next(): Promise<IteratorResult<RecordOf<T>, undefined>> {
    for (;;) {
      if (this.#outcome !== undefined) return this.#finish();
      const raw = this.#order.take();
      if (raw !== undefined) {
        const value = await this.#decode(raw);
        if (value !== undefined) return this.#give(value);
        continue;
      }
      try {
        await this.#refill();
      } catch (error) {
        this.#end({ error });
      }
    }
  }

  #give(value: RecordOf<T>): IteratorResult<RecordOf<T>, undefined> {
    this.#progress?.count();
    return { done: false, value };
  }

  /** The record; `undefined` for one to be passed over, and where the read ends with an error. */
  #decode(raw: RawRecord): RecordOf<T> | Promise<RecordOf<T> | undefined> | undefined {
    try {
      const decode = this.#onlyDecoder ?? this.#decoders.get(raw.topic);
      const decoded = decode?.(raw);
      return decoded instanceof Promise ? decoded.catch(this.#onInvalid) : decoded;
    } catch (error) {
      this.#onInvalid(error);
      return undefined;
    }
  }

  readonly #onInvalid = (error: unknown): undefined => {
    if (this.#options.onInvalid === "fail" || !(error instanceof InvalidRecordError)) this.#end({ error });
    else
      this.#config.logger.warn(`passed over an invalid record: ${error.message}`, {
        topic: error.topic,
        partition: error.partition,
        offset: error.offset,
      });
  };

  async #refill(): Promise<void> {
    const source = this.#source ?? (await this.#start());
    const arrived = !this.#arrived && this.#order.waiting === 0 && source.arrived;
    if (arrived || this.#progress?.isDue === true) this.#tell(source);
    this.#arrived ||= arrived;
    if (source.done) this.#end("done");
    else await source.fetchInto(this.#order);
  }

  async #start(): Promise<LogSource> {
    const { signal, order, onProgress } = this.#options;
    signal?.throwIfAborted();
    const source = new LogSource(this.#config, [...this.#decoders.keys()], this.#options);
    this.#source = source;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    await source.start();
    if (order === "timestamp") this.#order = new TimestampOrder(source.partitions);
    if (onProgress !== undefined) this.#progress = new Progress();
    return source;
  }

  readonly #onAbort = (): void => {
    this.#end({ error: this.#options.signal?.reason });
  };

  #tell(source: LogSource): void {
    if (this.#progress === undefined) return;
    this.#options.onProgress?.(this.#progress.report(source.partitions, this.#order.waiting));
  }

  /** The first outcome counts. */
  #end(outcome: { readonly error: unknown } | "done"): void {
    this.#outcome ??= outcome;
    this.#closing ??= this.#shutDown(
      outcome === "done" ? new ClosedError("the read was closed") : outcome.error,
    );
  }

  async #shutDown(reason: unknown): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    await this.#source?.close(reason);
    this.#onClosed();
  }

  async #finish(): Promise<IteratorResult<RecordOf<T>, undefined>> {
    const outcome = this.#outcome;
    // Who left, or is told of an error, does not wait for the native client to go.
    if (outcome === "done" || outcome === undefined) await this.#closing;
    else {
      this.#outcome = "done";
      throw outcome.error;
    }
    return { done: true, value: undefined };
  }
}
