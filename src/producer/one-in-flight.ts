import type { NativeProperties } from "../driver/native.js";

/**
 * For native clients that report no successes: a batch is sent when the one before it is written. With more
 * in flight, librdkafka can take a refused first batch of a partition for written (see `NativeProducer`), and
 * without reports nobody would learn of it.
 */
export const oneInFlight: NativeProperties = { "max.in.flight.requests.per.connection": 1 };
