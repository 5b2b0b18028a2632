import { callsOfKafkajs, checkArguments, refuseCalls } from "../kafkajs-habits.js";
import type { BatchOptions } from "../delivery/batch-delivery.js";
import { AssignedPartitions, type PartitionLag } from "../delivery/assigned-partitions.js";
import type { HandlerContext } from "../delivery/delivery.js";
import { drainHandlers } from "../delivery/drain-handlers.js";
import { checkHandler, HandlerRun, subscriptionsOf } from "../delivery/handler-run.js";
import { failurePolicyOf, type PolicyWriters } from "../delivery/record-failures.js";
import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, ConfigError } from "../errors.js";
import { GroupSession } from "../group/group-session.js";
import {
  type ConsumerOptions,
  resolveConsumerOptions,
  type ResolvedConsumerOptions,
} from "../group/options.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { ClientHealth } from "../health.js";
import type { Logger } from "../logger.js";
import type { TopicPartition } from "../offsets.js";
import type { AnyTopicPattern } from "../topic-pattern.js";
import type { AnyTopic, RecordOf } from "../topic.js";
import { Committer } from "./committer.js";
import { ConsumerFailures } from "./consumer-failures.js";
import { checkTarget, offsetOf, type SeekTarget } from "./seek-target.js";

/** How long `commit`, a rebalance and `close` wait for the outcome of a commit, in milliseconds. */
const commitTimeoutMs = 10_000;

/**
 * A member of a consumer group, made by {@link Kafka.consumer}. Delivers every record at least once: an
 * offset is committed after its handler has finished, and never past a record that has not.
 *
 * Use one of `run`, `runBatch` and `for await`, once.
 */
export class Consumer<T extends AnyTopic | AnyTopicPattern> implements AsyncIterable<RecordOf<T>> {
  static {
    refuseCalls(this.prototype, callsOfKafkajs.consumer);
  }

  readonly #options: ResolvedConsumerOptions;
  readonly #logger: Logger;
  readonly #run: HandlerRun;
  readonly #session: GroupSession;
  readonly #committer: Committer;
  readonly #partitions: AssignedPartitions;
  readonly #failures: ConsumerFailures | undefined;
  readonly #starting = new AbortController();
  #hasDrained = false;

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
    const { groupId } = this.#options;
    const subscriptions = subscriptionsOf(topics);
    this.#failures = this.#failuresOf(config, topics, options, writers);
    this.#run = new HandlerRun(config, this.#options, {
      kind: "consumer",
      topics: [...topics],
      failures: this.#failures,
      session: () => this.#session,
      member: () => this.#session,
      prepareFor: (maxRecords) => {
        this.#session.prepareFor(maxRecords);
      },
      start: () => this.#session.start(this.#starting.signal),
      stop: (hasBegun) => this.#stop(hasBegun),
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
      rewind: (partition, offset) => {
        if (!partition.gone) void this.#session.seek(partition, offset);
      },
      onClosed,
    });
    this.#session = new GroupSession(config, this.#options, subscriptions, {
      onRecords: this.#run.offer,
      onRelease: (partitions) => this.#drain(partitions),
      onAssigned: (partitions) => {
        this.#committer.begin(partitions);
      },
      beforeSubscribing: this.#failures?.prepare,
      dueAt: this.#failures?.policy.dueAtOf,
      isBusy: this.#run.isBusy,
      awaitsCommit: () => this.#committer.isWaiting,
      onCommit: (error) => {
        this.#committer.settle(error);
      },
      onFailure: this.#run.fail,
    });
    this.#committer = new Committer({
      send: (offsets) => {
        this.#session.native.commit(offsets);
      },
      intervalMs: this.#options.commitIntervalMs,
      logger: this.#logger,
      observe: (names) => config.telemetry?.onCommit({ groupId, topics: names }),
      onDenied: this.#run.fail,
    });
    this.#partitions = new AssignedPartitions(groupId, () => this.#session);
  }

  /**
   * Delivers every record to `handler`, and commits its offset after the handler has returned, or its
   * promise resolved. A synchronous handler is called without any promise.
   *
   * Resolves after `close()`.
   * @throws what the handler threw, untouched; its record stays uncommitted and is redelivered
   * @throws `InvalidRecordError` for a record that does not fit its topic
   * @throws `RetriesExhaustedError` where every attempt of its `retry` failed and the policy has nothing left for it
   * @throws `KafkaError` with code `HANDLER_TIMEOUT`, `UNKNOWN_TOPIC`, `CONSUMER_FENCED` or `FATAL`;
   *   `ConnectionError`, `AuthenticationError`, `AuthorizationError`
   * @throws `ClosedError` after `close()`, `ConfigError` where it was run before
   */
  async run(handler: (record: RecordOf<T>, context: HandlerContext) => unknown): Promise<void> {
    checkArguments("run", arguments.length, 1, "options are given to kafka.consumer(topics, options)");
    checkHandler(handler);
    await this.#run.run(handler);
  }

  /**
   * Delivers records in batches, one partition to a batch unless `acrossPartitions` is set. All
   * offsets of a batch are committed after its handler has finished, or none of them.
   *
   * Resolves after `close()`.
   * @throws as {@link Consumer.run} does
   */
  async runBatch(
    handler: (records: readonly RecordOf<T>[], context: HandlerContext) => unknown,
    options: BatchOptions = {},
  ): Promise<void> {
    checkArguments("runBatch", arguments.length, 2, "others are given to kafka.consumer(topics, options)");
    checkHandler(handler);
    await this.#run.runBatch(handler, options);
  }

  /**
   * Records one at a time; asking for the next one finishes the one before. Leaving the loop by
   * `break`, `return` or `throw` closes the consumer and leaves the record in hand uncommitted.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<RecordOf<T>> {
    return this.#run.iterate();
  }

  /** The partitions assigned to this member now. */
  get assignment(): readonly TopicPartition[] {
    return this.#partitions.list();
  }

  /**
   * Delivers no more records of these partitions (absent: of all assigned now) until `resume`, for as long as
   * they stay assigned. Handlers in flight go on.
   * @throws `KafkaError` with code `UNKNOWN_PARTITION` where one is not assigned to this member
   */
  pause(partitions?: readonly TopicPartition[]): void {
    this.#partitions.pause(partitions);
  }

  /**
   * Ends `pause` for these partitions (absent: for all assigned now).
   * @throws `KafkaError` with code `UNKNOWN_PARTITION` where one is not assigned to this member
   */
  resume(partitions?: readonly TopicPartition[]): void {
    this.#partitions.resume(partitions);
  }

  /**
   * Moves an assigned partition to another offset, once its handlers in flight have finished.
   * Resolves when the offset is known; the next record delivered is from there. What is committed
   * changes only when records are finished.
   * @throws `KafkaError` with code `UNKNOWN_PARTITION` where it is not assigned to this member, or
   *   `OFFSET_OUT_OF_RANGE` for an offset outside the log
   */
  async seek(topicPartition: TopicPartition, target: SeekTarget): Promise<void> {
    checkArguments("seek", arguments.length, 2, "the call is seek({ topic, partition }, target)");
    checkTarget(topicPartition, target);
    const partition = this.#partitions.get(topicPartition);
    partition.hold();
    try {
      const offset = await offsetOf(this.#session.native, topicPartition, target);
      // Meanwhile it may have been revoked, and assigned to this member again.
      if (this.#partitions.get(topicPartition) !== partition)
        throw this.#partitions.notAssigned(topicPartition);
      void this.#session.seek(partition, offset);
    } finally {
      partition.unhold();
      this.#run.offer(partition);
    }
  }

  /** How far behind this member is, for each partition assigned to it. Asks the brokers. */
  async lag(): Promise<readonly PartitionLag[]> {
    return this.#partitions.lag();
  }

  /**
   * Commits what is finished now and waits for the brokers' answer, instead of within `commitIntervalMs`.
   * @throws `KafkaError` where it could not be committed within 10 s, with the code `UNKNOWN_PARTITION` where
   *   a partition went to another member before, or `UNKNOWN_TOPIC` where a topic was deleted
   */
  async commit(): Promise<void> {
    checkArguments("commit", arguments.length, 0, "it commits what the handlers have finished");
    const lost = await this.#committer.flush(this.#session.partitions, commitTimeoutMs);
    if (lost !== undefined) throw this.#partitions.notAssigned(lost);
  }

  /** @internal For {@link Kafka.health}. */
  get health(): ClientHealth {
    return this.#run.health;
  }

  /**
   * Shuts down gracefully: takes no more records, waits for the handlers in flight (at most
   * `drainTimeoutMs`), commits, leaves the group and disconnects. May be called at any time and more
   * than once. Do not await it inside a handler or the loop's body, which it waits for.
   */
  async close(): Promise<void> {
    await this.#run.close();
  }

  /** Closes the consumer. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #stop(hasBegun: boolean): Promise<void> {
    this.#starting.abort(new ClosedError("the consumer was closed"));
    if (hasBegun) {
      this.#session.quiesce();
      await this.#drain(this.#session.partitions);
      this.#hasDrained = true;
      await this.#session.stop();
    }
    await this.#failures?.close();
    this.#committer.stop();
  }

  /** Waits for the handlers in flight and commits what they finished; bounded, and never rejects. */
  async #drain(partitions: readonly OwnedPartition[]): Promise<void> {
    // When the consumer leaves the group, its partitions are released; by then they have been drained.
    if (this.#hasDrained) return;
    await drainHandlers(partitions, this.#options, this.#logger);
    if (this.#session.native.fatal !== undefined) return;
    try {
      await this.#committer.flush(partitions, commitTimeoutMs);
    } catch (error) {
      this.#logger.warn("the last finished records could not be committed and will be redelivered", {
        groupId: this.#options.groupId,
        error,
      });
    }
  }

  #failuresOf(
    config: ClientConfig,
    topics: readonly T[],
    options: ConsumerOptions,
    writers: PolicyWriters,
  ): ConsumerFailures | undefined {
    const { groupId, groupInstanceId } = this.#options;
    const policy = failurePolicyOf(config, options, groupId, topics);
    if (policy === undefined) return undefined;
    if (policy.options.delaysMs.length > 0 && options.isolationLevel === "read_uncommitted")
      throw new ConfigError(
        "isolationLevel",
        'must be "read_committed" with retryTopics, which are written in transactions: records that were rolled back would be handled too',
      );
    return new ConsumerFailures({
      policy,
      config,
      writers,
      memberName: groupInstanceId,
      native: () => this.#session.native,
      committer: () => this.#committer,
    });
  }
}
