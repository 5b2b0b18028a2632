import { defineConfig } from "tsup";
import { entryPoints } from "./scripts/entry-points.mjs";

export default defineConfig({
  entry: {
    ...Object.fromEntries(entryPoints.map(({ name, source }) => [name, source])),
    cli: "src/cli/main.ts",
  },
  // scripts/commonjs.mjs makes CommonJS of the same files.
  format: "esm",
  tsconfig: "tsconfig.build.json",
  target: "node20",
  platform: "node",
  sourcemap: true,
  clean: true,
  // tsup still sets `baseUrl`, which TypeScript 6 warns about.
  dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
});
