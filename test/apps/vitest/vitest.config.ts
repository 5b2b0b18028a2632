import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // The native client does not work in worker threads. This is vitest's default.
    pool: "forks",
  },
});
