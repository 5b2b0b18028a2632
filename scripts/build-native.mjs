// Compiles the addon of the fast path (native/) with the machine's compiler, or takes it from the cache.
//
//   node scripts/build-native.mjs                        for this machine, into native/build/
//   node scripts/build-native.mjs --sanitize=address     with a sanitizer of the compiler's, and says where it is
//
// The library works without it, slower. Node's own modules only.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const source = join(root, "native");
const compiler = process.env.CXX ?? "c++";
const warnings = ["-Wall", "-Wextra", "-Werror=return-type"];
export const common = ["-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", ...warnings];
// macOS finds Node's functions in the process when it loads the addon.
const linking = process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : [];

/** What the addon of this machine is called, in native/build/ and in the package. */
export const target = `${process.platform}-${process.arch}${isMusl() ? "-musl" : ""}`;

/** Makes native/build/ ready, and says what it did. Never throws: without the addon the library works, slower. */
export function buildNative(say) {
  const done = make();
  if (done !== undefined) say(done);
}

/** One line of what was done; undefined where there was nothing to do. */
function make() {
  try {
    const key = sourceHash();
    const file = join(source, "build", `${target}.node`);
    const stamp = join(source, "build", `${target}.source`);
    if (existsSync(file) && existsSync(stamp) && readFileSync(stamp, "utf8") === key) return undefined;
    const cached = join(cacheRoot(), `native-${key}-${target}.node`);
    let done = `restored the addon of the fast path from ${cached}`;
    mkdirSync(dirname(file), { recursive: true });
    if (!existsSync(cached)) {
      const problem = compile(["-O2", "-s", ...common], file);
      if (problem !== undefined) return `no fast path, the slower one is used: ${problem}`;
      done = "compiled the addon of the fast path";
      if (put(file, cached)) done += `, kept in ${cached}`;
    } else copyFileSync(cached, file);
    writeFileSync(stamp, key);
    return done;
  } catch (error) {
    return `no fast path, the slower one is used: ${error.message}`;
  }
}

/** Where native/all.cc and what it includes find their headers. */
export function includeFolders() {
  const require = createRequire(join(root, "package.json"));
  const binding = dirname(require.resolve("@confluentinc/kafka-javascript/package.json"));
  return [require("node-api-headers").include_dir, join(binding, "deps", "librdkafka", "src")];
}

function compile(flags, file) {
  if (process.platform === "win32")
    return "it is not compiled on Windows; a published package brings it along";
  const includes = includeFolders().flatMap((folder) => ["-isystem", folder]);
  // Under its own name only when it is whole: others may have the present one loaded.
  const unfinished = `${file}.${process.pid}`;
  const result = spawnSync(
    compiler,
    [...flags, ...includes, join(source, "all.cc"), ...linking, "-ldl", "-o", unfinished],
    { encoding: "utf8" },
  );
  if (result.error !== undefined) return `there is no C++ compiler (${compiler})`;
  if (result.status !== 0) return `${compiler} failed:\n${result.stderr.trimEnd()}`;
  renameSync(unfinished, file);
  return undefined;
}

/** Whether it could be put there. */
function put(file, cached) {
  const unfinished = `${cached}.${process.pid}`;
  try {
    mkdirSync(dirname(cached), { recursive: true });
    copyFileSync(file, unfinished);
    renameSync(unfinished, cached);
    return true;
  } catch {
    return false;
  }
}

/** Everything that decides what is compiled, beside the machine. */
export function sourceHash() {
  const hash = createHash("sha256").update(common.join(" "));
  for (const name of readdirSync(source)
    .filter((file) => /\.(cc|h)$/.test(file))
    .sort())
    hash.update(name).update(readFileSync(join(source, name)));
  for (const folder of includeFolders())
    for (const name of ["rdkafka.h", "node_api.h"])
      if (existsSync(join(folder, name))) hash.update(readFileSync(join(folder, name)));
  return hash.digest("hex").slice(0, 16);
}

function cacheRoot() {
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return process.env.TYPED_KAFKA_CACHE ?? join(caches, "typed-kafka");
}

function isMusl() {
  return process.platform === "linux" && process.report.getReport().header.glibcVersionRuntime === undefined;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const sanitizer = /^--sanitize=(.+)$/.exec(process.argv[2] ?? "")?.[1];
  if (sanitizer === undefined) buildNative((line) => console.log(line));
  else {
    const file = join(source, "build", `${sanitizer.replaceAll(",", "-")}.node`);
    mkdirSync(dirname(file), { recursive: true });
    const flags = [
      "-O1",
      "-g",
      "-fno-omit-frame-pointer",
      `-fsanitize=${sanitizer}`,
      "-fno-sanitize-recover=all",
    ];
    const problem = compile([...flags, ...common], file);
    if (problem !== undefined) {
      console.error(problem);
      process.exit(1);
    }
    console.log(file);
  }
}
