import { AsyncLocalStorage } from "node:async_hooks";
import { describe } from "../check.js";
import type { ClientConfig } from "../driver/client-config.js";
import {
  ClosedError,
  ConfigError,
  type KafkaError,
  ProducerFencedError,
  TransactionAbortedError,
  TransactionOutcomeUnknownError,
} from "../errors.js";
import { type ClientHealth, healthOf } from "../health.js";
import type { EncodedRecord } from "../record.js";
import { Encoders } from "../serde/encoders.js";
import { callsOfKafkajs, checkArguments, refuseCalls } from "../kafkajs-habits.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import { settlesWithin, unlessAborted } from "../waiting.js";
import { checkOptions } from "../options/check-options.js";
import { integer } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import { observeTransaction } from "../producer/observed.js";
import { CallbackLimit } from "./callback-limit.js";
import {
  settleTransactionOptions,
  type TransactionOptions,
  transactionSpecs,
} from "./transaction-options.js";
import { TransactionFailure } from "./transaction-failure.js";
import { TransactionRunner } from "./transaction-runner.js";
import { type Transaction, TransactionSends } from "./transaction.js";

/** Options of {@link Kafka.transactionalProducer}. */
export interface TransactionalProducerOptions extends TransactionOptions {
  /**
   * How long `close` lets the running transaction go on, in milliseconds; 0 to 3,600,000. Then it is given
   * up and aborts.
   * @default 30_000
   */
  readonly closeTimeoutMs?: number | undefined;
}

/** The options of a transactional producer. */
export const transactionalProducerSpecs = {
  ...transactionSpecs,
  closeTimeoutMs: integer({ min: 0, max: 3_600_000, default: 30_000 }),
} satisfies OptionSpecs<TransactionalProducerOptions>;

/** What a transaction's callback is told besides the transaction. */
export interface TransactionContext {
  /**
   * Aborts when the transaction cannot be committed any more: its callback has taken longer than
   * `transactionTimeoutMs`, or the producer's time to close is over.
   */
  readonly signal: AbortSignal;
}

const graceMs = 1_000;

/**
 * Writes records of several topics and partitions in transactions, made by
 * {@link Kafka.transactionalProducer}: a reader with `read_committed`, which this library's are unless told
 * otherwise, sees all records of a transaction or none. One transaction runs at a time; others queue.
 *
 * @example
 * ```ts
 * await payments.transaction(async (tx) => {
 *   await tx.send(debits, { value: debit });
 *   await tx.send(credits, { value: credit });
 * });
 * ```
 */
export class TransactionalProducer {
  static {
    refuseCalls(this.prototype, callsOfKafkajs.transactionalProducer);
  }

  readonly #transactionalId: string;
  readonly #transactionTimeoutMs: number;
  readonly #closeTimeoutMs: number;
  readonly #runner: TransactionRunner;
  readonly #encoders = new Encoders();
  readonly #telemetry: ClientTelemetry | undefined;
  readonly #onClosed: () => void;
  readonly #closingSignal = new AbortController();
  /** The callback that the code which asks belongs to, through whatever it awaited. */
  readonly #callbacks = new AsyncLocalStorage<{ isRunning: boolean }>();
  #last: Promise<unknown> = Promise.resolve();
  #fenced: ProducerFencedError | undefined;
  #closing: Promise<void> | undefined;

  /** @internal Use {@link Kafka.transactionalProducer}. */
  constructor(config: ClientConfig, options: TransactionalProducerOptions, onClosed: () => void) {
    const given = checkOptions("TransactionalProducerOptions", options, transactionalProducerSpecs);
    const resolved = settleTransactionOptions(given, config.properties);
    this.#transactionalId = resolved.transactionalId;
    this.#transactionTimeoutMs = resolved.transactionTimeoutMs;
    this.#closeTimeoutMs = given.closeTimeoutMs;
    this.#runner = new TransactionRunner(config, resolved);
    this.#telemetry = config.telemetry;
    this.#onClosed = onClosed;
  }

  /**
   * Runs `callback` in a transaction: commits when it resolves, aborts when it throws, and resolves to its
   * result. Calls that overlap run one after the other. A callback may take as long as `transactionTimeoutMs`; then
   * the transaction is rolled back, its `signal` aborts, and what the callback sends after that is refused.
   *
   * @throws what the callback threw, untouched: nothing of the transaction is visible
   * @throws `SerializationError` where a `tx.send` in it failed
   * @throws `TransactionAbortedError`: rolled back; where it is `retriable` the same call may succeed. With a
   *   `TimeoutError` as its `cause`: the callback took too long
   * @throws `TransactionOutcomeUnknownError`: it may be committed or not
   * @throws `ProducerFencedError`: another producer has taken over the transactional id; this one is dead
   * @throws `ConfigError` for a call inside a callback of the same producer, which would wait for itself
   * @throws `AuthorizationError`, `AuthenticationError`, `ConnectionError`, `ConfigError` when starting
   */
  async transaction<Result>(
    callback: (tx: Transaction, context: TransactionContext) => Result | Promise<Result>,
  ): Promise<Result> {
    checkArguments("transaction", arguments.length, 1, "options are given to kafka.transactionalProducer");
    if (typeof callback !== "function")
      throw new ConfigError("transaction", `expected a function, got ${describe(callback)}`);
    if (this.#callbacks.getStore()?.isRunning === true)
      throw new ConfigError(
        "transaction",
        "is called inside a transaction of the same producer, and would wait for it for ever: send with the `tx` that is open, or use another transactional producer",
      );
    if (this.#closing !== undefined) throw this.#closedError();
    const turn = this.#last.then(() =>
      this.#telemetry === undefined
        ? this.#run(callback)
        : observeTransaction(this.#telemetry, this.#transactionalId, () => this.#run(callback)),
    );
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** @internal For {@link Kafka.health}. */
  get health(): ClientHealth {
    return healthOf("transactionalProducer", this.#transactionalId, {
      hasBegun: this.#runner.isOpen,
      failure: this.#fenced === undefined ? undefined : { error: this.#fenced },
    });
  }

  /**
   * Lets the running transaction finish, at most `closeTimeoutMs`; those still queued are refused. May be
   * called more than once. Awaited inside a callback it takes `closeTimeoutMs`, and that callback's transaction is
   * rolled back.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    await this.#closing;
  }

  /** Closes the producer. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run<Result>(
    callback: (tx: Transaction, context: TransactionContext) => Result | Promise<Result>,
  ): Promise<Result> {
    if (this.#closing !== undefined) throw this.#closedError();
    if (this.#fenced !== undefined) throw this.#fenced;
    await this.#begin();
    const pass = (topic: string, record: EncodedRecord): Promise<void> | undefined => {
      this.#runner.send(topic, record);
      return this.#runner.isFull ? this.#runner.drained() : undefined;
    };
    const tx = new TransactionSends(this.#encoders, pass, this.#telemetry);
    const limit = new CallbackLimit(
      this.#transactionalId,
      this.#transactionTimeoutMs,
      this.#closingSignal.signal,
    );
    let result: Result;
    try {
      result = await this.#call(callback, tx, limit);
    } catch (error) {
      tx.end(limit.signal.aborted ? (limit.signal.reason as Error) : undefined);
      await this.#abort();
      throw error;
    }
    await this.#commit();
    return result;
  }

  /** Calls the callback, and waits for it and its sends as long as the limit allows. */
  async #call<Result>(
    callback: (tx: Transaction, context: TransactionContext) => Result | Promise<Result>,
    tx: TransactionSends,
    limit: CallbackLimit,
  ): Promise<Result> {
    const { signal } = limit;
    const running = { isRunning: true };
    try {
      const returned = this.#callbacks.run(running, () => callback(tx, { signal }));
      const result = await unlessAborted(Promise.resolve(returned), signal);
      await unlessAborted(Promise.resolve(tx.finish()), signal);
      return result;
    } finally {
      running.isRunning = false;
      limit.stop();
    }
  }

  async #begin(): Promise<void> {
    const deadline = performance.now() + this.#transactionTimeoutMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (!this.#runner.isOpen) {
          const { signal } = this.#closingSignal;
          await this.#runner.open(signal, { deadline, isPatient: false });
        }
        await this.#runner.begin();
        return;
      } catch (error) {
        if (!(error instanceof TransactionFailure)) throw error;
        // A producer that broke between two transactions is replaced; nothing was in it.
        const isWorthReplacing = error.call === "begin" && error.remedy === "renew" && attempt === 0;
        this.#runner.discard();
        if (!isWorthReplacing) throw this.#fencedOr(error, error.error);
      }
    }
  }

  async #commit(): Promise<void> {
    try {
      await this.#runner.commit();
    } catch (error) {
      if (!(error instanceof TransactionFailure)) throw error;
      if (error.remedy === "abort") {
        const rolledBack = await this.#runner.rollBack(error);
        throw this.#fencedOr(rolledBack, this.#aborted(rolledBack.cause, !rolledBack.isLasting));
      }
      this.#runner.discard();
      const fenced = this.#fencedOr(error, undefined);
      if (!error.mayHaveHappened) {
        if (fenced !== undefined) throw fenced;
        // Refused at the first try: the broker had ended it before, because its time was over.
        if (error.error instanceof ProducerFencedError) throw this.#aborted(error.error, true);
      }
      throw new TransactionOutcomeUnknownError(
        `${this.#transactionalId}: whether the transaction was committed is not known: ${error.message}`,
        { cause: error.error, nativeCode: error.error.nativeCode },
      );
    }
  }

  /** Rolls back. Where that fails the native producer goes, and the next one, or the broker, rolls back. */
  async #abort(): Promise<void> {
    try {
      await this.#runner.abort();
    } catch (error) {
      if (!(error instanceof TransactionFailure)) throw error;
      this.#fencedOr(error, undefined);
      this.#runner.discard();
    }
  }

  #fencedOr<Otherwise>(
    failure: Pick<TransactionFailure, "remedy" | "error">,
    otherwise: Otherwise,
  ): ProducerFencedError | Otherwise {
    if (failure.remedy !== "fenced") return otherwise;
    this.#fenced ??= new ProducerFencedError(
      `${this.#transactionalId}: another producer has taken over this transactional id`,
      { cause: failure.error, nativeCode: failure.error.nativeCode },
    );
    return this.#fenced;
  }

  #aborted(cause: KafkaError, retriable: boolean): TransactionAbortedError {
    return new TransactionAbortedError(
      `${this.#transactionalId}: the transaction was rolled back: ${cause.message}`,
      {
        cause,
        retriable,
        topic: cause.topic,
        partition: cause.partition,
        nativeCode: cause.nativeCode,
      },
    );
  }

  async #shutDown(): Promise<void> {
    const isDone = await settlesWithin(this.#last, this.#closeTimeoutMs);
    this.#closingSignal.abort(this.#closedError());
    if (!isDone) await settlesWithin(this.#last, graceMs);
    await this.#runner.close(graceMs * 5);
    this.#onClosed();
  }

  #closedError(): ClosedError {
    return new ClosedError(`${this.#transactionalId}: the transactional producer is closed`);
  }
}
