/**
 * For tests and examples: a Kafka cluster inside the process, and records to call handlers with.
 *
 * @module typed-kafka/testing
 */

export { type EmbeddedKafka, type EmbeddedKafkaOptions, startEmbeddedKafka } from "./embedded-kafka.js";
export { recordOf, type RecordFields, type RecordParts } from "./record-of.js";
