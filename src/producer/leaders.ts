import { KafkaError } from "../errors.js";
import type { NativeProducer } from "../driver/native-producer.js";

const metadataTimeoutMs = 2_000;
const leadersTimeoutMs = 2_000;

/**
 * Looks once, before the first record to a topic, that its leaders have taken up their work. A leader that is
 * still beginning refuses the first batch and takes the next: what that comes to is told in `NativeProducer`.
 */
export class Leaders {
  readonly #connect: () => Promise<NativeProducer>;
  /** By topic: the look under way, or `undefined` when it is over. */
  readonly #looks = new Map<string, Promise<void> | undefined>();

  constructor(connect: () => Promise<NativeProducer>) {
    this.#connect = connect;
  }

  /** What to wait for before records of the topic are sent; `undefined` for nothing. Rejects where no broker can be reached. */
  look(topic: string): Promise<void> | undefined {
    if (this.#looks.has(topic)) return this.#looks.get(topic);
    const look = this.#look(topic);
    this.#looks.set(topic, look);
    // A turn later, so that calls which waited are not overtaken by one made while they go on.
    const settle = (end: () => void) => () => setImmediate(end);
    look.then(
      settle(() => this.#looks.set(topic, undefined)),
      settle(() => this.#looks.delete(topic)),
    );
    return look;
  }

  async #look(topic: string): Promise<void> {
    const native = await this.#connect();
    try {
      const partitions = await native.partitionCount(topic, metadataTimeoutMs);
      if (partitions !== undefined) await native.untilLeadersAnswer(topic, partitions, leadersTimeoutMs);
    } catch (error) {
      // What is wrong with the topic is found out again, and told, when its records are sent.
      if (!(error instanceof KafkaError)) throw error;
    }
  }
}
