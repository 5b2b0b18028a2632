import type { ClientConfig } from "../driver/client-config.js";
import { recordStatusOf } from "../driver/error-codes.js";
import { nativeCodes } from "../driver/native-errors.js";
import { NativeProducer, queued } from "../driver/native-producer.js";
import type { OnReport } from "../driver/produce-path.js";
import { ClosedError, type KafkaError } from "../errors.js";
import type { EncodedRecord } from "../record.js";
import { ignoreRejection, settlesWithin } from "../waiting.js";
import { checkSizes } from "./encoded-size.js";
import type { ResolvedProducerOptions } from "./options.js";
import type { Partitions } from "./partitions.js";
import { deadError, recordError } from "./record-errors.js";
import { type SendCall, tooManyWaiting, waitedTooLong } from "./send-call.js";
import { SendQueue, turnRecords, type SendTarget } from "./send-queue.js";
import { TopicGate } from "./topic-gate.js";

const fullQueuePauseMs = 5;

/**
 * Brings the calls of `send` to the native client and their reports back: checks what can be checked before
 * anything is sent, connects, keeps the window, and settles every call whatever happens.
 */
export class Sender {
  readonly #config: ClientConfig;
  readonly #options: ResolvedProducerOptions;
  readonly #queue: SendQueue;
  /** Calls that cannot be in the queue yet. */
  readonly #gate: TopicGate;
  readonly #closed = new AbortController();
  /** The native client, from when it is connected. */
  #native: NativeProducer | undefined;
  #connecting: Promise<NativeProducer> | undefined;
  #fatal: KafkaError | undefined;
  /** Whether records had to stay behind: only a report frees the window for them. */
  #isBlocked = false;
  /** Whether more than one record waited last time: what comes next is probably not alone either. */
  #hadCompany = false;
  #pumpDue: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(config: ClientConfig, options: ResolvedProducerOptions) {
    this.#config = config;
    this.#options = options;
    const window = { maxRecords: options.maxInFlightRecords, maxBytes: options.maxInFlightBytes };
    this.#queue = new SendQueue(window, this.#target);
    this.#gate = new TopicGate({
      connect: () => this.#connect(),
      partitioner: options.partitioner,
      maxAgeMs: config.metadataMaxAgeMs,
      timeoutMs: options.deliveryTimeoutMs,
      onReady: this.#enqueue,
      onLookedUp: (calls) => {
        this.#queue.addFirst(calls);
        this.#pumpSoon();
      },
    });
  }

  /** How many partitions topics have, for others that send with the same options. */
  get partitions(): Partitions {
    return this.#gate.partitions;
  }

  /** What has ended it for good, if anything has. */
  get fatal(): KafkaError | undefined {
    return this.#fatal;
  }

  /** Whether a broker was ever reached. */
  get hasConnected(): boolean {
    return this.#native !== undefined;
  }

  /** Which connection failed last, and why, to be put behind a message; empty where none did lately. */
  get trouble(): string {
    return this.#native?.trouble ?? "";
  }

  /** Accepts a call: from here it settles by itself. */
  add(call: SendCall, records: readonly EncodedRecord[] | Promise<readonly EncodedRecord[]>): void {
    if (!(records instanceof Promise)) this.#check(call, records);
    else if (this.#mayWait(call)) this.#gate.hold(call, records, (encoded) => this.#check(call, encoded));
  }

  /** Every call that has not settled. */
  calls(): SendCall[] {
    return [...this.#gate.calls, ...this.#queue.calls()].filter((call) => !call.isSettled);
  }

  /** Waits for what was sent, settles what is left after `timeoutMs`, and ends the native client. Never rejects. */
  async close(timeoutMs: number): Promise<void> {
    await settlesWithin(Promise.all(this.calls().map((call) => call.whenSettled())), timeoutMs);
    for (const call of this.calls()) {
      const message = `send to ${call.topic}: the producer was closed before it was acknowledged`;
      call.giveUp(new ClosedError(message, { topic: call.topic }));
    }
    clearImmediate(this.#pumpDue);
    clearTimeout(this.#retry);
    clearTimeout(this.#watch);
    this.#closed.abort(new ClosedError("the producer is closed"));
    await this.#connecting?.catch(() => {});
    await this.#native?.disconnect();
  }

  #check(call: SendCall, records: readonly EncodedRecord[]): void {
    if (call.isSettled) return;
    try {
      if (this.#fatal !== undefined) throw this.#fatal;
      checkSizes(call.topic, records, this.#options.maxRecordBytes);
      if (this.#mayWait(call)) this.#gate.enter(call, records);
    } catch (error) {
      call.giveUp(error);
    }
  }

  readonly #enqueue = (call: SendCall, records: readonly EncodedRecord[]): void => {
    if (call.isSettled) return;
    call.ready(records);
    this.#queue.add(call);
    // Where that fails, the calls that wait are told.
    if (this.#native === undefined) ignoreRejection(this.#connect());
    // What is alone leaves at once. Of many callers the calls of one turn are passed on together, for fuller batches:
    // also right after a burst of reports, when nothing is on its way and the first of them has sent again.
    else if (this.#queue.inFlight === 0 && !this.#hadCompany) this.#pump();
    else if (this.#queue.waiting >= turnRecords && !this.#isBlocked) this.#pump();
    else this.#pumpSoon();
  };

  /** Connects where that has not been done, and sends what waits for it or rejects it. All who ask share one attempt. */
  #connect(): Promise<NativeProducer> {
    this.#connecting ??= this.#connectNative().then(
      (native) => {
        this.#native = native;
        this.#pump();
        return native;
      },
      (error: unknown) => {
        // Before the calls are told: what they send again begins another attempt.
        this.#connecting = undefined;
        for (const call of this.#queue.calls()) call.giveUp(error);
        this.#queue.sweep();
        throw error;
      },
    );
    return this.#connecting;
  }

  async #connectNative(): Promise<NativeProducer> {
    const events = { onReport: this.#onReport, onFatal: this.#onFatal };
    const native = new NativeProducer(this.#config, "producer", this.#options.properties, events);
    await native.connect(this.#closed.signal);
    return native;
  }

  #pumpSoon(): void {
    this.#pumpDue ??= setImmediate(() => {
      this.#pumpDue = undefined;
      this.#pump();
    });
  }

  #pump(): void {
    const { waiting } = this.#queue;
    if (this.#native === undefined || waiting === 0) return;
    this.#hadCompany = waiting > 1;
    if (!this.#queue.pump()) {
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#pump();
      }, fullQueuePauseMs);
    }
    this.#isBlocked = this.#queue.waiting > 0;
    if (this.#isBlocked) this.#watchWaiting();
  }

  /** While calls wait for their turn: those that have waited too long fail. */
  #watchWaiting(): void {
    const { deliveryTimeoutMs } = this.#options;
    this.#watch ??= setTimeout(
      () => {
        this.#watch = undefined;
        for (const call of this.#queue.waitingSince(performance.now() - deliveryTimeoutMs))
          call.giveUp(waitedTooLong(call.topic, deliveryTimeoutMs, this.trouble));
        this.#queue.sweep();
        this.#pump();
      },
      Math.min(1_000, Math.max(50, deliveryTimeoutMs / 10)),
    );
  }

  readonly #target: SendTarget = {
    hindrance: (call) => this.#fatal ?? (this.#gate.joins(call) ? "held" : undefined),
    produce: (topic, records, tags) => {
      if (this.#native === undefined) return { queued: 0, code: nativeCodes.state };
      return this.#native.produce(topic, records, tags);
    },
    refused: (call, { partition }, code) => {
      if (code === nativeCodes.queueFull) return "full";
      return this.#gate.lookUp(call, code) ?? this.#errorOf(code, call.topic, partition);
    },
  };

  readonly #onReport: OnReport = (code, tag, topic, partition, offset, timestamp) => {
    if (code === queued) {
      this.#queue.written(tag, partition, Math.max(-1, offset), timestamp);
    } else {
      const reason = this.#queue.reasonOf(tag, code);
      this.#queue.lost(tag, recordStatusOf(reason), () =>
        this.#errorOf(reason, topic, partition < 0 ? undefined : partition),
      );
    }
    if (this.#queue.waiting > 0) this.#pumpSoon();
  };

  readonly #onFatal = (cause: KafkaError): void => {
    if (this.#fatal !== undefined) return;
    this.#fatal = deadError(cause);
    this.#config.logger.error(this.#fatal.message);
    this.#pumpSoon();
  };

  #errorOf(code: number, topic: string, partition: number | undefined): KafkaError {
    return this.#fatal ?? recordError(code, topic, partition, this.#options.deliveryTimeoutMs, this.trouble);
  }

  /** Whether the call may wait with those that do; if not, it fails. */
  #mayWait(call: SendCall): boolean {
    const waiting = this.#queue.waiting + this.#gate.records;
    const { maxWaitingRecords } = this.#options;
    if (waiting === 0 || waiting + call.remaining <= maxWaitingRecords) return true;
    call.giveUp(tooManyWaiting(call, waiting, maxWaitingRecords));
    return false;
  }
}
