import type { KafkaError } from "../errors.js";
import type { RawRecord } from "../record.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { RecordFailures } from "./record-failures.js";

/** What a handler is told besides the record. */
export interface HandlerContext {
  /**
   * Aborts when the record's partition is lost to another member, or when the time for finishing
   * politely (`drainTimeoutMs`) is over: the record will come again, here or elsewhere.
   */
  readonly signal: AbortSignal;
  /** Which call for this record this is, from 1. */
  readonly attempt: number;
}

/** One way to hand records over: to a handler one by one, in batches, or through an iterator. */
export interface Delivery {
  /** Records of the partition are waiting. */
  readonly offer: (partition: OwnedPartition) => void;
  /** Hands nothing more over; what is in flight goes on. */
  readonly stop: () => void;
  /** Whether every place for a handler is taken, so that more records would only wait. */
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

/** What the ways of handing over need from the consumer. */
export interface DeliveryHost {
  /** Decodes a record of the partition; a promise where a serde is asynchronous. */
  readonly decode: (raw: RawRecord) => unknown;
  /** The record was taken from its queue. */
  readonly taken: (partition: OwnedPartition) => void;
  /** The record at this offset is finished; `result` is what its handler returned or resolved to. */
  readonly finished: (partition: OwnedPartition, offset: number, result: unknown) => void;
  /** The records of a batch are finished, all of them together. */
  readonly batchFinished: (parts: readonly BatchPart[], result: unknown) => void;
  /** A record could not be handled, or not decoded: the consumer stops with this error. */
  readonly failed: (error: unknown) => void;
  /** A record waits to be decoded again, because what its serde needs is away: to be told to people. */
  readonly waiting: (raw: RawRecord, error: KafkaError) => void;
  /** What becomes of records that fail; absent: the first failure stops the consumer. */
  readonly failures?: RecordFailures | undefined;
  /** How many handlers may run at the same time now. */
  readonly limit: () => number;
  /** Whether as much of the partition is waiting as may be: no more will come before some is taken. */
  readonly isFull: (partition: OwnedPartition) => boolean;
  /** Records from this offset on were taken and will not be handled: they are to come again. */
  readonly rewind: (partition: OwnedPartition, offset: number) => void;
}

/** Whether awaiting is needed: synchronous handlers and serdes never cost a promise. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value instanceof Promise ||
    (typeof value === "object" && value !== null && "then" in value && typeof value.then === "function")
  );
}
