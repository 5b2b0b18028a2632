import { ClosedError, ConfigError, misuse } from "../errors.js";
import { copyOf, type EncodedRecord } from "../record.js";
import { addingHeaders } from "../serde/added-headers.js";
import type { Encoder } from "../serde/encoder.js";
import type { Encoders } from "../serde/encoders.js";
import type { EncodedHeaders } from "../serde/headers.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { AnyTopic, ProducerRecord } from "../topic.js";
import { ignoreRejection } from "../waiting.js";
import { encodeAll } from "../producer/encode-all.js";
import { observeSend, sendActivity } from "../producer/observed.js";

/** A transaction as its callback or handler sees it. */
export interface Transaction {
  /**
   * Adds a record, or several, to the transaction: they become visible together with everything else in
   * it, or never. Resolves when they are buffered, so the promise says nothing about the broker, and buffers in
   * them are the caller's to change again; the transaction waits for sends that were not awaited. A send that fails makes the whole transaction fail
   * with its error, even where nobody looks at the promise. How large a record may be is the topic's to say
   * (`max.message.bytes`), up to 60 MB.
   *
   * @throws `SerializationError` for a record that does not fit its topic, `ClosedError` after the end of
   *   the callback or handler
   */
  readonly send: <T extends AnyTopic>(
    topic: T,
    records: ProducerRecord<T> | readonly ProducerRecord<T>[],
  ) => Promise<void>;
}

const done: Promise<void> = Promise.resolve();

/** The sends of one callback or handler call: encodes, passes on, and keeps account of what is unfinished. */
export class TransactionSends implements Transaction {
  readonly #encoders: Encoders;
  readonly #pass: (topic: string, record: EncodedRecord) => Promise<void> | undefined;
  readonly #telemetry: ClientTelemetry | undefined;
  #unfinished: Promise<unknown>[] | undefined;
  #failure: { readonly error: unknown } | undefined;
  #hasEnded = false;
  /** What is still being encoded belongs to nothing any more. */
  #isDropped = false;
  /** Why it ended before its callback did. */
  #cause: Error | undefined;

  /**
   * `pass` takes each encoded record, in the order of the calls as far as serdes are synchronous; a promise makes the
   * sender wait. The records have bytes of their own: they are passed on when `send` may long have resolved.
   */
  constructor(
    encoders: Encoders,
    pass: (topic: string, record: EncodedRecord) => Promise<void> | undefined,
    telemetry?: ClientTelemetry,
  ) {
    this.#encoders = encoders;
    this.#pass = pass;
    this.#telemetry = telemetry;
  }

  send = <T extends AnyTopic>(
    topic: T,
    records: ProducerRecord<T> | readonly ProducerRecord<T>[],
    options?: unknown,
  ): Promise<void> => {
    if (options !== undefined)
      return this.#refuse(
        misuse(new ConfigError("send", "takes no options in a transaction, whose limits hold for all of it")),
      );
    const input = records as ProducerRecord<AnyTopic> | readonly ProducerRecord<AnyTopic>[];
    if (this.#telemetry === undefined) return this.#send(topic, input, undefined);
    const sending = observeSend(
      this.#telemetry,
      sendActivity(topic, input, true),
      (headers) => this.#send(topic, input, headers),
      () => ({ sent: Array.isArray(input) ? input.length : 1, failed: 0 }),
    );
    ignoreRejection(sending);
    return sending;
  };

  #send(
    topic: AnyTopic,
    records: ProducerRecord<AnyTopic> | readonly ProducerRecord<AnyTopic>[],
    headers: EncodedHeaders | undefined,
  ): Promise<void> {
    if (this.#hasEnded) return Promise.reject(this.#endedError(topic.name));
    let sending: Promise<void> | undefined;
    try {
      const encode = addingHeaders(this.#encoders.of(topic), headers);
      sending = Array.isArray(records)
        ? this.#sendMany(topic.name, records as readonly ProducerRecord<AnyTopic>[], encode)
        : this.#sendOne(topic.name, records as ProducerRecord<AnyTopic>, encode);
    } catch (error) {
      return this.#refuse(error);
    }
    if (sending === undefined) return done;
    const settled = sending.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    (this.#unfinished ??= []).push(settled);
    return sending;
  }

  /** Whoever awaits the promise gets the error; if nobody does, the transaction's end has it. */
  #refuse(error: unknown): Promise<never> {
    this.#failure ??= { error };
    const refused = Promise.reject(error instanceof Error ? error : new Error(String(error)));
    ignoreRejection(refused);
    return refused;
  }

  /** Takes no more sends. Gives a promise only where one is unfinished. */
  finish(): Promise<void> | undefined {
    this.#hasEnded = true;
    if (this.#unfinished === undefined) {
      this.#check();
      return undefined;
    }
    return Promise.all(this.#unfinished).then(() => {
      this.#check();
    });
  }

  /**
   * Takes no more sends, and drops those that are still being encoded: the next transaction must not get them.
   * `cause` is why it ends while its callback runs.
   */
  end(cause?: Error): void {
    this.#hasEnded = true;
    this.#isDropped = true;
    this.#cause = cause;
  }

  #endedError(topic: string): ClosedError {
    const ended = `send to ${topic}: the transaction has ended: `;
    const cause = this.#cause;
    if (cause !== undefined) return new ClosedError(ended + cause.message, { topic, cause });
    return misuse(new ClosedError(`${ended}await its sends inside the callback or handler`, { topic }));
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #sendOne(topic: string, record: ProducerRecord<AnyTopic>, encode: Encoder): Promise<void> | undefined {
    const encoded = encode(record, undefined);
    if (encoded instanceof Promise) return encoded.then((ready) => this.#passAll(topic, [ready]));
    return this.#pass(topic, copyOf(encoded));
  }

  /** All are encoded before the first is passed on, so that a record which does not fit leaves none behind. */
  #sendMany(
    topic: string,
    records: readonly ProducerRecord<AnyTopic>[],
    encode: Encoder,
  ): Promise<void> | undefined {
    const encoded = encodeAll(records, encode);
    if (encoded instanceof Promise) return encoded.then((ready) => this.#passAll(topic, ready));
    return this.#passAll(topic, encoded);
  }

  #passAll(topic: string, records: readonly EncodedRecord[]): Promise<void> | undefined {
    let waiting: Promise<void> | undefined;
    if (this.#isDropped) throw this.#endedError(topic);
    for (const record of records) waiting = this.#pass(topic, copyOf(record)) ?? waiting;
    return waiting;
  }
}
