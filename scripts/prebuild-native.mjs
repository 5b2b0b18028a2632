// Compiles the addon of the fast path for every machine that the package brings it along for, into prebuilt/, with a
// checksum of each in prebuilt/SHA256SUMS.
//
//   node scripts/prebuild-native.mjs                     all of them
//   node scripts/prebuild-native.mjs linux-x64 …         some
//
// It needs zig, whose one compiler makes programs for all of them: `zig` on the path, what the variable ZIG names, or
// `pip install ziglang`. It takes minutes. Node's own modules only.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { common, includeFolders, root, source, sourceHash } from "./build-native.mjs";

/** What a file is called in the package, and what zig calls its machine. */
const targets = {
  // As old as the C library may be that Node 20 and the binding need, and older.
  "linux-x64": "x86_64-linux-gnu.2.17",
  "linux-arm64": "aarch64-linux-gnu.2.17",
  "linux-x64-musl": "x86_64-linux-musl",
  "linux-arm64-musl": "aarch64-linux-musl",
  "darwin-x64": "x86_64-macos.11.0",
  "darwin-arm64": "aarch64-macos.11.0",
  "win32-x64": "x86_64-windows-gnu",
};
/** Larger than any of them: something was linked in that does not belong there. */
const maxBytes = 1_500_000;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in targets));
if (unknown.length > 0)
  fail(`no such target: ${unknown.join(", ")}; there are ${Object.keys(targets).join(", ")}`);

const zig = findZig();
const folder = join(root, "prebuilt");
mkdirSync(folder, { recursive: true });
for (const [name, target] of Object.entries(targets)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const begin = Date.now();
  const file = join(folder, `${name}.node`);
  compile(name, target, file);
  const { length } = readFileSync(file);
  if (length > maxBytes) fail(`${name} has ${length} bytes, and may have ${maxBytes}`);
  console.log(`${name}: ${Math.round(length / 1024)} KiB in ${Math.round((Date.now() - begin) / 1000)} s`);
}
writeSums();

function compile(name, target, file) {
  const includes = includeFolders().flatMap((include) => ["-isystem", include]);
  run([
    "c++",
    ...["-target", target, "-O2", "-s", ...common],
    ...includes,
    join(source, "all.cc"),
    ...linking(name, target),
    ...["-o", file],
  ]);
  // What Windows links against, and nobody does.
  rmSync(join(folder, "all.lib"), { force: true });
}

/** Node's functions are in the process that loads the addon. */
function linking(name, target) {
  if (name.startsWith("darwin")) return ["-Wl,-undefined,dynamic_lookup"];
  if (!name.startsWith("win32")) return ["-ldl"];
  const made = mkdtempSync(join(tmpdir(), "typed-kafka-prebuild-"));
  process.on("exit", () => rmSync(made, { recursive: true, force: true }));
  return ["js_native_api", "node_api"].map((api) => {
    const library = join(made, `${api}.lib`);
    const { def_paths: definitions } = createRequire(import.meta.url)("node-api-headers");
    run(["dlltool", "-m", "i386:x86-64", "-d", definitions[`${api}_def`], "-l", library]);
    return library;
  });
}

/** One line for each file, as `sha256sum --check` reads them, and the hash of the source that they are made of. */
function writeSums() {
  const names = readdirSync(folder).filter((name) => name.endsWith(".node"));
  const lines = names.sort().map((name) => {
    const sum = createHash("sha256").update(readFileSync(join(folder, name)));
    return `${sum.digest("hex")}  ${name}\n`;
  });
  writeFileSync(join(folder, "SHA256SUMS"), lines.join(""));
  writeFileSync(join(folder, "source"), `${sourceHash()}\n`);
}

function findZig() {
  const ways = [[process.env.ZIG ?? "zig"], ["python3", "-m", "ziglang"]];
  const way = ways.find(([command, ...args]) => spawnSync(command, [...args, "version"]).status === 0);
  return way ?? fail("zig is needed: put it on the path, name it in ZIG, or `pip install ziglang`");
}

function run(args) {
  const [command, ...first] = zig;
  const { error, status, stderr } = spawnSync(command, [...first, ...args], { encoding: "utf8" });
  if (error !== undefined || status !== 0) fail(`${args[0]} failed:\n${error?.message ?? stderr}`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
