import { describe } from "../check.js";
import { BatchDelivery, type BatchOptions, resolveBatchOptions } from "../delivery/batch-delivery.js";
import { type Delivery, type DeliveryHost, type HandlerContext, isPromise } from "../delivery/delivery.js";
import { HandlerWatch } from "../delivery/handler-watch.js";
import { observedBatchHandler, observedHandler } from "../delivery/observed.js";
import type { TopicPartition } from "../offsets.js";
import { RecordDelivery } from "../delivery/record-delivery.js";
import { checkFailureUse, logWaiting } from "../delivery/record-failures.js";
import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, ConfigError } from "../errors.js";
import { type ClientHealth, healthOf } from "../health.js";
import type { TransactionRecord } from "../transactions/transaction-runner.js";
import { Encoders, type Transaction, TransactionSends } from "../transactions/transaction.js";
import { observedPolicy } from "../failure/observed-policy.js";
import { resolveFailureOptions } from "../failure/options.js";
import type { EncodedRecord, NativeHeader } from "../record.js";
import { createDecoder, type Decoder } from "../serde/decoder.js";
import type { AnyTopic, RecordOf } from "../topic.js";
import { deferred } from "../waiting.js";
import { ExactlyOnceLoop } from "./exactly-once-loop.js";
import { ProcessorFailures } from "./processor-failures.js";
import { type ProcessorOptions, type ResolvedProcessorOptions, resolveProcessorOptions } from "./options.js";

/**
 * Reads topics as a member of a consumer group and writes to others, exactly once, made by
 * {@link Kafka.processor}: what a handler sends and the offset of its record are committed in one
 * transaction, or not at all. Crashes, rebalances, broker failures and processes that come back from the
 * dead neither lose nor double anything that a `read_committed` reader sees. It mends by itself whatever
 * is no mistake of the program.
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
export class Processor<T extends AnyTopic> {
  readonly #options: ResolvedProcessorOptions;
  readonly #config: ClientConfig;
  readonly #loop: ExactlyOnceLoop;
  readonly #decoders: Map<string, Decoder<T>>;
  readonly #encoders = new Encoders();
  readonly #onClosed: () => void;
  readonly #failures: ProcessorFailures | undefined;
  readonly #watch: HandlerWatch;
  #delivery: Delivery | undefined;
  #failure: { readonly error: unknown } | undefined;
  #closing: Promise<void> | undefined;
  readonly #ended = deferred();

  /** @internal Use {@link Kafka.processor}. */
  constructor(config: ClientConfig, topics: readonly T[], options: ProcessorOptions, onClosed: () => void) {
    this.#config = config;
    this.#options = resolveProcessorOptions(options, config.properties);
    this.#onClosed = onClosed;
    this.#watch = new HandlerWatch("processor", this.#options.consumer, config.logger, (error) => {
      this.#fail(error);
    });
    if (topics.length === 0) throw new ConfigError("topics", "expected a topic or an array of them");
    this.#decoders = new Map(topics.map((topic) => [topic.name, createDecoder(topic)]));
    if (this.#decoders.size < topics.length) throw new ConfigError("topics", "a topic is named twice");
    const names = [...this.#decoders.keys()];
    this.#failures = this.#failuresOf(options, names);
    this.#loop = new ExactlyOnceLoop(config, this.#options, names, this.#failures, (error) => {
      this.#fail(error);
    });
  }

  /**
   * Hands every record to `handler`. What it sends through `tx` becomes visible together with the record's
   * offset, in one transaction with those of other records; if the handler fails, nothing of what it sent.
   *
   * Resolves after `close()`.
   * @throws what the handler threw, untouched; its record stays uncommitted and comes again
   * @throws `SerializationError` where a `tx.send` failed, `InvalidRecordError` for a record that does not
   *   fit its topic
   * @throws `ProducerFencedError`: another live instance has the same `transactionalId`
   * @throws `KafkaError` with code `HANDLER_TIMEOUT`, `UNKNOWN_TOPIC`, `RECORD_TOO_LARGE`, `CONSUMER_FENCED`
   *   or `FATAL`; `AuthenticationError`, `AuthorizationError`, and when starting `ConnectionError`
   */
  async run(
    handler: (record: RecordOf<T>, tx: Transaction, context: HandlerContext) => unknown,
  ): Promise<void> {
    if (typeof handler !== "function")
      throw new ConfigError("handler", `expected a function, got ${describe(handler)}`);
    const call = this.#collecting(handler);
    const { groupId, order } = this.#options.consumer;
    const observed = observedHandler(this.#config.telemetry, groupId, call);
    await this.#serve(new RecordDelivery(this.#host(), observed, order, this.#watch.second));
  }

  /**
   * Hands records over in batches, one partition to a batch unless `acrossPartitions` is set. All that the
   * handler sends for a batch and all its offsets are in one transaction.
   *
   * Resolves after `close()`.
   * @throws as {@link Processor.run} does
   */
  async runBatch(
    handler: (records: readonly RecordOf<T>[], tx: Transaction, context: HandlerContext) => unknown,
    options: BatchOptions = {},
  ): Promise<void> {
    if (typeof handler !== "function")
      throw new ConfigError("handler", `expected a function, got ${describe(handler)}`);
    const resolved = resolveBatchOptions(options, this.#options.consumer.order);
    checkFailureUse(this.#failures?.policy, "runBatch");
    this.#loop.sessions.prepareFor(resolved.maxRecords);
    const { groupId } = this.#options.consumer;
    const observed = observedBatchHandler(this.#config.telemetry, groupId, this.#collecting(handler));
    await this.#serve(new BatchDelivery(this.#host(), observed, resolved, this.#watch.second));
  }

  /** The partitions assigned to this member now. */
  get assignment(): readonly TopicPartition[] {
    return this.#loop.sessions.current.partitions.map(({ topic, partition }) => ({ topic, partition }));
  }

  /** @internal For {@link Kafka.health}. */
  get health(): ClientHealth {
    return healthOf("processor", this.#options.consumer.groupId, {
      hasBegun: this.#delivery !== undefined,
      failure: this.#failure,
      partitions: this.assignment.length,
    });
  }

  /**
   * Finishes politely: takes no more records, waits for the handlers in flight (at most
   * `drainTimeoutMs`), commits the open transaction, leaves the group and disconnects. May be called at
   * any time and more than once. Do not await it inside a handler.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    await this.#closing;
  }

  /** Closes the processor. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #serve(delivery: Delivery): Promise<void> {
    if (this.#closing !== undefined)
      throw new ClosedError("the processor is closed", { groupId: this.#options.consumer.groupId });
    if (this.#delivery !== undefined)
      throw new ConfigError("processor", "is running already; make another one for another run");
    this.#delivery = delivery;
    this.#watch.start(delivery);
    this.#loop.start(delivery);
    await this.#ended.promise;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /**
   * The handler as the delivery calls it: its result is what it sent. That goes into the transaction only
   * once the handler has succeeded, so that one which fails leaves nothing behind.
   */
  #collecting<Given>(
    handler: (given: Given, tx: Transaction, context: HandlerContext) => unknown,
  ): (given: Given, context: HandlerContext) => Sent | Promise<Sent> {
    return (given, context) => {
      const sent: TransactionRecord[] = [];
      const pass = (topic: string, record: EncodedRecord): undefined => {
        sent.push({ topic, record: copyOf(record) });
      };
      const tx = new TransactionSends(this.#encoders, pass, this.#config.telemetry);
      const returned = handler(given, tx, context);
      if (isPromise(returned)) return finishLater(returned, tx, sent);
      const finishing = tx.finish();
      return finishing === undefined ? sent : finishing.then(() => sent);
    };
  }

  /** The policy, if there is one; records of its retry topics are decoded as those of their source. */
  #failuresOf(options: ProcessorOptions, topics: readonly string[]): ProcessorFailures | undefined {
    const resolved = resolveFailureOptions(options, this.#options.consumer.groupId, { topics });
    if (resolved === undefined) return undefined;
    const policy = observedPolicy(this.#config.telemetry, resolved);
    for (const name of policy.retryTopics) {
      const decode = this.#decoders.get(policy.sourceOf(name));
      if (decode !== undefined) this.#decoders.set(name, (raw) => decode(policy.restore(raw)));
    }
    return new ProcessorFailures(policy, this.#config);
  }

  /** The processor stops with this error, unless it is closing: then nobody needs what failed any more. */
  #fail(error: unknown): void {
    if (this.#closing === undefined) this.#failHandling(error);
    // Closing while still connecting is no failure.
    else if (!(error instanceof ClosedError))
      this.#config.logger.warn("while closing", { groupId: this.#options.consumer.groupId, error });
  }

  /** As {@link Processor.#fail}, for what a handler threw: that is told even while closing waits for it. */
  #failHandling(error: unknown): void {
    this.#failure ??= { error };
    this.#config.logger.debug("the processor stops", { groupId: this.#options.consumer.groupId, error });
    this.#closing ??= this.#shutDown();
  }

  async #shutDown(): Promise<void> {
    const { drainTimeoutMs } = this.#options.consumer;
    this.#delivery?.stop();
    if (this.#delivery !== undefined) {
      const began = Date.now();
      if (this.#loop.sessions.current.partitions.length === 0) this.#loop.giveUp();
      else this.#loop.sessions.current.quiesce();
      await this.#loop.drain(this.#loop.sessions.current.partitions);
      await this.#loop.stop(Math.max(1_000, drainTimeoutMs - (Date.now() - began)));
    }
    this.#watch.stop();
    this.#onClosed();
    this.#ended.resolve();
  }

  #host(): DeliveryHost {
    return {
      decode: (raw) => this.#decoders.get(raw.topic)?.(raw),
      waiting: (raw, error) => {
        logWaiting(this.#config.logger, this.#options.consumer.groupId, raw, error);
      },
      failures: this.#failures,
      taken: (partition) => {
        this.#loop.sessions.current.madeRoom(partition);
      },
      finished: (partition, offset, result) => {
        this.#loop.finished([{ partition, offsets: [offset] }], result as Sent);
      },
      batchFinished: (parts, result) => {
        this.#loop.finished(parts, result as Sent);
      },
      failed: (error) => {
        this.#failHandling(error);
      },
      isFull: (partition) => this.#loop.sessions.current.isFull(partition),
      rewind: (partition) => {
        this.#loop.readAgain(partition);
      },
      limit: () => this.#options.consumer.concurrency ?? this.#loop.sessions.current.concurrency,
    };
  }
}

type Sent = readonly TransactionRecord[];

/**
 * The record with bytes of its own. It waits for its handler, and often for the next transaction, when `tx.send`
 * has long resolved, and a serde may have given the caller's own buffer, or one that it uses again: which one it
 * is cannot be seen. (A copy of 100 bytes takes a tenth of a microsecond.)
 */
function copyOf(record: EncodedRecord): EncodedRecord {
  return {
    ...record,
    key: copyOfBytes(record.key),
    value: copyOfBytes(record.value),
    headers: record.headers?.map(copyOfHeader),
  };
}

/** An empty buffer is left as it is: it has nothing to change, and a copy without memory would be taken for null. */
function copyOfBytes(bytes: Buffer | null): Buffer | null {
  return bytes === null || bytes.length === 0 ? bytes : Buffer.from(bytes);
}

function copyOfHeader(header: NativeHeader): NativeHeader {
  const entries = Object.entries(header);
  if (entries.every(([, value]) => typeof value === "string")) return header;
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === "string" ? value : Buffer.from(value)]),
  );
}

async function finishLater(returned: PromiseLike<unknown>, tx: TransactionSends, sent: Sent): Promise<Sent> {
  try {
    await returned;
  } catch (error) {
    tx.end();
    throw error;
  }
  await tx.finish();
  return sent;
}
