// Makes the tarball of a release, and what comes with it, in release/. It publishes nothing.
//
//   npm run release
//
// It needs a clean work tree, zig (see scripts/prebuild-native.mjs) and the registry. What it does, in order: looks for
// known weaknesses in what users install; compiles the addon for every machine; builds; lists licences and materials;
// packs; tries the package out; writes the checksums.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./build-native.mjs";

const folder = join(root, "release");
if (run("git", "status", "--porcelain") !== "") fail("the work tree has changes: commit them first");

step("known weaknesses of what users install", "npm", "audit", "--omit=dev");
step("licences", "npm", "run", "-s", "licences", "--", "--check");
step("addons", "npm", "run", "-s", "addons");
step("build", "npm", "run", "-s", "build");
// It is in the package, and beside the tarball.
step("bill of materials", "npm", "run", "-s", "materials");
step("package", "npm", "run", "-s", "check:package");

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
run("npm", "pack", "--pack-destination", folder);
copyFileSync(join(root, "sbom.cdx.json"), join(folder, "sbom.cdx.json"));
const sums = readdirSync(folder).map((name) => {
  const sum = createHash("sha256").update(readFileSync(join(folder, name)));
  return `${sum.digest("hex")}  ${name}\n`;
});
writeFileSync(join(folder, "SHA256SUMS"), sums.join(""));
console.log(`release/:\n${sums.join("")}Publish it with: npm publish --provenance release/*.tgz`);

function step(name, command, ...args) {
  console.log(`== ${name}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) fail(`${name} failed: there is no release`);
}

function run(command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  if (status !== 0) fail(`${command} ${args.join(" ")} failed:\n${stderr}`);
  return stdout;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
