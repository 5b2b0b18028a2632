// Installs the packed library into small applications, as its users do, and runs them: test runners, compilers,
// frameworks and bundlers. Each sends and receives a record on the embedded cluster. Needs `npm run build` before.
//
//   npm run test:apps                 all of them
//   npm run test:apps jest-swc tsx    some of them
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, "test", "apps");
const nativeBuild = join("node_modules", "@confluentinc", "kafka-javascript", "build");

/** Applications of other versions, by the folder whose sources they take. */
const variants = {
  "nestjs-10": { folder: "nestjs", versions: { "@nestjs/common": "^10.0.0", "@nestjs/core": "^10.0.0" } },
  "nestjs-11": { folder: "nestjs", versions: {} },
};
const plain = readdirSync(sources).filter((name) => name !== "nestjs");
const all = [...plain, ...Object.keys(variants)].sort();

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !all.includes(name));
if (unknown.length > 0) fail(`no such application: ${unknown.join(", ")}. There are ${all.join(", ")}`);

const work = mkdtempSync(join(tmpdir(), "typed-kafka-apps-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const [{ filename }] = JSON.parse(run(root, "npm", "pack", "--json", "--pack-destination", work));
const tarball = join(work, filename);

for (const name of asked.length > 0 ? asked : all) {
  const begin = Date.now();
  const { folder, versions } = variants[name] ?? { folder: name, versions: {} };
  const app = join(work, name);
  cpSync(join(sources, folder), app, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(app, "package.json"), "utf8"));
  manifest.dependencies = { ...manifest.dependencies, ...versions, "typed-kafka": `file:${tarball}` };
  writeFileSync(join(app, "package.json"), JSON.stringify(manifest));
  run(
    app,
    "npm",
    "install",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--prefer-offline",
  );
  // npm would build the native client for minutes; this one is the same version, built.
  cpSync(join(root, nativeBuild), join(app, nativeBuild), { recursive: true });
  run(app, "npm", "run", "start");
  console.log(`${name}: passed in ${Math.round((Date.now() - begin) / 1_000)} s`);
  rmSync(app, { recursive: true });
}

function run(cwd, command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 600_000,
    shell: command === "npm" && process.platform === "win32",
  });
  if (status === 0) return stdout;
  return fail(
    `${command} ${args.join(" ")} failed in ${cwd}${error ? `: ${error.message}` : ""}\n${stdout}${stderr}`,
  );
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
