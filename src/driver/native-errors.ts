import {
  AuthenticationError,
  AuthorizationError,
  ConnectionError,
  KafkaError,
  ProducerFencedError,
  TimeoutError,
  type ErrorContext,
  type KafkaErrorCode,
} from "../errors.js";
import type { NativeError } from "./native.js";

/**
 * Kafka's error codes that the library acts on: negative ones are librdkafka's own
 * (rdkafka.h, `rd_kafka_resp_err_t`), positive ones come from a broker (the protocol's error table).
 */
export const nativeCodes = {
  /** No code of Kafka's: see `NativeProducer`. */
  unconfirmed: -10_000,
  purgedInQueue: -152,
  purgedInFlight: -151,
  fatal: -150,
  fenced: -144,
  noOffset: -168,
  authentication: -169,
  state: -172,
  revokePartitions: -174,
  assignPartitions: -175,
  invalidArgument: -186,
  timedOut: -185,
  waitingForCoordinator: -180,
  queueFull: -184,
  ssl: -181,
  allBrokersDown: -187,
  unknownTopic: -188,
  unknownPartition: -190,
  messageTimedOut: -192,
  resolve: -193,
  transport: -195,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  illegalGeneration: 22,
  unknownMember: 25,
  topicAuthorization: 29,
  groupAuthorization: 30,
  clusterAuthorization: 31,
  topicExists: 36,
  policyViolation: 44,
  invalidProducerEpoch: 47,
  invalidTransactionTimeout: 50,
  transactionalIdAuthorization: 53,
  saslAuthentication: 58,
  nonEmptyGroup: 68,
  fencedInstanceId: 82,
  producerFenced: 90,
} as const;

const codes = new Map<number, KafkaErrorCode>([
  [nativeCodes.offsetOutOfRange, "OFFSET_OUT_OF_RANGE"],
  [nativeCodes.unknownTopic, "UNKNOWN_TOPIC"],
  [nativeCodes.unknownTopicOrPartition, "UNKNOWN_TOPIC"],
  [nativeCodes.unknownPartition, "UNKNOWN_PARTITION"],
  [nativeCodes.messageTooLarge, "RECORD_TOO_LARGE"],
  [nativeCodes.fencedInstanceId, "CONSUMER_FENCED"],
  [nativeCodes.fatal, "FATAL"],
  [nativeCodes.unconfirmed, "DELIVERY"],
]);

const connectionCodes: readonly number[] = [
  nativeCodes.leaderNotAvailable,
  nativeCodes.notLeader,
  nativeCodes.transport,
  nativeCodes.resolve,
  nativeCodes.allBrokersDown,
];
const authenticationCodes: readonly number[] = [
  nativeCodes.authentication,
  nativeCodes.ssl,
  nativeCodes.saslAuthentication,
];
const authorizationCodes: readonly number[] = [
  nativeCodes.topicAuthorization,
  nativeCodes.groupAuthorization,
  nativeCodes.clusterAuthorization,
  nativeCodes.transactionalIdAuthorization,
];
const timeoutCodes: readonly number[] = [nativeCodes.timedOut, nativeCodes.messageTimedOut];

/** The one place where an error of the native client becomes one of the library's. `what` names the call: "commit of etl-group". */
export function fromNative(what: string, error: NativeError | Error, context: ErrorContext = {}): KafkaError {
  const nativeCode = nativeCodeOf(error);
  const flags = error as Partial<NativeError>;
  const message = `${what}: ${reasonOf(error)}`;
  const withCode: ErrorContext = {
    cause: error,
    nativeCode,
    ...(flags.isRetriable === undefined ? {} : { retriable: flags.isRetriable }),
    ...context,
  };
  if (nativeCode === nativeCodes.fenced || nativeCode === nativeCodes.producerFenced)
    return new ProducerFencedError(
      `${message}. Another producer with the same transactional id took over`,
      withCode,
    );
  if (authorizationCodes.includes(nativeCode))
    return new AuthorizationError(`${message}. Grant the principal this permission (an ACL)`, withCode);
  if (authenticationCodes.includes(nativeCode)) return new AuthenticationError(message, withCode);
  if (connectionCodes.includes(nativeCode)) return new ConnectionError(message, withCode);
  if (timeoutCodes.includes(nativeCode)) return new TimeoutError(message, withCode);
  return new KafkaError(codes.get(nativeCode) ?? "BROKER", message, withCode);
}

/** Kafka's error code of whatever the native client gave, -1 where it carries none. */
function nativeCodeOf(error: NativeError | Error): number {
  return "code" in error && typeof error.code === "number" ? error.code : -1;
}

/** librdkafka's text without its "Local: " and "Broker: " prefixes. */
function reasonOf(error: NativeError | Error): string {
  return error.message.replace(/^(Local|Broker): /, "");
}
