/** How long to wait between the attempts of one handler. */
export interface Backoff {
  readonly initialDelayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
  readonly jitter: boolean;
}

/**
 * How long to wait after the `attempt`-th call failed, in whole milliseconds, at least 1: exponential up to the
 * cap, and with jitter anything from 1 up to that, evenly, so that records that failed together are
 * not retried together.
 *
 * @param random - from 0 up to 1, as `Math.random` gives it
 */
export function retryDelay(backoff: Backoff, attempt: number, random: () => number): number {
  const { initialDelayMs, factor, maxDelayMs, jitter } = backoff;
  const ceiling = Math.max(1, Math.round(Math.min(maxDelayMs, initialDelayMs * factor ** (attempt - 1))));
  return jitter ? 1 + Math.floor(random() * ceiling) : ceiling;
}
