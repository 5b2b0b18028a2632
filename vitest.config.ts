import { defineConfig } from "vitest/config";

// Lets tests import `typed-kafka` by its own name and get src/, with no build.
const fromSource = {
  resolve: { conditions: ["typed-kafka-source"] },
  ssr: { resolve: { conditions: ["typed-kafka-source"] } },
};

// Most of a test on a broker is waiting: two cores take six files at a time.
const together = { maxWorkers: 6, sequence: { groupOrder: 1 } };

// They put modules of their own in the place of others, which takes a process of its own. All others share processes:
// to load the library takes longer than most files.
const withMocks = [
  "test/unit/admin/admin.test.ts",
  "test/unit/admin/describe-groups.test.ts",
  "test/unit/driver/native-consumer.test.ts",
  "test/unit/processor/commit-guard.test.ts",
  "test/unit/processor/exactly-once-loop.test.ts",
  "test/unit/producer/native-faults.test.ts",
  "test/unit/reader/log-source.test.ts",
  "test/unit/state/tasks.test.ts",
  "test/unit/transactions/transaction-runner.test.ts",
  "test/unit/transactions/transactional-producer.test.ts",
];

// They take milliseconds; a machine that is busy with other things may need more than five seconds for one.
const unit = { testTimeout: 60_000, expect: { poll: { timeout: 20_000 } }, ...together };

// With the one broker that all of them share.
const onBroker = {
  globalSetup: "test/support/global-setup.ts",
  setupFiles: "test/support/require-broker.ts",
  testTimeout: 60_000,
  hookTimeout: 60_000,
  isolate: false,
  ...together,
};

export default defineConfig({
  test: {
    // The native client can be loaded once in a process and never in a worker thread.
    pool: "forks",
    coverage: { include: ["src/**"] },
    // The projects have the same modules: each is compiled once for all of them.
    experimental: { fsModuleCache: true },
    projects: [
      {
        ...fromSource,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          exclude: withMocks,
          isolate: false,
          ...unit,
        },
      },
      {
        ...fromSource,
        test: { name: "unit-mocks", include: withMocks, ...unit },
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
          ...onBroker,
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
          ...onBroker,
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
      {
        ...fromSource,
        test: {
          // In a network of their own: scripts/test-network.mjs.
          name: "network",
          include: ["test/faults/network/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
