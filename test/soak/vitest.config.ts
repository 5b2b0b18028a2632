import { defineConfig } from "vitest/config";

// `npm run test:soak`: long runs, which no other command includes.
export default defineConfig({
  resolve: { conditions: ["typed-kafka-source"] },
  ssr: { resolve: { conditions: ["typed-kafka-source"] } },
  test: {
    name: "soak",
    pool: "forks",
    include: ["test/soak/**/*.test.ts"],
    testTimeout: 3_600_000,
    hookTimeout: 300_000,
  },
});
