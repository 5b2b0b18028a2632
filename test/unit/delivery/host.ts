import type { DeliveryHost, DeliverySession } from "../../../src/delivery/delivery.js";

/** A membership with memory for everything. */
export const roomySession: DeliverySession = {
  concurrency: 1,
  isFull: () => false,
  madeRoom: () => undefined,
};

/** A client of deliveries, which decodes records into themselves, finishes offsets and ignores everything else. */
export function deliveryHost(overrides: Partial<DeliveryHost> = {}): DeliveryHost {
  return {
    session: () => roomySession,
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
