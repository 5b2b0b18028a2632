import { KafkaError } from "../errors.js";
import { type Backoff, retryDelay } from "../failure/retry-delays.js";

const backoff: Backoff = { initialDelayMs: 200, factor: 2, maxDelayMs: 5_000, jitter: true };

/**
 * Whether a record did not decode because what its serde needs is unavailable for a while, such as a schema registry.
 * Nothing is wrong with the record then: it waits, and the failure policy is not asked.
 */
export function isOutage(error: unknown): error is KafkaError {
  return error instanceof KafkaError && error.retriable;
}

/** How long to wait before the record is decoded again for the `time`-th time, in milliseconds. */
export function outageDelay(time: number): number {
  return retryDelay(backoff, time, Math.random);
}
