import type { ClientConfig } from "../driver/client-config.js";
import { recordStatusOf } from "../driver/error-codes.js";
import { nativeCodes } from "../driver/native-errors.js";
import { queued } from "../driver/native-producer.js";
import type { OnReport } from "../driver/produce-path.js";
import { ClosedError, type KafkaError } from "../errors.js";
import type { EncodedRecord } from "../record.js";
import { settlesWithin } from "../waiting.js";
import { checkSizes } from "./encoded-size.js";
import { SendClients } from "./send-clients.js";
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
  readonly #clients: SendClients;
  #fatal: KafkaError | undefined;
  #isConnecting = false;
  /** Whether records had to stay behind: only a report frees the window for them. */
  #isBlocked = false;
  #pumpDue: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(config: ClientConfig, options: ResolvedProducerOptions) {
    this.#config = config;
    this.#options = options;
    const window = { maxRecords: options.maxInFlightRecords, maxBytes: options.maxInFlightBytes };
    this.#queue = new SendQueue(window, this.#target);
    this.#clients = new SendClients(config, options, { onReport: this.#onReport, onFatal: this.#onFatal });
    this.#gate = new TopicGate({
      connect: () => this.#clients.connect(),
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
    return this.#clients.active !== undefined;
  }

  /** Which connection failed last, and why, to be put behind a message; empty where none did lately. */
  get trouble(): string {
    return this.#clients.active?.trouble ?? "";
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
    await this.#clients.close();
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
    if (this.#clients.active === undefined) void this.#connect();
    // What is alone leaves at once. Under load the calls of one turn are passed on together: fuller batches.
    else if (this.#queue.inFlight === 0) this.#pump();
    else if (this.#queue.waiting >= turnRecords && !this.#isBlocked) this.#pump();
    else this.#pumpSoon();
  };

  /** Connects, and sends what waits for it or rejects it. */
  async #connect(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    try {
      await this.#clients.connect();
    } catch (error) {
      for (const call of this.#queue.calls()) call.giveUp(error);
      this.#queue.sweep();
    } finally {
      this.#isConnecting = false;
    }
    this.#pump();
  }

  #pumpSoon(): void {
    this.#pumpDue ??= setImmediate(() => {
      this.#pumpDue = undefined;
      this.#pump();
    });
  }

  #pump(): void {
    const { load, inFlight, waiting } = this.#queue;
    if (this.#clients.active === undefined || waiting === 0) return;
    if (this.#clients.mayProduce(load, inFlight, performance.now()) && !this.#queue.pump()) {
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
      const native = this.#clients.active;
      return native === undefined
        ? { queued: 0, code: nativeCodes.state }
        : native.produce(topic, records, tags);
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
