import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, TimeoutError } from "../errors.js";
import { type ClientHealth, healthOf } from "../health.js";
import { callsOfKafkajs, refuseCalls } from "../kafkajs-habits.js";
import { checkOptions } from "../options/check-options.js";
import type { EncodedRecord, RecordMetadata } from "../record.js";
import { addingHeaders } from "../serde/added-headers.js";
import { Encoders } from "../serde/encoders.js";
import type { EncodedHeaders } from "../serde/headers.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { AnyTopic, ProducerRecord } from "../topic.js";
import { ignoreRejection } from "../waiting.js";
import { BulkSender } from "./bulk-sender.js";
import { type CallOptions, callSpecs, sendAllSpecs } from "./call-options.js";
import { encodeAll } from "./encode-all.js";
import { observeSend, sendActivity } from "./observed.js";
import { resolveProducerOptions, type ProducerOptions } from "./options.js";
import { SendCall } from "./send-call.js";
import { Sender } from "./sender.js";

/** What {@link Producer.sendAll} did. */
export interface SendAllResult {
  /** How many records were written: all that the source gave. */
  readonly records: number;
}

/**
 * Sends records: idempotent, `acks=all`, in order. It connects at the first call; one producer serves any
 * number of topics and concurrent calls. Made by `kafka.producer()`.
 *
 * Records of one partition are written in the order of their calls, if each call was made after the one
 * before it was made. Three things need an `await` after them to be in order with what follows: a call of more
 * than 1,000 records, which lets others in between; `sendAll`, which has a connection of its own; and a topic
 * whose serde or schema is asynchronous, because each call goes on when it is serialized.
 *
 * @example
 * ```ts
 * await using producer = kafka.producer();
 * const { partition, offset } = await producer.send(students, { value: student });
 * ```
 */
export class Producer {
  static {
    refuseCalls(this.prototype, callsOfKafkajs.producer);
  }

  readonly #options: ReturnType<typeof resolveProducerOptions>;
  readonly #onClosed: (() => void) | undefined;
  readonly #telemetry: ClientTelemetry | undefined;
  readonly #sender: Sender;
  readonly #bulk: BulkSender;
  readonly #encoders = new Encoders();
  #closing: Promise<void> | undefined;

  /** @internal Use `kafka.producer()`. */
  constructor(config: ClientConfig, options: ProducerOptions = {}, onClosed?: () => void) {
    this.#options = resolveProducerOptions(options, config.properties);
    this.#onClosed = onClosed;
    this.#telemetry = config.telemetry;
    this.#sender = new Sender(config, this.#options);
    this.#bulk = new BulkSender(
      config,
      this.#options,
      this.#sender.partitions,
      () => this.#sender.hasConnected,
    );
  }

  /**
   * Sends one record, or an array of them. Every record is checked and serialized before the first is sent,
   * so a call that is refused for its input has written nothing. Resolves when all are acknowledged by all
   * in-sync replicas, with where each was written, in the order given. (An offset is -1 where the broker
   * confirms a repeated request without saying it.)
   *
   * Where too much is on its way, the call waits for its turn. Buffers in records must not be changed until
   * it settles; objects may.
   *
   * @throws `SerializationError` for a record that does not fit its topic; `KafkaError` with the code
   * `RECORD_TOO_LARGE` (over `maxRecordBytes`) or `UNKNOWN_PARTITION`; `ConnectionError` where no broker
   * answers, `AuthenticationError`; `TimeoutError` or the signal's reason where the call did not get its
   * turn; `ClosedError` after `close`. Of such a call nothing was sent.
   * @throws `DeliveryError` for everything later. Its `code` says why, its `results` what became of each
   * record: `written`, `failed` (not in the log) or `unknown` (it may be). After the first failure no more
   * records of the call are sent. `UNKNOWN_TOPIC` comes after 5 s, in which the topic may still be made. With the
   * code `FATAL` the producer is dead: make a new one.
   */
  send<T extends AnyTopic>(
    topic: T,
    records: readonly ProducerRecord<NoInfer<T>>[],
    options?: CallOptions,
  ): Promise<RecordMetadata[]>;
  send<T extends AnyTopic>(
    topic: T,
    record: ProducerRecord<NoInfer<T>>,
    options?: CallOptions,
  ): Promise<RecordMetadata>;
  /** What takes both comes last: TypeScript 7 tells of the last overload alone, and so it names the field that is wrong. */
  send<T extends AnyTopic>(
    topic: T,
    records: ProducerRecord<NoInfer<T>> | readonly ProducerRecord<NoInfer<T>>[],
    options?: CallOptions,
  ): Promise<RecordMetadata | RecordMetadata[]>;
  send(
    topic: AnyTopic,
    input: ProducerRecord<AnyTopic> | readonly ProducerRecord<AnyTopic>[],
    options?: CallOptions,
  ): Promise<RecordMetadata | RecordMetadata[]> {
    if (this.#telemetry === undefined) return this.#send(topic, input, options, undefined);
    return observeSend(
      this.#telemetry,
      sendActivity(topic, input, false),
      (headers) => this.#send(topic, input, options, headers),
      (written) =>
        Array.isArray(written)
          ? { sent: written.length, failed: 0 }
          : { sent: 1, failed: 0, metadata: written },
    );
  }

  #send(
    topic: AnyTopic,
    input: ProducerRecord<AnyTopic> | readonly ProducerRecord<AnyTopic>[],
    options: CallOptions | undefined,
    headers: EncodedHeaders | undefined,
  ): Promise<RecordMetadata | RecordMetadata[]> {
    // No async function, and one promise a call: this is the hot path. What the executor throws rejects it.
    return new Promise((resolve, reject) => {
      this.#checkOpen("send", topic);
      const encode = addingHeaders(this.#encoders.of(topic), headers);
      const now = performance.now();
      if (!Array.isArray(input)) {
        const record = encode(input as ProducerRecord<AnyTopic>, undefined);
        const settle = ([metadata]: RecordMetadata[]): void => {
          resolve(metadata as RecordMetadata);
        };
        const call = new SendCall(topic.name, 1, now, settle, reject);
        this.#begin(
          call,
          record instanceof Promise ? record.then((encoded) => [encoded]) : [record],
          options,
        );
      } else if (input.length === 0) {
        resolve([]);
      } else {
        const records = encodeAll(input as readonly ProducerRecord<AnyTopic>[], encode);
        this.#begin(new SendCall(topic.name, input.length, now, resolve, reject), records, options);
      }
    });
  }

  /**
   * Sends everything that an iterable or async iterable gives, in bounded memory: the source is asked for
   * more only as fast as records leave. Resolves when all are acknowledged, with their number; offsets are
   * not asked for, which makes this the fastest way. Up to 8 calls run at the same time, each with a native
   * client of its own; more wait their turn.
   *
   * On a failure, and when `signal` aborts or the producer is closed, the source's `return()` is called and
   * what is on its way is awaited (1 s after an abort).
   *
   * @throws `DeliveryError` with the number of records known to be written as `acknowledged`, and as `cause`
   * what ended it: the first record's error (whose `topic` and `partition` it has), a `SerializationError`,
   * what the source threw, or the signal's reason. Where some of what was on its way could not be awaited,
   * more may have been written. Rejects like `send` where nothing could be begun.
   */
  async sendAll<T extends AnyTopic>(
    topic: T,
    records:
      | readonly ProducerRecord<NoInfer<T>>[]
      | Iterable<ProducerRecord<NoInfer<T>>>
      | AsyncIterable<ProducerRecord<NoInfer<T>>>,
    options: Pick<CallOptions, "signal"> = {},
  ): Promise<SendAllResult> {
    this.#checkOpen("sendAll", topic);
    const { signal } = checkOptions("SendAllOptions", options, sendAllSpecs);
    const source = records as Iterable<ProducerRecord<AnyTopic>> | AsyncIterable<ProducerRecord<AnyTopic>>;
    const send = async (headers: EncodedHeaders | undefined): Promise<SendAllResult> => {
      const encode = addingHeaders(this.#encoders.of(topic), headers);
      return { records: await this.#bulk.send(topic.name, source, encode, signal) };
    };
    if (this.#telemetry === undefined) return send(undefined);
    const activity = { topic: topic.name, batch: "all", isTombstone: false, isTransactional: false } as const;
    return observeSend(this.#telemetry, activity, send, (result) => ({ sent: result.records, failed: 0 }));
  }

  /**
   * Resolves when every `send` made before it has settled, successful or not; each tells its own caller. (A
   * `sendAll` flushes by itself.)
   *
   * @throws `TimeoutError` after `timeoutMs`, or the signal's reason; the sends go on.
   */
  async flush(options: CallOptions = {}): Promise<void> {
    const { signal, timeoutMs } = checkOptions("CallOptions", options, callSpecs);
    signal?.throwIfAborted();
    const calls = this.#sender.calls();
    const waits = calls.map((call) => call.whenSettled());
    await new Promise<void>((resolve, reject) => {
      const stop = onLimit(signal, timeoutMs, "flush", this.#trouble, reject);
      void Promise.all(waits).then(() => {
        stop();
        resolve();
      });
    });
  }

  /** @internal For {@link Kafka.health}. */
  get health(): ClientHealth {
    const { hasConnected, fatal } = this.#sender;
    return healthOf("producer", undefined, {
      hasBegun: hasConnected,
      failure: fatal === undefined ? undefined : { error: fatal },
    });
  }

  /**
   * Ends the producer: takes no more calls, lets what was sent arrive for up to `closeTimeoutMs`, and
   * disconnects. Calls that have not settled by then are rejected, with what became of each of their
   * records; a `sendAll` stops asking its source at once. It never rejects, and may be called again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** {@link Producer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(
    call: SendCall,
    records: readonly EncodedRecord[] | Promise<readonly EncodedRecord[]>,
    options: CallOptions | undefined,
  ): void {
    // If the call is refused below, nobody asks for what is being serialized.
    ignoreRejection(records);
    if (options !== undefined) {
      const { signal, timeoutMs } = checkOptions("CallOptions", options, callSpecs);
      if (signal !== undefined || timeoutMs !== undefined) {
        signal?.throwIfAborted();
        const what = `send to ${call.topic}`;
        const stop = onLimit(signal, timeoutMs, what, this.#trouble, (reason) => {
          call.giveUp(reason);
        });
        void call.whenSettled().then(stop);
      }
    }
    this.#sender.add(call, records);
  }

  async #close(): Promise<void> {
    await Promise.all([
      this.#sender.close(this.#options.closeTimeoutMs),
      this.#bulk.close(this.#options.closeTimeoutMs),
    ]);
    this.#onClosed?.();
  }

  readonly #trouble = (): string => this.#sender.trouble;

  #checkOpen(what: string, topic: AnyTopic): void {
    if (this.#closing !== undefined)
      throw new ClosedError(`${what} to ${topic.name}: the producer is closed`);
  }
}

/** Calls `end` when the signal aborts or the time is over, whichever comes first, unless stopped before. */
function onLimit(
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  what: string,
  trouble: () => string,
  end: (reason: unknown) => void,
): () => void {
  const onAbort = (): void => {
    stop();
    end(signal?.reason);
  };
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          stop();
          end(new TimeoutError(`${what}: not done within timeoutMs (${timeoutMs} ms)${trouble()}`));
        }, timeoutMs);
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  return stop;
}
