import { identifyAcrossCopies } from "../class-identity.js";

/**
 * Thrown by a handler to say that trying again is of no use: the retries that are left are skipped, and the
 * record goes to the dead letters, or the consumer stops where there are none.
 *
 * @example
 * ```ts
 * throw new PermanentError(`no such course: ${record.value.course}`);
 * ```
 */
export class PermanentError extends Error {
  /** The name of the class. */
  override readonly name: string = "PermanentError";
}

/** The longest wait that a {@link RetryAfterError} may ask for: a day. */
const maxRetryAfterMs = 86_400_000;

/**
 * Thrown by a handler that knows when to try again, as a service does that answers with `Retry-After`. It sets
 * the delay of the next attempt, whatever the policy's own would be; how many attempts there are stays.
 *
 * @example
 * ```ts
 * if (response.status === 429) throw new RetryAfterError(5_000, "the service is busy");
 * ```
 */
export class RetryAfterError extends Error {
  /** The name of the class. */
  override readonly name: string = "RetryAfterError";
  /** How long to wait before the next attempt, in whole milliseconds. */
  readonly retryAfterMs: number;

  /**
   * @param retryAfterMs - how long to wait, in milliseconds; 0 to 86,400,000 (a day)
   * @throws `RangeError` for anything else
   */
  constructor(retryAfterMs: number, message?: string, options?: ErrorOptions) {
    if (!(retryAfterMs >= 0 && retryAfterMs <= maxRetryAfterMs))
      throw new RangeError(
        `RetryAfterError: expected 0 to ${maxRetryAfterMs} milliseconds, got ${retryAfterMs}`,
      );
    super(message ?? `try again after ${retryAfterMs} ms`, options);
    this.retryAfterMs = Math.ceil(retryAfterMs);
  }
}

identifyAcrossCopies({ PermanentError, RetryAfterError });
