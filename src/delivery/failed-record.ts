import type { Outcome } from "../failure/failure-policy.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { RawRecord } from "../record.js";
import type { DeliveryHost } from "./delivery.js";
import type { Settled } from "./record-failures.js";
import { isOutage, outageDelay } from "./serde-outage.js";

type Finish = Extract<Outcome, { readonly action: "skip" | "move" }>;

/** What a delivery does about a record that failed: try it again after a delay, skip it, or write it elsewhere. */
export type Verdict = Exclude<Outcome, { readonly action: "fail" }>;

/**
 * A record that failed, from its first failure until it is finished: the one place that decides what becomes of a record
 * that does not decode, or whose handler threw. An outage of what its serde needs is no failure of the record: it is
 * decoded again until the outage is over, whatever the policy says.
 */
export class FailedRecord {
  readonly partition: OwnedPartition;
  readonly raw: RawRecord;
  readonly #host: Pick<DeliveryHost, "failures" | "waiting">;
  #outages = 0;

  constructor(host: Pick<DeliveryHost, "failures" | "waiting">, partition: OwnedPartition, raw: RawRecord) {
    this.#host = host;
    this.partition = partition;
    this.raw = raw;
  }

  /**
   * Decides after a failure. `attempt` is the call of the handler that failed, from 1, or 0 where there was none.
   * `undefined`: the partition was lost, or moves past a record that does not decode; the record is redelivered if need be.
   *
   * @throws what stops the client: the error itself where there is no policy, otherwise the policy's
   */
  decide(error: unknown, attempt: number, isDecoded: boolean): Verdict | undefined {
    const { signal, gone, seeking } = this.partition;
    if (signal.aborted || (!isDecoded && (gone || seeking))) return undefined;
    if (!isDecoded && isOutage(error)) {
      this.#host.waiting(this.raw, error);
      this.#outages += 1;
      return { action: "retry", delayMs: outageDelay(this.#outages) };
    }
    const outcome = this.#host.failures?.policy.onFailure({ raw: this.raw, error, attempt });
    if (outcome === undefined) throw error;
    if (outcome.action === "fail") throw outcome.error;
    return outcome;
  }

  /** Finishes the record as decided; gives `undefined` where it could not be moved any more, and is redelivered. */
  settle(verdict: Finish, error: unknown): Settled | undefined | Promise<Settled | undefined> {
    const { failures } = this.#host;
    return verdict.action === "skip"
      ? failures?.skip(this.raw, error)
      : failures?.move(this.partition, this.raw, verdict, error);
  }
}
