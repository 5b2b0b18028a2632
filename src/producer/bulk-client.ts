import type { ClientConfig } from "../driver/client-config.js";
import { NativeProducer, type Refused } from "../driver/native-producer.js";
import type { OnReport } from "../driver/produce-path.js";
import type { KafkaError } from "../errors.js";
import type { EncodedRecord } from "../record.js";
import { backoff, sleep } from "../waiting.js";
import type { ResolvedProducerOptions } from "./options.js";
import { deadError, recordError } from "./record-errors.js";
import { untilReported } from "./reports.js";

const flushPauseMs = backoff(1, 20);

/**
 * A native client that reports failures alone: a report costs more than twice what the rest of a record does.
 * A failure does not say whose record it was, so a client is used by one {@link BulkRun} at a time.
 */
export class BulkClient {
  readonly #native: NativeProducer;
  readonly #deliveryTimeoutMs: number;
  #fatal: KafkaError | undefined;
  #failures = 0;
  #onFailure: (error: KafkaError) => void = () => undefined;

  constructor(config: ClientConfig, options: ResolvedProducerOptions) {
    this.#deliveryTimeoutMs = options.deliveryTimeoutMs;
    this.#native = new NativeProducer(config, "producer of sendAll", options.bulkProperties, {
      onReport: this.#onReport,
      onFatal: (cause) => {
        this.#fatal = deadError(cause);
        this.#onFailure(this.#fatal);
      },
    });
  }

  /** How many records failed in this run. */
  get failures(): number {
    return this.#failures;
  }

  /** Why it can be used no more, if so. */
  get fatal(): KafkaError | undefined {
    return this.#fatal;
  }

  /** Why a record was not, or may not have been, written. */
  errorOf(code: number, topic: string, partition: number | undefined): KafkaError {
    return this.#fatal ?? recordError(code, topic, partition, this.#deliveryTimeoutMs, this.#native.trouble);
  }

  connect(signal: AbortSignal): Promise<void> {
    return this.#native.connect(signal);
  }

  /** Begins a run: `onFailure` is told of every failure. */
  begin(onFailure: (error: KafkaError) => void): void {
    this.#failures = 0;
    this.#onFailure = onFailure;
  }

  /** Like {@link NativeProducer.produce}. Without tags: with failures alone reported, none would be freed. */
  produce(topic: string, records: readonly EncodedRecord[]): Refused | undefined {
    return this.#native.produce(topic, records, undefined);
  }

  /** Has the native client look at a topic again that it took for missing. */
  async lookUp(topic: string): Promise<void> {
    await this.#native.partitionCount(topic, 2_000);
  }

  /** Waits until nothing is on its way, and every failure has been told. `false` where `isOver` came first. */
  async drain(isOver: () => boolean): Promise<boolean> {
    for (let attempt = 0; !(await this.#isFlushed()); attempt += 1) {
      if (isOver()) return false;
      await sleep(flushPauseMs(attempt));
    }
    // What failed last is reported in the next turns of the event loop.
    await untilReported(() => this.#failures);
    return true;
  }

  /** Asked again and again: a flush that waits would hold one of libuv's four threads as long as a broker is down. */
  #isFlushed(): Promise<boolean> {
    return this.#native.flush(0);
  }

  /** Ends a run, too. */
  disconnect(): Promise<void> {
    return this.#native.disconnect();
  }

  readonly #onReport: OnReport = (code, _tag, topic, partition) => {
    if (code === 0) return;
    this.#failures += 1;
    this.#onFailure(this.errorOf(code, topic, partition < 0 ? undefined : partition));
  };
}
