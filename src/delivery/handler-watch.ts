import { KafkaError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { Delivery } from "./delivery.js";

/** Counts seconds, so that every call of a handler can be dated at no cost, and looks each second for one that hangs. */
export class HandlerWatch {
  readonly #what: "consumer" | "processor";
  readonly #groupId: string;
  readonly #limitMs: number;
  readonly #logger: Logger;
  readonly #onHang: (error: KafkaError) => void;
  #now = 0;
  #timer: NodeJS.Timeout | undefined;

  /** A handler that runs for more than `maxPollIntervalMs` has its partition aborted; then `onHang` is told. */
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

  /** In which second it is. */
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
    const place = {
      topic: partition.topic,
      partition: partition.partition,
      offset,
      groupId: this.#groupId,
    };
    if (seconds === Math.max(1, Math.floor(limit / 2)))
      this.#logger.warn(
        `a handler has been running for ${seconds} s; the ${this.#what} stops at maxPollIntervalMs`,
        place,
      );
    if (seconds <= limit) return;
    const error = new KafkaError(
      "HANDLER_TIMEOUT",
      `${place.topic}[${place.partition}] offset ${offset}: the handler has been running for more than maxPollIntervalMs ` +
        `(${this.#limitMs} ms). Give its calls a deadline, or raise the option`,
      place,
    );
    partition.abort(error);
    this.#onHang(error);
  }
}
