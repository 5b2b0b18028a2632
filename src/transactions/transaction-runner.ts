import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import { isRefusedForGood } from "../driver/error-codes.js";
import { nativeCodes } from "../driver/native-errors.js";
import { NativeProducer, queued, transactionFlagsOf } from "../driver/native-producer.js";
import type { NativeOffset } from "../driver/native.js";
import { ClosedError, ConfigError, KafkaError, TimeoutError, TransactionAbortedError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { EncodedRecord } from "../record.js";
import { settlesWithin, sleep } from "../waiting.js";
import { recordError, transactionError } from "../producer/record-errors.js";
import { untilReported } from "../producer/reports.js";
import type { ResolvedTransactionOptions } from "./transaction-options.js";
import {
  type CallFailure,
  isPermanent,
  type Remedy,
  remedyOf,
  remedyWhenLate,
  type TransactionCall,
} from "./transaction-outcome.js";

/** How long a native call may take. The native client does not always keep it, so the calls are raced. */
const callTimeoutMs = 5_000;
const initTimeoutMs = 10_000;
/** How much longer a call may take than it was given before it counts as hanging. */
const stuckAfterMs = 5_000;
/** Where the process was busy or stopped, the timer that is late comes before the answers which are waiting. */
const lateTimerMs = 2_000;
const firstPauseMs = 50;
const longestPauseMs = 1_000;
/** How long after the transaction's own time a commit is still asked for. */
const commitGraceMs = 5_000;
/** The broker's clock is not ours. */
const clockMarginMs = 500;
const queueFullPauseMs = 2;
const metadataTimeoutMs = 2_000;

/** A call that did not come to its end, and what is to be done about it. */
export class TransactionFailure extends Error {
  override readonly name = "TransactionFailure";
  readonly call: TransactionCall;
  readonly remedy: Exclude<Remedy, "repeat">;
  readonly error: KafkaError;
  /** Whether a request may have been lost on the way: then what it asked for may have happened. */
  readonly mayHaveHappened: boolean;

  constructor(
    call: TransactionCall,
    remedy: Exclude<Remedy, "repeat">,
    error: KafkaError,
    mayHaveHappened = false,
  ) {
    super(error.message, { cause: error });
    this.call = call;
    this.remedy = remedy;
    this.error = error;
    this.mayHaveHappened = mayHaveHappened;
  }
}

/** Why a transaction cannot be committed. */
interface Refusal {
  readonly error: KafkaError;
  /** Whether it would be refused again. */
  readonly isPermanent: boolean;
}

/** How a transaction ended that could not be committed. */
export interface RolledBack {
  /** `abort`: it is rolled back, and the next one may begin. Else what ending it has come to. */
  readonly remedy: Exclude<Remedy, "repeat">;
  /** Why `remedy` is what it is. */
  readonly error: KafkaError;
  /** Why it could not be committed: the record that was refused, where one was. */
  readonly cause: KafkaError;
  /** Whether the same transaction would fail again for the same reason. */
  readonly isLasting: boolean;
}

/** A record on its way into the transaction. */
export interface TransactionRecord {
  readonly topic: string;
  readonly record: EncodedRecord;
}

/**
 * The transactions of one transactional id, one at a time: every call repeated, raced against hanging, and
 * judged by the table in transaction-outcome.ts. What it cannot mend by repeating it throws as a
 * {@link TransactionFailure}; the caller then aborts, or calls `open` again, which replaces the native
 * producer and thereby ends whatever the old one left.
 */
export class TransactionRunner {
  readonly #config: ClientConfig;
  readonly #options: ResolvedTransactionOptions;
  readonly #what: string;
  #native: NativeProducer | undefined;
  /** When the broker may have learnt of the open transaction. */
  #startedAt: number | undefined;
  #backlog: TransactionRecord[] = [];
  #draining: Promise<void> | undefined;
  /** Topics that were looked up in this transaction, because the native client took them or a partition for missing. */
  readonly #lookedUp = new Set<string>();
  /** Why the open transaction cannot be committed, as far as is known: a record that was refused. */
  #failure: Refusal | undefined;
  /** The native client is being asked why the transaction had failed; it refuses two calls at once. */
  #asking: Promise<void> | undefined;
  #reports = 0;
  /** Connections lost so far: a request on one of them may have been made twice. */
  #connectionsLost = 0;
  /** Calls on the native side that were given up; they return in their own time. */
  #stuck: Promise<unknown> = Promise.resolve();

  constructor(config: ClientConfig, options: ResolvedTransactionOptions) {
    this.#config = config;
    this.#options = options;
    this.#what = `transactions of ${options.transactionalId}`;
  }

  get isOpen(): boolean {
    return this.#native !== undefined;
  }

  /** Whether records wait here because the native queue is full, or a topic is looked up: then wait for `drained`. */
  get isFull(): boolean {
    return this.#draining !== undefined;
  }

  /** When the broker ends the transaction at the latest, as far as this machine knows. */
  get #deadline(): number {
    return (this.#startedAt ?? Date.now()) + this.#options.transactionTimeoutMs;
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
    this.#discard();
    this.#failure = undefined;
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
        if (failure.remedy === "stop" || Date.now() >= deadline || !(isConnected || isPatient)) throw failure;
        this.#config.logger.info(`${this.#what}: another try after: ${failure.message}`);
        await sleep(Math.min(200 * 2 ** Math.min(attempt, 8), 2_000), signal);
      }
    }
  }

  /** Begins a transaction. The broker learns of it with its first record or offsets. */
  async begin(): Promise<void> {
    this.#startedAt = undefined;
    this.#failure = undefined;
    this.#backlog = [];
    this.#lookedUp.clear();
    // What is still emptying the backlog of the one before would go on where it was, in this one's.
    await this.#draining;
    await this.#call("begin", this.#deadline, (native) => native.beginTransaction());
    this.#step("begun");
  }

  /** Hands a record over. After a record that is refused nothing is sent, and nothing can be committed. */
  send(topic: string, record: EncodedRecord): void {
    if (this.#failure !== undefined) return;
    this.#startedAt ??= Date.now();
    if (this.#draining !== undefined) {
      this.#backlog.push({ topic, record });
      return;
    }
    const wait = this.#handOver(topic, record);
    if (wait === undefined) return;
    this.#backlog.push({ topic, record });
    this.#draining = this.#drain(wait);
  }

  /** Resolves when the native side has all records, or has said why it takes no more. */
  async drained(): Promise<void> {
    await this.#draining;
    if (this.#failure?.error.nativeCode !== nativeCodes.state) return;
    this.#asking ??= this.#askWhy(this.#failure).finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
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
    await this.#handedOver();
    this.#startedAt ??= Date.now();
    this.#step("sending");
    await this.#call("sendOffsets", this.#deadline, (native) => {
      guard();
      return native.sendOffsets(offsets, consumer, callTimeoutMs);
    });
    guard();
    await this.commit();
  }

  /**
   * Commits, repeating until the outcome is known or the transaction's time is over. After a record was refused
   * it must not: the native client would commit what is left, for it counts only what it had taken over.
   * @throws TransactionFailure
   */
  async commit(): Promise<void> {
    await this.#handedOver();
    this.#step("committing");
    await this.#call("commit", this.#deadline + commitGraceMs, (native) =>
      native.commitTransaction(callTimeoutMs),
    );
    this.#startedAt = undefined;
    this.#step("committed");
  }

  /**
   * Rolls back. After a record was refused the native producer is given up too: run, it then numbered the
   * records of its next transaction wrongly in two cases of five, and the broker refused them (code 45).
   * Once it has resolved no report of this transaction comes in the next one.
   * @throws TransactionFailure
   */
  async abort(): Promise<void> {
    this.#backlog = [];
    await this.#draining;
    await this.#asking;
    await this.#call("abort", Date.now() + this.#options.transactionTimeoutMs, (native) =>
      native.abortTransaction(callTimeoutMs),
    );
    this.#startedAt = undefined;
    // Of what was on its way, or was refused at the last.
    await untilReported(() => this.#reports);
    if (this.#failure !== undefined) this.#discard();
    this.#step("aborted");
  }

  /**
   * Ends a transaction that could not be committed: rolls it back, or gives the native producer up where only the
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
    if (remedy !== "abort") this.#discard();
    // Only now: the report of what was refused may have come while it was rolled back.
    const refused = this.#failure;
    const isLasting = isPermanent(failure.error.nativeCode);
    return {
      remedy,
      error,
      cause: refused === undefined || (isLasting && !refused.isPermanent) ? failure.error : refused.error,
      isLasting: isLasting || refused?.isPermanent === true,
    };
  }

  /** Gives the native producer up; what it left open is ended by the next one with this transactional id, or by the broker in time. */
  discard(): void {
    this.#discard();
  }

  /** Gives the native producer up and waits until it has ended, at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const native = this.#native;
    this.#native = undefined;
    this.#backlog = [];
    if (native !== undefined && !(await settlesWithin(native.disconnect(), timeoutMs)))
      this.#config.logger.warn(`${this.#what}: the native producer has not ended after ${timeoutMs} ms`);
  }

  /** Resolves when no abandoned call is left in the native client: until then no consumer it uses may go. */
  async whenUnstuck(timeoutMs: number): Promise<void> {
    await settlesWithin(this.#stuck, timeoutMs);
  }

  #create(): NativeProducer {
    const { logger } = this.#config;
    const watched: Logger = {
      debug: logger.debug.bind(logger),
      warn: logger.warn.bind(logger),
      error: logger.error.bind(logger),
      info: (message, fields) => {
        if (fields?.["facility"] === "FAIL") this.#connectionsLost += 1;
        logger.info(message, fields);
      },
    };
    const config = { ...this.#config, logger: watched };
    return new NativeProducer(config, this.#what, this.#options.properties, {
      onReport: (code, { topic, partition }) => {
        this.#reports += 1;
        if (code === 0 || code === nativeCodes.purgedInQueue || code === nativeCodes.purgedInFlight) return;
        this.#refused(code, topic, partition < 0 ? undefined : partition);
      },
      // The next call of the transaction says the same, with its code.
      onFatal: () => undefined,
    });
  }

  #discard(): void {
    const native = this.#native;
    this.#native = undefined;
    this.#backlog = [];
    void native?.disconnect();
  }

  /** Waits until the native side has all records. After one was refused nothing may be committed. */
  async #handedOver(): Promise<void> {
    await this.drained();
    if (this.#failure !== undefined) throw new TransactionFailure("commit", "abort", this.#failure.error);
  }

  /** What to wait for before it is handed over again; `undefined` where it is with the native client, or will never be. */
  #handOver(topic: string, record: EncodedRecord): Promise<void> | undefined {
    const native = this.#native;
    const code = native?.produce(topic, record, undefined) ?? nativeCodes.state;
    if (code === nativeCodes.queueFull) return sleep(queueFullPauseMs);
    const mayBeNew = code === nativeCodes.unknownTopic || code === nativeCodes.unknownPartition;
    if (mayBeNew && native !== undefined && !this.#lookedUp.has(topic)) {
      // The native client remembers what was missing until it looks again, and asking makes it look.
      this.#lookedUp.add(topic);
      return native.partitionCount(topic, metadataTimeoutMs).then(
        () => undefined,
        () => undefined,
      );
    }
    if (code !== queued) this.#refused(code, topic, record.partition);
    return undefined;
  }

  async #drain(first: Promise<void>): Promise<void> {
    let next = 0;
    for (let wait: Promise<void> | undefined = first; wait !== undefined;) {
      await wait;
      wait = undefined;
      for (let item = this.#backlog[next]; item !== undefined; item = this.#backlog[next]) {
        if (this.#failure === undefined) wait = this.#handOver(item.topic, item.record);
        if (wait !== undefined) break;
        next += 1;
      }
    }
    this.#backlog = [];
    this.#draining = undefined;
  }

  #refused(code: number, topic: string, partition: number | undefined): void {
    const known = this.#failure?.error;
    // What is refused because the transaction had failed before, or because another record of its batch was
    // refused, does not say why, and whoever says why of the whole transaction does not say which record it was.
    const saysMore =
      known === undefined ||
      (saysNoReason(known.nativeCode) && !saysNoReason(code)) ||
      (known.nativeCode === code && known.topic === undefined);
    if (saysMore)
      this.#failure = refusalOf(recordError(code, topic, partition, this.#options.transactionTimeoutMs));
  }

  /**
   * A record was refused because the transaction had failed before, of which no report may have come, and for a
   * missing permission none ever comes. Whoever asks for a transaction to begin in one that has failed gets the
   * reason; it can change nothing, because no transaction begins within another.
   */
  async #askWhy(known: Refusal): Promise<void> {
    const native = this.#native;
    if (native === undefined) return;
    const answer = await this.#attempt("begin", native, () => native.beginTransaction());
    if (answer === undefined || answer.isStuck || answer.code === nativeCodes.state) return;
    // A report may have come meanwhile, which says more.
    if (this.#failure === known)
      this.#failure = refusalOf(
        transactionError(this.#what, answer.error, this.#options.transactionTimeoutMs),
      );
  }

  async #call(
    call: TransactionCall,
    deadline: number,
    start: (native: NativeProducer) => Promise<void>,
  ): Promise<void> {
    const native = this.#native;
    if (native === undefined)
      throw new TransactionFailure(call, "renew", new ClosedError(`${this.#what}: there is no producer`));
    const began = Date.now();
    const lostBefore = this.#connectionsLost;
    for (let attempt = 0; ; attempt += 1) {
      const failure = await this.#attempt(call, native, start);
      if (failure === undefined) return;
      const { error, isStuck } = failure;
      const remedy = remedyOf(call, failure);
      this.#config.logger.debug(`${this.#what}: ${call} failed`, {
        remedy,
        attempt,
        message: error.message,
        code: failure.code,
      });
      if (remedy === "repeat" && Date.now() < deadline) {
        await sleep(Math.min(firstPauseMs * 2 ** Math.min(attempt, 8), longestPauseMs));
        continue;
      }
      // A request that was answered at once, at the first try, was not made twice.
      const mayHaveHappened =
        isStuck ||
        attempt > 0 ||
        this.#connectionsLost > lostBefore ||
        Date.now() - began >= callTimeoutMs / 2;
      throw new TransactionFailure(
        call,
        remedy === "repeat" ? remedyWhenLate(call) : remedy,
        error,
        mayHaveHappened,
      );
    }
  }

  async #attempt(
    call: TransactionCall,
    native: NativeProducer,
    start: (native: NativeProducer) => Promise<void>,
  ): Promise<(CallFailure & { readonly error: KafkaError }) | undefined> {
    const calling = start(native);
    const limitMs = (call === "init" ? initTimeoutMs : callTimeoutMs) + stuckAfterMs;
    if (!(await settlesWithin(calling, limitMs)) && !(await settlesWithin(calling, lateTimerMs))) {
      this.#stuck = Promise.allSettled([this.#stuck, calling]);
      const error = new TimeoutError(`${this.#what}: ${call} has not returned after ${limitMs} ms`);
      return { ...noFlags, code: 0, isStuck: true, isOutlived: this.#isOutlived(), error };
    }
    try {
      await calling;
      return undefined;
    } catch (error) {
      // What the guard throws is judged already.
      if (!(error instanceof KafkaError)) throw error;
      const code = error.nativeCode ?? -1;
      // As of the answer: the transaction's time may have ended while the call was repeated in the native client.
      return { ...transactionFlagsOf(error), code, isStuck: false, isOutlived: this.#isOutlived(), error };
    }
  }

  /** Whether the broker may have ended the transaction because its time was over. */
  #isOutlived(): boolean {
    if (this.#startedAt === undefined) return false;
    return Date.now() - this.#startedAt >= this.#options.transactionTimeoutMs - clockMarginMs;
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

function refusalOf(error: KafkaError): Refusal {
  return { error, isPermanent: isRefusedForGood(error.nativeCode) };
}

const saysNoReason = (code: number | undefined): boolean =>
  code === nativeCodes.state || code === nativeCodes.invalidDifferentRecord;

const noFlags = { isFatal: false, isRetriable: false, isTxnRequiresAbort: false } as const;
