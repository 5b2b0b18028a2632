import type { StandardSchemaV1 } from "@standard-schema/spec";
import { identifyAcrossCopies } from "./class-identity.js";
import type { RecordMetadata } from "./record.js";

/**
 * What went wrong, as a closed set to switch on.
 *
 * | code | meaning |
 * | --- | --- |
 * | `CONFIG` | an option, a topic definition or a policy is wrong |
 * | `BINDING` | the native Kafka client could not be loaded |
 * | `CONNECTION` | no broker, or no schema registry, could be reached |
 * | `AUTHENTICATION` | a broker or a schema registry refused the credentials, or a broker the certificate |
 * | `AUTHORIZATION` | the principal lacks a permission (an ACL) |
 * | `TIMEOUT` | an answer did not come in time |
 * | `SERIALIZATION` | a record to be sent does not fit its topic |
 * | `INVALID_RECORD` | a record read does not fit its topic |
 * | `UNKNOWN_TOPIC` | the topic does not exist |
 * | `UNKNOWN_PARTITION` | the topic has no such partition |
 * | `RECORD_TOO_LARGE` | a record is over the client's or the broker's limit |
 * | `RECORD_REFUSED` | a broker takes no such record: its timestamp, a missing key on a compacted topic, a compression; `nativeCode` says which |
 * | `DELIVERY` | some records of a call were not, or may not have been, written |
 * | `TRANSACTION_ABORTED` | the transaction was rolled back; nothing of it is visible |
 * | `TRANSACTION_OUTCOME_UNKNOWN` | whether the transaction committed could not be found out |
 * | `PRODUCER_FENCED` | another producer with the same transactional id took over |
 * | `CONSUMER_FENCED` | another consumer with the same `groupInstanceId` took over |
 * | `HANDLER_TIMEOUT` | a handler ran longer than `maxPollIntervalMs` |
 * | `RETRIES_EXHAUSTED` | every attempt of the retry policy failed |
 * | `OFFSET_OUT_OF_RANGE` | the offset asked for is not in the log any more |
 * | `START_OFFSETS` | the consumer's `startOffsets` threw; that error is the `cause` |
 * | `NOT_EMBEDDED` | the embedded cluster of `typed-kafka/testing` cannot do this: use a broker |
 * | `CLOSED` | the client was closed |
 * | `BROKER` | any other refusal of a broker; `nativeCode` has Kafka's error code |
 * | `FATAL` | the native client cannot go on; make a new one |
 */
export type KafkaErrorCode =
  | "CONFIG"
  | "BINDING"
  | "CONNECTION"
  | "AUTHENTICATION"
  | "AUTHORIZATION"
  | "TIMEOUT"
  | "SERIALIZATION"
  | "INVALID_RECORD"
  | "UNKNOWN_TOPIC"
  | "UNKNOWN_PARTITION"
  | "RECORD_TOO_LARGE"
  | "RECORD_REFUSED"
  | "DELIVERY"
  | "TRANSACTION_ABORTED"
  | "TRANSACTION_OUTCOME_UNKNOWN"
  | "PRODUCER_FENCED"
  | "CONSUMER_FENCED"
  | "HANDLER_TIMEOUT"
  | "RETRIES_EXHAUSTED"
  | "OFFSET_OUT_OF_RANGE"
  | "START_OFFSETS"
  | "NOT_EMBEDDED"
  | "CLOSED"
  | "BROKER"
  | "FATAL";

/** Where an error happened, as far as it is known. */
export interface ErrorContext {
  /** The error underneath; a user's own error is kept untouched. */
  readonly cause?: unknown;
  /** Whether the same call may succeed later without any change. Default `false`. */
  readonly retriable?: boolean | undefined;
  /** The topic's name. */
  readonly topic?: string | undefined;
  /** The partition's number, from 0. */
  readonly partition?: number | undefined;
  /** The record's offset. */
  readonly offset?: number | undefined;
  /** The consumer group's id. */
  readonly groupId?: string | undefined;
  /** Kafka's own error code: positive from a broker, negative from librdkafka. */
  readonly nativeCode?: number | undefined;
}

/**
 * The base of every error that this library throws. Switch on `code`; use `instanceof` with a
 * subclass where you act differently. What a handler of yours throws is never wrapped in it
 * unless a retry policy ran out ({@link RetriesExhaustedError}, with your error as its `cause`).
 */
export class KafkaError extends Error {
  /** The name of the class. */
  override readonly name: string = "KafkaError";
  /** What went wrong, from a closed set. */
  readonly code: KafkaErrorCode;
  /** Whether the same call may succeed later without any change. */
  readonly retriable: boolean;
  /** The topic's name, where one is concerned. */
  declare readonly topic: string | undefined;
  /** The partition's number, where one is concerned. */
  declare readonly partition: number | undefined;
  /** The record's offset, where one is concerned. */
  declare readonly offset: number | undefined;
  /** The consumer group's id, where one is concerned. */
  declare readonly groupId: string | undefined;
  /** Kafka's own error code: positive from a broker, negative from librdkafka. */
  declare readonly nativeCode: number | undefined;

  /** Made by the library; make one yourself only in tests, and in serdes (see {@link Serde}). */
  constructor(code: KafkaErrorCode, message: string, context: ErrorContext = {}) {
    super(message, "cause" in context ? { cause: context.cause } : undefined);
    this.code = code;
    this.retriable = context.retriable ?? false;
    // A printed error has its own fields: only what is known, and no list of `undefined`.
    if (context.topic !== undefined) this.topic = context.topic;
    if (context.partition !== undefined) this.partition = context.partition;
    if (context.offset !== undefined) this.offset = context.offset;
    if (context.groupId !== undefined) this.groupId = context.groupId;
    if (context.nativeCode !== undefined) this.nativeCode = context.nativeCode;
  }

  /** What `JSON.stringify` writes: the fields that are printed and the message, without the `cause` and the stack. */
  toJSON(): Record<string, unknown> {
    return { ...(this as object), message: this.message };
  }
}

Object.assign(KafkaError.prototype, {
  topic: undefined,
  partition: undefined,
  offset: undefined,
  groupId: undefined,
  nativeCode: undefined,
});

/** Sets a field that is there for code, and would be too much for whoever prints the error. */
function setUnprinted(error: KafkaError, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value });
}

/** An option, a topic definition or a policy is wrong: a bug to fix, thrown before anything is done. */
export class ConfigError extends KafkaError {
  /** The name of the class. */
  override readonly name = "ConfigError";
  /** The path of the wrong field, such as `retry.attempts` or `brokers`. */
  readonly field: string;

  /** Made by the library; make one yourself only in tests. */
  constructor(field: string, message: string, context: ErrorContext = {}) {
    super("CONFIG", `${field}: ${message}`, context);
    this.field = field;
  }
}

/** No broker, or no schema registry, could be reached within the time given; the message has the address and the true reason. */
export class ConnectionError extends KafkaError {
  /** The name of the class. */
  override readonly name = "ConnectionError";

  /** Made by the library, and by serdes of yours that need something which cannot be reached. */
  constructor(message: string, context: ErrorContext = {}) {
    super("CONNECTION", message, { retriable: true, ...context });
  }
}

/** A broker or a schema registry refused the credentials, or the broker's certificate is not trusted. */
export class AuthenticationError extends KafkaError {
  /** The name of the class. */
  override readonly name = "AuthenticationError";

  /** Made by the library; make one yourself only in tests. */
  constructor(message: string, context: ErrorContext = {}) {
    super("AUTHENTICATION", message, context);
  }
}

/** The principal lacks a permission on a topic, group, transactional id or the cluster. */
export class AuthorizationError extends KafkaError {
  /** The name of the class. */
  override readonly name = "AuthorizationError";

  /** Made by the library; make one yourself only in tests. */
  constructor(message: string, context: ErrorContext = {}) {
    super("AUTHORIZATION", message, context);
  }
}

/** An answer did not come within the time given. */
export class TimeoutError extends KafkaError {
  /** The name of the class. */
  override readonly name = "TimeoutError";

  /** Made by the library; make one yourself only in tests. */
  constructor(message: string, context: ErrorContext = {}) {
    super("TIMEOUT", message, { retriable: true, ...context });
  }
}

/** A problem that a schema found: a message and the path of the field, as Standard Schema gives them. */
export type Issue = StandardSchemaV1.Issue;

/** A record to be sent does not fit its topic: nothing of the call was written. */
export class SerializationError extends KafkaError {
  /** The name of the class. */
  override readonly name = "SerializationError";
  /** Which part of the record is wrong. */
  readonly part: "key" | "value" | "headers" | "partition" | "timestamp" | "record";
  /** What the schema found, with paths: the first 100. Empty where no schema was involved. */
  readonly issues: readonly Issue[];
  /** The record's position in the array given to `send`, from 0; `undefined` for a single record. */
  declare readonly index: number | undefined;

  /** Made by the library; make one yourself only in tests. */
  constructor(
    message: string,
    context: ErrorContext & {
      readonly part: SerializationError["part"];
      readonly issues?: readonly Issue[] | undefined;
      readonly index?: number | undefined;
    },
  ) {
    super("SERIALIZATION", message, context);
    this.part = context.part;
    this.issues = context.issues ?? [];
    if (context.index !== undefined) this.index = context.index;
  }
}

Object.assign(SerializationError.prototype, { index: undefined });

/** The bytes of a record, as they are in the log. */
export interface RawRecordBytes {
  /** The key's bytes, `null` for a record without a key. */
  readonly key: Buffer | null;
  /** The value's bytes, `null` for a tombstone. */
  readonly value: Buffer | null;
  /** Every header in order, duplicates kept. */
  readonly headers: readonly (readonly [string, Buffer | null])[];
}

/** A record read does not decode, or does not fit its topic's schema. It holds the raw bytes. */
export class InvalidRecordError extends KafkaError {
  /** The name of the class. */
  override readonly name = "InvalidRecordError";
  /** Which part of the record is wrong. */
  readonly part: "key" | "value" | "headers";
  /** What the schema found, with paths: the first 100. Empty where the bytes did not decode at all. */
  readonly issues: readonly Issue[];
  /** The record's bytes, untouched. Not printed, nor in JSON: they may be many, or nobody's to read in a log. */
  declare readonly raw: RawRecordBytes;
  declare readonly topic: string;
  declare readonly partition: number;
  declare readonly offset: number;

  /** Made by the library; make one yourself only in tests. */
  constructor(
    message: string,
    context: ErrorContext & {
      readonly topic: string;
      readonly partition: number;
      readonly offset: number;
      readonly part: InvalidRecordError["part"];
      readonly issues?: readonly Issue[] | undefined;
      readonly raw: RawRecordBytes;
    },
  ) {
    super("INVALID_RECORD", message, context);
    this.part = context.part;
    this.issues = context.issues ?? [];
    setUnprinted(this, "raw", context.raw);
  }
}

/** What became of one record of a failed `send`. */
export type DeliveryResult =
  | {
      /** It is in the log. */
      readonly status: "written";
      /** Where. */
      readonly metadata: RecordMetadata;
    }
  | {
      /** `failed`: it is not in the log. `unknown`: it may be; no acknowledgement came. */
      readonly status: "failed" | "unknown";
      /** Why. */
      readonly error: KafkaError;
    };

/**
 * Some records of a call were refused, or whether they were written is not known. It is `retriable` only where
 * none of them is in the log or may be: else the same call would write some twice. The errors in `results` have
 * a `retriable` of their own, for sending those again that have `failed`.
 */
export class DeliveryError extends KafkaError {
  /** The name of the class. */
  override readonly name = "DeliveryError";
  /**
   * One result a record, in the order given to `send`: `written` (in the log), `failed` (not in the
   * log) or `unknown` (it may be there: no acknowledgement came). Empty for `sendAll`. Not printed, nor in JSON: there
   * are as many as records, and the message says how many came to what.
   */
  declare readonly results: readonly DeliveryResult[];
  /** How many records of the call are known to be written. */
  readonly acknowledged: number;

  /** Made by the library; make one yourself only in tests. */
  constructor(
    message: string,
    context: ErrorContext & {
      readonly code?: KafkaErrorCode | undefined;
      readonly results?: readonly DeliveryResult[] | undefined;
      readonly acknowledged: number;
    },
  ) {
    super(context.code ?? "DELIVERY", message, context);
    setUnprinted(this, "results", context.results ?? []);
    this.acknowledged = context.acknowledged;
  }
}

/** The transaction was rolled back: a `read_committed` reader sees nothing of it. Run it again where it is `retriable`. */
export class TransactionAbortedError extends KafkaError {
  /** The name of the class. */
  override readonly name = "TransactionAbortedError";

  /** Made by the library; make one yourself only in tests. */
  constructor(message: string, context: ErrorContext = {}) {
    super("TRANSACTION_ABORTED", message, { retriable: true, ...context });
  }
}

/** Whether the transaction was committed could not be found out: look before you run it again. */
export class TransactionOutcomeUnknownError extends KafkaError {
  /** The name of the class. */
  override readonly name = "TransactionOutcomeUnknownError";

  /** Made by the library; make one yourself only in tests. */
  constructor(message: string, context: ErrorContext = {}) {
    super("TRANSACTION_OUTCOME_UNKNOWN", message, context);
  }
}

/** Another live producer took over this transactional id: this one is dead and wrote nothing more. */
export class ProducerFencedError extends KafkaError {
  /** The name of the class. */
  override readonly name = "ProducerFencedError";

  /** Made by the library; make one yourself only in tests. */
  constructor(message: string, context: ErrorContext = {}) {
    super("PRODUCER_FENCED", message, context);
  }
}

/** Every attempt that the retry policy allows has failed; the last error is the `cause`. */
export class RetriesExhaustedError extends KafkaError {
  /** The name of the class. */
  override readonly name = "RetriesExhaustedError";
  /** How many times the handler was called. */
  readonly attempts: number;

  /** Made by the library; make one yourself only in tests. */
  constructor(message: string, context: ErrorContext & { readonly attempts: number }) {
    super("RETRIES_EXHAUSTED", message, context);
    this.attempts = context.attempts;
  }
}

/** The client was closed before or during the call. */
export class ClosedError extends KafkaError {
  /** The name of the class. */
  override readonly name = "ClosedError";

  /** Made by the library; make one yourself only in tests. */
  constructor(message: string, context: ErrorContext = {}) {
    super("CLOSED", message, context);
  }
}

const misuses = new WeakSet<Error>();

/**
 * @internal Marks what a handler gets for a call that is wrong whatever the record is: no policy moves records away
 * because of it.
 */
export function misuse<E extends Error>(error: E): E {
  misuses.add(error);
  return error;
}

/** @internal Whether an error was marked by {@link misuse}. */
export function isMisuse(error: unknown): boolean {
  return error instanceof Error && misuses.has(error);
}

identifyAcrossCopies({
  KafkaError,
  ConfigError,
  ConnectionError,
  AuthenticationError,
  AuthorizationError,
  TimeoutError,
  SerializationError,
  InvalidRecordError,
  DeliveryError,
  TransactionAbortedError,
  TransactionOutcomeUnknownError,
  ProducerFencedError,
  RetriesExhaustedError,
  ClosedError,
});
