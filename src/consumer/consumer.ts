import { describe } from "../check.js";
import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, ConfigError, KafkaError } from "../errors.js";
import { type ClientHealth, healthOf } from "../health.js";
import type { Logger } from "../logger.js";
import type { RawRecord } from "../record.js";
import { observedPolicy } from "../failure/observed-policy.js";
import { resolveFailureOptions } from "../failure/options.js";
import { createDecoder, type Decoder } from "../serde/decoder.js";
import { type AnyTopicPattern, topicOf } from "../topic-pattern.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { AnyTopic, RecordOf } from "../topic.js";
import { deferred } from "../waiting.js";
import { BatchDelivery, type BatchOptions, resolveBatchOptions } from "../delivery/batch-delivery.js";
import { Committer } from "./committer.js";
import type { Delivery, DeliveryHost, HandlerContext } from "../delivery/delivery.js";
import { drainHandlers } from "../delivery/drain-handlers.js";
import { GroupSession } from "../group/group-session.js";
import { HandlerWatch } from "../delivery/handler-watch.js";
import {
  type ConsumerOptions,
  resolveConsumerOptions,
  type ResolvedConsumerOptions,
} from "../group/options.js";
import { topicPartitionOf, type TopicPartition } from "../offsets.js";
import { observedBatchHandler, observedHandler, observedIterator } from "../delivery/observed.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import { RecordDelivery } from "../delivery/record-delivery.js";
import { checkFailureUse, logWaiting, type PolicyWriters } from "../delivery/record-failures.js";
import { ConsumerFailures } from "./consumer-failures.js";
import { RecordIterator } from "../delivery/record-iterator.js";

/** Where to go on reading: an offset, the log's first or next record, or the first record from a time on. */
export type SeekTarget = number | "earliest" | "latest" | Date;

/** How far a consumer is behind in a partition. */
export interface PartitionLag extends TopicPartition {
  /** Records in the log that are not finished yet; markers of transactions count as records. */
  readonly lag: number;
  /** The offset that the partition's next record will get. */
  readonly end: number;
  /** The offset of the first record that is not finished. */
  readonly next: number;
}

/** How long a commit's outcome is waited for where someone waits, in milliseconds. */
const commitTimeoutMs = 10_000;
const queryTimeoutMs = 5_000;

/**
 * A member of a consumer group, made by {@link Kafka.consumer}. Delivers every record at least once: an
 * offset is committed after its handler has finished, and never past a record that has not.
 *
 * Use one of `run`, `runBatch` and `for await`, once.
 */
export class Consumer<T extends AnyTopic | AnyTopicPattern> implements AsyncIterable<RecordOf<T>> {
  readonly #options: ResolvedConsumerOptions;
  readonly #logger: Logger;
  readonly #telemetry: ClientTelemetry | undefined;
  readonly #session: GroupSession;
  readonly #committer: Committer;
  readonly #topics: readonly T[];
  readonly #decoders = new Map<string, Decoder<AnyTopic>>();
  /** The topic of the last record, and its decoder. */
  #decodes: string | undefined;
  #decoder: Decoder<AnyTopic> | undefined;
  readonly #starting = new AbortController();
  readonly #onClosed: () => void;
  readonly #failures: ConsumerFailures | undefined;
  readonly #watch: HandlerWatch;
  #delivery: Delivery | undefined;
  #failure: { readonly error: unknown } | undefined;
  #closing: Promise<void> | undefined;
  #drained = false;
  readonly #ended = deferred();

  /** @internal Use {@link Kafka.consumer}. */
  constructor(
    config: ClientConfig,
    topics: readonly T[],
    options: ConsumerOptions,
    writers: PolicyWriters,
    onClosed: () => void,
  ) {
    this.#options = resolveConsumerOptions(options);
    this.#logger = config.logger;
    this.#telemetry = config.telemetry;
    this.#watch = new HandlerWatch("consumer", this.#options, this.#logger, (error) => {
      this.#fail(error);
    });
    this.#onClosed = onClosed;
    if (topics.length === 0) throw new ConfigError("topics", "expected a topic or an array of them");
    this.#topics = [...topics];
    const subscriptions = new Set(
      topics.map((topic) => ("pattern" in topic ? topic.subscription : topic.name)),
    );
    if (subscriptions.size < topics.length) throw new ConfigError("topics", "a topic is named twice");
    this.#failures = this.#failuresOf(config, options, writers);
    this.#session = new GroupSession(config, this.#options, [...subscriptions], {
      onRecords: (partition) => this.#delivery?.offer(partition),
      onRelease: (partitions) => this.#drain(partitions),
      onAssigned: (partitions) => {
        this.#committer.begin(partitions);
      },
      beforeSubscribing: this.#failures?.prepare,
      dueAt: this.#failures?.policy.dueAtOf,
      isBusy: () => this.#delivery?.isBusy() ?? false,
      awaitsCommit: () => this.#committer.isWaiting,
      onCommit: (error) => {
        this.#committer.settle(error);
      },
      onFailure: (error) => {
        this.#fail(error);
      },
    });
    this.#committer = new Committer({
      send: (offsets) => {
        this.#session.native.commit(offsets);
      },
      intervalMs: this.#options.commitIntervalMs,
      logger: this.#logger,
      observe: (topics) => this.#telemetry?.onCommit({ groupId: this.#options.groupId, topics }),
      onDenied: (error) => {
        this.#fail(error);
      },
    });
  }

  /**
   * Hands every record to `handler`, and commits its offset after the handler has returned, or its
   * promise resolved. A synchronous handler is called without any promise.
   *
   * Resolves after `close()`.
   * @throws what the handler threw, untouched; its record stays uncommitted and comes again
   * @throws `InvalidRecordError` for a record that does not fit its topic
   * @throws `RetriesExhaustedError` where every attempt of its `retry` failed and nothing else is to become of it
   * @throws `KafkaError` with code `HANDLER_TIMEOUT`, `UNKNOWN_TOPIC`, `CONSUMER_FENCED` or `FATAL`;
   *   `ConnectionError`, `AuthenticationError`, `AuthorizationError`
   * @throws `ClosedError` after `close()`, `ConfigError` where it was run before
   */
  async run(handler: (record: RecordOf<T>, context: HandlerContext) => unknown): Promise<void> {
    if (typeof handler !== "function")
      throw new ConfigError("handler", `expected a function, got ${describe(handler)}`);
    const call = observedHandler(this.#telemetry, this.#options.groupId, handler);
    await this.#serve(new RecordDelivery(this.#host(), call, this.#options.order, this.#watch.second));
  }

  /**
   * Hands records over in batches, one partition to a batch unless `acrossPartitions` is set. All
   * offsets of a batch are committed after its handler has finished, or none of them.
   *
   * Resolves after `close()`.
   * @throws as {@link Consumer.run} does
   */
  async runBatch(
    handler: (records: readonly RecordOf<T>[], context: HandlerContext) => unknown,
    options: BatchOptions = {},
  ): Promise<void> {
    if (typeof handler !== "function")
      throw new ConfigError("handler", `expected a function, got ${describe(handler)}`);
    const resolved = resolveBatchOptions(options, this.#options.order);
    checkFailureUse(this.#failures?.policy, "runBatch");
    this.#session.prepareFor(resolved.maxRecords);
    const call = observedBatchHandler(this.#telemetry, this.#options.groupId, handler);
    await this.#serve(new BatchDelivery(this.#host(), call, resolved, this.#watch.second));
  }

  /**
   * Records one at a time; asking for the next one finishes the one before. Leaving the loop by
   * `break`, `return` or `throw` closes the consumer and leaves the record in hand uncommitted.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<RecordOf<T>> {
    checkFailureUse(this.#failures?.policy, "for await");
    const iterator: RecordIterator<RecordOf<T>> = new RecordIterator(this.#host(), {
      second: this.#watch.second,
      close: () => this.close(),
      start: async () => {
        this.#begin(iterator);
        try {
          await this.#session.start(this.#starting.signal);
        } catch (error) {
          this.#fail(error);
        }
      },
    });
    return observedIterator(this.#telemetry, this.#options.groupId, iterator);
  }

  /** The partitions assigned to this member now. */
  get assignment(): readonly TopicPartition[] {
    return this.#session.partitions.map(({ topic, partition }) => ({ topic, partition }));
  }

  /**
   * Hands nothing more over from these partitions (absent: from all assigned now) until `resume`, for as long as
   * they stay assigned. Handlers in flight go on.
   * @throws `KafkaError` with code `UNKNOWN_PARTITION` where one is not assigned to this member
   */
  pause(partitions?: readonly TopicPartition[]): void {
    this.#session.pause(this.#owned(partitions));
  }

  /**
   * Ends `pause` for these partitions (absent: for all assigned now).
   * @throws `KafkaError` with code `UNKNOWN_PARTITION` where one is not assigned to this member
   */
  resume(partitions?: readonly TopicPartition[]): void {
    this.#session.resume(this.#owned(partitions));
  }

  /**
   * Goes on at another place of an assigned partition, once its handlers in flight have finished.
   * Resolves when the place is known; the next record handed over is from there. What is committed
   * changes only when records are finished.
   * @throws `KafkaError` with code `UNKNOWN_PARTITION` where it is not assigned to this member, or
   *   `OFFSET_OUT_OF_RANGE` for an offset outside the log
   */
  async seek(place: TopicPartition, target: SeekTarget): Promise<void> {
    const [partition] = this.#owned([place]);
    if (partition === undefined) return;
    partition.hold();
    try {
      const offset = await this.#offsetOf(place, target);
      // It may have gone, and come back as another assignment.
      if (this.#owned([place])[0] !== partition) throw this.#notOurs(place);
      void this.#session.seek(partition, offset);
    } finally {
      partition.unhold();
      this.#delivery?.offer(partition);
    }
  }

  /** How far behind this member is, for each partition assigned to it. Asks the brokers. */
  async lag(): Promise<readonly PartitionLag[]> {
    const lags: PartitionLag[] = [];
    for (const partition of this.#session.partitions) {
      const { low, high } = await this.#session.native.watermarks(partition, queryTimeoutMs);
      let { next } = partition;
      if (next === undefined) {
        const [committed] = await this.#session.native.committed(
          [topicPartitionOf(partition)],
          queryTimeoutMs,
        );
        next =
          committed !== undefined && committed.offset >= 0
            ? committed.offset
            : (partition.queue.peek()?.offset ?? low);
      }
      lags.push({ ...topicPartitionOf(partition), lag: Math.max(0, high - next), end: high, next });
    }
    return lags;
  }

  /**
   * Commits what is finished now and waits for the brokers' answer, instead of within `commitIntervalMs`.
   * @throws `KafkaError` where it could not be committed within 10 s, with the code `UNKNOWN_PARTITION` where
   *   a partition went to another member before, or `UNKNOWN_TOPIC` where a topic was deleted
   */
  async commit(): Promise<void> {
    const lost = await this.#committer.flush(this.#session.partitions, commitTimeoutMs);
    if (lost !== undefined) throw this.#notOurs(lost);
  }

  /** @internal For {@link Kafka.health}. */
  get health(): ClientHealth {
    return healthOf("consumer", this.#options.groupId, {
      hasBegun: this.#delivery !== undefined,
      failure: this.#failure,
      partitions: this.assignment.length,
    });
  }

  /**
   * Finishes politely: takes no more records, waits for the handlers in flight (at most
   * `drainTimeoutMs`), commits, leaves the group and disconnects. May be called at any time and more
   * than once. Do not await it inside a handler or the loop's body, which it waits for.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    await this.#closing;
  }

  /** Closes the consumer. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #serve(delivery: Delivery): Promise<void> {
    this.#begin(delivery);
    try {
      await this.#session.start(this.#starting.signal);
    } catch (error) {
      this.#fail(error);
    }
    await this.#ended.promise;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #begin(delivery: Delivery): void {
    if (this.#closing !== undefined)
      throw new ClosedError("the consumer is closed", { groupId: this.#options.groupId });
    if (this.#delivery !== undefined)
      throw new ConfigError("consumer", "is running already; make another one for another run");
    this.#delivery = delivery;
    this.#watch.start(delivery);
  }

  /** The consumer stops with this error, unless it is closing: then nobody needs what failed any more. */
  #fail(error: unknown): void {
    if (this.#closing === undefined) this.#failHandling(error);
    else this.#logger.debug("while closing", { groupId: this.#options.groupId, error });
  }

  /** As {@link Consumer.#fail}, for what a handler threw: that is told even while closing waits for it. */
  #failHandling(error: unknown): void {
    this.#logger.debug("the consumer stops", { groupId: this.#options.groupId, error });
    if (this.#failure === undefined) {
      this.#failure = { error };
      if (this.#delivery instanceof RecordIterator) this.#delivery.fail(error);
    }
    this.#closing ??= this.#shutDown();
  }

  async #shutDown(): Promise<void> {
    this.#delivery?.stop();
    this.#starting.abort(new ClosedError("the consumer was closed"));
    if (this.#delivery !== undefined) {
      this.#session.quiesce();
      await this.#drain(this.#session.partitions);
      this.#drained = true;
      await this.#session.stop();
    }
    await this.#failures?.close();
    this.#committer.stop();
    this.#watch.stop();
    this.#onClosed();
    this.#ended.resolve();
  }

  /** Waits for the handlers in flight and commits what they finished; bounded, and never rejects. */
  async #drain(partitions: readonly OwnedPartition[]): Promise<void> {
    // Leaving the group gives up what has been waited for already.
    if (this.#drained) return;
    await drainHandlers(partitions, this.#options, this.#logger);
    if (this.#session.native.fatal !== undefined) return;
    try {
      await this.#committer.flush(partitions, commitTimeoutMs);
    } catch (error) {
      this.#logger.warn("what was finished last could not be committed and will come again", {
        groupId: this.#options.groupId,
        error,
      });
    }
  }

  #host(): DeliveryHost {
    return {
      decode: this.#decode,
      waiting: (raw, error) => {
        logWaiting(this.#logger, this.#options.groupId, raw, error);
      },
      failures: this.#failures,
      taken: (partition) => {
        this.#session.madeRoom(partition);
      },
      finished: (partition, offset) => {
        partition.finish(offset);
        this.#committer.finished(partition, 1);
      },
      batchFinished: (parts) => {
        for (const { partition, offsets } of parts) {
          for (const offset of offsets) partition.finish(offset);
          this.#committer.finished(partition, offsets.length);
        }
      },
      failed: (error) => {
        this.#failHandling(error);
      },
      isFull: (partition) => this.#session.isFull(partition),
      rewind: (partition, offset) => {
        if (!partition.gone) void this.#session.seek(partition, offset);
      },
      limit: () => this.#options.concurrency ?? this.#session.concurrency,
    };
  }

  /** Most records are of the same topic as the one before, and comparing is quicker than looking up. */
  readonly #decode = (raw: RawRecord): unknown => {
    if (raw.topic !== this.#decodes) {
      this.#decoder = this.#decoderOf(raw.topic);
      this.#decodes = raw.topic;
    }
    return this.#decoder?.(raw);
  };

  /** Decoders are made when a topic's first record comes: what a pattern fits is not known before. */
  #decoderOf(name: string): Decoder<AnyTopic> {
    let decoder = this.#decoders.get(name);
    if (decoder === undefined) {
      decoder = this.#newDecoder(name);
      this.#decoders.set(name, decoder);
    }
    return decoder;
  }

  #newDecoder(name: string): Decoder<AnyTopic> {
    const policy = this.#failures?.policy;
    if (policy?.isRetryTopic(name) !== true) return createDecoder(topicOf(this.#topics, name));
    const decode = createDecoder(topicOf(this.#topics, policy.sourceOf(name)));
    return (raw) => decode(policy.restore(raw));
  }

  #failuresOf(
    config: ClientConfig,
    options: ConsumerOptions,
    writers: PolicyWriters,
  ): ConsumerFailures | undefined {
    const { groupId, groupInstanceId } = this.#options;
    const resolved = resolveFailureOptions(options, groupId, {
      topics: this.#topics.flatMap((topic) => ("pattern" in topic ? [] : topic.name)),
      patterns: this.#topics.flatMap((topic) => ("pattern" in topic ? topic.pattern : [])),
    });
    if (resolved === undefined) return undefined;
    if (resolved.delaysMs.length > 0 && options.isolationLevel === "read_uncommitted")
      throw new ConfigError(
        "isolationLevel",
        'must be "read_committed" with retryTopics, which are written in transactions: what was rolled back would be handled too',
      );
    return new ConsumerFailures({
      policy: observedPolicy(config.telemetry, resolved),
      config,
      writers,
      memberName: groupInstanceId,
      native: () => this.#session.native,
      committer: () => this.#committer,
    });
  }

  #owned(partitions: readonly TopicPartition[] | undefined): readonly OwnedPartition[] {
    if (partitions === undefined) return this.#session.partitions;
    return partitions.map(({ topic, partition }) => {
      const owned = this.#session.get(topic, partition);
      if (owned === undefined) throw this.#notOurs({ topic, partition });
      return owned;
    });
  }

  #notOurs({ topic, partition }: TopicPartition): KafkaError {
    const message = `${topic}[${partition}] is not assigned to this member of the group`;
    return new KafkaError("UNKNOWN_PARTITION", message, {
      topic,
      partition,
      groupId: this.#options.groupId,
    });
  }

  async #offsetOf({ topic, partition }: TopicPartition, target: SeekTarget): Promise<number> {
    const place = { topic, partition };
    if (target instanceof Date) {
      const time = target.getTime();
      if (Number.isNaN(time)) throw new ConfigError("seek", "the Date is not valid");
      const [found] = await this.#session.native.offsetsForTimes(
        [{ ...place, offset: time }],
        queryTimeoutMs,
      );
      if (found !== undefined && found.offset >= 0) return found.offset;
      return (await this.#session.native.watermarks(place, queryTimeoutMs)).high;
    }
    const { low, high } = await this.#session.native.watermarks(place, queryTimeoutMs);
    if (target === "earliest") return low;
    if (target === "latest") return high;
    if (!Number.isSafeInteger(target) || target < 0)
      throw new ConfigError(
        "seek",
        `expected an offset, "earliest", "latest" or a Date, got ${describe(target)}`,
      );
    if (target < low || target > high)
      throw new KafkaError(
        "OFFSET_OUT_OF_RANGE",
        `${topic}[${partition}] has offsets ${low} to ${high}, not ${target}`,
        {
          ...place,
          offset: target,
        },
      );
    return target;
  }
}
