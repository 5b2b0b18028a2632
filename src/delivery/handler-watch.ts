import { KafkaError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { Delivery } from "./delivery.js";

/** Counts seconds, so that dating a call of a handler costs nothing, and looks each second for a call that hangs. */
export class HandlerWatch {
  readonly #what: "consumer" | "processor";
  readonly #groupId: string;
  readonly #limitMs: number;
  readonly #logger: Logger;
  readonly #onHang: (error: KafkaError) => void;
  #now = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Once a call runs for more than `maxPollIntervalMs`, aborts its partition's signal and calls `onHang`. */
  constructor(
    what: "consumer" | "processor",
    options: { readonly groupId: string; readonly maxPollIntervalMs: number },
    logger: Logger,
    onHang: (error: KafkaError) => void,
  ) {
    this.#what = what;
    this.#groupId = options.groupId;
    this.#limitMs = options.maxPollIntervalMs;
    this.#logger = logger;
    this.#onHang = onHang;
  }

  /** The current second. */
  readonly second = (): number => this.#now;

  start(delivery: Delivery): void {
    this.#timer = setInterval(() => {
      this.#now += 1;
      this.#look(delivery);
    }, 1_000);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(delivery: Delivery): void {
    const oldest = delivery.oldest();
    if (oldest === undefined) return;
    const { seconds, partition, offset } = oldest;
    const limit = this.#limitMs / 1_000;
    const where = {
      topic: partition.topic,
      partition: partition.partition,
      offset,
      groupId: this.#groupId,
    };
    if (seconds === Math.max(1, Math.floor(limit / 2)))
      this.#logger.warn(
        `a handler has been running for ${seconds} s; the ${this.#what} stops at maxPollIntervalMs`,
        where,
      );
    if (seconds <= limit) return;
    const error = new KafkaError(
      "HANDLER_TIMEOUT",
      `${where.topic}[${where.partition}] offset ${offset}: the handler has been running for more than maxPollIntervalMs ` +
        `(${this.#limitMs} ms). Give its calls a deadline, or raise the option`,
      where,
    );
    partition.abort(error);
    this.#onHang(error);
  }
}
