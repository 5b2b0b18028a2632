import type { ClientConfig } from "../driver/client-config.js";
import { recordStatusOf } from "../driver/error-codes.js";
import { nativeCodes } from "../driver/native-errors.js";
import { queued } from "../driver/native-producer.js";
import type { NativeDeliveryReport } from "../driver/native.js";
import { ClosedError, KafkaError, TimeoutError } from "../errors.js";
import type { EncodedRecord } from "../record.js";
import { settlesWithin } from "../waiting.js";
import { checkSizes } from "./encoded-size.js";
import { SendClients } from "./send-clients.js";
import { Leaders } from "./leaders.js";
import type { ResolvedProducerOptions } from "./options.js";
import { Partitions } from "./partitions.js";
import { deadError, recordError } from "./record-errors.js";
import { deliveryError, type SendCall } from "./send-call.js";
import { SendQueue, turnRecords, type HandOver } from "./send-queue.js";

const metadataTimeoutMs = 2_000;
const fullQueuePauseMs = 5;

/**
 * Brings the calls of `send` to the native client and their reports back: checks what can be checked before
 * anything is sent, connects, keeps the window, and settles every call whatever happens.
 */
export class Sender {
  readonly partitions: Partitions;
  readonly #config: ClientConfig;
  readonly #options: ResolvedProducerOptions;
  readonly #queue: SendQueue;
  /** Calls that are in no queue yet: being serialized, or waiting for what a topic looks like. */
  readonly #aside = new Set<SendCall>();
  #recordsAside = 0;
  /** By topic: when the last of those that wait to know it has been added to the queue. */
  readonly #lines = new Map<string, Promise<void>>();
  /** By topic that is being looked up: the calls that wait for that, in order. */
  readonly #lookUps = new Map<string, SendCall[]>();
  readonly #clients: SendClients;
  readonly #leaders: Leaders;
  #fatal: KafkaError | undefined;
  #isConnecting = false;
  /** Whether records had to stay behind: only a report makes room for them. */
  #isBlocked = false;
  #pumpDue: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(config: ClientConfig, options: ResolvedProducerOptions) {
    this.#config = config;
    this.#options = options;
    this.#queue = new SendQueue(
      { maxRecords: options.maxInFlightRecords, maxBytes: options.maxInFlightBytes },
      this.#handOver,
    );
    this.#clients = new SendClients(config, options, { onReport: this.#onReport, onFatal: this.#onFatal });
    this.#leaders = new Leaders(() => this.#clients.connect());
    this.partitions = new Partitions({
      ask: async (topic) => (await this.#clients.connect()).partitionCount(topic, metadataTimeoutMs),
      partitioner: options.partitioner,
      maxAgeMs: config.metadataMaxAgeMs,
      timeoutMs: options.deliveryTimeoutMs,
    });
  }

  /** What has ended it for good, if anything has. */
  get fatal(): KafkaError | undefined {
    return this.#fatal;
  }

  /** Whether a broker was ever reached. */
  get hasConnected(): boolean {
    return this.#clients.active !== undefined;
  }

  /** Takes a call over: from here it settles by itself. */
  add(call: SendCall, records: readonly EncodedRecord[] | Promise<readonly EncodedRecord[]>): void {
    if (!(records instanceof Promise)) this.#check(call, records);
    else if (this.#hasRoomFor(call))
      this.#setAside(call, records, (encoded) => {
        this.#check(call, encoded);
      });
  }

  /** Every call that has not settled. */
  calls(): SendCall[] {
    return [...this.#aside, ...this.#queue.calls()].filter((call) => !call.isSettled);
  }

  /** Waits for what was sent, settles what is left after `timeoutMs`, and ends the native client. Never rejects. */
  async close(timeoutMs: number): Promise<void> {
    await settlesWithin(Promise.all(this.calls().map((call) => call.whenSettled())), timeoutMs);
    for (const call of this.calls()) {
      call.giveUp(
        new ClosedError(`send to ${call.topic}: the producer was closed before it was acknowledged`, {
          topic: call.topic,
        }),
      );
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
      if (!this.#hasRoomFor(call)) return;
      const look = this.#leaders.look(call.topic);
      if (look === undefined) this.#choose(call, records);
      else
        this.#setAside(call, look, () => {
          this.#choose(call, records);
        });
    } catch (error) {
      call.giveUp(error);
    }
  }

  /** Calls that need to know the topic wait for that, and those after them behind them. */
  #choose(call: SendCall, records: readonly EncodedRecord[]): void {
    if (call.isSettled) return;
    const { topic } = call;
    try {
      const before = this.#lines.get(topic);
      const chosen =
        before === undefined
          ? this.#chosenFor(call, records)
          : before.then(() => this.#chosenFor(call, records));
      if (!(chosen instanceof Promise)) {
        this.#enqueue(call, chosen);
        return;
      }
      this.#setAside(call, chosen, (ready) => {
        this.#enqueue(call, ready);
      });
      const line = Promise.allSettled([chosen]).then(() => {
        if (this.#lines.get(topic) === line) this.#lines.delete(topic);
      });
      this.#lines.set(topic, line);
    } catch (error) {
      call.giveUp(error);
    }
  }

  #chosenFor(
    call: SendCall,
    records: readonly EncodedRecord[],
  ): readonly EncodedRecord[] | Promise<readonly EncodedRecord[]> {
    return call.isSettled || !this.partitions.areNeededFor(records)
      ? records
      : this.partitions.choose(call.topic, records);
  }

  #enqueue(call: SendCall, records: readonly EncodedRecord[]): void {
    if (call.isSettled) return;
    call.ready(records);
    this.#queue.add(call);
    if (this.#clients.active === undefined) void this.#connect();
    // What is alone leaves at once. Under load, what comes in one turn of the event loop is handed over
    // together: that makes fuller batches than one by one, between the reports of others.
    else if (this.#queue.inFlight === 0) this.#pump();
    else if (this.#queue.waiting >= turnRecords && !this.#isBlocked) this.#pump();
    else this.#pumpSoon();
  }

  #setAside<Result>(call: SendCall, work: Promise<Result>, go: (result: Result) => void): void {
    this.#aside.add(call);
    this.#recordsAside += call.remaining;
    const comeBack = (): void => {
      this.#aside.delete(call);
      this.#recordsAside -= call.remaining;
    };
    work.then(
      (result) => {
        comeBack();
        // It may be set aside once more.
        go(result);
      },
      (error: unknown) => {
        comeBack();
        call.giveUp(error);
      },
    );
  }

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
    const mayHandOver = this.#clients.mayHandOver(load, inFlight, performance.now());
    if (mayHandOver && !this.#queue.pump()) {
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#pump();
      }, fullQueuePauseMs);
    }
    this.#isBlocked = this.#queue.waiting > 0;
    if (this.#isBlocked) this.#watchWaiting();
  }

  /** While calls wait for room: those that have waited too long are given up. */
  #watchWaiting(): void {
    const { deliveryTimeoutMs } = this.#options;
    this.#watch ??= setTimeout(
      () => {
        this.#watch = undefined;
        for (const call of this.#queue.waitingSince(performance.now() - deliveryTimeoutMs)) {
          const message = `send to ${call.topic}: waited ${deliveryTimeoutMs} ms (deliveryTimeoutMs) for room among the records in flight; nothing was sent`;
          call.giveUp(new TimeoutError(message, { topic: call.topic }));
        }
        this.#queue.sweep();
        this.#pump();
      },
      Math.min(1_000, Math.max(50, deliveryTimeoutMs / 10)),
    );
  }

  readonly #handOver = (call: SendCall, record: EncodedRecord, tag: number): HandOver => {
    if (this.#fatal !== undefined) return this.#fatal;
    const line = this.#lookUps.get(call.topic);
    if (line !== undefined) {
      this.#join(line, call);
      return "aside";
    }
    const code = this.#clients.active?.produce(call.topic, record, tag) ?? nativeCodes.state;
    if (code === queued) return "queued";
    if (code === nativeCodes.queueFull) return "full";
    const mayBeNew = code === nativeCodes.unknownTopic || code === nativeCodes.unknownPartition;
    if (mayBeNew && call.next === 0) {
      if (call.lookUp instanceof KafkaError) return call.lookUp;
      if (call.lookUp === undefined) {
        void this.#lookUp(call);
        return "aside";
      }
    }
    return this.#errorOf(code, call.topic, record.partition);
  };

  /**
   * The native client remembers for `metadataMaxAgeMs` that there was no such topic or partition. Asking makes it
   * look again: what was made since can be sent to at once. Later calls for the topic wait too, or those to a
   * partition that is found meanwhile would overtake the ones that waited for it.
   */
  async #lookUp(call: SendCall): Promise<void> {
    const line: SendCall[] = [];
    this.#lookUps.set(call.topic, line);
    this.#join(line, call);
    const outcome = await this.partitions.lookUp(call.topic).then(
      () => "done" as const,
      (error: unknown) =>
        error instanceof KafkaError ? error : new KafkaError("DELIVERY", String(error), { cause: error }),
    );
    this.#lookUps.delete(call.topic);
    for (const waiting of line) {
      waiting.lookUp = outcome;
      this.#aside.delete(waiting);
      this.#recordsAside -= waiting.remaining;
    }
    this.#queue.addFirst(line.filter(({ isSettled }) => !isSettled));
    this.#pumpSoon();
  }

  #join(line: SendCall[], call: SendCall): void {
    line.push(call);
    this.#aside.add(call);
    this.#recordsAside += call.remaining;
  }

  readonly #onReport = (
    code: number,
    { opaque, partition, offset, timestamp }: NativeDeliveryReport,
  ): void => {
    if (code === queued) {
      this.#queue.written(opaque, partition, Math.max(-1, offset), timestamp ?? -1);
    } else {
      const reason = this.#reasonOf(code, opaque);
      this.#queue.lost(opaque, recordStatusOf(reason), (topic) =>
        this.#errorOf(reason, topic, partition < 0 ? undefined : partition),
      );
    }
    if (this.#queue.waiting > 0) this.#pumpSoon();
  };

  /** The native client reports a refused timestamp for every record of the batch, whosever it was. */
  #reasonOf(code: number, tag: unknown): number {
    const isAnother = code === nativeCodes.invalidTimestamp && !this.#queue.namesTimestamp(tag);
    return isAnother ? nativeCodes.invalidDifferentRecord : code;
  }

  readonly #onFatal = (cause: KafkaError): void => {
    if (this.#fatal !== undefined) return;
    this.#fatal = deadError(cause);
    this.#config.logger.error(this.#fatal.message);
    this.#pumpSoon();
  };

  #errorOf(code: number, topic: string, partition: number | undefined): KafkaError {
    return this.#fatal ?? recordError(code, topic, partition, this.#options.deliveryTimeoutMs);
  }

  /** Whether the call may wait with those that do; if not, it is given up. */
  #hasRoomFor(call: SendCall): boolean {
    const waiting = this.#queue.waiting + this.#recordsAside;
    const { maxWaitingRecords } = this.#options;
    if (waiting === 0 || waiting + call.remaining <= maxWaitingRecords) return true;
    const message = `send to ${call.topic}: ${waiting} records wait for room already, of maxWaitingRecords ${maxWaitingRecords}: await what \`send\` returns before sending more`;
    const error = new KafkaError("DELIVERY", message, { topic: call.topic, retriable: true });
    const results = Array.from({ length: call.remaining }, () => ({ status: "failed", error }) as const);
    call.giveUp(deliveryError(call.topic, error, undefined, results));
    return false;
  }
}
