import { AssignedPartitions, type PartitionLag } from "../delivery/assigned-partitions.js";
import type { BatchOptions } from "../delivery/batch-delivery.js";
import type { HandlerContext } from "../delivery/delivery.js";
import { drainHandlers } from "../delivery/drain-handlers.js";
import { checkHandler, HandlerRun, subscriptionsOf } from "../delivery/handler-run.js";
import { failurePolicyOf } from "../delivery/record-failures.js";
import type { ClientConfig } from "../driver/client-config.js";
import type { ClientHealth } from "../health.js";
import type { TopicPartition } from "../offsets.js";
import type { AnyTopic, RecordOf } from "../topic.js";
import { Encoders } from "../serde/encoders.js";
import type { StatefulTransaction } from "./stateful-transaction.js";
import type { AnyStore } from "../state/store-definition.js";
import { ConfigError } from "../errors.js";
import { checkArguments } from "../kafkajs-habits.js";
import { collectingSends } from "./collected-sends.js";
import type { CallResult } from "./finished.js";
import { resolveRunOptions, type RunOptions } from "./run-options.js";
import { StoreTasks } from "./store-tasks.js";
import { ExactlyOnceLoop } from "./exactly-once-loop.js";
import { type ProcessorOptions, type ResolvedProcessorOptions, resolveProcessorOptions } from "./options.js";
import { ProcessorFailures } from "./processor-failures.js";

const elsewhere = "others are given to kafka.processor(topics, options)";

/**
 * Reads topics as a member of a consumer group and writes to others, exactly once, made by
 * {@link Kafka.processor}: what a handler sends and the offset of its record are committed in one
 * transaction, or not at all. Crashes, rebalances, broker failures and zombies (processes that go on after the
 * group has replaced them) neither lose nor double anything that a `read_committed` reader sees. It recovers by
 * itself from every failure that is not the program's.
 *
 * Side effects outside Kafka are not part of the transaction: a handler may be called again for a record.
 *
 * @example
 * ```ts
 * const enroller = kafka.processor(students, { groupId: "enrol", transactionalId: "enrol-1" });
 * await enroller.run(async (record, tx) => {
 *   await tx.send(enrolments, { value: { studentId: record.value.id } });
 * });
 * ```
 */
export class Processor<T extends AnyTopic, Stores extends AnyStore = never> {
  readonly #options: ResolvedProcessorOptions;
  readonly #config: ClientConfig;
  readonly #loop: ExactlyOnceLoop;
  readonly #run: HandlerRun;
  readonly #partitions: AssignedPartitions;
  readonly #encoders = new Encoders();
  readonly #stores: StoreTasks | undefined;

  /** @internal Use {@link Kafka.processor}. */
  constructor(
    config: ClientConfig,
    topics: readonly T[],
    options: ProcessorOptions<Stores>,
    onClosed: () => void,
  ) {
    this.#config = config;
    this.#options = resolveProcessorOptions(options, config.properties);
    const { groupId } = this.#options.consumer;
    const subscriptions = subscriptionsOf(topics);
    const policy = failurePolicyOf(config, options, groupId, topics);
    const failures = policy && new ProcessorFailures(policy, config);
    this.#run = new HandlerRun(config, this.#options.consumer, {
      kind: "processor",
      topics: [...topics],
      failures,
      session: () => this.#stores?.session ?? this.#loop.sessions.current,
      member: () => this.#loop.sessions.current,
      prepareFor: (maxRecords) => this.#loop.sessions.prepareFor(maxRecords),
      start: (delivery) => this.#loop.start(delivery),
      stop: (hasBegun) => (hasBegun ? this.#stop() : Promise.resolve()),
      finished: (partition, offset, result) =>
        this.#loop.finished([{ partition, offsets: [offset] }], result as CallResult),
      batchFinished: (parts, result) => this.#loop.finished(parts, result as CallResult),
      rewind: (partition) => this.#loop.readAgain(partition),
      onClosed,
    });
    if (this.#options.stores.length > 0)
      this.#stores = new StoreTasks(config, this.#options, subscriptions, policy, {
        session: () => this.#loop.sessions.current,
        encoders: this.#encoders,
        onEndsWanted: () => {
          this.#loop.lookAgain();
        },
        offer: this.#run.offer,
        finished: ({ parts, ...result }) => this.#loop.finished(parts, result),
        fail: this.#run.fail,
      });
    const tasks = this.#stores?.tasks;
    this.#loop = new ExactlyOnceLoop(config, this.#options, subscriptions, failures, this.#run.fail, tasks);
    this.#partitions = new AssignedPartitions(groupId, () => this.#loop.sessions.current);
  }

  /**
   * Delivers every record to `handler`. What it sends through `tx` becomes visible together with the record's
   * offset, in one transaction with those of other records; if the handler fails, nothing of what it sent.
   *
   * Resolves after `close()`.
   * @throws what the handler threw, untouched; its record stays uncommitted and is redelivered
   * @throws `ConfigError` or `ClosedError` where the handler misuses a store or `tx.send`, whatever the failure policy is
   * @throws `SerializationError` where a `tx.send` failed, `InvalidRecordError` for a record that does not
   *   fit its topic
   * @throws `ProducerFencedError`: another live instance has the same `transactionalId`
   * @throws `KafkaError` with code `HANDLER_TIMEOUT`, `UNKNOWN_TOPIC`, `RECORD_TOO_LARGE`, `CONSUMER_FENCED`
   *   or `FATAL`; `AuthenticationError`, `AuthorizationError`, and when starting `ConnectionError`
   */
  async run(
    handler: (record: RecordOf<T>, tx: StatefulTransaction<Stores>, context: HandlerContext) => unknown,
    options: RunOptions<Stores> = {},
  ): Promise<void> {
    checkArguments("run", arguments.length, 2, elsewhere);
    checkHandler(handler);
    const resolved = resolveRunOptions(options, this.#options.stores);
    const calls = this.#stores?.start(resolved);
    await this.#run.run(collectingSends(handler, this.#encoders, this.#config.telemetry, calls?.begin));
  }

  /**
   * Delivers records in batches, one partition to a batch unless `acrossPartitions` is set. All that the
   * handler sends for a batch and all its offsets are in one transaction.
   *
   * Resolves after `close()`.
   * @throws as {@link Processor.run} does
   */
  async runBatch(
    handler: (
      records: readonly RecordOf<T>[],
      tx: StatefulTransaction<Stores>,
      context: HandlerContext,
    ) => unknown,
    options: BatchOptions = {},
  ): Promise<void> {
    checkArguments("runBatch", arguments.length, 2, elsewhere);
    checkHandler(handler);
    if (this.#stores !== undefined && options.acrossPartitions === true)
      throw new ConfigError("acrossPartitions", "is not for stores: a handler has those of one partition");
    const calls = this.#stores?.start(resolveRunOptions({}, this.#options.stores));
    const call = collectingSends(handler, this.#encoders, this.#config.telemetry, calls?.beginBatch);
    await this.#run.runBatch(call, options);
  }

  /** The partitions assigned to this member now. */
  get assignment(): readonly TopicPartition[] {
    return this.#partitions.list();
  }

  /**
   * Delivers no more records of these partitions (absent: of all assigned now) until `resume`, for as long as they
   * stay assigned. Handlers in flight go on, and what they finish is committed. An assignment also ends where the
   * processor joins the group anew to recover from a failure: to keep a pause, pause again in `onRebalance`, before
   * any record of the new assignment is delivered.
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
   * How far behind this member is, for each partition assigned to it. Records whose handlers have finished and whose
   * transaction is open count as finished. Asks the brokers.
   */
  async lag(): Promise<readonly PartitionLag[]> {
    return this.#partitions.lag();
  }

  /** @internal For {@link Kafka.health}. */
  get health(): ClientHealth {
    const { health } = this.#run;
    return this.#stores === undefined ? health : { ...health, restoring: this.#stores.tasks.restoring };
  }

  /**
   * Shuts down gracefully: takes no more records, waits for the handlers in flight (at most
   * `drainTimeoutMs`), commits the open transaction, leaves the group and disconnects. May be called at
   * any time and more than once. Do not await it inside a handler.
   */
  async close(): Promise<void> {
    await this.#run.close();
  }

  /** Closes the processor. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #stop(): Promise<void> {
    const { consumer } = this.#options;
    const deadline = performance.now() + consumer.drainTimeoutMs;
    this.#stores?.stop();
    const { current: session } = this.#loop.sessions;
    if (session.partitions.length === 0) this.#loop.giveUp();
    else session.quiesce();
    await drainHandlers(session.partitions, consumer, this.#config.logger);
    await this.#loop.stop(deadline);
    await this.#stores?.close();
  }
}
