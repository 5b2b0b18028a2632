import { Partitioners } from "kafkajs";
import type { PartitionerFunction } from "typed-kafka";

const legacy = Partitioners.LegacyPartitioner();

/** Puts a key where kafkajs 1, or kafkajs 2 with `LegacyPartitioner`, puts it. */
export const legacyPartitioner: PartitionerFunction = (key, partitionCount, topic) => {
  const partitionMetadata = Array.from({ length: partitionCount }, (_, partitionId) => ({
    ...{ partitionId, leader: 0, replicas: [], isr: [], partitionErrorCode: 0 },
  }));
  return legacy({ topic, partitionMetadata, message: { key, value: null } });
};
