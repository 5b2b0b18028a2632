// Makes a clone ready to run: its dependencies, and the native Kafka client that npm does not build here
// (.npmrc says why). Safe to run at any time; 0.3 s when there is nothing to do.
//
// Node's own modules only: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildNative } from "./build-native.mjs";
import { endOf, runWatched } from "./run-watched.mjs";
import { forBuild, install, installCommand, missing } from "./system-packages.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = "@confluentinc/kafka-javascript";
/** Longer than a set-up takes that builds from source. */
const maxWaitMs = 15 * 60_000;

if (!dependenciesMatchLockfile() || !loads(nativeFolder())) {
  waitForMyTurn();
  await installDependencies();
  await makeNativeClientLoad();
}
buildNative(say);

/** One at a time in a clone: two `npm ci` at once delete each other's files. The others then find it done. */
function waitForMyTurn() {
  const lock = join(root, ".kafka", "setup.lock");
  mkdirSync(dirname(lock), { recursive: true });
  const deadline = Date.now() + maxWaitMs;
  for (let isSaid = false; !take(lock); isSaid = true) {
    if (!isSaid) say("waiting for another set-up of this clone …");
    if (Date.now() > deadline) {
      giveUp(`another set-up of this clone takes too long. If there is none, delete ${lock}* and try again.`);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  process.once("exit", () => rmSync(lock, { force: true }));
}

/** Makes the lock, a file that names its process. One of a process that was killed is removed. */
function take(lock) {
  if (make(() => writeFileSync(lock, String(process.pid), { flag: "wx" }))) return true;
  // By one process only: a slow one would remove what a quick one has just made in its place.
  const removing = `${lock}.removing`;
  if (isAbandoned(lock) && make(() => mkdirSync(removing))) {
    if (isAbandoned(lock)) rmSync(lock);
    rmdirSync(removing);
  }
  return false;
}

/** Whether it could be made; false where it exists. */
function make(create) {
  try {
    create();
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return false;
  }
}

function isAbandoned(lock) {
  try {
    // In one that was made this moment there is nothing yet: 0 means this process, which is there.
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

async function installDependencies() {
  if (dependenciesMatchLockfile()) return;
  say("installing the dependencies (npm ci) …");
  const { status, output } = await npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    what: "npm ci",
    cwd: root,
  });
  if (status === 0) return;
  console.error(endOf(output));
  giveUp("`npm ci` failed; the end of what it printed is above.");
}

function npm(args, options) {
  // `npm run` tells which npm it is; starting that one by hand avoids the shell wrapper of Windows.
  const script = process.env.npm_execpath;
  const [command, ...first] = script?.endsWith(".js") ? [process.execPath, script] : ["npm"];
  const shell = command === "npm" && process.platform === "win32";
  return runWatched(command, [...first, ...args], { shell, ...options });
}

/** npm keeps a lockfile of what it really installed; times of files say nothing after a checkout. */
function dependenciesMatchLockfile() {
  const installed = installedPackages();
  if (installed === undefined) return false;
  const wanted = Object.entries(readJson(join(root, "package-lock.json")).packages);
  return wanted.every(([path, { version, optional }]) => {
    const isTheProject = path === "";
    const isForAnotherPlatform = optional === true && installed[path] === undefined;
    return isTheProject || isForAnotherPlatform || installed[path]?.version === version;
  });
}

function installedPackages() {
  try {
    return readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  } catch {
    return undefined; // cut short while it was written
  }
}

function nativeFolder() {
  return dirname(createRequire(join(root, "package.json")).resolve(`${native}/package.json`));
}

async function makeNativeClientLoad() {
  const folder = nativeFolder();
  const build = join(folder, "build");
  const cached = join(cacheRoot(), cacheKey(folder));

  if (loads(folder)) return;

  if (existsSync(cached)) {
    putBuild(cached, build);
    if (loads(folder)) return say(`restored the native client from ${cached}`);
    // Cut short while it was written, or its system libraries have gone.
  }

  say("looking for a prebuilt native client (a minute at most) …");
  const prebuilt = await nodePreGyp(folder, ["install"], {
    what: "looking for a prebuilt native client",
    timeoutMs: 60_000,
  });
  if (prebuilt.status === 0 && loads(folder)) {
    return say(`downloaded the native client, ${keep(build, cached)}`);
  }

  const left = await install(missing(forBuild));
  if (left.length > 0) {
    giveUp(
      "there is no prebuilt native client for this machine, or it cannot be reached.",
      "Building it needs system packages that are missing. On Debian and Ubuntu:",
      "",
      `  ${installCommand(left)}`,
      "",
      "Elsewhere: a C++20 compiler, make, Python 3 and the headers of OpenSSL, zlib, zstd, curl, SASL and lz4.",
      "Then run the same command again.",
    );
  }
  say("building the native client from source, once for this machine (a minute or two) …");
  rmSync(build, { recursive: true, force: true });
  const built = await nodePreGyp(folder, ["install", "--build-from-source"], {
    what: "building the native client",
    nameOf: compiledFile,
    env: { ...process.env, ...(await buildSettings()) },
  });
  if (built.status !== 0 || !loads(folder)) {
    console.error(endOf(built.output));
    giveUp("the native client could not be built; the end of what its build printed is above.");
  }
  say(`built the native client, ${keep(build, cached)}`);
}

/** Puts a build into the cache where that can be written, and says what became of it. */
function keep(build, cached) {
  try {
    putBuild(build, cached);
    return `kept in ${cached}`;
  } catch (error) {
    return `which works, but could not be kept for other clones: ${error.message}`;
  }
}

/** In a process of its own: a broken binary can end the process that loads it. */
function loads(folder) {
  return spawnSync(process.execPath, [join(folder, "librdkafka.js")], { stdio: "ignore" }).status === 0;
}

function nodePreGyp(folder, args, options) {
  const tool = createRequire(join(folder, "package.json")).resolve("@mapbox/node-pre-gyp/bin/node-pre-gyp");
  return runWatched(process.execPath, [tool, ...args], { cwd: folder, ...options });
}

/** The source file that a line of a build compiles, without its ending, if it does: gyp names the object file. */
function compiledFile(line) {
  return /([\w-]+)\.(?:c|cc|cpp|o)\b[^/]*$/.exec(line)?.[1];
}

async function buildSettings() {
  return {
    CKJS_LINKING: "dynamic", // a static build downloads its own copies of the libraries
    JOBS: "1", // librdkafka's makefile does not survive more
    // Within it the binding asks for as many compilers as there are files, which a small machine has no memory for.
    MAKEFLAGS: `--max-load=${availableParallelism()}`,
    npm_config_nodedir: await nodeHeaders(),
  };
}

/** The folder with the headers of this Node.js; `undefined` where the build can download them. */
async function nodeHeaders() {
  const nextToNode = dirname(dirname(process.execPath));
  const fetched = join(cacheRoot(), `node-${process.versions.node}`);
  // npm's configuration may name the headers of another version.
  const found = [nextToNode, process.env.npm_config_nodedir ?? "", fetched].find(hasHeaders);
  if (found !== undefined || (await answers(process.release.headersUrl))) return found;

  say("nodejs.org cannot be reached: fetching the headers of Node.js from npm …");
  const name = `node-${process.platform}-${process.arch}@${process.versions.node}`;
  mkdirSync(fetched, { recursive: true });
  const packed = await npm(["pack", name, "--silent"], { what: "npm pack", cwd: fetched });
  if (packed.status !== 0) return undefined;
  // What npm or Node.js warn of comes before it.
  const archive = packed.output.trim().split("\n").at(-1);
  const args = ["xzf", archive, "--strip-components=1", "package/include"];
  const unpacked = spawnSync("tar", args, { cwd: fetched });
  rmSync(join(fetched, archive), { force: true });
  return unpacked.status === 0 && hasHeaders(fetched) ? fetched : undefined;
}

/** Whether the headers of this Node.js are there, or of one with the same binary interface. */
function hasHeaders(folder) {
  const version = join(folder, "include", "node", "node_version.h");
  if (!existsSync(version)) return false;
  return (
    /#define NODE_MODULE_VERSION (\d+)/.exec(readFileSync(version, "utf8"))?.[1] === process.versions.modules
  );
}

async function answers(url) {
  try {
    return (await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}

/**
 * Copies what a build needs to be loaded, and shows it under its name only when it is whole: others may be
 * doing the same, or have the present one loaded.
 */
function putBuild(from, to) {
  const unfinished = `${to}.${process.pid}`;
  const replaced = `${unfinished}.old`;
  for (const [part, wanted] of [
    ["Release", /\.(node|dll)$/],
    ["deps", /^librdkafka(\+\+)?\.(so\.\d+|\d+\.dylib)$/], // found from Release through the rpath
  ]) {
    if (!existsSync(join(from, part))) continue;
    mkdirSync(join(unfinished, part), { recursive: true });
    for (const file of readdirSync(join(from, part)).filter((name) => wanted.test(name))) {
      cpSync(join(from, part, file), join(unfinished, part, file), { dereference: true });
    }
  }
  try {
    if (existsSync(to)) renameSync(to, replaced);
    renameSync(unfinished, to);
  } catch (error) {
    if (!existsSync(to)) throw error; // else somebody was faster, with the same thing
  }
  rmSync(unfinished, { recursive: true, force: true });
  rmSync(replaced, { recursive: true, force: true });
}

function cacheRoot() {
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return process.env.TYPED_KAFKA_CACHE ?? join(caches, "typed-kafka");
}

/** Everything that decides whether a build loads here. */
function cacheKey(folder) {
  const { version } = readJson(join(folder, "package.json"));
  const { platform, arch, versions } = process;
  const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
  const parts = ["kafka-javascript", version, `abi${versions.modules}`, platform, arch];
  return [...parts, ...(platform === "linux" ? [libc] : [])].join("-");
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function say(line) {
  console.log(`setup: ${line}`);
}

function giveUp(...lines) {
  console.error(`setup: ${lines.join("\n")}`);
  process.exit(1);
}
