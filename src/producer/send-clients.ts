import type { ClientConfig } from "../driver/client-config.js";
import { NativeProducer, type NativeProducerEvents } from "../driver/native-producer.js";
import { ClosedError, KafkaError } from "../errors.js";
import type { ResolvedProducerOptions } from "./options.js";
import { Pace } from "./pace.js";

/** How long to hold records back until those of the other client have arrived: a few milliseconds if brokers answer. */
const drainLimitMs = 100;
/** When to try again after a client could not be connected or changed to. */
const tryAgainMs = 10_000;

/**
 * The native clients behind `send`. The native linger is fixed for a client, and none suits both a record
 * that somebody awaits (0: 0.4 ms on one machine) and a thousand at a time (2 ms: a third less work a
 * record), so there are two: the prompt one, and under lasting load the gathering one. Only one is in use,
 * and it is changed when nothing is on its way, so the order of records stays.
 */
export class SendClients {
  readonly #config: ClientConfig;
  readonly #options: ResolvedProducerOptions;
  readonly #events: NativeProducerEvents;
  readonly #pace = new Pace();
  readonly #closed = new AbortController();
  #prompt: NativeProducer | undefined;
  #gathering: NativeProducer | undefined;
  #active: NativeProducer | undefined;
  #connecting: Promise<NativeProducer> | undefined;
  #connectingGathering: Promise<void> | undefined;
  /** Since when records are held back to change clients. */
  #drainingSince: number | undefined;
  #notBefore = 0;

  constructor(config: ClientConfig, options: ResolvedProducerOptions, events: NativeProducerEvents) {
    this.#config = config;
    this.#options = options;
    this.#events = events;
  }

  /** The one to send with; `undefined` until connected. */
  get active(): NativeProducer | undefined {
    return this.#active;
  }

  /** Connects where that has not been done; all who ask meanwhile share one attempt. */
  async connect(): Promise<NativeProducer> {
    if (this.#active !== undefined) return this.#active;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Whether records may be sent now, with so many calls in work and so many records on their way. */
  mayProduce(load: number, inFlight: number, now: number): boolean {
    if (this.#options.gatheringProperties === undefined || now < this.#notBefore) return true;
    const gathers = this.#pace.gathers(load, now);
    if (gathers && this.#gathering === undefined) this.#connectGathering(this.#options.gatheringProperties);
    const wanted = gathers ? this.#gathering : this.#prompt;
    if (wanted === undefined || wanted === this.#active || inFlight === 0) {
      this.#active = wanted ?? this.#active;
      this.#drainingSince = undefined;
      return true;
    }
    this.#drainingSince ??= now;
    if (now - this.#drainingSince < drainLimitMs) return false;
    // Some broker does not answer. What goes to the others must not wait for it.
    this.#tryLater(now);
    return true;
  }

  async close(): Promise<void> {
    this.#closed.abort(new ClosedError("the producer is closed"));
    await Promise.allSettled([this.#connecting, this.#connectingGathering]);
    await Promise.all([this.#prompt?.disconnect(), this.#gathering?.disconnect()]);
  }

  async #connect(): Promise<NativeProducer> {
    const native = new NativeProducer(this.#config, "producer", this.#options.properties, this.#events);
    await native.connect(this.#closed.signal);
    this.#prompt = native;
    this.#active = native;
    return native;
  }

  #connectGathering(properties: NonNullable<ResolvedProducerOptions["gatheringProperties"]>): void {
    this.#connectingGathering ??= (async () => {
      const native = new NativeProducer(this.#config, "producer under load", properties, this.#events);
      await native.connect(this.#closed.signal);
      this.#gathering = native;
    })()
      .catch((error: unknown) => {
        // The prompt client goes on: slower, and with errors of its own where brokers are in trouble.
        const reason = error instanceof KafkaError ? error.message : String(error);
        this.#config.logger.debug(`no second connection: ${reason}`);
        this.#tryLater(performance.now());
      })
      .finally(() => {
        this.#connectingGathering = undefined;
      });
  }

  #tryLater(now: number): void {
    this.#pace.reset();
    this.#drainingSince = undefined;
    this.#notBefore = now + tryAgainMs;
  }
}
