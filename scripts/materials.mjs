// npm run materials
//
// Writes sbom.cdx.json, the bill of materials (CycloneDX) of what an application installs together with this library.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./build-native.mjs";
import { installedPackages } from "./installed-packages.mjs";

const installed = new Set(
  installedPackages().map(([path, { version }]) => `${path.replace(/^.*node_modules\//, "")}@${version}`),
);
// Not `--omit=dev`: npm then leaves out what packages for development need too.
const { status, stdout, stderr } = spawnSync("npm", ["sbom", "--sbom-format=cyclonedx"], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 2 ** 28,
});
if (status !== 0) throw new Error(`npm sbom failed:\n${stderr}`);
const all = JSON.parse(stdout);
const components = all.components.filter(({ name, version }) => installed.has(`${name}@${version}`));
const listed = new Set(components.map(({ name, version }) => `${name}@${version}`));
const missing = [...installed].filter((one) => !listed.has(one));
if (missing.length > 0) throw new Error(`npm sbom does not list ${missing.join(", ")}`);
const known = new Set([all.metadata.component["bom-ref"], ...components.map((each) => each["bom-ref"])]);
const dependencies = all.dependencies
  .filter(({ ref }) => known.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => known.has(other)) }));
const materials = { ...all, components, dependencies };
writeFileSync(join(root, "sbom.cdx.json"), `${JSON.stringify(materials, undefined, 2)}\n`);
