import { nativeCodes } from "../driver/native-errors.js";
import { AuthorizationError, KafkaError, TimeoutError } from "../errors.js";
import type { NativeOffset } from "../driver/native.js";
import type { Logger } from "../logger.js";
import type { TransactionEnded } from "../telemetry/activities.js";
import type { WatchedOperation } from "../telemetry/client-telemetry.js";
import { sleep } from "../waiting.js";
import type { OwnedPartition } from "../group/owned-partition.js";

/** How many records may be finished without a commit: no more than these are redelivered after a crash. */
const maxUncommitted = 10_000;
/** How long to wait before a commit that failed is repeated, in milliseconds. */
const retryMs = 200;
/** After how long a topic counts as deleted that brokers do not know, in milliseconds; not all know a new one at once. */
const unknownMs = 5_000;
/** How often to look whether a transaction has ended that commits for a partition, in milliseconds. */
const transactionMs = 20;

interface InFlight {
  readonly partition: OwnedPartition;
  readonly offset: number;
  readonly generation: number;
}

/**
 * Commits finished records in the background, one commit at a time, and waits for the broker's answer to each:
 * the native client itself answers before the broker has.
 */
export class Committer {
  readonly #send: (offsets: readonly NativeOffset[]) => void;
  readonly #intervalMs: number;
  readonly #logger: Logger;
  readonly #onDenied: (error: KafkaError) => void;
  readonly #observe:
    ((topics: readonly string[]) => WatchedOperation<TransactionEnded> | undefined) | undefined;
  #operation: WatchedOperation<TransactionEnded> | undefined;
  #dirty = new Set<OwnedPartition>();
  #uncommitted = 0;
  #inFlight: readonly InFlight[] | undefined;
  /** Topics to commit separately, because one of them does not exist any more and brokers do not say which. */
  #apart: string[] = [];
  /** By topic: since when brokers have not known it. */
  readonly #unknownSince = new Map<string, number>();
  /** Partitions that could not be committed because their topic does not exist any more. */
  readonly #deleted = new WeakSet<OwnedPartition>();
  #timer: NodeJS.Timeout | undefined;
  #lastError: KafkaError | undefined;
  #onOutcome: (() => void)[] = [];
  #isStopped = false;

  constructor(options: {
    readonly send: (offsets: readonly NativeOffset[]) => void;
    readonly intervalMs: number;
    readonly logger: Logger;
    readonly onDenied: (error: KafkaError) => void;
    /** Is told of each commit, by its topics, and how it ended. */
    readonly observe?: (topics: readonly string[]) => WatchedOperation<TransactionEnded> | undefined;
  }) {
    this.#send = options.send;
    this.#intervalMs = options.intervalMs;
    this.#logger = options.logger;
    this.#onDenied = options.onDenied;
    this.#observe = options.observe;
  }

  /** Whether the answer to a commit is awaited. */
  get isWaiting(): boolean {
    return this.#inFlight !== undefined;
  }

  /** Resolves when no commit is under way. */
  async quiet(): Promise<void> {
    while (this.#inFlight !== undefined)
      await new Promise<void>((resolve) => {
        this.#onOutcome.push(resolve);
      });
  }

  /** Counts records of the partition that have finished, and schedules their commit. */
  finished(partition: OwnedPartition, count: number): void {
    if (partition.gone || this.#isStopped) return;
    this.#dirty.add(partition);
    this.#uncommitted += count;
    if (this.#uncommitted >= maxUncommitted && this.#inFlight === undefined) this.#commit();
    else this.#timer ??= setTimeout(this.#commit, this.#intervalMs);
  }

  /** Commits the start offsets of new partitions at once, where the group has committed none. */
  begin(partitions: readonly OwnedPartition[]): void {
    const fresh = partitions.filter(({ committable }) => committable !== undefined);
    if (fresh.length === 0) return;
    for (const partition of fresh) this.finished(partition, 0);
    this.#commit();
  }

  /** The outcome of the commit in flight, as the native client reports it. */
  settle(error: KafkaError | undefined): void {
    const inFlight = this.#inFlight;
    if (inFlight === undefined) return;
    this.#inFlight = undefined;
    this.#lastError = error;
    this.#operation?.end(error === undefined ? {} : { error });
    if (error === undefined) {
      for (const { partition, offset, generation } of inFlight) {
        this.#unknownSince.delete(partition.topic);
        if (partition.generation !== generation) continue;
        partition.committedAt(offset);
        if (partition.committable === offset) this.#dirty.delete(partition);
      }
    } else if (error instanceof AuthorizationError) this.#onDenied(error);
    else if (error.nativeCode === nativeCodes.unknownTopicOrPartition) this.#onUnknown(inFlight);
    else this.#logger.info(`a commit failed and will be repeated: ${error.message}`);
    if (this.#dirty.size > 0 && !this.#isStopped) {
      clearTimeout(this.#timer);
      const pauseMs = error === undefined ? this.#intervalMs : retryMs;
      this.#timer = setTimeout(this.#commit, this.#apart.length > 0 ? 0 : pauseMs);
    }
    const waiting = this.#onOutcome;
    this.#onOutcome = [];
    for (const resolve of waiting) resolve();
  }

  /**
   * Commits everything finished in these partitions and waits for the answer. Resolves to a partition that was lost
   * before, if there is one.
   * @throws the last error, or `TimeoutError`, where it is not committed after `timeoutMs`; `KafkaError` with code
   *   `UNKNOWN_TOPIC` where a topic was deleted
   */
  async flush(partitions: Iterable<OwnedPartition>, timeoutMs: number): Promise<OwnedPartition | undefined> {
    const wanted = [...partitions].map((partition) => {
      const { committable, generation } = partition;
      return { partition, committable, generation };
    });
    const deadline = performance.now() + timeoutMs;
    const isUncommitted = ({ partition, committable, generation }: (typeof wanted)[number]): boolean =>
      committable !== undefined &&
      partition.generation === generation &&
      (partition.committed ?? -1) < committable;
    const isOpen = (one: (typeof wanted)[number]): boolean =>
      this.#dirty.has(one.partition) && !one.partition.gone && isUncommitted(one);
    while (wanted.some(isOpen)) {
      const left = deadline - performance.now();
      if (left <= 0) throw this.#lastError ?? new TimeoutError(`commit: no answer within ${timeoutMs} ms`);
      if (this.#inFlight === undefined && this.#lastError !== undefined) await sleep(Math.min(left, retryMs));
      this.#commit();
      if (this.#inFlight === undefined) {
        await sleep(Math.min(left, transactionMs));
        continue;
      }
      const stop = new AbortController();
      const outcome = new Promise<void>((resolve) => {
        this.#onOutcome.push(resolve);
      });
      await Promise.race([outcome, sleep(Math.max(1, deadline - performance.now()), stop.signal)]);
      stop.abort();
    }
    const uncommitted = wanted.filter(isUncommitted).map(({ partition }) => partition);
    const deleted = uncommitted.find((partition) => this.#deleted.has(partition));
    if (deleted !== undefined) throw unknownTopic(deleted);
    return uncommitted.find(({ gone }) => gone);
  }

  /** Commits nothing from now on. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dirty.clear();
  }

  readonly #commit = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#inFlight !== undefined || this.#isStopped) return;
    let batch: readonly InFlight[] = [];
    while (batch.length === 0 && this.#apart.length > 0) batch = this.#batch(this.#apart.shift());
    if (batch.length === 0) batch = this.#batch(undefined);
    if (batch.length === 0) return;
    this.#uncommitted = 0;
    this.#inFlight = batch;
    this.#operation = this.#observe?.([...new Set(batch.map(({ partition: { topic } }) => topic))]);
    try {
      this.#send(batch.map(({ partition: { topic, partition }, offset }) => ({ topic, partition, offset })));
    } catch (error) {
      this.settle(
        error instanceof KafkaError
          ? error
          : new KafkaError("BROKER", "the native client refused to commit", {
              cause: error,
              retriable: true,
            }),
      );
    }
  };

  /** The offsets to commit, of one topic where it is given. */
  #batch(topic: string | undefined): readonly InFlight[] {
    const batch: InFlight[] = [];
    for (const partition of this.#dirty) {
      const offset = partition.committable;
      if (partition.transacting || (topic !== undefined && partition.topic !== topic)) continue;
      if (partition.gone || offset === undefined || offset === partition.committed)
        this.#dirty.delete(partition);
      else batch.push({ partition, offset, generation: partition.generation });
    }
    return batch;
  }

  /** Commits the topics separately, to find the unknown one; for one that stays unknown there is nothing to commit. */
  #onUnknown(inFlight: readonly InFlight[]): void {
    const [topic, ...others] = new Set(inFlight.map(({ partition }) => partition.topic));
    if (topic === undefined) return;
    if (others.length > 0) {
      this.#apart = [topic, ...others];
      return;
    }
    const now = performance.now();
    const since = this.#unknownSince.get(topic) ?? now;
    this.#unknownSince.set(topic, since);
    if (now - since < unknownMs) return;
    this.#unknownSince.delete(topic);
    for (const { partition } of inFlight) {
      this.#dirty.delete(partition);
      this.#deleted.add(partition);
    }
  }
}

function unknownTopic({ topic, partition }: OwnedPartition): KafkaError {
  return new KafkaError("UNKNOWN_TOPIC", `commit: brokers do not know the topic ${topic} any more`, {
    topic,
    partition,
  });
}
