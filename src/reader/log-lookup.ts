import { isTransient, lastingLogCodes } from "../driver/native-errors.js";
import { logEnd, logStart } from "../driver/log-times.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import { ConnectionError, KafkaError, TimeoutError } from "../errors.js";
import type { Logger } from "../logger.js";
import { partitionId, type TopicPartition } from "../offsets.js";
import { sleep } from "../waiting.js";
import type { ReadBound, ResolvedReadOptions } from "./options.js";
import { planRead } from "./plan.js";
import type { ReadPartition } from "./read-partition.js";

/** How long a question to the brokers may take. */
export const queryTimeoutMs = 5_000;
const unknownTopicMs = 10_000;

/** Finds out what there is to read: partitions, and the offsets between which a read goes. */
export class LogLookup {
  readonly #native: Pick<NativeConsumer, "partitionsOf" | "offsetsForTimes">;
  readonly #topics: readonly string[];
  readonly #options: ResolvedReadOptions;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;

  /** @param signal - ends all waiting */
  constructor(
    native: Pick<NativeConsumer, "partitionsOf" | "offsetsForTimes">,
    topics: readonly string[],
    options: ResolvedReadOptions,
    logger: Logger,
    signal: AbortSignal,
  ) {
    this.#native = native;
    this.#topics = topics;
    this.#options = options;
    this.#logger = logger;
    this.#signal = signal;
  }

  /**
   * The partitions to read.
   * @throws `KafkaError` with code `UNKNOWN_PARTITION` or `UNKNOWN_TOPIC`; `TimeoutError`, `ConnectionError`
   */
  async partitions(): Promise<readonly TopicPartition[]> {
    const wanted = this.#options.partitions;
    const found: TopicPartition[] = [];
    for (const topic of this.#topics) {
      const partitions = await this.partitionsOf(topic);
      const asked = wanted?.filter((each) => each.topic === topic).map(({ partition }) => partition);
      const missing = asked?.find((partition) => !partitions.includes(partition));
      if (missing !== undefined)
        throw new KafkaError(
          "UNKNOWN_PARTITION",
          `${topic}[${missing}]: the topic has ${partitions.length} partitions, from 0`,
          { topic, partition: missing },
        );
      for (const partition of asked ?? partitions) found.push({ topic, partition });
    }
    return found;
  }

  /** What of these partitions is to be read, from `from` on. */
  async plan(partitions: readonly TopicPartition[], from: ReadBound): Promise<readonly ReadPartition[]> {
    const { to, follow } = this.#options;
    const start = await this.#offsetsAt(partitions, logStart);
    const end = await this.#offsetsAt(partitions, logEnd);
    const fromTime =
      from.type === "time" ? await this.#offsetsAt(partitions, from.ms) : new Map<string, number>();
    const toTime = to.type === "time" ? await this.#offsetsAt(partitions, to.ms) : new Map<string, number>();
    return planRead(partitions, { from, to, follow }, { start, end, fromTime, toTime });
  }

  /** The ends of these partitions as of now; brokers that are away are waited for until `signal` aborts. */
  async ends(
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, number>> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await this.#offsetsAt(partitions, logEnd);
      } catch (error) {
        if (!isTransient(error, lastingLogCodes) || this.#signal.aborted) throw error;
        await sleep(250, signal);
      }
    }
  }

  /** Partitions that `isKnown` does not know; none where the brokers cannot be asked now. */
  async newPartitions(isKnown: (partition: TopicPartition) => boolean): Promise<readonly TopicPartition[]> {
    const added: TopicPartition[] = [];
    for (const topic of this.#topics) {
      try {
        // Brokers that have just started know fewer partitions, or none.
        const now = await this.#native.partitionsOf(topic, queryTimeoutMs);
        const partitions = now.length > 0 ? now : await this.partitionsOf(topic);
        added.push(...partitions.map((partition) => ({ topic, partition })).filter((each) => !isKnown(each)));
      } catch (error) {
        if (!isTransient(error, lastingLogCodes)) throw error;
        this.#logger.info("read: looking for new partitions failed and is repeated", { error });
      }
    }
    return added;
  }

  /** Waits for a topic that was just made. @throws `KafkaError` with code `UNKNOWN_TOPIC` */
  async partitionsOf(topic: string): Promise<readonly number[]> {
    const deadline = performance.now() + unknownTopicMs;
    for (;;) {
      const partitions = await this.#retrying(() => this.#native.partitionsOf(topic, queryTimeoutMs));
      if (partitions.length > 0) return partitions;
      // A topic just made is not known to every broker yet.
      if (performance.now() >= deadline)
        throw new KafkaError(
          "UNKNOWN_TOPIC",
          `${topic}: the topic does not exist, or this principal may not see it. Create it, or grant DESCRIBE on it`,
          { topic },
        );
      await sleep(500, this.#signal);
    }
  }

  /** Under `read_committed` the native client asks for stable offsets. */
  async #offsetsAt(
    partitions: readonly TopicPartition[],
    time: number,
  ): Promise<ReadonlyMap<string, number>> {
    const offsets = await this.#retrying(() =>
      this.#native.offsetsForTimes(
        partitions.map(({ topic, partition }) => ({ topic, partition, offset: time })),
        queryTimeoutMs,
      ),
    );
    return new Map(offsets.map(({ topic, partition, offset }) => [partitionId(topic, partition), offset]));
  }

  /** Brokers that are away, and partitions without a leader, are waited for within `stallTimeoutMs`. */
  async #retrying<Result>(ask: () => Promise<Result>): Promise<Result> {
    const deadline = performance.now() + this.#options.stallTimeoutMs;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isTransient(error, lastingLogCodes) || this.#signal.aborted) throw error;
        if (performance.now() >= deadline) throw this.#waitedFor(error);
        this.#logger.info(`read: ${error.message}; asking again`, { topics: this.#topics });
        await sleep(250, this.#signal);
        await this.#lookUpLeaders();
      }
    }
  }

  /** librdkafka goes on asking the leaders that it knows, up to `metadataMaxAgeMs` after one has fallen silent. */
  async #lookUpLeaders(): Promise<void> {
    const asking = this.#topics.map((topic) => this.#native.partitionsOf(topic, queryTimeoutMs));
    await Promise.allSettled(asking);
  }

  #waitedFor(cause: KafkaError): KafkaError {
    if (cause instanceof ConnectionError) return cause;
    const { stallTimeoutMs } = this.#options;
    const message = `${cause.message}. It has been so for ${stallTimeoutMs} ms: has every partition a leader?`;
    return new TimeoutError(message, { cause, nativeCode: cause.nativeCode });
  }
}
