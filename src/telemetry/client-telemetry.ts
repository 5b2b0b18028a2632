import type { Logger } from "../logger.js";
import { type EncodedHeaders, encodeHeaders } from "../serde/headers.js";
import type {
  CommitActivity,
  Ended,
  FailureEvent,
  GroupWaitEvent,
  LateRecordEvent,
  MemberActivity,
  OffsetResetEvent,
  ProcessActivity,
  RestoreActivity,
  RestoreEnded,
  AssignmentChange,
  SendActivity,
  SendEnded,
  TransactionActivity,
  TransactionEnded,
  WindowsClosedEvent,
} from "./activities.js";
import type { Operation, Telemetry, TelemetryClient } from "./telemetry.js";

/** The user's {@link Telemetry} as the clients call it: never throws, whatever the user's does. */
export class ClientTelemetry {
  readonly #telemetry: Telemetry;
  readonly #client: TelemetryClient;
  readonly #logger: Logger;
  readonly #warned = new Set<string>();

  constructor(telemetry: Telemetry, client: TelemetryClient, logger: Logger) {
    this.#telemetry = telemetry;
    this.#client = client;
    this.#logger = logger;
  }

  onSend(activity: SendActivity): WatchedOperation<SendEnded> {
    return this.#begin("onSend", () => this.#telemetry.onSend?.(activity, this.#client));
  }

  onProcess(activity: ProcessActivity): WatchedOperation<Ended> {
    return this.#begin("onProcess", () => this.#telemetry.onProcess?.(activity, this.#client));
  }

  onCommit(activity: CommitActivity): WatchedOperation<TransactionEnded> {
    return this.#begin("onCommit", () => this.#telemetry.onCommit?.(activity, this.#client));
  }

  onTransaction(activity: TransactionActivity): WatchedOperation<TransactionEnded> {
    return this.#begin("onTransaction", () => this.#telemetry.onTransaction?.(activity, this.#client));
  }

  onFailure(event: FailureEvent): void {
    this.#attempt("onFailure", () => this.#telemetry.onFailure?.(event, this.#client));
  }

  onRebalance(event: AssignmentChange): void {
    this.#attempt("onRebalance", () => this.#telemetry.onRebalance?.(event, this.#client));
  }

  onGroupWait(event: GroupWaitEvent): void {
    this.#attempt("onGroupWait", () => this.#telemetry.onGroupWait?.(event, this.#client));
  }

  onOffsetReset(event: OffsetResetEvent): void {
    this.#attempt("onOffsetReset", () => this.#telemetry.onOffsetReset?.(event, this.#client));
  }

  onStoreRestore(activity: RestoreActivity): WatchedOperation<RestoreEnded> {
    return this.#begin("onStoreRestore", () => this.#telemetry.onStoreRestore?.(activity, this.#client));
  }

  onLateRecord(event: LateRecordEvent): void {
    this.#attempt("onLateRecord", () => this.#telemetry.onLateRecord?.(event, this.#client));
  }

  onWindowsClosed(event: WindowsClosedEvent): void {
    this.#attempt("onWindowsClosed", () => this.#telemetry.onWindowsClosed?.(event, this.#client));
  }

  /** Gives what is to be called when the member has ended. */
  onMember(activity: MemberActivity): () => void {
    const ended = this.#attempt("onMember", () => this.#telemetry.onMember?.(activity, this.#client));
    return () => {
      this.#attempt("the end of onMember", () => ended?.());
    };
  }

  #begin<End extends Ended>(hook: string, begin: () => Operation<End> | undefined): WatchedOperation<End> {
    const operation = this.#attempt(hook, begin);
    return new WatchedOperation(operation, (part, work) => this.#attempt(`${part} of ${hook}`, work));
  }

  readonly #attempt = <Result>(what: string, work: () => Result): Result | undefined => {
    try {
      return work();
    } catch (error) {
      if (!this.#warned.has(what)) {
        this.#warned.add(what);
        this.#logger.warn(`telemetry: ${what} threw. It changes nothing, and is not logged again`, { error });
      }
      return undefined;
    }
  };
}

/** The user's {@link Operation}: never throws of itself. */
export class WatchedOperation<End extends Ended> {
  readonly #operation: Operation<End> | undefined;
  readonly #attempt: <Result>(part: string, work: () => Result) => Result | undefined;

  constructor(
    operation: Operation<End> | undefined,
    attempt: <Result>(part: string, work: () => Result) => Result | undefined,
  ) {
    this.#operation = operation;
    this.#attempt = attempt;
  }

  /** The headers to add to each record. */
  get headers(): EncodedHeaders | undefined {
    return this.#attempt("headers", () => encodeHeaders(this.#operation?.headers, true));
  }

  /** What `work` gives or throws; it is called once, whether the user's `run` does that or not. */
  run<Result>(work: () => Result): Result {
    const operation = this.#operation;
    if (operation?.run === undefined) return work();
    let done: { readonly result: Result } | { readonly thrown: unknown } | undefined;
    const once = (): void => {
      if (done !== undefined) return;
      try {
        done = { result: work() };
      } catch (thrown) {
        done = { thrown };
      }
    };
    this.#attempt("run", () => operation.run?.(once));
    once();
    return resultOf(done);
  }

  end(ended: End): void {
    this.#attempt("end", () => {
      this.#operation?.end(ended);
    });
  }
}

function resultOf<Result>(
  done: { readonly result: Result } | { readonly thrown: unknown } | undefined,
): Result {
  if (done === undefined || "thrown" in done) throw done?.thrown;
  return done.result;
}
