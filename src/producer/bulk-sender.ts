import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, ConfigError } from "../errors.js";
import type { Encoder } from "../serde/encoder.js";
import { deferred, limitConcurrency, settlesWithin } from "../waiting.js";
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
  readonly #hasConnected: () => boolean;
  readonly #inTurn = limitConcurrency(maxRuns);
  readonly #calls = new Set<Promise<unknown>>();
  readonly #closed = new AbortController();
  readonly #clients = new Set<BulkClient>();
  /** One is kept for the next call. */
  #idle: BulkClient | undefined;

  constructor(
    config: ClientConfig,
    options: ResolvedProducerOptions,
    partitions: Partitions,
    hasConnected: () => boolean,
  ) {
    this.#config = config;
    this.#options = options;
    this.#partitions = partitions;
    this.#hasConnected = hasConnected;
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
    const signals = signal === undefined ? [] : [signal];
    const stop = AbortSignal.any([this.#closed.signal, ...signals]);
    stop.throwIfAborted();
    let hasBegun = false;
    const call = this.#inTurn(() => {
      hasBegun = true;
      stop.throwIfAborted();
      return this.#send(topic, source, encode, stop);
    });
    this.#calls.add(call);
    const stopped = deferred<never>();
    const onStop = (): void => {
      if (!hasBegun) stopped.reject(stop.reason);
    };
    stop.addEventListener("abort", onStop);
    try {
      return await Promise.race([call, stopped.promise]);
    } finally {
      // Node keeps a combined signal as long as anybody listens to it, and with it what the listener refers to.
      stop.removeEventListener("abort", onStop);
      this.#calls.delete(call);
    }
  }

  /** Ends the sources, lets what they gave arrive within `timeoutMs`, and disconnects. Never rejects. */
  async close(timeoutMs: number): Promise<void> {
    this.#closed.abort(new ClosedError("the producer is closed"));
    await settlesWithin(Promise.allSettled(this.#calls), timeoutMs + drainAfterAbortMs);
    await Promise.all([...this.#clients].map((client) => this.#disconnect(client)));
  }

  async #send(topic: string, source: Source, encode: Encoder, stop: AbortSignal): Promise<number> {
    const client = await this.#client(stop);
    const run = new BulkRun(client, topic, encode, this.#partitions, this.#options);
    const onStop = (): void => {
      const isClosing = stop.reason === this.#closed.signal.reason;
      run.end(stop.reason, isClosing ? this.#options.closeTimeoutMs : drainAfterAbortMs);
    };
    stop.addEventListener("abort", onStop);
    if (stop.aborted) onStop();
    let isClean = false;
    try {
      const records = await run.run(source);
      isClean = true;
      return records;
    } finally {
      stop.removeEventListener("abort", onStop);
      if (isClean && this.#idle === undefined && !this.#closed.signal.aborted) this.#idle = client;
      // The caller need not wait for it: what is left in it is of nobody any more.
      else void this.#disconnect(client);
    }
  }

  async #client(stop: AbortSignal): Promise<BulkClient> {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle !== undefined && idle.fatal === undefined) return idle;
    if (idle !== undefined) void this.#disconnect(idle);
    const client = new BulkClient(this.#configNow(), this.#options);
    await client.connect(stop);
    this.#clients.add(client);
    return client;
  }

  /** A producer that has reached its cluster waits for it like `send` does, not as for one that may not be there at all. */
  #configNow(): ClientConfig {
    if (!this.#hasConnected()) return this.#config;
    return {
      ...this.#config,
      connectTimeoutMs: Math.max(this.#config.connectTimeoutMs, this.#options.deliveryTimeoutMs),
    };
  }

  async #disconnect(client: BulkClient): Promise<void> {
    this.#clients.delete(client);
    await client.disconnect();
  }
}

function isSource(source: unknown): source is Source {
  return (
    typeof source === "object" &&
    source !== null &&
    (Symbol.iterator in source || Symbol.asyncIterator in source)
  );
}
