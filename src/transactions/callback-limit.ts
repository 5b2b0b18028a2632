import { TimeoutError, TransactionAbortedError } from "../errors.js";

/**
 * How long a transaction waits for its callback: as long as the transaction may take, and no longer than its producer
 * is open.
 */
export class CallbackLimit {
  readonly #closing: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #onClosing = (): void => {
    this.#controller.abort(this.#closing.reason);
  };

  constructor(transactionalId: string, transactionTimeoutMs: number, closing: AbortSignal) {
    this.#closing = closing;
    this.#timer = setTimeout(() => {
      this.#controller.abort(lateError(transactionalId, transactionTimeoutMs));
    }, transactionTimeoutMs);
    closing.addEventListener("abort", this.#onClosing, { once: true });
    if (closing.aborted) this.#onClosing();
  }

  /** Aborts when the callback is waited for no longer. Its reason is what the transaction fails with. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The callback has ended. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#closing.removeEventListener("abort", this.#onClosing);
  }
}

function lateError(transactionalId: string, timeoutMs: number): TransactionAbortedError {
  const why = `its callback took longer than transactionTimeoutMs (${timeoutMs} ms)`;
  return new TransactionAbortedError(`${transactionalId}: the transaction was rolled back: ${why}`, {
    cause: new TimeoutError(`${transactionalId}: ${why}`),
  });
}
