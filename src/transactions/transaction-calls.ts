import { nativeCodes } from "../driver/native-errors.js";
import { type NativeProducer, transactionFlagsOf } from "../driver/native-producer.js";
import { KafkaError, TimeoutError } from "../errors.js";
import type { Logger } from "../logger.js";
import { backoff, settlesWithin, sleep } from "../waiting.js";
import { TransactionFailure } from "./transaction-failure.js";
import { type CallFailure, remedyOf, remedyWhenLate, type TransactionCall } from "./transaction-outcome.js";

/** How long a native call may take. The native client does not always keep it, so the calls are raced. */
export const callTimeoutMs = 5_000;
/** How long the native call may take that takes over the transactional id. */
export const initTimeoutMs = 10_000;
/** How much longer a call may take than it was given before it counts as hanging. */
const stuckAfterMs = 5_000;
/** Where the process was busy or stopped, the timer that is late comes before the answers which are waiting. */
const lateTimerMs = 2_000;
const pauseMs = backoff(50, 1_000);

const noFlags = { isFatal: false, isRetriable: false, isTxnRequiresAbort: false } as const;

/** A native call of a transaction. */
type NativeCall = (native: NativeProducer) => Promise<void>;

/** The native calls of transactions: each raced against hanging, and judged by the table in transaction-outcome.ts. */
export class TransactionCalls {
  readonly #what: string;
  readonly #logger: Logger;
  readonly #isOutlived: () => boolean;
  /** Connections lost so far: a request on one of them may have been made twice. */
  #connectionsLost = 0;
  /** Calls that were abandoned; they return in their own time. */
  #stuck: Promise<unknown> = Promise.resolve();

  /** `isOutlived` says whether the broker may have ended the open transaction because its time was over. */
  constructor(what: string, logger: Logger, isOutlived: () => boolean) {
    this.#what = what;
    this.#logger = logger;
    this.#isOutlived = isOutlived;
  }

  /** The logger of a native producer, of which lost connections are counted. */
  watchedLogger(): Logger {
    const logger = this.#logger;
    return {
      debug: logger.debug.bind(logger),
      warn: logger.warn.bind(logger),
      error: logger.error.bind(logger),
      info: (message, fields) => {
        if (fields?.["facility"] === "FAIL") this.#connectionsLost += 1;
        logger.info(message, fields);
      },
    };
  }

  /**
   * Makes the call, again while its failure wants that and the deadline has not passed.
   * @throws TransactionFailure
   */
  async make(
    call: TransactionCall,
    native: NativeProducer,
    deadline: number,
    start: NativeCall,
  ): Promise<void> {
    const began = performance.now();
    const lostBefore = this.#connectionsLost;
    for (let attempt = 0; ; attempt += 1) {
      const failure = await this.attempt(call, native, start);
      if (failure === undefined) return;
      const { error, isStuck } = failure;
      const remedy = remedyOf(call, failure);
      this.#logger.debug(`${this.#what}: ${call} failed`, {
        remedy,
        attempt,
        message: error.message,
        code: failure.code,
      });
      if (remedy === "repeat" && performance.now() < deadline) {
        await sleep(pauseMs(attempt));
        continue;
      }
      // A request that was answered at once, at the first try, was not made twice.
      const mayHaveHappened =
        isStuck ||
        attempt > 0 ||
        this.#connectionsLost > lostBefore ||
        performance.now() - began >= callTimeoutMs / 2;
      throw new TransactionFailure(
        call,
        remedy === "repeat" ? remedyWhenLate(call) : remedy,
        error,
        mayHaveHappened,
      );
    }
  }

  /** Makes the call once; gives how it failed, if it did. One that hangs is abandoned. */
  async attempt(
    call: TransactionCall,
    native: NativeProducer,
    start: NativeCall,
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

  /** Why the native client says that the open transaction has failed; `undefined` where it does not say. */
  async reasonOf(native: NativeProducer): Promise<KafkaError | undefined> {
    // Whoever asks for a transaction to begin in one that has failed gets the reason. It can change nothing,
    // because no transaction begins within another.
    const answer = await this.attempt("begin", native, () => native.beginTransaction());
    return answer === undefined || answer.isStuck || answer.code === nativeCodes.state
      ? undefined
      : answer.error;
  }

  /** Resolves when no abandoned call is left in the native client, or after `timeoutMs`. */
  async whenUnstuck(timeoutMs: number): Promise<void> {
    await settlesWithin(this.#stuck, timeoutMs);
  }
}
