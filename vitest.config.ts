import { defineConfig } from "vitest/config";

// Lets tests import `typed-kafka` by its own name and get src/, with no build.
const fromSource = {
  resolve: { conditions: ["typed-kafka-source"] },
  ssr: { resolve: { conditions: ["typed-kafka-source"] } },
};

// Most of a test on a broker is waiting: two cores take four files at a time.
const together = { maxWorkers: 4, sequence: { groupOrder: 1 } };

export default defineConfig({
  test: {
    // The native client can be loaded once in a process and never in a worker thread.
    pool: "forks",
    coverage: { include: ["src/**"] },
    projects: [
      {
        ...fromSource,
        // They take milliseconds; a machine that is busy with other things may need more than five seconds for one.
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 60_000, ...together },
      },
      {
        ...fromSource,
        test: {
          name: "types",
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ["test/types/**/*.test-d.ts"],
            tsconfig: "tsconfig.json",
            // The quickest of the versions that are installed; `npm run typecheck` has the usual one.
            checker: "node_modules/typescript-7/bin/tsc",
            // That command reports those.
            ignoreSourceErrors: true,
          },
        },
      },
      {
        ...fromSource,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: "test/support/global-setup.ts",
          setupFiles: "test/support/require-broker.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          ...together,
        },
      },
      {
        ...fromSource,
        test: {
          // What crosses between C and JavaScript, once more by the binding's own way.
          name: "plain-path",
          include: [
            "test/integration/admin/group-kinds.test.ts",
            "test/integration/consumer-delivery.test.ts",
            "test/integration/health.test.ts",
            "test/integration/producer-send.test.ts",
            "test/integration/producer-send-all.test.ts",
            "test/integration/stores-empty-bytes.test.ts",
          ],
          env: { TYPED_KAFKA_NATIVE: "off" },
          globalSetup: "test/support/global-setup.ts",
          setupFiles: "test/support/require-broker.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          ...together,
        },
      },
      {
        ...fromSource,
        test: {
          name: "faults",
          include: ["test/faults/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          // Each file starts clusters of its own, mostly of three nodes: one at a time, and after everything else.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        ...fromSource,
        test: {
          name: "faults-long",
          include: ["test/faults/long/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
