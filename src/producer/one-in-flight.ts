import type { NativeProperties } from "../driver/native.js";

/**
 * For native clients whose users cannot choose (`maxInFlightRequests` of a producer): a broker is sent a request when it
 * has answered the one before. With more in flight librdkafka (2.15.1) does not keep what idempotence promises, while
 * leaders move:
 *
 * - A broker that refuses a batch because it is not leader yet, and takes the next one of the same partition, answers
 *   that one with OUT_OF_ORDER_SEQUENCE_NUMBER. librdkafka then begins a new epoch, for all partitions. What it is sending
 *   again elsewhere gets new numbers, by which its broker cannot tell that it has it: the record is written twice
 *   (librdkafka issue 4953).
 * - A refused first batch of a partition can be taken for written (see `NativeProducer`); without reports of successes
 *   nobody would learn of it.
 *
 * It costs little but over long round trips: a broker takes up one request of a connection at a time, and batches grow
 * meanwhile.
 */
export const oneInFlight: NativeProperties = { "max.in.flight.requests.per.connection": 1 };
