import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, ConfigError, InvalidRecordError, type KafkaError, TimeoutError } from "../errors.js";
import { type ClientHealth, healthOf } from "../health.js";
import { LogSource } from "../reader/log-source.js";
import { ArrivalOrder } from "../reader/read-order.js";
import type { ReadPartition } from "../reader/read-partition.js";
import type { ConsumerRecord, RawRecord } from "../record.js";
import { createDecoder, type Decoder } from "../serde/decoder.js";
import type { AnyTopic } from "../topic.js";
import { deferred, ignoreRejection } from "../waiting.js";
import { resolveTableOptions, type TableOptions, type WaitOptions, resolveWaitOptions } from "./options.js";
import { TableKeys } from "./table-keys.js";

/** A change of a table, as `onChange` is told. */
export interface TableChange<Key, Value> {
  /** The key. */
  readonly key: Key;
  /** The new value; `undefined` where the key was deleted. */
  readonly value: Value | undefined;
  /** The value before; `undefined` where there was none. */
  readonly previous: Value | undefined;
  /** The partition of the record, from 0. */
  readonly partition: number;
  /** The offset of the record in its partition. */
  readonly offset: number;
  /** The timestamp of the record, in milliseconds since the epoch. */
  readonly timestamp: number;
}

/** How far a table is behind its topic. */
export interface TableLag {
  /** Offsets between the table and the end of the log, over all partitions; `undefined` where no broker tells it now. */
  readonly records: number | undefined;
  /** How long ago the table was last known to be current, in milliseconds; 0 where it is. */
  readonly ageMs: number;
}

/** How long `lag` asks the brokers. */
const lagTimeoutMs = 5_000;

/**
 * A topic as a map, kept current: the last value of each key, of all partitions. Made by {@link Kafka.table}; it joins
 * no group and commits nothing. A tombstone deletes its key.
 *
 * Values are shared by all who ask for them: treat them as read-only.
 */
export class Table<Key, Value> implements Iterable<readonly [Key, Value]> {
  /**
   * Resolves when the table was closed; rejects with what stopped it: an invalid record without `onInvalid: "skip"`, a
   * missing right, a topic that was deleted (and made again), or what a listener threw.
   */
  readonly closed: Promise<void>;
  readonly #config: ClientConfig;
  readonly #topic: AnyTopic;
  readonly #onInvalid: "fail" | "skip";
  readonly #decode: Decoder<AnyTopic>;
  readonly #keys: TableKeys;
  readonly #source: LogSource;
  readonly #order = new ArrivalOrder();
  readonly #entries = new Map<string, readonly [Key, Value]>();
  readonly #listeners = new Set<(change: TableChange<Key, Value>) => void>();
  readonly #waiting = new Set<() => void>();
  readonly #ended = deferred();
  readonly #onClosed: () => void;
  readonly #started: Promise<void>;
  #failure: { readonly error: unknown } | undefined;
  #closing: Promise<void> | undefined;
  #currentAt = performance.now();

  /** @internal Use {@link Kafka.table}. */
  constructor(config: ClientConfig, topic: AnyTopic, options: TableOptions, onClosed: () => void) {
    const read = resolveTableOptions(options, topic.name);
    this.#config = config;
    this.#topic = topic;
    this.#onInvalid = read.onInvalid;
    this.#decode = createDecoder(topic);
    this.#keys = new TableKeys(topic);
    this.#onClosed = onClosed;
    // The question for the end waits behind a fetch that waits for records: not longer than this.
    this.#source = new LogSource(config, [topic.name], read, { "fetch.wait.max.ms": 50 });
    this.closed = this.#ended.promise;
    ignoreRejection(this.closed);
    this.#started = this.#source.start();
    ignoreRejection(this.#started);
    void this.#follow();
  }

  /** How many keys there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The last value of a key; `undefined` where there is none. */
  get(key: Key): Value | undefined {
    return this.#entries.get(this.#keys.idOf(key))?.[1];
  }

  /** Whether the key has a value. */
  has(key: Key): boolean {
    return this.#entries.has(this.#keys.idOf(key));
  }

  /** The keys with their values, in no particular order. */
  [Symbol.iterator](): IterableIterator<readonly [Key, Value]> {
    return this.#entries.values();
  }

  /**
   * Resolves when the table has everything that was in the topic at the time of the call.
   *
   * @throws what stopped the table; `TimeoutError` where it takes more than `timeoutMs`, while the table goes on;
   *   the reason of the `signal`; `ClosedError` after `close()`
   */
  async ready(options: WaitOptions = {}): Promise<void> {
    const { timeoutMs, signal } = resolveWaitOptions(options);
    signal?.throwIfAborted();
    const waiting = new AbortController();
    const timer = setTimeout(() => {
      waiting.abort(
        new TimeoutError(
          `table of ${this.#topic.name}: it is not current after ${timeoutMs} ms; it goes on, ask again${this.#source.trouble}`,
          { topic: this.#topic.name },
        ),
      );
    }, timeoutMs);
    const onAbort = (): void => {
      waiting.abort(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await this.#untilCurrent(waiting.signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      waiting.abort();
    }
  }

  /**
   * Calls `listener` at every change from now on, in the order of each partition. What it throws stops the table.
   * @returns a function that ends it
   */
  onChange(listener: (change: TableChange<Key, Value>) => void): () => void {
    if (typeof listener !== "function") throw new ConfigError("listener", "expected a function");
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** How far the table is behind. Asks the brokers for up to 5 s; where none answers, `ageMs` says how old the table is. */
  async lag(): Promise<TableLag> {
    try {
      await this.#started;
      const behind = this.#behind(await this.#source.ends(AbortSignal.timeout(lagTimeoutMs)));
      if (behind === 0) this.#currentAt = performance.now();
      return { records: behind, ageMs: behind === 0 ? 0 : this.#age() };
    } catch {
      return { records: undefined, ageMs: this.#age() };
    }
  }

  /** @internal For {@link Kafka.health}. */
  get health(): ClientHealth {
    return healthOf("table", this.#topic.name, {
      hasBegun: true,
      failure: this.#failure,
      partitions: this.#source.partitions.length,
    });
  }

  /** Ends the table; what it has can still be read. May be called at any time and more than once. */
  async close(): Promise<void> {
    await this.#end(undefined);
  }

  /** Closes the table. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #follow(): Promise<void> {
    try {
      await this.#started;
      for (;;) {
        for (let raw = this.#order.take(); raw !== undefined; raw = this.#order.take()) {
          const applying = this.#take(raw);
          if (applying !== undefined) await applying;
          if (this.#closing !== undefined) return;
        }
        for (const check of this.#waiting) check();
        await this.#source.fetchInto(this.#order);
      }
    } catch (error) {
      // `#end` waits for the source, which this loop would keep from ending.
      void this.#end({ error });
    }
  }

  /** Gives a promise only where a serde does. */
  #take(raw: RawRecord): Promise<void> | undefined {
    try {
      const decoded = this.#decode(raw);
      if (decoded instanceof Promise)
        return decoded.then(
          (record) => {
            this.#apply(record, raw);
          },
          (error: unknown) => {
            this.#invalid(error);
          },
        );
      this.#apply(decoded, raw);
    } catch (error) {
      this.#invalid(error);
    }
    return undefined;
  }

  #apply(record: ConsumerRecord<unknown, unknown, unknown>, raw: RawRecord): void {
    const { partition, offset, timestamp } = record;
    if (record.key === null || raw.key === null) throw withoutKey(raw);
    const key = record.key as Key;
    const id = this.#keys.idOfRecord(key, raw.key);
    const previous = this.#entries.get(id)?.[1];
    const value = record.value === null ? undefined : (record.value as Value);
    if (value === undefined) this.#entries.delete(id);
    else this.#entries.set(id, [key, value]);
    if (this.#listeners.size === 0) return;
    const change = { key, value, previous, partition, offset, timestamp };
    try {
      for (const listener of this.#listeners) listener(change);
    } catch (thrown) {
      throw new ListenerError(thrown);
    }
  }

  #invalid(error: unknown): void {
    if (error instanceof ListenerError) throw error.cause;
    if (this.#onInvalid === "fail" || !(error instanceof InvalidRecordError)) throw error;
    const { topic, partition, offset } = error;
    this.#config.logger.warn(`table: passed over an invalid record: ${error.message}`, {
      topic,
      partition,
      offset,
    });
  }

  async #untilCurrent(signal: AbortSignal): Promise<void> {
    const aborted = deferred<never>();
    ignoreRejection(aborted.promise);
    signal.addEventListener("abort", () => {
      aborted.reject(signal.reason);
    });
    const stopped = this.closed.then(() => {
      throw new ClosedError(`the table of ${this.#topic.name} is closed`, { topic: this.#topic.name });
    });
    const orStopped = <Result>(promise: Promise<Result>): Promise<Result> =>
      Promise.race([promise, stopped, aborted.promise]);
    await orStopped(this.#started);
    const ends = await orStopped(this.#source.ends(signal));
    const current = deferred();
    const check = (): void => {
      if (this.#order.waiting > 0 || this.#behind(ends) > 0) return;
      this.#currentAt = performance.now();
      current.resolve();
    };
    this.#waiting.add(check);
    check();
    try {
      await orStopped(current.promise);
    } finally {
      this.#waiting.delete(check);
    }
  }

  #behind(ends: ReadonlyMap<ReadPartition, number>): number {
    let behind = this.#order.waiting;
    for (const [partition, end] of ends) behind += Math.max(0, end - partition.position);
    return behind;
  }

  #age(): number {
    return Math.round(performance.now() - this.#currentAt);
  }

  async #end(failure: { readonly error: unknown } | undefined): Promise<void> {
    if (this.#closing === undefined) {
      this.#failure = failure;
      if (failure !== undefined)
        this.#config.logger.error(`the table of ${this.#topic.name} stops`, { error: failure.error });
    }
    this.#closing ??= this.#shutDown();
    await this.#closing;
  }

  async #shutDown(): Promise<void> {
    const { name } = this.#topic;
    // Whoever waits is told what stopped the table, or that it was closed.
    await this.#source.close(
      this.#failure?.error ?? new ClosedError(`the table of ${name} is closed`, { topic: name }),
    );
    this.#onClosed();
    if (this.#failure === undefined) this.#ended.resolve();
    else this.#ended.reject(this.#failure.error);
  }
}

/** What a listener threw: it is no invalid record. */
class ListenerError extends Error {
  constructor(thrown: unknown) {
    super("a listener threw", { cause: thrown });
  }
}

function withoutKey({ topic, partition, offset, key, value }: RawRecord): KafkaError {
  return new InvalidRecordError(
    `${topic}, partition ${partition}, offset ${offset}: the record has no key, and a table is by key. ` +
      'Pass over such records with onInvalid: "skip"',
    { topic, partition, offset, part: "key", raw: { key, value, headers: [] } },
  );
}
