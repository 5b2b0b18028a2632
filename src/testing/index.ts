/**
 * A Kafka cluster inside the process, for tests and examples.
 *
 * @module typed-kafka/testing
 */

export { type EmbeddedKafka, type EmbeddedKafkaOptions, startEmbeddedKafka } from "./embedded-kafka.js";
