import { integer, signal } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";

/** Limits of one call, of the caller's own. */
export interface CallOptions {
  /** Ends the wait when it aborts. What is on its way cannot be called back. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait, in milliseconds; 1 to 86,400,000. Absent: as long as `deliveryTimeoutMs` lets it take. */
  readonly timeoutMs?: number | undefined;
}

/** The options of a call. */
export const callSpecs = {
  signal: signal(),
  timeoutMs: integer({
    min: 1,
    max: 86_400_000,
    absent: "as long as `deliveryTimeoutMs` lets it take",
  }),
} satisfies OptionSpecs<CallOptions>;

/** The options of a `sendAll`. */
export const sendAllSpecs = { signal: callSpecs.signal } satisfies OptionSpecs<Pick<CallOptions, "signal">>;
