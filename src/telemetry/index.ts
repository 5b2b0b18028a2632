/**
 * The types of what a `Kafka` tells its `telemetry`: for those who make traces, metrics or counters of their own.
 * Types alone; nothing is loaded at run time.
 *
 * @module typed-kafka/telemetry
 */

export type { Hook, Operation, Telemetry, TelemetryClient } from "./telemetry.js";
export type {
  AssignmentChange,
  CommitActivity,
  Ended,
  FailureEvent,
  GroupWaitEvent,
  KnownLag,
  LateRecordEvent,
  MemberActivity,
  OffsetResetEvent,
  ProcessActivity,
  ProcessedRecord,
  RestoreActivity,
  RestoreEnded,
  SendActivity,
  SendEnded,
  TransactionActivity,
  TransactionEnded,
  WindowsClosedEvent,
} from "./activities.js";
