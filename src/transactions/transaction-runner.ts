import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import { nativeCodes } from "../driver/native-errors.js";
import { NativeProducer } from "../driver/native-producer.js";
import type { NativeOffset } from "../driver/native.js";
import { ClosedError, ConfigError, KafkaError, TransactionAbortedError } from "../errors.js";
import { partitionId, type TopicPartition } from "../offsets.js";
import type { EncodedRecord } from "../record.js";
import { encodedRecord } from "../serde/encoded-record.js";
import { noHeaders } from "../serde/headers.js";
import { backoff, settlesWithin, sleep } from "../waiting.js";
import { untilReported } from "../producer/reports.js";
import { EndProof } from "./end-proof.js";
import { callTimeoutMs, initTimeoutMs, TransactionCalls } from "./transaction-calls.js";
import { type RolledBack, TransactionFailure } from "./transaction-failure.js";
import type { ResolvedTransactionOptions } from "./transaction-options.js";
import { isPermanent, type TransactionCall } from "./transaction-outcome.js";
import { TransactionRecords } from "./transaction-records.js";

const openPauseMs = backoff(200, 2_000);
/** How long after the transaction's own time a commit is still asked for. */
const commitGraceMs = 5_000;
/** How long in-sync replicas have for the records that prove an end. */
const proofMs = 5_000;
/** How often to look whether what is waited for is wanted any more. */
const lookMs = 50;
/** What stands in a changelog for a moment, in a transaction that is rolled back. */
const endMark = Buffer.from("typed-kafka end");
/** The broker's clock may differ by so much from this machine's. */
const clockMarginMs = 500;

/**
 * The transactions of one transactional id, one at a time: every call repeated, raced against hanging, and
 * judged by the table in transaction-outcome.ts. What repeating does not cure it throws as a
 * {@link TransactionFailure}; the caller then aborts, or calls `open` again, which replaces the native
 * producer and thereby ends whatever the old one left.
 */
export class TransactionRunner {
  readonly #config: ClientConfig;
  readonly #options: ResolvedTransactionOptions;
  readonly #what: string;
  readonly #calls: TransactionCalls;
  readonly #records: TransactionRecords;
  #native: NativeProducer | undefined;
  /** When the broker may have learnt of the open transaction. */
  #startedAt: number | undefined;
  #reports = 0;
  #proof: EndProof | undefined;
  /** A rollback has dropped records that a broker may have. */
  #hasDroppedSent = false;

  constructor(config: ClientConfig, options: ResolvedTransactionOptions) {
    this.#config = config;
    this.#options = options;
    this.#what = `transactions of ${options.transactionalId}`;
    this.#calls = new TransactionCalls(this.#what, config.logger, () => this.#isOutlived());
    this.#records = new TransactionRecords(this.#what, options.transactionTimeoutMs, {
      native: () => this.#native,
      areTold: () => this.#proof !== undefined,
      reasonOf: (native) => this.#calls.reasonOf(native),
    });
  }

  get isOpen(): boolean {
    return this.#native !== undefined;
  }

  /** Whether records wait here because the native queue is full, or a topic is looked up: then wait for `drained`. */
  get isFull(): boolean {
    return this.#records.isFull;
  }

  /** When the broker ends the transaction at the latest, as far as this machine knows. */
  get #deadline(): number {
    return (this.#startedAt ?? performance.now()) + this.#options.transactionTimeoutMs;
  }

  /**
   * Makes a new native producer and takes the transactional id over, in place of the one before. Goes on
   * until `deadline`; without `isPatient` it gives up at once where no broker answers.
   * @throws TransactionFailure; the reason of `signal`
   */
  async open(
    signal: AbortSignal,
    { deadline, isPatient }: { readonly deadline: number; readonly isPatient: boolean },
  ): Promise<void> {
    this.discard();
    this.#records.forget();
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted();
      const native = this.#create();
      try {
        await native.connect(signal);
        this.#native = native;
        await this.#call("init", deadline, (open) => open.initTransactions(initTimeoutMs));
        return;
      } catch (error) {
        const isConnected = this.#native === native;
        this.#native = undefined;
        void native.disconnect();
        signal.throwIfAborted();
        const failure = this.#initFailure(error);
        if (failure.remedy === "stop" || performance.now() >= deadline || !(isConnected || isPatient))
          throw failure;
        this.#config.logger.info(`${this.#what}: another try after: ${failure.message}`);
        await sleep(openPauseMs(attempt), signal);
      }
    }
  }

  /** Begins a transaction. The broker learns of it with its first record or offsets. */
  async begin(): Promise<void> {
    this.#startedAt = undefined;
    await this.#records.begin();
    await this.#call("begin", this.#deadline, (native) => native.beginTransaction());
    this.#step("begun");
  }

  /** Passes a record to the native client. After one that is refused nothing is sent, and nothing can be committed. */
  send(topic: string, record: EncodedRecord): void {
    this.#startedAt ??= performance.now();
    this.#records.send(topic, record);
  }

  /** Resolves when the native side has all records, or has said why it takes no more. */
  async drained(): Promise<void> {
    await this.#records.drained();
  }

  /**
   * Adds a group's offsets and commits, repeating both as {@link TransactionRunner.commit} does. `lost` says what
   * of the transaction is not the caller's any more, if anything: it is asked just before each try to add the
   * offsets and once more after it, and then the transaction is to be rolled back.
   * @throws TransactionFailure
   */
  async commitWith(
    offsets: readonly NativeOffset[],
    consumer: NativeConsumer,
    lost: () => string | undefined,
  ): Promise<void> {
    const guard = (): void => {
      const what = lost();
      if (what === undefined) return;
      const message = `${what} was lost before the transaction could be committed`;
      throw new TransactionFailure("sendOffsets", "abort", new TransactionAbortedError(message));
    };
    await this.#allPassed();
    this.#startedAt ??= performance.now();
    this.#step("sending");
    await this.#call("sendOffsets", this.#deadline, (native) => {
      guard();
      return native.sendOffsets(offsets, consumer, callTimeoutMs);
    });
    guard();
    await this.commit();
  }

  /**
   * Where logs end: the offset that a record gets in each partition, once all in-sync replicas have it. Not every broker
   * that says where a log ends is to be believed: one that the others are cut off from goes on as the leader that it was.
   * To be called in a transaction without records, which is rolled back. `undefined` once `isOver` says so.
   * @throws TransactionFailure
   */
  async proveEnds(
    partitions: readonly TopicPartition[],
    isOver: () => boolean,
  ): Promise<readonly number[] | undefined> {
    const proof = new EndProof(partitions);
    this.#proof = proof;
    const deadline = performance.now() + Math.min(proofMs, this.#options.transactionTimeoutMs);
    try {
      for (const { topic, partition } of proof.missing)
        this.send(topic, encodedRecord(endMark, null, noHeaders, partition, undefined));
      await this.#allPassed();
      while (performance.now() < deadline && !(await settlesWithin(proof.settled, lookMs)))
        if (isOver()) return undefined;
      await this.#allPassed();
      const ends = proof.ends();
      if (ends === undefined) {
        const message = `${this.#what}: not all in-sync replicas of ${proof.missing.map(({ topic, partition }) => partitionId(topic, partition)).join(", ")} have answered`;
        throw new TransactionFailure("commit", "abort", new KafkaError("TIMEOUT", message));
      }
      await this.abort();
      return ends;
    } finally {
      this.#proof = undefined;
    }
  }

  /**
   * Commits, repeating until the outcome is known or the transaction's time is over. After a record was refused
   * it must not: the native client would commit what is left, for it counts only what it had taken over.
   * @throws TransactionFailure
   */
  async commit(): Promise<void> {
    await this.#allPassed();
    this.#step("committing");
    await this.#call("commit", this.#deadline + commitGraceMs, (native) =>
      native.commitTransaction(callTimeoutMs),
    );
    this.#startedAt = undefined;
    this.#step("committed");
  }

  /**
   * Rolls back. The native producer is abandoned too where it would number the records of its next transaction wrongly:
   *
   * - After a record was refused: run, it did so in two cases of five, and the broker refused them (code 45).
   * - After one was dropped that was sent and not answered: librdkafka gives its number to the next one. A broker that has
   *   it takes that one for repeated, and answers that it is written; the commit would succeed without it.
   *
   * Once it has resolved no report of this transaction comes in the next one.
   * @throws TransactionFailure
   */
  async abort(): Promise<void> {
    await this.#records.dropped();
    await this.#call("abort", performance.now() + this.#options.transactionTimeoutMs, (native) =>
      native.abortTransaction(callTimeoutMs),
    );
    this.#startedAt = undefined;
    // Of what was on its way, or was refused at the last.
    await untilReported(() => this.#reports);
    if (this.#records.refusal !== undefined || this.#hasDroppedSent) this.discard();
    this.#step("aborted");
  }

  /**
   * Ends a transaction that could not be committed: rolls it back, or abandons the native producer where only the
   * next one can.
   */
  async rollBack(failure: TransactionFailure): Promise<RolledBack> {
    let { remedy, error } = failure;
    if (remedy === "abort") {
      try {
        await this.abort();
      } catch (abortError) {
        if (!(abortError instanceof TransactionFailure)) throw abortError;
        ({ remedy, error } = abortError);
      }
    }
    if (remedy !== "abort") this.discard();
    // Only now: the report of what was refused may have come while it was rolled back.
    const { refusal } = this.#records;
    const isLasting = isPermanent(failure.error.nativeCode);
    return {
      remedy,
      error,
      cause: refusal === undefined || (isLasting && !refusal.isPermanent) ? failure.error : refusal.error,
      isLasting: isLasting || refusal?.isPermanent === true,
    };
  }

  /** Gives the native producer up; what it left open is ended by the next one with this transactional id, or by the broker in time. */
  discard(): void {
    const native = this.#native;
    this.#native = undefined;
    this.#hasDroppedSent = false;
    this.#records.drop();
    void native?.disconnect();
  }

  /** Gives the native producer up and waits until it has ended, at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const native = this.#native;
    this.#native = undefined;
    this.#records.drop();
    if (native !== undefined && !(await settlesWithin(native.disconnect(), timeoutMs)))
      this.#config.logger.warn(`${this.#what}: the native producer has not ended after ${timeoutMs} ms`);
  }

  /** Resolves when no abandoned call is left in the native client: until then no consumer it uses may go. */
  async whenUnstuck(timeoutMs: number): Promise<void> {
    await this.#calls.whenUnstuck(timeoutMs);
  }

  #create(): NativeProducer {
    const config = { ...this.#config, logger: this.#calls.watchedLogger() };
    return new NativeProducer(config, this.#what, this.#options.properties, {
      onReport: (code, _tag, topic, partition, offset) => {
        this.#reports += 1;
        this.#hasDroppedSent ||= code === nativeCodes.purgedInFlight;
        if (code === 0) this.#proof?.written(topic, partition, offset);
        if (code === 0 || code === nativeCodes.purgedInQueue || code === nativeCodes.purgedInFlight) return;
        this.#records.refused(code, topic, partition < 0 ? undefined : partition);
        this.#proof?.fail();
      },
      // The next call of the transaction says the same, with its code.
      onFatal: () => undefined,
    });
  }

  /** Waits until the native side has all records. After one was refused nothing may be committed. */
  async #allPassed(): Promise<void> {
    await this.drained();
    const { refusal } = this.#records;
    if (refusal !== undefined) throw new TransactionFailure("commit", "abort", refusal.error);
  }

  async #call(
    call: TransactionCall,
    deadline: number,
    start: (native: NativeProducer) => Promise<void>,
  ): Promise<void> {
    const native = this.#native;
    if (native === undefined)
      throw new TransactionFailure(call, "renew", new ClosedError(`${this.#what}: there is no producer`));
    await this.#calls.make(call, native, deadline, start);
  }

  /** Whether the broker may have ended the transaction because its time was over. */
  #isOutlived(): boolean {
    if (this.#startedAt === undefined) return false;
    return performance.now() - this.#startedAt >= this.#options.transactionTimeoutMs - clockMarginMs;
  }

  #initFailure(error: unknown): TransactionFailure {
    if (error instanceof TransactionFailure) {
      if (error.error.nativeCode !== nativeCodes.invalidTransactionTimeout) return error;
      const message = `${this.#options.transactionTimeoutMs} is more than the broker allows (transaction.max.timeout.ms)`;
      return new TransactionFailure(
        "init",
        "stop",
        new ConfigError("transactionTimeoutMs", message, { cause: error }),
      );
    }
    if (!(error instanceof KafkaError)) throw error;
    const isLasting = error.code === "AUTHENTICATION" || error.code === "CONFIG" || error.code === "BINDING";
    return new TransactionFailure("init", isLasting ? "stop" : "renew", error);
  }

  #step(name: string): void {
    this.#config.logger.debug(`transaction ${name}`, { transactionalId: this.#options.transactionalId });
  }
}
