import type { KafkaError } from "../errors.js";
import type { Remedy, TransactionCall } from "./transaction-outcome.js";

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
