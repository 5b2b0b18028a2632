import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, ConfigError } from "../errors.js";
import type { Encoder } from "../serde/encoder.js";
import { limitConcurrency, settlesWithin } from "../waiting.js";
import { BulkClient } from "./bulk-client.js";
import { BulkRun, type Source } from "./bulk-run.js";
import type { ResolvedProducerOptions } from "./options.js";
import type { Partitions } from "./partitions.js";

/** How many calls of `sendAll` run at the same time: each has a native client, with threads and connections of its own. */
const maxRuns = 8;
const drainAfterAbortMs = 1_000;

/** The calls of `sendAll`, and the native clients that they use one after the other. */
export class BulkSender {
  readonly #config: ClientConfig;
  readonly #options: ResolvedProducerOptions;
  readonly #partitions: Partitions;
  readonly #inTurn = limitConcurrency(maxRuns);
  readonly #calls = new Set<Promise<unknown>>();
  readonly #closed = new AbortController();
  /** One is kept for the next call. */
  #idle: BulkClient | undefined;

  constructor(config: ClientConfig, options: ResolvedProducerOptions, partitions: Partitions) {
    this.#config = config;
    this.#options = options;
    this.#partitions = partitions;
  }

  /** Resolves with the number of records written. */
  async send(
    topic: string,
    source: Source,
    encode: Encoder,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    if (!isSource(source))
      throw new ConfigError("records", "expected an iterable or an async iterable of records");
    const call = this.#inTurn(() => this.#send(topic, source, encode, signal));
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  /** Ends the sources, lets what they gave arrive within `timeoutMs`, and disconnects. Never rejects. */
  async close(timeoutMs: number): Promise<void> {
    this.#closed.abort(new ClosedError("the producer is closed"));
    await settlesWithin(Promise.allSettled(this.#calls), timeoutMs + drainAfterAbortMs);
    await this.#idle?.disconnect();
  }

  async #send(
    topic: string,
    source: Source,
    encode: Encoder,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    const client = await this.#client(signal);
    const run = new BulkRun(client, topic, encode, this.#partitions, this.#options);
    const onAbort = (): void => {
      run.end(signal?.reason, drainAfterAbortMs);
    };
    const onClose = (): void => {
      run.end(this.#closed.signal.reason, this.#options.closeTimeoutMs);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#closed.signal.addEventListener("abort", onClose, { once: true });
    let isClean = false;
    try {
      const records = await run.run(source);
      isClean = true;
      return records;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#closed.signal.removeEventListener("abort", onClose);
      if (isClean && this.#idle === undefined && !this.#closed.signal.aborted) this.#idle = client;
      // The caller need not wait for it: what is left in it is of nobody any more.
      else void client.disconnect();
    }
  }

  async #client(signal: AbortSignal | undefined): Promise<BulkClient> {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle !== undefined && idle.fatal === undefined) return idle;
    void idle?.disconnect();
    const client = new BulkClient(this.#config, this.#options);
    await client.connect(AbortSignal.any([this.#closed.signal, ...(signal === undefined ? [] : [signal])]));
    return client;
  }
}

function isSource(source: unknown): source is Source {
  return (
    typeof source === "object" &&
    source !== null &&
    (Symbol.iterator in source || Symbol.asyncIterator in source)
  );
}
