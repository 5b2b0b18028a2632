import { build } from "esbuild";

for (const [format, outfile] of [
  ["cjs", "bundles/students.cjs"],
  ["esm", "bundles/students.mjs"],
]) {
  await build({
    entryPoints: ["students.ts"],
    bundle: true,
    platform: "node",
    target: "node20",
    format,
    outfile,
    // A native addon cannot be bundled: it stays in node_modules, beside the bundle.
    external: ["@confluentinc/kafka-javascript"],
  });
}
