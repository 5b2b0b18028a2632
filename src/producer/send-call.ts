import { nativeCodes } from "../driver/native-errors.js";
import { DeliveryError, type DeliveryResult, KafkaError, TimeoutError } from "../errors.js";
import type { EncodedRecord, RecordMetadata } from "../record.js";
import { deferred, type Deferred } from "../waiting.js";

/**
 * One call of `send`: its records, and what becomes of each. It settles once, whatever comes after. No I/O.
 *
 * Its records are passed to the native client in order. One that fails keeps those after it back; those already
 * on their way are awaited.
 */
export class SendCall {
  readonly topic: string;
  /** When it was made, by the clock of whoever made it. */
  readonly since: number;
  /** The next one in the queue that this call waits in. */
  after: SendCall | undefined;
  /** What looking its topic up came to, which the native client had taken for missing: done, or why it could not be. */
  lookUp: "done" | KafkaError | undefined;
  readonly #count: number;
  /**
   * Emptied once the call has settled, or once all are on their way and none names a timestamp: the call itself is
   * held for longer.
   */
  #records: readonly EncodedRecord[] = [];
  #next = 0;
  #inFlight = 0;
  #isSettled = false;
  /** By the records' indexes; what is missing is not known to be written. */
  readonly #metadata: RecordMetadata[] = [];
  #failures: Map<number, DeliveryResult> | undefined;
  #firstError: KafkaError | undefined;
  readonly #resolve: (metadata: RecordMetadata[]) => void;
  readonly #reject: (error: unknown) => void;
  #settled: Deferred<void> | undefined;

  constructor(
    topic: string,
    count: number,
    since: number,
    resolve: (metadata: RecordMetadata[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.topic = topic;
    this.since = since;
    this.#count = count;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The index of the next record to send, which is how many were sent. */
  get next(): number {
    return this.#next;
  }

  /** How many records have not been sent. */
  get remaining(): number {
    return this.#count - this.#next;
  }

  /** Gives the call its records, all of them checked and serialized. */
  ready(records: readonly EncodedRecord[]): void {
    this.#records = records;
  }

  /** The next record to send, or the one so many behind it; `undefined` where none may be. */
  peek(ahead = 0): EncodedRecord | undefined {
    return this.#failures === undefined ? this.#records[this.#next + ahead] : undefined;
  }

  /** So many records, from the one of {@link SendCall.peek}, are on their way. */
  sent(count: number): void {
    this.#next += count;
    this.#inFlight += count;
    if (this.#next === this.#count && !this.#records.some(namesTimestamp)) this.#records = [];
  }

  /** Whether the record at this index names a timestamp, so that it may be what a broker refused a batch for. */
  namesTimestamp(index: number): boolean {
    const record = this.#records[index];
    return record !== undefined && namesTimestamp(record);
  }

  /** The record of {@link SendCall.peek} was not accepted, so it is not in the log. */
  refused(error: KafkaError): void {
    this.#next += 1;
    this.#fail(this.#next - 1, "failed", error);
  }

  /** A record on its way was written. */
  written(index: number, metadata: RecordMetadata): void {
    this.#inFlight -= 1;
    if (this.#isSettled) return;
    this.#metadata[index] = metadata;
    this.#settleIfDone();
  }

  /** A record on its way was refused (`failed`), or may or may not have been written (`unknown`). */
  lost(index: number, status: "failed" | "unknown", error: KafkaError): void {
    this.#inFlight -= 1;
    this.#fail(index, status, error);
  }

  /**
   * Settles the call at once. Where none of its records was sent it rejects with `reason` itself; else what is on
   * its way has become unknown, and what was not sent has failed. Reports that come later change nothing.
   */
  giveUp(reason: unknown): void {
    if (this.#isSettled) return;
    if (this.#next === 0) {
      this.#close();
      this.#reject(reason);
    } else {
      const error = reason instanceof KafkaError ? reason : aborted(this.topic, reason);
      this.#settleAsFailed(this.#firstError ?? error, reason, error);
    }
  }

  /** Resolves when the call has settled, either way. */
  async whenSettled(): Promise<void> {
    if (this.#isSettled) return;
    this.#settled ??= deferred();
    await this.#settled.promise;
  }

  #fail(index: number, status: "failed" | "unknown", error: KafkaError): void {
    if (this.#isSettled) return;
    // Whoever was in a batch with a refused record does not say why.
    if (this.#firstError === undefined || isBystander(this.#firstError)) this.#firstError = error;
    this.#failures ??= new Map();
    this.#failures.set(index, { status, error });
    this.#settleIfDone();
  }

  #settleIfDone(): void {
    if (this.#inFlight > 0) return;
    if (this.#firstError !== undefined) {
      this.#settleAsFailed(this.#firstError, this.#firstError, notSent(this.topic, this.#firstError));
    } else if (this.#next === this.#count) {
      this.#close();
      this.#resolve(this.#metadata);
    }
  }

  #settleAsFailed(error: KafkaError, cause: unknown, restError: KafkaError): void {
    const results = Array.from({ length: this.#count }, (_, index): DeliveryResult => {
      const metadata = this.#metadata[index];
      if (metadata !== undefined) return { status: "written", metadata };
      const failure = this.#failures?.get(index);
      return failure ?? { status: index < this.#next ? "unknown" : "failed", error: restError };
    });
    this.#close();
    this.#reject(deliveryError(this.topic, error, cause, results));
  }

  #close(): void {
    this.#isSettled = true;
    this.#records = [];
    this.#settled?.resolve();
  }
}

/** The error of a call of which some records were not, or may not have been, written. */
function deliveryError(
  topic: string,
  error: KafkaError,
  cause: unknown,
  results: readonly DeliveryResult[],
): DeliveryError {
  const count = (status: DeliveryResult["status"]): number =>
    results.filter((result) => result.status === status).length;
  const acknowledged = count("written");
  const unknown = count("unknown");
  const summary =
    results.length === 1
      ? ""
      : ` (of ${results.length} records ${acknowledged} were written, ${count("failed")} were not${unknown === 0 ? "" : `, and ${unknown} may have been`})`;
  return new DeliveryError(`${error.message}${summary}`, {
    code: error.code,
    cause,
    results,
    acknowledged,
    topic,
    partition: error.partition,
    nativeCode: error.nativeCode,
    // The same call again would write a second time what is in the log, or may be.
    retriable: error.retriable && results.every(({ status }) => status === "failed"),
  });
}

function namesTimestamp({ timestamp }: EncodedRecord): boolean {
  return timestamp !== undefined;
}

function isBystander({ nativeCode }: KafkaError): boolean {
  return nativeCode === nativeCodes.invalidDifferentRecord;
}

/** The error of a call that may not wait for its turn, because too many records do already; nothing of it was sent. */
export function tooManyWaiting(call: SendCall, waiting: number, maxWaitingRecords: number): DeliveryError {
  const { topic, remaining } = call;
  const message = `send to ${topic}: ${waiting} records wait for their turn already, of maxWaitingRecords ${maxWaitingRecords}: await what \`send\` returns before sending more`;
  const error = new KafkaError("DELIVERY", message, { topic, retriable: true });
  const results = Array.from({ length: remaining }, () => ({ status: "failed", error }) as const);
  return deliveryError(topic, error, undefined, results);
}

/** The error of a call that had no turn for too long; nothing of it was sent. */
export function waitedTooLong(topic: string, deliveryTimeoutMs: number, trouble: string): TimeoutError {
  const message = `send to ${topic}: waited ${deliveryTimeoutMs} ms (deliveryTimeoutMs) for its turn among the records in flight; nothing was sent${trouble}`;
  return new TimeoutError(message, { topic });
}

function notSent(topic: string, error: KafkaError): KafkaError {
  const message = `send to ${topic}: not sent, because another record of the call failed: ${error.message}`;
  return new KafkaError("DELIVERY", message, { cause: error, topic, retriable: true });
}

function aborted(topic: string, reason: unknown): KafkaError {
  return new KafkaError("DELIVERY", `send to ${topic}: aborted by the caller's signal`, {
    cause: reason,
    topic,
  });
}
