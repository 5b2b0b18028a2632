import { describe } from "../check.js";
import { KafkaError } from "../errors.js";
import { bytesOf, type EncodedRecord } from "../record.js";
import { ignoreRejection, sleep } from "../waiting.js";
import type { PartitionerFunction } from "./options.js";

/** How a topic that is missing is asked for again, in case it is being made. */
const askAgainMs = 200;
const missingForMs = 5_000;
/** A partition beyond the last one known is looked up, as topics grow; but not at every record. */
const recheckMs = 1_000;

interface Known {
  readonly count: number;
  readonly at: number;
}

/**
 * How many partitions topics have, for records that name a partition and for partitioners of the user's.
 * What is known is used again, and asked for in the background once it is older than `maxAgeMs`.
 */
export class Partitions {
  readonly #ask: (topic: string) => Promise<number | undefined>;
  readonly #partitioner: PartitionerFunction | undefined;
  readonly #maxAgeMs: number;
  readonly #timeoutMs: number;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<number | undefined>>();

  /** `ask` fetches a topic's count of partitions, `undefined` where it does not exist. */
  constructor(options: {
    readonly ask: (topic: string) => Promise<number | undefined>;
    readonly partitioner: PartitionerFunction | undefined;
    readonly maxAgeMs: number;
    /** How long to ask while no broker answers. */
    readonly timeoutMs: number;
  }) {
    this.#ask = options.ask;
    this.#partitioner = options.partitioner;
    this.#maxAgeMs = options.maxAgeMs;
    this.#timeoutMs = options.timeoutMs;
  }

  /**
   * Whether the topic's count of partitions is needed before these records are sent. One record alone may
   * name any: nothing else is written if the native client refuses it.
   */
  areNeededFor(records: readonly EncodedRecord[]): boolean {
    if (this.#partitioner !== undefined) return true;
    return records.length > 1 && records.some(({ partition }) => partition !== undefined);
  }

  /**
   * The records with the partitions that they name, or that the user's partitioner chooses. A promise only
   * where the topic must be asked for.
   *
   * @throws `KafkaError` with the code `UNKNOWN_PARTITION` for a partition that the topic does not have.
   */
  choose(
    topic: string,
    records: readonly EncodedRecord[],
  ): readonly EncodedRecord[] | Promise<readonly EncodedRecord[]> {
    const known = this.#known.get(topic);
    if (known === undefined) return this.#chooseLater(topic, records);
    const age = performance.now() - known.at;
    if (age > this.#maxAgeMs) ignoreRejection(this.#refresh(topic));
    const beyond = records.some(({ partition }) => partition !== undefined && partition >= known.count);
    if (beyond && age > recheckMs) return this.#chooseLater(topic, records);
    return this.#chooseOf(topic, records, known.count);
  }

  /** Asks for the topic now; `undefined` where it does not exist. */
  async lookUp(topic: string): Promise<number | undefined> {
    return this.#refresh(topic);
  }

  async #chooseLater(topic: string, records: readonly EncodedRecord[]): Promise<readonly EncodedRecord[]> {
    const count = await this.#waitFor(topic);
    if (count !== undefined) return this.#chooseOf(topic, records, count);
    // A topic that is missing, or that this principal may not see: the native client finds out which.
    if (this.#partitioner === undefined) return records;
    throw new KafkaError(
      "UNKNOWN_TOPIC",
      `send to ${topic}: the topic does not exist, or this principal may not see it, so the partitioner cannot choose`,
      { topic },
    );
  }

  #chooseOf(topic: string, records: readonly EncodedRecord[], count: number): readonly EncodedRecord[] {
    for (const { partition } of records) {
      if (partition !== undefined && partition >= count) {
        const message = `send to ${topic}: there is no partition ${partition}, the topic has ${count}`;
        throw new KafkaError("UNKNOWN_PARTITION", message, { topic, partition });
      }
    }
    const partitioner = this.#partitioner;
    if (partitioner === undefined) return records;
    return records.map((record) => {
      if (record.partition !== undefined) return record;
      const partition: unknown = partitioner(bytesOf(record.key), count, topic);
      if (
        typeof partition === "number" &&
        Number.isInteger(partition) &&
        partition >= 0 &&
        partition < count
      ) {
        return { ...record, partition };
      }
      const message = `the partitioner must return a whole number from 0 to ${count - 1}, got ${describe(partition)}`;
      throw new KafkaError("UNKNOWN_PARTITION", `send to ${topic}: ${message}`, { topic });
    });
  }

  /** The count, once the topic is there and a broker answers. */
  async #waitFor(topic: string): Promise<number | undefined> {
    const start = performance.now();
    for (;;) {
      try {
        const count = await this.#refresh(topic);
        if (count !== undefined || performance.now() - start >= Math.min(missingForMs, this.#timeoutMs))
          return count;
      } catch (error) {
        if (
          !(error instanceof KafkaError) ||
          !error.retriable ||
          performance.now() - start >= this.#timeoutMs
        )
          throw error;
      }
      await sleep(askAgainMs);
    }
  }

  /** One question at a time for each topic. */
  #refresh(topic: string): Promise<number | undefined> {
    const asking = this.#asking.get(topic);
    if (asking !== undefined) return asking;
    const answer = this.#ask(topic)
      .then((count) => {
        if (count === undefined) this.#known.delete(topic);
        else this.#known.set(topic, { count, at: performance.now() });
        return count;
      })
      .finally(() => {
        this.#asking.delete(topic);
      });
    this.#asking.set(topic, answer);
    return answer;
  }
}
