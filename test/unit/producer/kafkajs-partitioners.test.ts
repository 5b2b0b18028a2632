import fc from "fast-check";
import { Partitioners } from "kafkajs";
import { expect, test } from "vitest";
import { legacyPartitioner } from "../../support/legacy-partitioner.js";
import { javaPartition } from "../../support/murmur2.js";

// What docs/migrating.md says of kafkajs.

type Partitioner = ReturnType<typeof Partitioners.DefaultPartitioner>;

const partitionOf = (partitioner: Partitioner, key: string, count: number): number =>
  partitioner({
    topic: "students",
    partitionMetadata: Array.from({ length: count }, (_, partitionId) => ({
      ...{ partitionId, leader: 0, replicas: [], isr: [], partitionErrorCode: 0 },
    })),
    message: { key, value: null },
  });
const keys = fc.string({ unit: "binary", maxLength: 40 });
const counts = fc.integer({ min: 1, max: 100 });

test("kafkajs' default partitioner chooses the partitions of Java, as this library does", () => {
  fc.assert(
    fc.property(keys, counts, (key, count) => {
      expect(partitionOf(Partitioners.DefaultPartitioner(), key, count)).toBe(javaPartition(key, count));
    }),
  );
});

test("kafkajs' legacy partitioner chooses others, and the one in the guide chooses the same", () => {
  const differing = Array.from({ length: 1_000 }, (_, id) => `student-${id}`).filter(
    (key) => partitionOf(Partitioners.LegacyPartitioner(), key, 12) !== javaPartition(key, 12),
  );
  expect(differing.length).toBeGreaterThan(0);
  fc.assert(
    fc.property(keys, counts, (key, count) => {
      expect(legacyPartitioner(Buffer.from(key), count, "students")).toBe(
        partitionOf(Partitioners.LegacyPartitioner(), key, count),
      );
    }),
  );
});
