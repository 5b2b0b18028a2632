import {
  AuthenticationError,
  AuthorizationError,
  ClosedError,
  ConnectionError,
  KafkaError,
  ProducerFencedError,
  TimeoutError,
  type ErrorContext,
  type KafkaErrorCode,
} from "../errors.js";
import { errorCodeOf, outcomeOf } from "./error-codes.js";
import type { NativeError } from "./native.js";

/**
 * The error codes that the library acts on by name. What each of them, and every other, means for a request is
 * in error-codes.ts.
 */
export const nativeCodes = {
  /** No code of Kafka's: see `NativeProducer`. */
  unconfirmed: -10_000,
  /** Dropped before it was sent. */
  purgedInQueue: -152,
  /** Dropped, although a broker may have it. */
  purgedInFlight: -151,
  fatal: -150,
  invalidDifferentRecord: -138,
  fenced: -144,
  noOffset: -168,
  state: -172,
  revokePartitions: -174,
  assignPartitions: -175,
  invalidArgument: -186,
  partitionEnd: -191,
  timedOut: -185,
  queueFull: -184,
  unknownTopic: -188,
  unknownPartition: -190,
  messageTimedOut: -192,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  messageTooLarge: 10,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  invalidGroupId: 24,
  unknownMember: 25,
  invalidSessionTimeout: 26,
  topicAuthorization: 29,
  groupAuthorization: 30,
  clusterAuthorization: 31,
  invalidTimestamp: 32,
  topicExists: 36,
  unsupportedForMessageFormat: 43,
  invalidProducerEpoch: 47,
  invalidTransactionTimeout: 50,
  transactionalIdAuthorization: 53,
  nonEmptyGroup: 68,
  groupIdNotFound: 69,
  unsupportedCompressionType: 76,
  fencedInstanceId: 82,
  groupMaxSizeReached: 81,
  invalidRecord: 87,
  producerFenced: 90,
  unreleasedInstanceId: 111,
} as const;

/**
 * The one place where an error of the native client becomes one of the library's. `what` names the call: "commit of
 * etl-group". `trouble` is put behind the message where no broker has answered: which connection failed.
 */
export function fromNative(
  what: string,
  error: NativeError | Error,
  context: ErrorContext = {},
  trouble = "",
): KafkaError {
  const nativeCode = nativeCodeOf(error);
  const { code } = errorCodeOf(nativeCode);
  const retriable = isRetriable(error, nativeCode);
  const isUnanswered = code === "CONNECTION" || code === "TIMEOUT";
  const message = `${what}: ${reasonOf(error)}${isUnanswered ? trouble : ""}`;
  const withCode: ErrorContext = {
    cause: error,
    nativeCode,
    // Of what is not known, the class decides: an answer that did not come may come the next time.
    ...(retriable === undefined ? {} : { retriable }),
    ...context,
  };
  switch (code) {
    case "PRODUCER_FENCED":
      return new ProducerFencedError(
        `${message}. Another producer with the same transactional id took over`,
        withCode,
      );
    case "AUTHORIZATION":
      return new AuthorizationError(
        `${message}. Grant the principal ${rights[nativeCode] ?? "this right"} (an ACL)`,
        withCode,
      );
    case "AUTHENTICATION":
      return new AuthenticationError(message, withCode);
    case "CONNECTION":
      return new ConnectionError(message, withCode);
    case "CLOSED":
      return new ClosedError(message, withCode);
    case "TIMEOUT":
      return new TimeoutError(message, withCode);
    default:
      return new KafkaError(code, message, withCode);
  }
}

/** Brokers say on what a right lacks, not which one. */
const rights: Readonly<Record<number, string>> = {
  [nativeCodes.topicAuthorization]:
    "its right on the topic: READ to read it, WRITE to write to it, DESCRIBE to ask about it, CREATE, ALTER or DELETE to do so",
  [nativeCodes.groupAuthorization]:
    "its right on the group: READ to join it or to commit, DESCRIBE to ask about it, DELETE to delete it",
  [nativeCodes.clusterAuthorization]:
    "its right on the cluster: CREATE to make topics, DESCRIBE to ask about it, IDEMPOTENT_WRITE to write with brokers before Kafka 2.8",
  [nativeCodes.transactionalIdAuthorization]: "WRITE on the transactional id",
};

/** What the native client says of this call counts before what the code says of any. */
function isRetriable(error: NativeError | Error, nativeCode: number): boolean | undefined {
  const { isRetriable: flag } = error as Partial<NativeError>;
  if (flag !== undefined) return flag;
  const outcome = outcomeOf(nativeCode);
  return outcome === "unknown" ? undefined : outcome === "retriable";
}

/**
 * Whether what a broker was asked may succeed later: what brokers say while they start, stop or change leaders has many
 * codes, so it is whatever no permission or credential forbids. `lasting` are codes that stay for this question.
 */
export function isTransient(error: unknown, lasting: readonly KafkaErrorCode[] = []): error is KafkaError {
  return (
    error instanceof KafkaError &&
    !(error instanceof AuthorizationError || error instanceof AuthenticationError) &&
    error.code !== "NOT_EMBEDDED" &&
    !lasting.includes(error.code)
  );
}

/** What asking a log again does not change. */
export const lastingLogCodes: readonly KafkaErrorCode[] = ["UNKNOWN_TOPIC", "CONFIG", "FATAL", "CLOSED"];

/** Kafka's error code of whatever the native client gave, -1 where it carries none. */
function nativeCodeOf(error: NativeError | Error): number {
  return "code" in error && typeof error.code === "number" ? error.code : -1;
}

/** librdkafka's text without its "Local: " and "Broker: " prefixes. */
function reasonOf(error: NativeError | Error): string {
  return error.message.replace(/^(Local|Broker): /, "");
}
