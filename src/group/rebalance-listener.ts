import type { ClientConfig } from "../driver/client-config.js";
import type { Logger } from "../logger.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import { settlesWithin } from "../waiting.js";
import type { RebalanceEvent, ResolvedConsumerOptions } from "./options.js";

/** Tells the user's `onRebalance` of one rebalance after the other. */
export class RebalanceListener {
  readonly #options: ResolvedConsumerOptions;
  readonly #logger: Logger;
  readonly #telemetry: ClientTelemetry | undefined;
  #told: Promise<void> = Promise.resolve();

  constructor(
    options: ResolvedConsumerOptions,
    { logger, telemetry }: Pick<ClientConfig, "logger" | "telemetry">,
  ) {
    this.#options = options;
    this.#logger = logger;
    this.#telemetry = telemetry;
  }

  /** Resolves when the user has dealt with it, or has had the time for it; never rejects. */
  async tell(event: RebalanceEvent): Promise<void> {
    const { groupId, onRebalance, drainTimeoutMs } = this.#options;
    this.#logger.info(`partitions ${event.type}`, { groupId, partitions: event.partitions });
    this.#telemetry?.onRebalance({ groupId, type: event.type, partitions: event.partitions.length });
    if (event.partitions.length === 0 || onRebalance === undefined) return;
    this.#told = this.#told.then(async () => {
      const told = (async () => onRebalance(event))();
      told.catch((error: unknown) => {
        this.#logger.error("onRebalance failed", { groupId, error });
      });
      if (!(await settlesWithin(told, drainTimeoutMs)))
        this.#logger.warn("onRebalance took longer than drainTimeoutMs and is no longer waited for", {
          groupId,
        });
    });
    await this.#told;
  }
}
