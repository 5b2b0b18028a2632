import { isRefusedForGood } from "../driver/error-codes.js";
import { nativeCodes } from "../driver/native-errors.js";

/** The native calls of a transaction. */
export type TransactionCall = "init" | "begin" | "sendOffsets" | "commit" | "abort";

/**
 * What to do about a call that failed. `repeat`: the same call again. `abort`: roll the transaction back.
 * `renew`: this native producer is done for, a new one with the same transactional id takes over. `fenced`:
 * another live producer owns the transactional id. `stop`: somebody has to change something first.
 */
export type Remedy = "repeat" | "abort" | "renew" | "fenced" | "stop";

/** How a call failed, as the native client tells it. */
export interface CallFailure {
  /** Kafka's error code; 0 for a call that has not returned. */
  readonly code: number;
  readonly isFatal: boolean;
  readonly isRetriable: boolean;
  readonly isTxnRequiresAbort: boolean;
  /** It has not returned, long after its time. */
  readonly isStuck: boolean;
  /**
   * The broker may have ended the transaction itself because it took longer than its timeout, or a
   * native producer of this client was abandoned: then this client itself has fenced it.
   */
  readonly isOutlived: boolean;
}

const fencedCodes: ReadonlySet<number> = new Set([
  nativeCodes.fenced,
  nativeCodes.invalidProducerEpoch,
  nativeCodes.producerFenced,
]);

/** The table of what each failure of a call wants. The order of the questions matters. */
export function remedyOf(call: TransactionCall, failure: CallFailure): Remedy {
  const { code, isOutlived } = failure;
  if (failure.isStuck) return "renew";
  if (call === "init") {
    if (isPermanent(code)) return "stop";
    return failure.isRetriable && !failure.isFatal ? "repeat" : "renew";
  }
  if (fencedCodes.has(code)) return isOutlived ? "renew" : "fenced";
  if (failure.isFatal || code === nativeCodes.fatal) return isPermanent(code) ? "stop" : "renew";
  // What beginning fails with carries no flags.
  if (call === "begin") return "renew";
  if (call === "abort") return failure.isRetriable || code === nativeCodes.timedOut ? "repeat" : "renew";
  if (failure.isTxnRequiresAbort) return "abort";
  if (failure.isRetriable) return "repeat";
  return "renew";
}

/** What to do when a call that wanted repeating has used up the transaction's time. */
export function remedyWhenLate(call: TransactionCall): Exclude<Remedy, "repeat"> {
  return call === "sendOffsets" ? "abort" : "renew";
}

/**
 * Whether a call that failed with this code would fail again for the same reason: somebody must change a
 * permission, a credential or an option. A broker that has only just started does not know its topics yet.
 */
export function isPermanent(code: number | undefined): boolean {
  return code !== nativeCodes.unknownTopicOrPartition && isRefusedForGood(code);
}
