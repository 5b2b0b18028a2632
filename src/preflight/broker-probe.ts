import { AdminConnection } from "../admin/admin-connection.js";
import type { ClientConfig } from "../driver/client-config.js";
import { KafkaError, TimeoutError } from "../errors.js";
import type { BrokersHealth } from "../health.js";
import { checkOptions } from "../options/check-options.js";
import { integer } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import { ignoreRejection, settlesWithin } from "../waiting.js";

/** Options of {@link Kafka.health}. */
export interface HealthOptions {
  /** How long the brokers have to answer, in milliseconds; 100 to 60,000. @default 5_000 */
  readonly timeoutMs?: number | undefined;
}

/** The options of a question for the clients' health. */
export const healthSpecs = {
  timeoutMs: integer({ min: 100, max: 60_000, default: 5_000 }),
} satisfies OptionSpecs<HealthOptions>;

/** Asks whether the brokers answer, on one connection that stays open between questions. */
export class BrokerProbe {
  readonly #config: ClientConfig;
  readonly #connection: AdminConnection;

  constructor(config: ClientConfig) {
    this.#config = config;
    this.#connection = new AdminConnection(config);
  }

  /** @throws `ConfigError` for wrong options; what brokers do, or fail to do, is the result */
  async ask(options: HealthOptions): Promise<BrokersHealth> {
    const { timeoutMs } = checkOptions("HealthOptions", options, healthSpecs);
    const began = performance.now();
    const latencyMs = (): number => Math.round(performance.now() - began);
    const counting = this.#connection.get().then((native) => native.brokerCount(timeoutMs));
    ignoreRejection(counting);
    try {
      if (!(await settlesWithin(counting, timeoutMs)))
        throw new TimeoutError(
          `${this.#config.brokers}: no answer within ${timeoutMs} ms${this.#connection.trouble}`,
        );
      return { ok: true, count: await counting, latencyMs: latencyMs(), error: undefined };
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      return { ok: false, count: 0, latencyMs: latencyMs(), error };
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
