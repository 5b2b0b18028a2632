import type { KafkaError } from "../errors.js";
import type { RawRecord } from "../record.js";
import type { GroupSession } from "../group/group-session.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { RecordFailures } from "./record-failures.js";

/** What a handler is told besides the record. */
export interface HandlerContext {
  /**
   * Aborts when the record's partition is lost to another member, or when `drainTimeoutMs`, the time for a graceful
   * shutdown or release, is over: the record is redelivered, to this member or to another.
   */
  readonly signal: AbortSignal;
  /** Which call for this record this is, from 1. */
  readonly attempt: number;
}

/** One way to deliver records: to a handler one by one, in batches, or through an iterator. */
export interface Delivery {
  /** Records of the partition are available. */
  readonly offer: (partition: OwnedPartition) => void;
  /** Delivers no more records; handlers in flight go on. */
  readonly stop: () => void;
  /** Has the iterator's next step throw this error; absent where a promise of `run` rejects with it instead. */
  readonly fail?: (error: unknown) => void;
  /** Whether every handler slot is taken, so that more records would only wait. */
  readonly isBusy: () => boolean;
  /** How long the oldest call in flight has run, in whole seconds, and for what. */
  readonly oldest: () =>
    { readonly seconds: number; readonly partition: OwnedPartition; readonly offset: number } | undefined;
}

/** The records of a batch that are of one partition. */
export interface BatchPart {
  readonly partition: OwnedPartition;
  /** In the order of the log. */
  readonly offsets: readonly number[];
}

/** The membership in the group, as deliveries see it. */
export type DeliverySession = Pick<GroupSession, "concurrency" | "isFull" | "freedMemory">;

/** What a delivery needs of its client. */
export interface DeliveryHost {
  /** The membership in the group now: a processor replaces one that failed. */
  readonly session: () => DeliverySession;
  /** Decodes a record of the partition; a promise where a serde is asynchronous. */
  readonly decode: (raw: RawRecord) => unknown;
  /** The record at this offset is finished; `result` is what its handler returned or resolved to. */
  readonly finished: (partition: OwnedPartition, offset: number, result: unknown) => void;
  /** The records of a batch are finished, all of them together. */
  readonly batchFinished: (parts: readonly BatchPart[], result: unknown) => void;
  /** A record could not be handled, or not decoded: the client stops with this error. */
  readonly failed: (error: unknown) => void;
  /** A record waits to be decoded again, because what its serde needs is unavailable: the client logs it. */
  readonly waiting: (raw: RawRecord, error: KafkaError) => void;
  /** What becomes of records that fail; absent: the first failure stops the client. */
  readonly failures?: RecordFailures | undefined;
  /** How many handlers may run at the same time now. */
  readonly limit: () => number;
  /** Records from this offset on were taken and will not be handled: they are to be redelivered. */
  readonly rewind: (partition: OwnedPartition, offset: number) => void;
}

/** Whether awaiting is needed: synchronous handlers and serdes never cost a promise. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value instanceof Promise ||
    (typeof value === "object" && value !== null && "then" in value && typeof value.then === "function")
  );
}
