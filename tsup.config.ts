import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    testing: "src/testing/index.ts",
    opentelemetry: "src/opentelemetry/index.ts",
    "schema-registry": "src/schema-registry/index.ts",
    cli: "src/cli/main.ts",
  },
  format: "esm",
  tsconfig: "tsconfig.build.json",
  target: "node20",
  platform: "node",
  sourcemap: true,
  clean: true,
  // tsup still sets `baseUrl`, which TypeScript 6 warns about.
  dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
});
