import { randomUUID } from "node:crypto";
import type { ClientConfig } from "../driver/client-config.js";
import type { Fetched } from "../driver/consume-path.js";
import { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeProperties } from "../driver/native.js";
import { nativeCodes } from "../driver/native-errors.js";
import {
  AuthenticationError,
  AuthorizationError,
  ConnectionError,
  KafkaError,
  TimeoutError,
} from "../errors.js";
import { partitionId } from "../offsets.js";
import { endOfRun } from "../record.js";
import { Bell, ignoreRejection, settlesWithin, Turns } from "../waiting.js";
import { LogLookup, queryTimeoutMs } from "./log-lookup.js";
import type { ResolvedReadOptions } from "./options.js";
import type { ReadOrder } from "./read-order.js";
import type { ReadPartition } from "./read-partition.js";

const maxFetch = 1_000;
/** Bytes that one fetch should not exceed, so that large records do not come a thousand at a time. */
const maxFetchBytes = 4 * 2 ** 20;
/** How long records that are there already are read before others have a turn, in milliseconds. */
const turnMs = 10;
/** Finds what no wake-up announced. */
const keepAliveMs = 1_000;
const disconnectTimeoutMs = 10_000;

/**
 * Fetches a range of the log with a native consumer that has its partitions assigned by hand: it joins
 * no group and commits nothing. The next fetch is always asked for before the records of the last are
 * delivered.
 */
export class LogSource {
  readonly #config: ClientConfig;
  readonly #topics: readonly string[];
  readonly #options: ResolvedReadOptions;
  readonly #native: NativeConsumer;
  readonly #lookup: LogLookup;
  readonly #closing = new AbortController();
  /** Those who wait for something that may take long; told at once when it is closed. */
  readonly #waiting = new Set<(reason: unknown) => void>();
  #closed: { readonly reason: Error } | undefined;
  readonly #bell = new Bell();
  #partitions = new Map<string, ReadPartition>();
  #woken = false;
  #fetching: Promise<Fetched> | undefined;
  #recordBytes = 1_000;
  /** Since when the caller has waited and nothing has arrived: `undefined` while nobody waits. */
  #waitingSince: number | undefined;
  #lookedAt = 0;
  readonly #turns = new Turns(turnMs);
  #ending: Promise<void> | undefined;

  /** @param properties - of the native consumer, beside those of every read */
  constructor(
    config: ClientConfig,
    topics: readonly string[],
    options: ResolvedReadOptions,
    properties: NativeProperties = {},
  ) {
    this.#config = config;
    this.#topics = topics;
    this.#options = options;
    this.#native = new NativeConsumer(
      config,
      `read of ${topics.join(", ")}`,
      {
        // The native client wants one, and asks for its coordinator; nothing is ever joined or committed.
        "group.id": `typed-kafka-read-${randomUUID()}`,
        "isolation.level": options.isolationLevel,
        "enable.partition.eof": true,
        // Where retention overtakes the read, it goes on with what exists.
        "auto.offset.reset": "earliest",
        ...properties,
      },
      {
        onWake: () => {
          this.#woken = true;
          this.#bell.ring();
        },
        onRebalance: () => undefined,
        onCommit: () => undefined,
        onFatal: (error) => {
          this.#fail(error);
        },
        ...(options.follow && { onTopicRecreated: this.#onTopicRecreated }),
      },
    );
    this.#lookup = new LogLookup(this.#native, topics, options, config.logger, this.#closing.signal);
  }

  get partitions(): readonly ReadPartition[] {
    return [...this.#partitions.values()];
  }

  /** Which connection failed last, to be put behind a message; empty where none did lately. */
  get trouble(): string {
    return this.#native.trouble;
  }

  /** Everything wanted has been fetched. */
  get done(): boolean {
    for (const partition of this.#partitions.values()) if (!partition.done) return false;
    return !this.#options.follow;
  }

  /** Everything that was there at the start has been fetched. */
  get arrived(): boolean {
    for (const partition of this.#partitions.values()) if (partition.behind && !partition.done) return false;
    return true;
  }

  /**
   * The ends of the partitions as of now: of the stable records under `read_committed`.
   * @throws the reason of the signal, where it aborts first; and as `start` does
   */
  async ends(signal: AbortSignal): Promise<ReadonlyMap<ReadPartition, number>> {
    const partitions = this.partitions;
    const ends = await this.#orClosed(this.#lookup.ends(partitions, signal));
    return new Map(
      partitions.map((partition) => [
        partition,
        ends.get(partitionId(partition.topic, partition.partition)) ?? 0,
      ]),
    );
  }

  /** Connects, finds out what there is to read, and begins to fetch it. */
  async start(): Promise<void> {
    await this.#orClosed(this.#native.connect(this.#closing.signal));
    const wanted = await this.#orClosed(this.#lookup.partitions());
    const planned = await this.#orClosed(this.#lookup.plan(wanted, this.#options.from));
    this.#lookedAt = performance.now();
    this.#take(planned);
  }

  /**
   * Waits for records and puts them into the order. Returns when some were put there, when a partition
   * reached its end, or when everything is done.
   */
  async fetchInto(order: ReadOrder): Promise<void> {
    if (this.#turns.isOver) await this.#turns.next();
    if (this.#options.follow) await this.#orClosed(this.#lookAtTopics());
    this.#waitingSince ??= performance.now();
    // Now, when the order has given what it could: what it still lacks must not stay held.
    this.#hold(order);
    const fetched = await this.#orClosed(this.#fetching ?? this.#fetch());
    this.#fetching = undefined;
    // One that came back only to look at the topics is followed by the next at once.
    if (fetched.records.length > 0 || fetched.ends.length > 0) this.#waitingSince = undefined;
    this.#accept(fetched, order);
    if (this.done) return;
    this.#fetching = this.#fetch();
    // It is awaited by the next call, if there is one.
    ignoreRejection(this.#fetching);
  }

  /** Ends the native client; whoever waits gets `reason`. Never rejects. */
  async close(reason: unknown): Promise<void> {
    // Whatever a signal was aborted with.
    this.#fail(reason as Error);
    this.#closing.abort(reason);
    this.#bell.ring();
    this.#ending ??= this.#native.disconnect();
    if (!(await settlesWithin(this.#ending, disconnectTimeoutMs)))
      this.#config.logger.warn(
        `the native consumer of a read has not ended after ${disconnectTimeoutMs} ms`,
        {
          topics: this.#topics,
        },
      );
  }

  /** It would go on in the middle of the new topic, and what was read is of the old one. */
  readonly #onTopicRecreated = (topic: string): void => {
    const what = `${topic}: the topic was deleted and made again: its offsets mean other records. Read it anew`;
    this.#fail(new KafkaError("UNKNOWN_TOPIC", what, { topic }));
    this.#bell.ring();
  };

  #fail(reason: Error): void {
    this.#closed ??= { reason };
    for (const reject of this.#waiting) reject(this.#closed.reason);
    this.#waiting.clear();
  }

  async #orClosed<Result>(promise: Promise<Result>): Promise<Result> {
    let stop = (): void => undefined;
    const closed = new Promise<never>((_, reject) => {
      if (this.#closed !== undefined) reject(this.#closed.reason);
      this.#waiting.add(reject);
      stop = () => this.#waiting.delete(reject);
    });
    try {
      return await Promise.race([promise, closed]);
    } finally {
      stop();
    }
  }

  /** Begins to fetch these too, as far as something of them is wanted. */
  #take(partitions: readonly ReadPartition[]): void {
    for (const partition of partitions)
      this.#partitions.set(partitionId(partition.topic, partition.partition), partition);
    const wanted = partitions.filter(({ done }) => !done);
    if (wanted.length === 0) return;
    this.#waitingSince = undefined;
    this.#native.assignManually(
      wanted.map(({ topic, partition, position }) => ({ topic, partition, offset: position })),
    );
  }

  /** While following: partitions that were added are read from their beginning, and a topic that is gone is told. */
  async #lookAtTopics(): Promise<void> {
    const now = performance.now();
    if (now - this.#lookedAt < this.#config.metadataMaxAgeMs) return;
    this.#lookedAt = now;
    const added = await this.#lookup.newPartitions(({ topic, partition }) =>
      this.#partitions.has(partitionId(topic, partition)),
    );
    if (added.length === 0 || this.#options.partitions !== undefined) return;
    this.#take(await this.#lookup.plan(added, { type: "earliest" }));
  }

  /** Resolves when something came. */
  async #fetch(): Promise<Fetched> {
    const count = Math.max(1, Math.min(maxFetch, Math.floor(maxFetchBytes / this.#recordBytes)));
    for (;;) {
      this.#closing.signal.throwIfAborted();
      this.#woken = false;
      try {
        const fetched = await this.#native.fetch(count);
        if (fetched.records.length > 0 || fetched.ends.length > 0) return fetched;
      } catch (error) {
        await this.#onFetchError(error);
        continue;
      }
      await this.#untilWoken();
      await this.#checkStalled();
      if (this.#options.follow && performance.now() - this.#lookedAt >= this.#config.metadataMaxAgeMs)
        return { records: [], ends: [] };
    }
  }

  async #untilWoken(): Promise<void> {
    if (!this.#woken) await this.#bell.wait(keepAliveMs);
  }

  #accept({ records, ends }: Fetched, order: ReadOrder): void {
    let from = 0;
    let bytes = 0;
    while (from < records.length) {
      const first = records[from];
      if (first === undefined) break;
      const to = endOfRun(records, from, first);
      const partition = this.#partitions.get(partitionId(first.topic, first.partition));
      const slice = partition?.accept({ records, from, to });
      if (partition !== undefined && slice !== undefined) order.add(partition, slice);
      from = to;
    }
    for (const { size } of records) bytes += size;
    if (records.length > 0)
      this.#recordBytes = 0.8 * this.#recordBytes + 0.2 * Math.max(1, bytes / records.length);
    for (const { topic, partition, offset } of ends)
      this.#partitions.get(partitionId(topic, partition))?.reachedEnd(offset);
  }

  /** Stops fetching what is done or waits in heaps; pausing throws away what the native client had ahead. */
  #hold(order: ReadOrder): void {
    const toHold: ReadPartition[] = [];
    const toResume: ReadPartition[] = [];
    for (const partition of this.#partitions.values()) {
      const hold = partition.done || order.full(partition);
      if (hold === partition.held) continue;
      partition.held = hold;
      (hold ? toHold : toResume).push(partition);
    }
    this.#native.pause(toHold);
    this.#native.resume(toResume);
  }

  async #onFetchError(error: unknown): Promise<void> {
    this.#closing.signal.throwIfAborted();
    const failure =
      error instanceof KafkaError
        ? error
        : new KafkaError("FATAL", "the native consumer failed", { cause: error });
    // No group is used; a principal without rights on groups may read all the same.
    if (failure.nativeCode === nativeCodes.groupAuthorization) return;
    if (failure.code === "UNKNOWN_TOPIC") {
      for (const topic of this.#topics) await this.#lookup.partitionsOf(topic);
    } else if (
      failure.code === "FATAL" ||
      failure.code === "CLOSED" ||
      failure instanceof AuthorizationError ||
      failure instanceof AuthenticationError
    )
      throw this.#native.fatal ?? failure;
    // Everything else (brokers down, a leader that moves) librdkafka recovers from by itself.
    else this.#config.logger.info(`read: ${failure.message}`, { topics: this.#topics });
    await this.#checkStalled();
  }

  /** Nothing arrives, though something is known to be there. */
  async #checkStalled(): Promise<void> {
    if (this.#waitingSince === undefined) return;
    if (performance.now() - this.#waitingSince < this.#options.stallTimeoutMs) return;
    const { follow } = this.#options;
    const behind = this.partitions.find(
      // Where brokers have lost what was there, one that follows goes on with what comes.
      (partition) => partition.behind && !partition.held && !(follow && partition.atEnd),
    );
    if (behind === undefined) return;
    const { topic, partition, position: offset, goal } = behind;
    const what = `${topic}[${partition}]: nothing arrived for ${this.#options.stallTimeoutMs} ms at offset ${offset} of ${goal}`;
    const context = { topic, partition, offset };
    try {
      await this.#native.partitionsOf(topic, queryTimeoutMs);
    } catch (cause) {
      throw new ConnectionError(
        `${what}, and no broker at ${this.#config.brokers} answers${this.#native.trouble}`,
        {
          cause,
          ...context,
        },
      );
    }
    throw new TimeoutError(
      `${what}. Has the partition a leader? Raise stallTimeoutMs to wait longer${this.#native.trouble}`,
      context,
    );
  }
}
