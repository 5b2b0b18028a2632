import type { ClientConfig } from "../driver/client-config.js";
import { NativeAdmin } from "../driver/native-admin.js";
import { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import {
  KafkaError,
  ProducerFencedError,
  TransactionAbortedError,
  TransactionOutcomeUnknownError,
} from "../errors.js";
import { parseDeadLetter } from "../failure/dead-letter.js";
import type { DeadLetter, RedriveResult, ResolvedRedriveOptions } from "./redrive-options.js";
import { resolveTransactionOptions } from "../transactions/transaction-options.js";
import { type RolledBack, TransactionFailure } from "../transactions/transaction-failure.js";
import type { TransactionRecord } from "../transactions/transaction-records.js";
import { TransactionRunner } from "../transactions/transaction-runner.js";
import type { ConsumerRecord } from "../record.js";
import { encodedRecord } from "../serde/encoded-record.js";
import { encodeRawHeaders } from "../serde/headers.js";
import { sleep } from "../waiting.js";

/** A record of the dead-letter topic, as bytes. */
export type LetterRecord = Pick<
  ConsumerRecord<Buffer | null, Buffer>,
  "partition" | "offset" | "key" | "value" | "rawHeaders"
>;

/** Reads the dead-letter topic from these offsets to its end as of now. */
export type ReadLetters = (
  from: Readonly<Record<number, number>>,
  signal: AbortSignal,
) => AsyncIterable<LetterRecord>;

const queryTimeoutMs = 10_000;
const startTimeoutMs = 30_000;
const transactionTimeoutMs = 60_000;
const maxRecordsPerTransaction = 500;
const commitEveryMs = 500;
/** How many dead letters of a partition that stay are kept in memory before they are written to its end. */
const maxHeld = 1_000;

/**
 * Sends dead letters back, in transactions with the offsets of a group of its own: `<dead letters>.redrive`.
 * Everything before that group's committed offsets was sent back or kept. A dead letter that stays, in front of one
 * that is sent back, is written to the end of the dead-letter topic in the same transaction. A later redrive of the
 * same dead letters fences this one.
 */
export class Redrive {
  readonly #config: ClientConfig;
  readonly #options: ResolvedRedriveOptions;
  readonly #read: ReadLetters;
  readonly #consumer: NativeConsumer;
  readonly #runner: TransactionRunner;
  readonly #closing: AbortSignal;
  readonly #signal: AbortSignal;
  #batch: TransactionRecord[] = [];
  #offsets = new Map<number, number>();
  #batchSince = 0;
  /** Dead letters that stay, and may stay where they are as long as none behind them is sent back. */
  readonly #held = new Map<number, LetterRecord[]>();
  /** By partition: the offset before which dead letters were sent back, by this run or an earlier one. */
  readonly #committed = new Map<number, number>();
  #sourcePartitions = 0;
  #redriven = 0;
  #kept = 0;

  constructor(
    config: ClientConfig,
    options: ResolvedRedriveOptions,
    read: ReadLetters,
    closing: AbortSignal,
  ) {
    this.#config = config;
    this.#options = options;
    this.#read = read;
    this.#closing = closing;
    this.#signal = options.signal === undefined ? closing : AbortSignal.any([closing, options.signal]);
    const name = `${options.letters}.redrive`;
    const properties = { "group.id": name, "isolation.level": "read_committed" };
    const what = options.dryRun ? `dead letters in ${options.letters}` : `redrive of ${options.letters}`;
    this.#consumer = new NativeConsumer(config, what, properties, {
      onWake: () => undefined,
      onRebalance: () => undefined,
      onCommit: () => undefined,
      onFatal: () => undefined,
    });
    const transaction = { transactionalId: name, transactionTimeoutMs };
    this.#runner = new TransactionRunner(config, resolveTransactionOptions(transaction, config.properties));
  }

  async run(): Promise<RedriveResult> {
    const { dryRun, onProgress } = this.#options;
    try {
      this.#signal.throwIfAborted();
      await this.#consumer.connect(this.#signal);
      if (!dryRun)
        await this.#runner.open(this.#signal, {
          deadline: performance.now() + startTimeoutMs,
          isPatient: false,
        });
      await this.#redrive(await this.#begin());
    } catch (error) {
      // An open transaction holds up readers of the source.
      const rolledBack = error instanceof TransactionFailure ? await this.#runner.rollBack(error) : undefined;
      // Where brokers do not answer, or another redrive has begun, the next redrive deletes them.
      if (rolledBack === undefined || rolledBack.remedy === "abort") await this.#deleteRedriven();
      if (error instanceof TransactionFailure && rolledBack !== undefined)
        throw this.#stoppedBy(error, rolledBack);
      throw error;
    } finally {
      await this.#runner.close(queryTimeoutMs);
      await this.#consumer.disconnect();
    }
    await this.#deleteRedriven();
    const result = { redriven: this.#redriven, kept: this.#kept };
    onProgress?.(result);
    return result;
  }

  /** The offset to read each partition from: dead letters before it were sent back earlier, and may not be deleted yet. */
  async #begin(): Promise<Record<number, number>> {
    const { letters, source, to, dryRun } = this.#options;
    const partitions = await this.#consumer.partitionsOf(letters, queryTimeoutMs);
    if (partitions.length === 0)
      throw new KafkaError("UNKNOWN_TOPIC", `${letters}: there are no dead letters, and no topic for them`, {
        topic: letters,
      });
    if (to === undefined)
      this.#sourcePartitions = (await this.#consumer.partitionsOf(source, queryTimeoutMs)).length;
    const committed = await this.#consumer.committed(
      partitions.map((partition) => ({ topic: letters, partition })),
      queryTimeoutMs,
    );
    if (!dryRun)
      for (const { partition, offset } of committed) if (offset > 0) this.#committed.set(partition, offset);
    return Object.fromEntries(committed.map(({ partition, offset }) => [partition, Math.max(0, offset)]));
  }

  async #redrive(from: Readonly<Record<number, number>>): Promise<void> {
    const { limit, dryRun, maxRecordsPerSecond, filter } = this.#options;
    const began = performance.now();
    for await (const record of this.#read(from, this.#signal)) {
      this.#signal.throwIfAborted();
      const letter = this.#letterOf(record);
      const isChosen = letter !== undefined && (filter === undefined || (await filter(letter)));
      if (!isChosen) {
        this.#kept += 1;
        if (!dryRun) this.#keep(record);
      } else {
        this.#redriven += 1;
        if (!dryRun) {
          this.#putBack(record.partition);
          this.#add(this.#originalOf(letter), record);
        }
        if (this.#redriven >= limit) break;
        if (maxRecordsPerSecond !== undefined && !dryRun)
          await this.#pace(began + (this.#redriven * 1_000) / maxRecordsPerSecond);
      }
      if (
        this.#batch.length >= maxRecordsPerTransaction ||
        (this.#batch.length > 0 && performance.now() - this.#batchSince >= commitEveryMs)
      )
        await this.#commit();
    }
    await this.#commit();
  }

  /** What the headers say; `undefined` for what is not a dead letter of this topic and group. */
  #letterOf({ partition, offset, key, value, rawHeaders }: LetterRecord): DeadLetter | undefined {
    const parsed = parseDeadLetter(rawHeaders);
    if (parsed === undefined) return undefined;
    const { info, headers } = parsed;
    if (info.sourceTopic !== this.#options.source || info.groupId !== this.#options.groupId) return undefined;
    return { ...info, partition, offset, key, value, headers };
  }

  #originalOf({ key, value, headers, sourcePartition }: DeadLetter): TransactionRecord {
    const { to, source } = this.#options;
    // The same partition as before, unless the topic has fewer partitions now.
    const partition = sourcePartition < this.#sourcePartitions ? sourcePartition : undefined;
    const record = encodedRecord(key, value, encodeRawHeaders(headers), partition, undefined);
    return { topic: to ?? source, record };
  }

  #keep(record: LetterRecord): void {
    const held = this.#held.get(record.partition) ?? [];
    held.push(record);
    this.#held.set(record.partition, held);
    if (held.length >= maxHeld) this.#putBack(record.partition);
  }

  #putBack(partition: number): void {
    for (const letter of this.#held.get(partition) ?? []) {
      const { key, value, rawHeaders } = letter;
      const record = encodedRecord(key, value, encodeRawHeaders(rawHeaders), partition, undefined);
      this.#add({ topic: this.#options.letters, record }, letter);
    }
    this.#held.delete(partition);
  }

  #add(record: TransactionRecord, { partition, offset }: Pick<LetterRecord, "partition" | "offset">): void {
    if (this.#batch.length === 0) this.#batchSince = performance.now();
    this.#batch.push(record);
    this.#offsets.set(partition, offset + 1);
  }

  async #pace(until: number): Promise<void> {
    const left = until - performance.now();
    if (left <= 0) return;
    if (left > commitEveryMs) await this.#commit();
    await sleep(left, this.#signal);
  }

  async #commit(): Promise<void> {
    if (this.#batch.length === 0) return;
    const { letters, onProgress } = this.#options;
    await this.#runner.begin();
    for (const { topic, record } of this.#batch) this.#runner.send(topic, record);
    const offsets: NativeOffset[] = [];
    for (const [partition, offset] of this.#offsets) offsets.push({ topic: letters, partition, offset });
    await this.#runner.commitWith(offsets, this.#consumer, () => undefined);
    for (const [partition, offset] of this.#offsets) this.#committed.set(partition, offset);
    this.#batch = [];
    this.#offsets = new Map();
    onProgress?.({ redriven: this.#redriven, kept: this.#kept });
  }

  /** What ended the redrive, in the caller's words. */
  #stoppedBy(failure: TransactionFailure, { remedy, cause, isLasting }: RolledBack): KafkaError {
    const what = `redrive of ${this.#options.letters}`;
    if (remedy === "fenced")
      return new ProducerFencedError(`${what}: another redrive of the same dead letters has begun`, {
        cause,
      });
    if (remedy === "stop" || isLasting) return cause;
    const isUnknown = failure.call === "commit" && failure.remedy === "renew" && failure.mayHaveHappened;
    const outcome = isUnknown ? "may have been committed or not" : "was rolled back";
    const message = `${what}: the last transaction ${outcome}: ${cause.message}. Run it again: it goes on where it stopped, and sends nothing twice`;
    const context = { cause, nativeCode: cause.nativeCode, retriable: true };
    return isUnknown
      ? new TransactionOutcomeUnknownError(message, context)
      : new TransactionAbortedError(message, context);
  }

  /** Deletes what was sent back, because a group without members loses its offsets after `offsets.retention.minutes`. */
  async #deleteRedriven(): Promise<void> {
    // While Kafka is closing nobody waits for it: the next redrive does it.
    if (this.#committed.size === 0 || this.#closing.aborted) return;
    const { letters } = this.#options;
    const offsets = [...this.#committed].map(([partition, offset]) => ({
      topic: letters,
      partition,
      offset,
    }));
    const admin = new NativeAdmin(this.#config, () => undefined);
    try {
      await admin.connect(this.#closing);
      const outcomes = await admin.deleteRecords(offsets, queryTimeoutMs);
      const failed = outcomes.find(({ error }) => error !== undefined);
      if (failed?.error !== undefined) throw failed.error;
    } catch (error) {
      this.#config.logger.warn(
        "dead letters that were sent back could not be deleted; they are not sent back again as long as the broker keeps the offsets of the redrive's group",
        { topic: letters, groupId: `${letters}.redrive`, error },
      );
    } finally {
      await admin.disconnect();
    }
  }
}
