// Lists what an application installs together with this library, with versions and licences, in docs/licences.md.
//
//   node scripts/licences.mjs            writes it
//   node scripts/licences.mjs --check    fails where it is not what the lock file says
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./build-native.mjs";
import { installedPackages } from "./installed-packages.mjs";

const page = join(root, "docs", "licences.md");

const installed = installedPackages()
  .map(([path, { version, license }]) => [path.replace(/^.*node_modules\//, ""), version, license])
  .sort(([a], [b]) => (a < b ? -1 : 1));

const unlicensed = installed.filter(([, , license]) => license === undefined).map(([name]) => name);
if (unlicensed.length > 0) throw new Error(`no licence is known of ${unlicensed.join(", ")}`);

const text = `# Licences

For those who must list what \`npm install typed-kafka\` brings into an application. The library itself is under the MIT
licence. librdkafka, which is in the native client, is under the BSD-2-Clause licence, and names the licences of what it
includes in its own \`LICENSES.txt\`. Packages that are needed only for a part of the library (zod, avsc and others) are the
application's own choice and not in the table.

${table(["Package", "Version", "Licence"], installed)}
This page is written by \`node scripts/licences.mjs\` from the lock file. A release has the same as a bill of materials
(CycloneDX) in \`sbom.cdx.json\`.
`;

if (process.argv[2] === "--check") {
  if (readFileSync(page, "utf8") !== text) {
    console.error("docs/licences.md is not what the lock file says: node scripts/licences.mjs");
    process.exit(1);
  }
} else writeFileSync(page, text);

/** As prettier sets it. */
function table(head, rows) {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |\n`;
  return line(head) + line(widths.map((width) => "-".repeat(width))) + rows.map(line).join("");
}
