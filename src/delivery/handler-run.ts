import { describe } from "../check.js";
import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, ConfigError } from "../errors.js";
import type { ResolvedConsumerOptions } from "../group/options.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import { type ClientHealth, type GroupWait, healthOf } from "../health.js";
import type { Logger } from "../logger.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { AnyTopicPattern } from "../topic-pattern.js";
import type { AnyTopic } from "../topic.js";
import { deferred } from "../waiting.js";
import { BatchDelivery, type BatchOptions, resolveBatchOptions } from "./batch-delivery.js";
import type { Delivery, DeliveryHost, HandlerContext } from "./delivery.js";
import { HandlerWatch } from "./handler-watch.js";
import { observedBatchHandler, observedHandler, observedIterator } from "./observed.js";
import { RecordDelivery } from "./record-delivery.js";
import { createRecordDecoder } from "./record-decoder.js";
import { checkFailureUse, logWaiting, type RecordFailures } from "./record-failures.js";
import { RecordIterator } from "./record-iterator.js";

/** What a client supplies to the run of its handlers: how it joins and leaves, what finishes records and what rewinds them. */
export interface RunClient extends Pick<DeliveryHost, "session" | "finished" | "batchFinished" | "rewind"> {
  readonly kind: "consumer" | "processor";
  readonly topics: readonly (AnyTopic | AnyTopicPattern)[];
  readonly failures: RecordFailures | undefined;
  /** Its membership in the group. */
  readonly member: () => { readonly partitions: readonly unknown[]; readonly waiting: GroupWait | undefined };
  /** So many records of a partition are wanted at a time. */
  readonly prepareFor: (maxRecords: number) => void;
  /** Joins the group; the run fails where this rejects. */
  readonly start: (delivery: Delivery) => Promise<void> | void;
  /** Finishes what is in flight, commits it, leaves the group and closes what the client holds. Never rejects. */
  readonly stop: (hasBegun: boolean) => Promise<void>;
  readonly onClosed: () => void;
}

/**
 * The one run of a consumer's or processor's handlers, from its beginning until it is closed or fails: serves records to
 * a handler by one of the deliveries, keeps the error that ended it, and closes the client once.
 */
export class HandlerRun {
  readonly #client: RunClient;
  readonly #options: ResolvedConsumerOptions;
  readonly #logger: Logger;
  readonly #telemetry: ClientTelemetry | undefined;
  readonly #host: DeliveryHost;
  readonly #watch: HandlerWatch;
  #delivery: Delivery | undefined;
  #failure: { readonly error: unknown } | undefined;
  #closing: Promise<void> | undefined;
  readonly #ended = deferred();

  constructor(config: ClientConfig, options: ResolvedConsumerOptions, client: RunClient) {
    this.#client = client;
    this.#options = options;
    this.#logger = config.logger;
    this.#telemetry = config.telemetry;
    this.#watch = new HandlerWatch(client.kind, options, config.logger, this.fail);
    const { session, failures, finished, batchFinished, rewind } = client;
    this.#host = {
      session,
      failures,
      finished,
      batchFinished,
      rewind,
      decode: createRecordDecoder(client.topics, failures?.policy),
      waiting: (raw, error) => {
        logWaiting(config.logger, options.groupId, raw, error);
      },
      failed: this.#failHandling,
      limit: () => options.concurrency ?? session().concurrency,
    };
  }

  /** Serves records one by one. Resolves once closed, and rejects with what ended the run. */
  async run(handler: (record: never, context: HandlerContext) => unknown): Promise<void> {
    const { groupId, order } = this.#options;
    const call = observedHandler(this.#telemetry, groupId, handler);
    await this.#serve(new RecordDelivery(this.#host, call, order, this.#watch.second));
  }

  /** Serves records in batches. Resolves once closed, and rejects with what ended the run. */
  async runBatch(
    handler: (records: never, context: HandlerContext) => unknown,
    options: BatchOptions,
  ): Promise<void> {
    const { groupId, order } = this.#options;
    const resolved = resolveBatchOptions(options, order);
    checkFailureUse(this.#client.failures?.policy, "runBatch");
    this.#client.prepareFor(resolved.maxRecords);
    const call = observedBatchHandler(this.#telemetry, groupId, handler);
    await this.#serve(new BatchDelivery(this.#host, call, resolved, this.#watch.second));
  }

  /** Records for a `for await`, which joins the group at its first step. */
  iterate<Record>(): AsyncIterableIterator<Record> {
    checkFailureUse(this.#client.failures?.policy, "for await");
    const iterator: RecordIterator<Record> = new RecordIterator(this.#host, {
      second: this.#watch.second,
      close: () => this.close(),
      start: () => this.#start(iterator),
    });
    return observedIterator(this.#telemetry, this.#options.groupId, iterator);
  }

  /** Records of the partition are available. */
  readonly offer = (partition: OwnedPartition): void => {
    this.#delivery?.offer(partition);
  };

  /** Whether every handler slot is taken. */
  readonly isBusy = (): boolean => this.#delivery?.isBusy() ?? false;

  /** Stops with this error, unless the client is closing: then it is only logged. */
  readonly fail = (error: unknown): void => {
    if (this.#closing === undefined) this.#failHandling(error);
    // Closing while still connecting is no failure.
    else
      this.#logger[error instanceof ClosedError ? "debug" : "warn"]("while closing", {
        groupId: this.#options.groupId,
        error,
      });
  };

  get health(): ClientHealth {
    const { partitions, waiting } = this.#client.member();
    return healthOf(this.#client.kind, this.#options.groupId, {
      hasBegun: this.#delivery !== undefined,
      failure: this.#failure,
      partitions: partitions.length,
      waiting,
    });
  }

  /** Closes the client, once, whoever calls. */
  async close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    await this.#closing;
  }

  async #serve(delivery: Delivery): Promise<void> {
    await this.#start(delivery);
    await this.#ended.promise;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #start(delivery: Delivery): Promise<void> {
    const { kind } = this.#client;
    if (this.#closing !== undefined)
      throw new ClosedError(`the ${kind} is closed`, { groupId: this.#options.groupId });
    if (this.#delivery !== undefined)
      throw new ConfigError(kind, "is running already; make another one for another run");
    this.#delivery = delivery;
    this.#watch.start(delivery);
    try {
      await this.#client.start(delivery);
    } catch (error) {
      this.fail(error);
    }
  }

  /** As `fail`, for what a handler threw: the run rejects with it even where closing waits for the handler. */
  readonly #failHandling = (error: unknown): void => {
    this.#logger.debug(`the ${this.#client.kind} stops`, { groupId: this.#options.groupId, error });
    if (this.#failure === undefined) {
      this.#failure = { error };
      this.#delivery?.fail?.(error);
    }
    this.#closing ??= this.#shutDown();
  };

  async #shutDown(): Promise<void> {
    this.#delivery?.stop();
    await this.#client.stop(this.#delivery !== undefined);
    this.#watch.stop();
    this.#client.onClosed();
    this.#ended.resolve();
  }
}

/** @throws `ConfigError` for what is no function */
export function checkHandler(handler: unknown): void {
  if (typeof handler === "function") return;
  const isOfKafkajs =
    typeof handler === "object" && handler !== null && ("eachMessage" in handler || "eachBatch" in handler);
  const hint = isOfKafkajs
    ? ": run(async (record) => …) is eachMessage, runBatch(async (records) => …) eachBatch"
    : "";
  throw new ConfigError("handler", `expected a function, got ${describe(handler)}${hint}`);
}

/**
 * What to subscribe to for these topics: names, and regular expressions of patterns.
 * @throws `ConfigError` where there is none, or one is named twice
 */
export function subscriptionsOf(topics: readonly (AnyTopic | AnyTopicPattern)[]): readonly string[] {
  if (topics.length === 0) throw new ConfigError("topics", "expected a topic or an array of them");
  const subscriptions = new Set(
    topics.map((topic) => ("pattern" in topic ? topic.subscription : topic.name)),
  );
  if (subscriptions.size < topics.length) throw new ConfigError("topics", "a topic is named twice");
  return [...subscriptions];
}
