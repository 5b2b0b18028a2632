/**
 * The parts of the native addon that the library uses, declared as they behave in
 * `@confluentinc/kafka-javascript` 1.10.1. The package's own declarations have holes and describe the
 * wrappers in its `lib/`, which this library does not use: they lose error flags and read positions.
 */

import type { RawRecord } from "../record.js";

/** An error as the addon gives it: a plain object, not an `Error`. */
export interface NativeError {
  readonly code: number;
  readonly message: string;
  readonly isFatal?: boolean;
  readonly isRetriable?: boolean;
  readonly isTxnRequiresAbort?: boolean;
}

export type NativeCallback<Result = unknown> = (error: NativeError | Error | null, result: Result) => void;

/** Configuration as librdkafka takes it: `bootstrap.servers`, `acks`, … */
export type NativeProperties = Record<string, string | number | boolean>;

export interface NativePartition {
  readonly topic: string;
  readonly partition: number;
}

export interface NativeOffset extends NativePartition {
  readonly offset: number;
  /** What is committed beside the offset; absent for nothing. */
  readonly metadata?: string | undefined;
}

/** What `committed`, `position` and `offsetsForTimes` give back for a partition: it can be an error. */
export interface NativeOffsetResult extends NativePartition {
  readonly offset?: number;
  readonly metadata?: string;
  readonly error?: NativeError;
}

export interface NativeMetadata {
  readonly orig_broker_name: string;
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[];
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly {
      readonly id: number;
      readonly leader: number;
      readonly replicas: readonly number[];
      readonly isrs: readonly number[];
    }[];
  }[];
}

export interface NativeLogEvent {
  readonly severity: number;
  readonly fac: string;
  readonly message: string;
  readonly name: string;
}

export interface NativeDeliveryReport {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp?: number;
  readonly opaque?: unknown;
  readonly size: number;
}

export interface NativeCallbacks {
  readonly global: Record<string, (...parameters: never[]) => void>;
  readonly topic: Record<string, never>;
  readonly event: {
    readonly event_cb: (type: string, data: unknown) => void;
    readonly delivery_cb?: (errorCode: number | null, report: NativeDeliveryReport) => void;
    readonly queue_non_empty_cb?: () => void;
  };
}

export interface NativeConnection {
  configureCallbacks: (add: boolean, callbacks: NativeCallbacks) => void;
  connect: (callback: NativeCallback) => void;
  disconnect: (callback: NativeCallback) => void;
  getMetadata: (
    options: { readonly allTopics: boolean; readonly topic?: string; readonly timeout: number },
    callback: NativeCallback<NativeMetadata>,
  ) => void;
  queryWatermarkOffsets: (
    topic: string,
    partition: number,
    timeoutMs: number,
    callback: NativeCallback<{ readonly lowOffset: number; readonly highOffset: number }>,
  ) => void;
  setOAuthBearerToken: (
    token: string,
    lifetimeMs: number,
    principal: string,
    extensions: string[] | null,
  ) => void;
  setOAuthBearerTokenFailure: (message: string) => void;
}

export interface NativeProducerClient extends NativeConnection {
  /** Returns an error code, 0 for queued; throws a plain `Error` for a wrong argument. */
  produce: (
    topic: string,
    partition: number | null,
    value: Buffer | null,
    key: Buffer | null,
    timestamp: number | null,
    opaque: unknown,
    headers: readonly Readonly<Record<string, string | Buffer>>[] | undefined,
  ) => number;
  flush: (timeoutMs: number, callback: NativeCallback) => void;
  setPollInBackground: (on: boolean) => void;
  initTransactions: (timeoutMs: number, callback: NativeCallback) => void;
  beginTransaction: (callback: NativeCallback) => void;
  commitTransaction: (timeoutMs: number, callback: NativeCallback) => void;
  abortTransaction: (timeoutMs: number, callback: NativeCallback) => void;
  sendOffsetsToTransaction: (
    offsets: readonly NativeOffset[],
    consumer: NativeConsumerClient,
    timeoutMs: number,
    callback: NativeCallback,
  ) => void;
}

export interface NativeEndOfPartition extends NativePartition {
  readonly offset: number;
}

export interface NativeConsumerClient extends NativeConnection {
  subscribe: (topics: readonly string[]) => number;
  unsubscribe: () => number;
  consume: (
    timeoutMs: number,
    count: number,
    timeoutOnlyForFirst: boolean,
    callback: (
      error: NativeError | Error | null,
      records: RawRecord[],
      ends: readonly NativeEndOfPartition[],
    ) => void,
  ) => void;
  assign: (partitions: readonly NativePartition[]) => void;
  unassign: () => void;
  incrementalAssign: (partitions: readonly NativePartition[]) => void;
  incrementalUnassign: (partitions: readonly NativePartition[]) => void;
  assignments: () => readonly NativeOffset[] | number;
  assignmentLost: () => boolean;
  rebalanceProtocol: () => string;
  commit: (offsets: readonly NativeOffset[]) => number;
  committed: (
    partitions: readonly NativePartition[],
    timeoutMs: number,
    callback: NativeCallback<readonly (NativeOffsetResult | Error)[]>,
  ) => void;
  offsetsForTimes: (
    partitions: readonly NativeOffset[],
    timeoutMs: number,
    callback: NativeCallback<readonly (NativeOffsetResult | Error)[]>,
  ) => void;
  getWatermarkOffsets: (
    topic: string,
    partition: number,
  ) => { readonly lowOffset: number; readonly highOffset: number } | number;
  seek: (offset: NativeOffset, timeoutMs: number, callback: NativeCallback) => void;
  pause: (partitions: readonly NativePartition[]) => number;
  resume: (partitions: readonly NativePartition[]) => number;
}

export interface NativeBinding {
  readonly Producer: new (
    properties: NativeProperties,
    topicProperties: NativeProperties | null,
  ) => NativeProducerClient;
  readonly KafkaConsumer: new (
    properties: NativeProperties,
    topicProperties: NativeProperties | null,
  ) => NativeConsumerClient;
  readonly err2str: (code: number) => string;
  readonly librdkafkaVersion: string;
}
