import { defineConfig } from "vitest/config";

// Lets tests import `typed-kafka` by its own name and get src/, with no build.
const fromSource = {
  resolve: { conditions: ["typed-kafka-source"] },
  ssr: { resolve: { conditions: ["typed-kafka-source"] } },
};

export default defineConfig({
  test: {
    // The native client can be loaded once in a process and never in a worker thread.
    pool: "forks",
    coverage: { include: ["src/**"] },
    projects: [
      // They take milliseconds; a machine that is busy with other things may need more than five seconds for one.
      { ...fromSource, test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 60_000 } },
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
            // Other versions are installed beside it, and `tsc` alone may be any of them.
            checker: "node_modules/typescript/bin/tsc",
            // `npm run typecheck` reports those.
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
          // Each keeps about a core busy.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...fromSource,
        test: {
          // What crosses between C and JavaScript, once more by the binding's own way.
          name: "plain-path",
          include: [
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
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
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
          sequence: { groupOrder: 3 },
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
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
