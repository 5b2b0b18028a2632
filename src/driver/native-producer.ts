import { ClosedError, KafkaError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { EncodedRecord } from "../record.js";
import { sleep } from "../waiting.js";
import { loadBinding } from "./binding.js";
import { Client } from "./client.js";
import type { ClientConfig } from "./client-config.js";
import type { NativeConsumer } from "./native-consumer.js";
import { isEmbedded } from "./embedded-clusters.js";
import { fastPath } from "./fast/addon.js";
import { FastProducer } from "./fast/fast-producer.js";
import { nativeCodes } from "./native-errors.js";
import { type OnReport, plainProducePath, type ProducePath, queued, type Refused } from "./produce-path.js";
import type { NativeError, NativeOffset, NativeProducerClient, NativeProperties } from "./native.js";

/** What the native producer tells without being asked, on the main thread. */
export interface NativeProducerEvents {
  /** What became of one record: `code` is 0 where it was written, else Kafka's error code. */
  readonly onReport: OnReport;
  /** The native client cannot go on. */
  readonly onFatal: (error: KafkaError) => void;
}

export { queued, type Refused };

const leaderPauseMs = 20;
/** What brokers say of a partition whose leader is only beginning. */
const beginningCodes: readonly (number | undefined)[] = [
  nativeCodes.leaderNotAvailable,
  nativeCodes.notLeader,
  nativeCodes.unknownTopicOrPartition,
];

/**
 * The native producer with promises and typed errors. It settles nothing by itself: every record handed
 * over is reported once, unless the client is disconnected first.
 */
export class NativeProducer {
  readonly #client: Client<NativeProducerClient>;
  readonly #path: ProducePath;
  readonly #what: string;
  /** A report of before the disconnect may still arrive after it. */
  #dead = false;
  /** The partitions of which a broker has acknowledged a record of this client, with its offset. */
  readonly #confirmed = new Map<string, Set<number>>();

  constructor(
    config: ClientConfig,
    what: string,
    properties: NativeProperties,
    events: NativeProducerEvents,
  ) {
    const { Producer } = loadBinding();
    this.#what = what;
    const onReport: OnReport = (code, tag, topic, partition, offset, timestamp) => {
      if (this.#dead) return;
      events.onReport(this.#codeOf(code, topic, partition, offset), tag, topic, partition, offset, timestamp);
    };
    this.#path = this.#choosePath(config, properties, onReport);
    const { onDelivery } = this.#path;
    this.#client = new Client({
      config,
      what,
      create: (all) => new Producer(all, null),
      firstProperties: this.#path.properties,
      properties: {
        // The native client asks for topics before it sends to them, and a broker would make those that are missing.
        "allow.auto.create.topics": isEmbedded(config.brokers),
        ...config.properties,
        ...properties,
      },
      callbacks: { event: onDelivery === undefined ? {} : { delivery_cb: onDelivery } },
      onFatal: events.onFatal,
      beforeDisconnect: () => {
        this.#path.release();
      },
      afterDisconnect: () => {
        this.#path.close();
      },
    });
  }

  get logger(): Logger {
    return this.#client.logger;
  }

  /** The error that ended this client for good, if one did. */
  get fatal(): KafkaError | undefined {
    return this.#client.fatal;
  }

  /** Which connection failed last, and why, to be put behind a message; empty where none did lately. */
  get trouble(): string {
    return this.#client.trouble;
  }

  async connect(signal?: AbortSignal): Promise<void> {
    try {
      await this.#client.connect(() => {
        this.#path.open();
        this.#client.native.setPollInBackground(true);
      }, signal);
    } catch (error) {
      this.#dead = true;
      throw error;
    }
  }

  /**
   * Produces records of one topic, in their order, up to the first that is refused. `undefined` where all were queued.
   *
   * @param tags - one for each record, back in its report; none for a client that reports errors alone
   * @param areTold - whether it is reported that they were written; a client that reports errors alone may not do it
   */
  produce(
    topic: string,
    records: readonly EncodedRecord[],
    tags: readonly number[] | undefined,
    areTold = tags !== undefined,
  ): Refused | undefined {
    if (this.#dead) return { queued: 0, code: nativeCodes.state };
    try {
      return this.#path.produce(topic, records, tags, areTold);
    } catch (error) {
      // The addons throw for arguments of a wrong type, which an encoder never gives.
      this.logger.error(`produce to ${topic}: ${String(error)}`, { client: this.#what });
      return { queued: 0, code: nativeCodes.invalidArgument };
    }
  }

  /** Passes on the reports that there are by now; `false` where more may come in the next turns of the event loop. */
  takeReports(): boolean {
    return this.#path.takeReports();
  }

  /** Whether everything passed on has been written or reported within `timeoutMs`, which occupies one of libuv's threads. */
  async flush(timeoutMs: number): Promise<boolean> {
    try {
      await this.#call("flush", (native, callback) => {
        native.flush(timeoutMs, callback);
      });
      return true;
    } catch (error) {
      if (error instanceof KafkaError && error.nativeCode === nativeCodes.timedOut) return false;
      throw error;
    }
  }

  /** How many partitions a topic has; `undefined` where it does not exist, or may not be seen. */
  async partitionCount(topic: string, timeoutMs: number): Promise<number | undefined> {
    const { topics } = await this.#client.metadata(topic, timeoutMs);
    const count = topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
    return count === 0 ? undefined : count;
  }

  /** Fences every other producer of this transactional id and ends what it left open. Errors keep their native flags as `cause`. */
  async initTransactions(timeoutMs: number): Promise<void> {
    await this.#call("start of transactions", (native, callback) => {
      native.initTransactions(timeoutMs, callback);
    });
  }

  async beginTransaction(): Promise<void> {
    await this.#call("begin of a transaction", (native, callback) => {
      native.beginTransaction(callback);
    });
  }

  async commitTransaction(timeoutMs: number): Promise<void> {
    await this.#call("commit of a transaction", (native, callback) => {
      native.commitTransaction(timeoutMs, callback);
    });
  }

  async abortTransaction(timeoutMs: number): Promise<void> {
    await this.#call("abort of a transaction", (native, callback) => {
      native.abortTransaction(timeoutMs, callback);
    });
  }

  /** Adds a group's next offsets to the transaction, under the group membership of `consumer` as of this moment. */
  async sendOffsets(
    offsets: readonly NativeOffset[],
    consumer: NativeConsumer,
    timeoutMs: number,
  ): Promise<void> {
    await consumer.lend(async (lent) => {
      // With a disconnected consumer the addons crash the process.
      if (lent === undefined) throw new ClosedError(`${this.#what}: offsets of a closed consumer`);
      await this.#call("offsets of a transaction", (_, callback) => {
        this.#path.sendOffsets(offsets, lent, timeoutMs, callback);
      });
    });
  }

  /**
   * Waits until the leader of each partition of the topic answers as such, or until `timeoutMs` is over: right
   * after a topic is made, a leader that is known may not be one yet, and refuses the first records.
   */
  async untilLeadersAnswer(topic: string, partitions: number, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const { askLeaders } = this.#path;
    if (askLeaders !== undefined)
      return this.#untilLed(`leaders of ${topic}`, deadline, (_, left, onAnswer) => {
        askLeaders(topic, partitions, left, (code) => {
          onAnswer(code === 0 ? null : { code, message: nativeErrorText(code) });
        });
      });
    for (let partition = 0; partition < partitions; partition += 1)
      await this.#untilLed(`leader of ${topic}[${partition}]`, deadline, (native, left, onAnswer) => {
        native.queryWatermarkOffsets(topic, partition, left, onAnswer);
      });
  }

  async #untilLed(
    what: string,
    deadline: number,
    ask: (
      native: NativeProducerClient,
      leftMs: number,
      onAnswer: (error: NativeError | Error | null) => void,
    ) => void,
  ): Promise<void> {
    for (;;) {
      const left = deadline - performance.now();
      if (left <= 0) return;
      try {
        await this.#call(what, (native, callback) => {
          ask(native, left, (error) => {
            callback(error, undefined);
          });
        });
        return;
      } catch (error) {
        this.logger.debug(`${what}: ${String(error)}`);
        // It was worth a try: what becomes of the records is told by their reports.
        if (!(error instanceof KafkaError) || !beginningCodes.includes(error.nativeCode)) return;
        await sleep(Math.min(left, leaderPauseMs));
      }
    }
  }

  /** Ends the native client; what it still holds is dropped and never reported. Never rejects. */
  async disconnect(): Promise<void> {
    this.#dead = true;
    await this.#client.disconnect();
  }

  /**
   * librdkafka takes a batch for written when a later one of its partition was, although the broker had
   * refused it: true only if the broker knows this producer there. Where it does not, it takes the later
   * batch as the first, and the one before is lost. (Run: NOT_LEADER for the first batch to a new topic,
   * while the second was in flight.) Such records come without an offset.
   */
  #codeOf(code: number, topic: string, partition: number, offset: number): number {
    if (code !== queued) return code;
    let confirmed = this.#confirmed.get(topic);
    if (confirmed?.has(partition) === true) return code;
    if (offset < 0) return nativeCodes.unconfirmed;
    if (confirmed === undefined) {
      confirmed = new Set();
      this.#confirmed.set(topic, confirmed);
    }
    confirmed.add(partition);
    return code;
  }

  #choosePath(config: ClientConfig, properties: NativeProperties, onReport: OnReport): ProducePath {
    const path = fastPath();
    config.logger.debug(`records go by the ${path.reason === undefined ? "fast" : "plain"} path`, {
      client: this.#what,
      ...(path.reason !== undefined && { reason: path.reason }),
    });
    if (path.reason !== undefined) return plainProducePath(() => this.#client.native, onReport);
    return new FastProducer(path, { ...config.properties, ...properties }, onReport);
  }

  async #call(
    what: string,
    start: (
      native: NativeProducerClient,
      callback: Parameters<NativeProducerClient["beginTransaction"]>[0],
    ) => void,
  ): Promise<void> {
    if (this.#dead) throw new ClosedError(`${this.#what}: ${what}: the producer is closed`);
    await this.#client.call<unknown>(what, (callback) => {
      start(this.#client.native, callback);
    });
  }
}

/** librdkafka's text of an error code. */
export function nativeErrorText(code: number): string {
  return loadBinding().err2str(code);
}

/** What librdkafka says of a transaction's error beside its code; all `false` where it says nothing (BINDING: `beginTransaction`). */
export function transactionFlagsOf(error: KafkaError): {
  readonly isFatal: boolean;
  readonly isRetriable: boolean;
  readonly isTxnRequiresAbort: boolean;
} {
  const {
    isFatal = false,
    isRetriable = false,
    isTxnRequiresAbort = false,
  } = (error.cause ?? {}) as Partial<NativeError>;
  return { isFatal, isRetriable, isTxnRequiresAbort };
}
