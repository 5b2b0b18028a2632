import type { DeliveryHost, DeliverySession } from "../../../src/delivery/delivery.js";

/** A membership that takes any number of records. */
export const unboundedSession: DeliverySession = {
  concurrency: 1,
  isFull: () => false,
  freedMemory: () => undefined,
};

/** A client of deliveries, which decodes records into themselves, finishes offsets and ignores everything else. */
export function deliveryHost(overrides: Partial<DeliveryHost> = {}): DeliveryHost {
  return {
    session: () => unboundedSession,
    decode: (raw) => raw,
    waiting: () => {},
    finished: (partition, offset) => {
      partition.finish(offset);
    },
    batchFinished: (parts) => {
      for (const { partition, offsets } of parts) for (const offset of offsets) partition.finish(offset);
    },
    failed: () => {},
    rewind: () => {},
    limit: () => 1,
    ...overrides,
  };
}
