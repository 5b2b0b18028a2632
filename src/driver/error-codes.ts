import type { KafkaErrorCode } from "../errors.js";

/**
 * What an error code says of the request that it answers.
 *
 * - `refused`: nothing was done, and the same request is refused again until somebody changes something: the
 *   record, a permission, an option, a topic.
 * - `retriable`: nothing was done, and the same request may be taken later.
 * - `unknown`: it may have been done. A record may be in the log, unless its transaction is rolled back.
 * - `fenced`: nothing was done, because another producer or consumer took over from this one.
 */
export type ErrorOutcome = "refused" | "retriable" | "unknown" | "fenced";

/** One of Kafka's error codes. */
export interface ErrorCode {
  /** Its name in the protocol; librdkafka's own begin with `_`. */
  readonly name: string;
  /** The library's code for it. */
  readonly code: KafkaErrorCode;
  /** What it says of the request. */
  readonly outcome: ErrorOutcome;
}

const table: readonly (readonly [number, string, KafkaErrorCode, ErrorOutcome])[] = [
  // The protocol's error table, of Kafka 4.1.
  [-1, "UNKNOWN_SERVER_ERROR", "BROKER", "unknown"],
  [1, "OFFSET_OUT_OF_RANGE", "OFFSET_OUT_OF_RANGE", "refused"],
  [2, "CORRUPT_MESSAGE", "BROKER", "retriable"],
  [3, "UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC", "refused"],
  [4, "INVALID_FETCH_SIZE", "BROKER", "refused"],
  [5, "LEADER_NOT_AVAILABLE", "CONNECTION", "retriable"],
  [6, "NOT_LEADER_OR_FOLLOWER", "CONNECTION", "retriable"],
  [7, "REQUEST_TIMED_OUT", "TIMEOUT", "unknown"],
  [8, "BROKER_NOT_AVAILABLE", "CONNECTION", "retriable"],
  [9, "REPLICA_NOT_AVAILABLE", "CONNECTION", "retriable"],
  [10, "MESSAGE_TOO_LARGE", "RECORD_TOO_LARGE", "refused"],
  [11, "STALE_CONTROLLER_EPOCH", "BROKER", "retriable"],
  [12, "OFFSET_METADATA_TOO_LARGE", "BROKER", "refused"],
  [13, "NETWORK_EXCEPTION", "CONNECTION", "unknown"],
  [14, "COORDINATOR_LOAD_IN_PROGRESS", "BROKER", "retriable"],
  [15, "COORDINATOR_NOT_AVAILABLE", "BROKER", "retriable"],
  [16, "NOT_COORDINATOR", "BROKER", "retriable"],
  [17, "INVALID_TOPIC_EXCEPTION", "BROKER", "refused"],
  [18, "RECORD_LIST_TOO_LARGE", "RECORD_TOO_LARGE", "refused"],
  [19, "NOT_ENOUGH_REPLICAS", "BROKER", "retriable"],
  [20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "BROKER", "unknown"],
  [21, "INVALID_REQUIRED_ACKS", "BROKER", "refused"],
  [22, "ILLEGAL_GENERATION", "BROKER", "retriable"],
  [23, "INCONSISTENT_GROUP_PROTOCOL", "BROKER", "retriable"],
  [24, "INVALID_GROUP_ID", "BROKER", "refused"],
  [25, "UNKNOWN_MEMBER_ID", "BROKER", "retriable"],
  [26, "INVALID_SESSION_TIMEOUT", "BROKER", "refused"],
  [27, "REBALANCE_IN_PROGRESS", "BROKER", "retriable"],
  [28, "INVALID_COMMIT_OFFSET_SIZE", "BROKER", "refused"],
  [29, "TOPIC_AUTHORIZATION_FAILED", "AUTHORIZATION", "refused"],
  [30, "GROUP_AUTHORIZATION_FAILED", "AUTHORIZATION", "refused"],
  [31, "CLUSTER_AUTHORIZATION_FAILED", "AUTHORIZATION", "refused"],
  [32, "INVALID_TIMESTAMP", "RECORD_REFUSED", "refused"],
  [33, "UNSUPPORTED_SASL_MECHANISM", "AUTHENTICATION", "refused"],
  [34, "ILLEGAL_SASL_STATE", "AUTHENTICATION", "refused"],
  [35, "UNSUPPORTED_VERSION", "BROKER", "refused"],
  [36, "TOPIC_ALREADY_EXISTS", "BROKER", "refused"],
  [37, "INVALID_PARTITIONS", "BROKER", "refused"],
  [38, "INVALID_REPLICATION_FACTOR", "BROKER", "refused"],
  [39, "INVALID_REPLICA_ASSIGNMENT", "BROKER", "refused"],
  [40, "INVALID_CONFIG", "BROKER", "refused"],
  [41, "NOT_CONTROLLER", "BROKER", "retriable"],
  [42, "INVALID_REQUEST", "BROKER", "refused"],
  [43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "RECORD_REFUSED", "refused"],
  [44, "POLICY_VIOLATION", "BROKER", "refused"],
  [45, "OUT_OF_ORDER_SEQUENCE_NUMBER", "BROKER", "unknown"],
  [46, "DUPLICATE_SEQUENCE_NUMBER", "BROKER", "unknown"],
  [47, "INVALID_PRODUCER_EPOCH", "BROKER", "fenced"],
  [48, "INVALID_TXN_STATE", "BROKER", "unknown"],
  [49, "INVALID_PRODUCER_ID_MAPPING", "BROKER", "unknown"],
  [50, "INVALID_TRANSACTION_TIMEOUT", "BROKER", "refused"],
  [51, "CONCURRENT_TRANSACTIONS", "BROKER", "retriable"],
  [52, "TRANSACTION_COORDINATOR_FENCED", "BROKER", "retriable"],
  [53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "AUTHORIZATION", "refused"],
  [54, "SECURITY_DISABLED", "BROKER", "refused"],
  [55, "OPERATION_NOT_ATTEMPTED", "BROKER", "retriable"],
  [56, "KAFKA_STORAGE_ERROR", "BROKER", "retriable"],
  [57, "LOG_DIR_NOT_FOUND", "BROKER", "refused"],
  [58, "SASL_AUTHENTICATION_FAILED", "AUTHENTICATION", "refused"],
  [59, "UNKNOWN_PRODUCER_ID", "BROKER", "unknown"],
  [60, "REASSIGNMENT_IN_PROGRESS", "BROKER", "retriable"],
  [61, "DELEGATION_TOKEN_AUTH_DISABLED", "BROKER", "refused"],
  [62, "DELEGATION_TOKEN_NOT_FOUND", "BROKER", "refused"],
  [63, "DELEGATION_TOKEN_OWNER_MISMATCH", "BROKER", "refused"],
  [64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", "BROKER", "refused"],
  [65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "AUTHORIZATION", "refused"],
  [66, "DELEGATION_TOKEN_EXPIRED", "AUTHENTICATION", "refused"],
  [67, "INVALID_PRINCIPAL_TYPE", "BROKER", "refused"],
  [68, "NON_EMPTY_GROUP", "BROKER", "refused"],
  [69, "GROUP_ID_NOT_FOUND", "BROKER", "refused"],
  [70, "FETCH_SESSION_ID_NOT_FOUND", "BROKER", "retriable"],
  [71, "INVALID_FETCH_SESSION_EPOCH", "BROKER", "retriable"],
  [72, "LISTENER_NOT_FOUND", "BROKER", "retriable"],
  [73, "TOPIC_DELETION_DISABLED", "BROKER", "refused"],
  [74, "FENCED_LEADER_EPOCH", "BROKER", "retriable"],
  [75, "UNKNOWN_LEADER_EPOCH", "BROKER", "retriable"],
  [76, "UNSUPPORTED_COMPRESSION_TYPE", "RECORD_REFUSED", "refused"],
  [77, "STALE_BROKER_EPOCH", "BROKER", "refused"],
  [78, "OFFSET_NOT_AVAILABLE", "BROKER", "retriable"],
  [79, "MEMBER_ID_REQUIRED", "BROKER", "retriable"],
  [80, "PREFERRED_LEADER_NOT_AVAILABLE", "BROKER", "retriable"],
  [81, "GROUP_MAX_SIZE_REACHED", "BROKER", "retriable"],
  [82, "FENCED_INSTANCE_ID", "CONSUMER_FENCED", "fenced"],
  [83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", "BROKER", "retriable"],
  [84, "ELECTION_NOT_NEEDED", "BROKER", "retriable"],
  [85, "NO_REASSIGNMENT_IN_PROGRESS", "BROKER", "refused"],
  [86, "GROUP_SUBSCRIBED_TO_TOPIC", "BROKER", "refused"],
  [87, "INVALID_RECORD", "RECORD_REFUSED", "refused"],
  [88, "UNSTABLE_OFFSET_COMMIT", "BROKER", "retriable"],
  [89, "THROTTLING_QUOTA_EXCEEDED", "BROKER", "retriable"],
  [90, "PRODUCER_FENCED", "PRODUCER_FENCED", "fenced"],
  [91, "RESOURCE_NOT_FOUND", "BROKER", "refused"],
  [92, "DUPLICATE_RESOURCE", "BROKER", "refused"],
  [93, "UNACCEPTABLE_CREDENTIAL", "BROKER", "refused"],
  [94, "INCONSISTENT_VOTER_SET", "BROKER", "refused"],
  [95, "INVALID_UPDATE_VERSION", "BROKER", "refused"],
  [96, "FEATURE_UPDATE_FAILED", "BROKER", "unknown"],
  [97, "PRINCIPAL_DESERIALIZATION_FAILURE", "BROKER", "refused"],
  [98, "SNAPSHOT_NOT_FOUND", "BROKER", "refused"],
  [99, "POSITION_OUT_OF_RANGE", "BROKER", "refused"],
  [100, "UNKNOWN_TOPIC_ID", "UNKNOWN_TOPIC", "retriable"],
  [101, "DUPLICATE_BROKER_REGISTRATION", "BROKER", "refused"],
  [102, "BROKER_ID_NOT_REGISTERED", "BROKER", "refused"],
  [103, "INCONSISTENT_TOPIC_ID", "UNKNOWN_TOPIC", "retriable"],
  [104, "INCONSISTENT_CLUSTER_ID", "BROKER", "refused"],
  [105, "TRANSACTIONAL_ID_NOT_FOUND", "BROKER", "refused"],
  [106, "FETCH_SESSION_TOPIC_ID_ERROR", "BROKER", "retriable"],
  [107, "INELIGIBLE_REPLICA", "BROKER", "refused"],
  [108, "NEW_LEADER_ELECTED", "BROKER", "refused"],
  [109, "OFFSET_MOVED_TO_TIERED_STORAGE", "BROKER", "refused"],
  [110, "FENCED_MEMBER_EPOCH", "BROKER", "retriable"],
  [111, "UNRELEASED_INSTANCE_ID", "BROKER", "retriable"],
  [112, "UNSUPPORTED_ASSIGNOR", "BROKER", "refused"],
  [113, "STALE_MEMBER_EPOCH", "BROKER", "retriable"],
  [114, "MISMATCHED_ENDPOINT_TYPE", "BROKER", "refused"],
  [115, "UNSUPPORTED_ENDPOINT_TYPE", "BROKER", "refused"],
  [116, "UNKNOWN_CONTROLLER_ID", "BROKER", "refused"],
  [117, "UNKNOWN_SUBSCRIPTION_ID", "BROKER", "refused"],
  [118, "TELEMETRY_TOO_LARGE", "BROKER", "refused"],
  [119, "INVALID_REGISTRATION", "BROKER", "refused"],
  [120, "TRANSACTION_ABORTABLE", "BROKER", "retriable"],
  [121, "INVALID_RECORD_STATE", "BROKER", "refused"],
  [122, "SHARE_SESSION_NOT_FOUND", "BROKER", "retriable"],
  [123, "INVALID_SHARE_SESSION_EPOCH", "BROKER", "retriable"],
  [124, "FENCED_STATE_EPOCH", "BROKER", "refused"],
  [125, "INVALID_VOTER_KEY", "BROKER", "refused"],
  [126, "DUPLICATE_VOTER", "BROKER", "refused"],
  [127, "VOTER_NOT_FOUND", "BROKER", "refused"],
  [128, "INVALID_REGULAR_EXPRESSION", "BROKER", "refused"],
  [129, "REBOOTSTRAP_REQUIRED", "BROKER", "retriable"],
  [130, "STREAMS_INVALID_TOPOLOGY", "BROKER", "refused"],
  [131, "STREAMS_INVALID_TOPOLOGY_EPOCH", "BROKER", "refused"],
  [132, "STREAMS_TOPOLOGY_FENCED", "BROKER", "refused"],
  [133, "SHARE_SESSION_LIMIT_REACHED", "BROKER", "retriable"],
  // librdkafka's own (rdkafka.h, `rd_kafka_resp_err_t`).
  [-199, "_BAD_MSG", "BROKER", "unknown"],
  [-198, "_BAD_COMPRESSION", "BROKER", "unknown"],
  [-197, "_DESTROY", "CLOSED", "unknown"],
  [-196, "_FAIL", "BROKER", "unknown"],
  [-195, "_TRANSPORT", "CONNECTION", "unknown"],
  [-194, "_CRIT_SYS_RESOURCE", "BROKER", "unknown"],
  [-193, "_RESOLVE", "CONNECTION", "unknown"],
  [-192, "_MSG_TIMED_OUT", "TIMEOUT", "unknown"],
  [-191, "_PARTITION_EOF", "BROKER", "retriable"],
  [-190, "_UNKNOWN_PARTITION", "UNKNOWN_PARTITION", "refused"],
  [-189, "_FS", "BROKER", "refused"],
  [-188, "_UNKNOWN_TOPIC", "UNKNOWN_TOPIC", "refused"],
  [-187, "_ALL_BROKERS_DOWN", "CONNECTION", "unknown"],
  [-186, "_INVALID_ARG", "BROKER", "refused"],
  [-185, "_TIMED_OUT", "TIMEOUT", "unknown"],
  [-184, "_QUEUE_FULL", "BROKER", "retriable"],
  [-183, "_ISR_INSUFF", "BROKER", "retriable"],
  [-182, "_NODE_UPDATE", "BROKER", "retriable"],
  [-181, "_SSL", "AUTHENTICATION", "unknown"],
  [-180, "_WAIT_COORD", "BROKER", "retriable"],
  [-179, "_UNKNOWN_GROUP", "BROKER", "refused"],
  [-178, "_IN_PROGRESS", "BROKER", "retriable"],
  [-177, "_PREV_IN_PROGRESS", "BROKER", "retriable"],
  [-176, "_EXISTING_SUBSCRIPTION", "BROKER", "refused"],
  [-175, "_ASSIGN_PARTITIONS", "BROKER", "unknown"],
  [-174, "_REVOKE_PARTITIONS", "BROKER", "unknown"],
  [-173, "_CONFLICT", "BROKER", "refused"],
  [-172, "_STATE", "BROKER", "retriable"],
  [-171, "_UNKNOWN_PROTOCOL", "BROKER", "refused"],
  [-170, "_NOT_IMPLEMENTED", "BROKER", "refused"],
  [-169, "_AUTHENTICATION", "AUTHENTICATION", "refused"],
  [-168, "_NO_OFFSET", "BROKER", "retriable"],
  [-167, "_OUTDATED", "BROKER", "retriable"],
  [-166, "_TIMED_OUT_QUEUE", "TIMEOUT", "unknown"],
  [-165, "_UNSUPPORTED_FEATURE", "BROKER", "refused"],
  [-164, "_WAIT_CACHE", "BROKER", "retriable"],
  [-163, "_INTR", "BROKER", "unknown"],
  [-162, "_KEY_SERIALIZATION", "BROKER", "refused"],
  [-161, "_VALUE_SERIALIZATION", "BROKER", "refused"],
  [-160, "_KEY_DESERIALIZATION", "BROKER", "refused"],
  [-159, "_VALUE_DESERIALIZATION", "BROKER", "refused"],
  [-158, "_PARTIAL", "BROKER", "unknown"],
  [-157, "_READ_ONLY", "BROKER", "refused"],
  [-156, "_NOENT", "BROKER", "refused"],
  [-155, "_UNDERFLOW", "BROKER", "unknown"],
  [-154, "_INVALID_TYPE", "BROKER", "refused"],
  [-153, "_RETRY", "BROKER", "unknown"],
  [-152, "_PURGE_QUEUE", "BROKER", "unknown"],
  [-151, "_PURGE_INFLIGHT", "BROKER", "unknown"],
  [-150, "_FATAL", "FATAL", "unknown"],
  [-149, "_INCONSISTENT", "BROKER", "unknown"],
  [-148, "_GAPLESS_GUARANTEE", "BROKER", "unknown"],
  [-147, "_MAX_POLL_EXCEEDED", "BROKER", "retriable"],
  [-146, "_UNKNOWN_BROKER", "BROKER", "retriable"],
  [-145, "_NOT_CONFIGURED", "BROKER", "refused"],
  [-144, "_FENCED", "PRODUCER_FENCED", "fenced"],
  [-143, "_APPLICATION", "BROKER", "unknown"],
  [-142, "_ASSIGNMENT_LOST", "BROKER", "retriable"],
  [-141, "_NOOP", "BROKER", "retriable"],
  [-140, "_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE", "refused"],
  [-139, "_LOG_TRUNCATION", "BROKER", "refused"],
  [-138, "_INVALID_DIFFERENT_RECORD", "DELIVERY", "retriable"],
  [-137, "_DESTROY_BROKER", "CONNECTION", "unknown"],
  // `NativeProducer` gives it.
  [-10_000, "_UNCONFIRMED", "DELIVERY", "unknown"],
];

/** Every error code, by its number: the protocol's are positive (and -1), librdkafka's own are negative. */
export const errorCodes: ReadonlyMap<number, ErrorCode> = new Map(
  table.map(([number, name, code, outcome]) => [number, { name, code, outcome }]),
);

/** What is known of an error code; of one that is new, what Kafka says by UNKNOWN_SERVER_ERROR. */
export function errorCodeOf(nativeCode: number): ErrorCode {
  return errorCodes.get(nativeCode) ?? { name: String(nativeCode), code: "BROKER", outcome: "unknown" };
}

/** What an error code says of the request that it answers; `unknown` for one that is new. */
export function outcomeOf(nativeCode: number): ErrorOutcome {
  return errorCodeOf(nativeCode).outcome;
}

/**
 * What became of a record that the native client reported with this code, after its own retries. An earlier try
 * may have been taken although its answer was lost, and the client does not tell. So only what no broker takes at
 * any try, and what never left this process, has surely `failed`. Refused credentials say nothing of the try before.
 */
export function recordStatusOf(nativeCode: number): "failed" | "unknown" {
  const { outcome, code } = errorCodeOf(nativeCode);
  const isLocal = nativeCode < -1;
  return (outcome === "refused" && code !== "AUTHENTICATION") || (outcome === "retriable" && isLocal)
    ? "failed"
    : "unknown";
}

/**
 * Whether a transaction with this record in it, or with this call, would fail again for the same reason: the
 * record, a permission or an option has to change first. Everything else passes with the next transaction.
 */
export function isRefusedForGood(nativeCode: number | undefined): boolean {
  return nativeCode !== undefined && outcomeOf(nativeCode) === "refused";
}
