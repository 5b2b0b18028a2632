/**
 * Kafka with types: topics, producers and consumers. Begin with {@link defineTopic} and {@link Kafka}.
 *
 * @module typed-kafka
 */

export { Kafka } from "./kafka.js";
export type { KafkaOptions } from "./kafka-options.js";
export { kafkaOptionsFromEnv } from "./kafka-options-from-env.js";
export type { SaslOptions, SslOptions } from "./security-options.js";
export type { OAuthToken } from "./driver/client-config.js";
export type { BrokersHealth, ClientHealth, FastPathHealth, GroupWait, Health } from "./health.js";
export type { HealthOptions } from "./preflight/broker-probe.js";
export { consoleLogger, type LogFields, type Logger } from "./logger.js";

export { defineTopic } from "./topic.js";
export {
  type AnyTopicPattern,
  type PatternDefinition,
  type TopicPattern,
  topicPattern,
} from "./topic-pattern.js";
export type { TopicDefinition } from "./topic-definition.js";
export type {
  AnyTopic,
  HeadersOf,
  KeyOf,
  OptionalHeaders,
  ProducerRecord,
  ProducerRecordFields,
  ProducerRecordHeaders,
  RecordOf,
  RequiredHeaders,
  Topic,
  TopicTypes,
  ValueOf,
} from "./topic.js";
export type {
  ConsumerRecord,
  DefaultHeaders,
  RawHeaders,
  ReceivedHeaders,
  RecordMetadata,
} from "./record.js";

export type { AnySerde, Serde, SerdeContext } from "./serde/serde.js";
export { bytes } from "./serde/bytes.js";
export { json } from "./serde/json.js";
export { double, integer, long } from "./serde/numbers.js";
export { string } from "./serde/string.js";

export { Producer, type SendAllResult } from "./producer/producer.js";
export type { CallOptions } from "./producer/call-options.js";
export type {
  Compression,
  PartitionerFunction,
  PartitionerName,
  ProducerOptions,
} from "./producer/options.js";

export {
  type TransactionContext,
  TransactionalProducer,
  type TransactionalProducerOptions,
} from "./transactions/transactional-producer.js";
export type { StatefulTransaction } from "./processor/stateful-transaction.js";
export type { Transaction } from "./transactions/transaction.js";
export type { TransactionOptions } from "./transactions/transaction-options.js";

export {
  type AnyStore,
  defineStore,
  type StoreDefinition,
  type StoreOptions,
  type StoreTypes,
} from "./state/store-definition.js";
export {
  type AnyWindowStore,
  defineWindowStore,
  type WindowedKey,
  type WindowStoreDefinition,
  type WindowStoreFields,
  type WindowStoreOptions,
} from "./state/window-definition.js";
export {
  hopping,
  session,
  type SessionWindows,
  type TimeWindows,
  tumbling,
  type WindowLimits,
  type Windows,
  type WindowSpan,
} from "./state/windows.js";
export type { Store } from "./state/store.js";
export type { WindowOf, WindowStore } from "./state/window-store.js";
export type { ClosedWindow, StoreOf } from "./state/task-state.js";
export type { RestoreProgress } from "./state/restorer.js";

export { Processor } from "./processor/processor.js";
export type { ClosedWindowOf, RunOptions, ScheduledTask, ScheduledWork } from "./processor/run-options.js";
export type { ProcessorOptions } from "./processor/options.js";

export { Consumer } from "./consumer/consumer.js";
export type { SeekTarget } from "./consumer/seek-target.js";
export type { PartitionLag } from "./delivery/assigned-partitions.js";
export type { BatchOptions } from "./delivery/batch-delivery.js";
export type { HandlerContext } from "./delivery/delivery.js";
export type { Assignor } from "./group/assignors.js";
export type { ConsumerOptions, RebalanceEvent } from "./group/options.js";
export type { TopicPartition } from "./offsets.js";

export { Table, type TableChange, type TableLag } from "./table/table.js";
export type { TableOptions, WaitOptions } from "./table/options.js";

export { Reader } from "./reader/reader.js";
export type { ReadOptions, ReadProgress } from "./reader/options.js";
export { Admin, type AdminOptions, type GroupLag, type LogOffsets, type ResetOffset } from "./admin/admin.js";
export type { TopicLike } from "./admin/topic-names.js";
export type {
  AclOperation,
  GroupDescription,
  GroupListing,
  GroupMember,
  GroupState,
  PartitionDescription,
  TopicDescription,
} from "./admin/descriptions.js";
export type { EnsuredTopic, TopicDifference } from "./admin/topic-differences.js";
export type { CheckOptions } from "./preflight/options.js";
export type { CheckReport, Finding } from "./preflight/report.js";
export type { OffsetsByPartition, PartitionOffset } from "./offsets.js";

export { PermanentError, RetryAfterError } from "./failure/handler-errors.js";
export type { DeadLetterInfo } from "./failure/dead-letter.js";
export type { DeadLetter, RedriveOptions, RedriveResult } from "./redrive/redrive-options.js";
export type { FailureOptions, OnInvalid, RetryOptions, RetryTopicsOptions } from "./failure/options.js";

export {
  AuthenticationError,
  AuthorizationError,
  ClosedError,
  ConfigError,
  ConnectionError,
  DeliveryError,
  InvalidRecordError,
  KafkaError,
  ProducerFencedError,
  RetriesExhaustedError,
  SerializationError,
  TimeoutError,
  TransactionAbortedError,
  TransactionOutcomeUnknownError,
} from "./errors.js";
export type { DeliveryResult, ErrorContext, Issue, KafkaErrorCode, RawRecordBytes } from "./errors.js";
