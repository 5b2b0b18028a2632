import { callback } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
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

/**
 * Watches what the clients of a `Kafka` do: the option `telemetry` takes one. `openTelemetry()` from
 * `typed-kafka/opentelemetry` makes traces and metrics of it; make one of your own for anything else.
 *
 * Every function is optional and is called synchronously; those that return an {@link Operation} right before
 * what they are told of begins. What they throw is logged as a warning, once for each function, and changes
 * nothing for the client.
 *
 * @example
 * ```ts
 * let deadLetters = 0;
 * const telemetry: Telemetry = {
 *   onFailure: ({ action }) => {
 *     if (action === "dead-letter") deadLetters += 1;
 *   },
 * };
 * const kafka = new Kafka({ brokers: "localhost:9092", telemetry });
 * ```
 */
export interface Telemetry {
  /** A call of `send` or `sendAll`, of a producer or in a transaction. */
  readonly onSend?: Hook<SendActivity, Operation<SendEnded> | undefined>;
  /** A call of a handler, or a record in the hand of a loop. */
  readonly onProcess?: Hook<ProcessActivity, Operation | undefined>;
  /** A consumer's or processor's commit of offsets. */
  readonly onCommit?: Hook<CommitActivity, Operation<TransactionEnded> | undefined>;
  /** A transaction of a transactional producer. */
  readonly onTransaction?: Hook<TransactionActivity, Operation<TransactionEnded> | undefined>;
  /** A record failed, and the failure policy has decided what becomes of it. */
  readonly onFailure?: Hook<FailureEvent, void>;
  /** Partitions were assigned to a member of a group, or taken from it. */
  readonly onRebalance?: Hook<AssignmentChange, void>;
  /** A member waits for partitions: its group refuses it, or has given it none for 30 s. */
  readonly onGroupWait?: Hook<GroupWaitEvent, void>;
  /** The log does not have a group's next offset in a partition, and the member goes on elsewhere. */
  readonly onOffsetReset?: Hook<OffsetResetEvent, void>;
  /** The changelog of a store is read, before the first record of its task is delivered. Nothing to read is not told. */
  readonly onStoreRestore?: Hook<RestoreActivity, Operation<RestoreEnded> | undefined>;
  /** A record was late for a window store. Told at each call of a handler that meets it. */
  readonly onLateRecord?: Hook<LateRecordEvent, void>;
  /** Windows have closed. Told again where their transaction was rolled back. */
  readonly onWindowsClosed?: Hook<WindowsClosedEvent, void>;
  /** A member of a group begins. What this returns is called when the member has ended. */
  readonly onMember?: Hook<MemberActivity, (() => void) | undefined>;
}

/** A function of {@link Telemetry}: what it is told of, and the `Kafka` whose client does it. */
export type Hook<Activity, Result> = ((activity: Activity, client: TelemetryClient) => Result) | undefined;

/** The `Kafka` whose client is being watched. */
export interface TelemetryClient {
  /** Its `clientId`. */
  readonly clientId: string;
}

/** Something that is being watched from its beginning to its end. */
export interface Operation<End extends Ended = Ended> {
  /** For a send: headers to add to each of its records, but for a record that has one of these names already. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * For the call of a handler or of a transaction's callback: calls `work`, once and before it returns, as
   * `AsyncLocalStorage.run` does, so that what `work` begins is known to be part of this. Absent: it is called
   * directly. The body of a loop is not called by the library, so nothing is run for it.
   */
  readonly run?: ((work: () => void) => void) | undefined;
  /** It has ended. Called once. */
  readonly end: (ended: End) => void;
}

const hook = <Name extends keyof Telemetry>() => callback<NonNullable<Telemetry[Name]>>();

/** The functions, each of which may be absent. */
export const telemetrySpecs = {
  onSend: hook<"onSend">(),
  onProcess: hook<"onProcess">(),
  onCommit: hook<"onCommit">(),
  onTransaction: hook<"onTransaction">(),
  onFailure: hook<"onFailure">(),
  onRebalance: hook<"onRebalance">(),
  onGroupWait: hook<"onGroupWait">(),
  onOffsetReset: hook<"onOffsetReset">(),
  onStoreRestore: hook<"onStoreRestore">(),
  onLateRecord: hook<"onLateRecord">(),
  onWindowsClosed: hook<"onWindowsClosed">(),
  onMember: hook<"onMember">(),
} satisfies OptionSpecs<Telemetry>;
