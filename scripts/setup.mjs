// Makes a clone ready to run: its dependencies, and the native Kafka client that npm does not build here
// (.npmrc says why). Safe to run at any time; 0.3 s when there is nothing to do.
//
//   node scripts/setup.mjs                      does what is needed
//   node scripts/setup.mjs --missing-packages   prints the Debian packages a build from source would miss
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
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = "@confluentinc/kafka-javascript";
/** Longer than a set-up takes that builds from source. */
const maxWaitMs = 15 * 60_000;

if (process.argv.includes("--missing-packages")) {
  console.log(missingPackages().join(" "));
} else if (!dependenciesMatchLockfile() || !loads(nativeFolder())) {
  waitForMyTurn();
  installDependencies();
  makeNativeClientLoad();
}

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

function installDependencies() {
  if (dependenciesMatchLockfile()) return;
  say("installing the dependencies (npm ci) …");
  // `npm run` tells which npm it is; starting that one by hand avoids the shell wrapper of Windows.
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm?.endsWith(".js") ? [process.execPath, npm] : ["npm"];
  const options = { cwd: root, stdio: "inherit", shell: command === "npm" && process.platform === "win32" };
  const { status } = spawnSync(
    command,
    [...first, "ci", "--no-audit", "--no-fund", "--loglevel=error"],
    options,
  );
  if (status !== 0) giveUp("`npm ci` failed; what it printed is above.");
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

function makeNativeClientLoad() {
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
  const prebuilt = nodePreGyp(folder, ["install"], {}, 60_000);
  if (prebuilt.status === 0 && loads(folder)) {
    return say(`downloaded the native client, ${keep(build, cached)}`);
  }

  const missing = missingPackages();
  if (missing.length > 0) {
    giveUp(
      "there is no prebuilt native client for this machine, or it cannot be reached.",
      "Building it needs system packages that are missing. On Debian and Ubuntu:",
      "",
      `  ${process.getuid?.() === 0 ? "" : "sudo "}apt-get install -y ${missing.join(" ")}`,
      "",
      "Elsewhere: a C++20 compiler, make, Python 3 and the headers of OpenSSL, zlib, zstd, curl, SASL and lz4.",
      "Then run the same command again.",
    );
  }
  say("building the native client from source, once for this machine (a minute or two) …");
  rmSync(build, { recursive: true, force: true });
  const built = nodePreGyp(folder, ["install", "--build-from-source"], buildSettings());
  if (built.status !== 0 || !loads(folder)) {
    console.error(`${built.stdout}${built.stderr}`.trimEnd().split("\n").slice(-40).join("\n"));
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

function nodePreGyp(folder, args, settings, timeout) {
  const tool = createRequire(join(folder, "package.json")).resolve("@mapbox/node-pre-gyp/bin/node-pre-gyp");
  return spawnSync(process.execPath, [tool, ...args], {
    cwd: folder,
    env: { ...process.env, ...settings },
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    timeout,
    killSignal: "SIGKILL",
  });
}

function buildSettings() {
  const nodeFolder = dirname(dirname(process.execPath));
  const hasHeaders = existsSync(join(nodeFolder, "include", "node", "node.h"));
  return {
    CKJS_LINKING: "dynamic", // a static build downloads its own copies of the libraries
    JOBS: "1", // librdkafka's makefile does not survive more
    ...(hasHeaders && { npm_config_nodedir: nodeFolder }), // else the headers are downloaded
  };
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

/** What a build from source would not find, as Debian packages. */
function missingPackages() {
  const runs = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
  const tools = {
    make: "build-essential",
    "c++": "build-essential",
    python3: "python3",
    "pkg-config": "pkg-config",
  };
  const headers = {
    "openssl/ssl.h": "libssl-dev",
    "zlib.h": "zlib1g-dev",
    "zstd.h": "libzstd-dev",
    "curl/curl.h": "libcurl4-openssl-dev",
    "sasl/sasl.h": "libsasl2-dev",
    "lz4frame.h": "liblz4-dev",
  };
  const compiles = (header) =>
    spawnSync("c++", ["-E", "-x", "c++", "-"], {
      input: `#include <${header}>\n`,
      stdio: ["pipe", "ignore", "ignore"],
    }).status === 0;
  const missing = [
    ...Object.keys(tools).flatMap((tool) => (runs(tool) ? [] : [tools[tool]])),
    ...Object.keys(headers).flatMap((header) => (compiles(header) ? [] : [headers[header]])),
  ];
  return [...new Set(missing)];
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
