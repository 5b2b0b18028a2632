// Finds out which Debian packages are missing for what is going to be run, and installs them where that needs no
// password: as root, or where `sudo` asks for none.
//
//   node scripts/system-packages.mjs java mvn openssl   installs what provides these, else says what would
//   node scripts/system-packages.mjs --missing java     prints which of these are missing
//   node scripts/system-packages.mjs --command java     prints the command that installs what provides these
//
// Node's own modules only: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { endOf, runWatched } from "./run-watched.mjs";

/** What a build of the native client from source uses. */
export const forBuild = [
  ...["make", "c++", "python3", "pkg-config"],
  ...["openssl/ssl.h", "zlib.h", "zstd.h", "curl/curl.h", "sasl/sasl.h", "lz4frame.h"],
];

const runs = (command, argument = "--version") =>
  spawnSync(command, [argument], { stdio: "ignore" }).status === 0;

const compiles = (header) => {
  const input = `#include <${header}>\n`;
  const stdio = ["pipe", "ignore", "ignore"];
  return spawnSync("c++", ["-E", "-x", "c++", "-"], { input, stdio }).status === 0;
};

/** Kafka's servers need 17 or later. */
const runsJava = () => {
  const { status, stderr } = spawnSync("java", ["-version"], { encoding: "utf8" });
  return status === 0 && Number(/version "(\d+)/.exec(stderr)?.[1]) >= 17;
};

/** Debian keeps the programs of a PostgreSQL server out of the PATH, one folder a version. */
const hasPostgres = () => {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root) : [];
  return versions.some((version) => existsSync(`${root}/${version}/bin/initdb`)) || runs("initdb");
};

/** Each command and header: the packages of which one provides it, the first that the system has, and how to tell. */
const providers = {
  make: { packages: ["build-essential"], works: () => runs("make") },
  "c++": { packages: ["build-essential"], works: () => runs("c++") },
  python3: { packages: ["python3"], works: () => runs("python3") },
  "pkg-config": { packages: ["pkg-config"], works: () => runs("pkg-config") },
  "openssl/ssl.h": { packages: ["libssl-dev"], works: () => compiles("openssl/ssl.h") },
  "zlib.h": { packages: ["zlib1g-dev"], works: () => compiles("zlib.h") },
  "zstd.h": { packages: ["libzstd-dev"], works: () => compiles("zstd.h") },
  "curl/curl.h": { packages: ["libcurl4-openssl-dev"], works: () => compiles("curl/curl.h") },
  "sasl/sasl.h": { packages: ["libsasl2-dev"], works: () => compiles("sasl/sasl.h") },
  "lz4frame.h": { packages: ["liblz4-dev"], works: () => compiles("lz4frame.h") },
  java: {
    packages: ["openjdk-17-jre-headless", "openjdk-21-jre-headless", "openjdk-25-jre-headless"],
    works: runsJava,
  },
  mvn: { packages: ["maven"], works: () => runs("mvn") },
  postgres: { packages: ["postgresql"], works: hasPostgres },
  prometheus: { packages: ["prometheus"], works: () => runs("prometheus") },
  openssl: { packages: ["openssl"], works: () => runs("openssl", "version") },
};

/** Those of these commands and headers that are not there. */
export function missing(needs) {
  return needs.filter((need) => !providers[need].works());
}

/** The one command that installs what provides these, for people. A fresh machine knows of no packages yet. */
export function installCommand(needs) {
  const sudo = process.getuid?.() === 0 ? "" : "sudo ";
  const packages = packagesFor(needs);
  const update = packages.every(isKnown) ? "" : `${sudo}apt-get update && `;
  return `${update}${sudo}apt-get install -y ${packages.join(" ")}`;
}

/** Installs what provides these, and says so; resolves with those that are missing still. */
export async function install(needs) {
  const [command, ...asRoot] = rootCommand() ?? [];
  if (needs.length === 0 || command === undefined) return needs;
  // Two at once wait for each other.
  const aptGet = [...asRoot, "-q", "-o", "DPkg::Lock::Timeout=300"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };

  // A fresh machine has no lists, and those of an old one name packages that are gone. Where it fails, those that
  // are there may do.
  await runWatched(command, [...aptGet, "update"], { what: "apt-get update", env });
  const packages = packagesFor(needs);
  console.log(`setup: installing system packages: ${packages.join(" ")}`);
  const { status, output } = await runWatched(
    command,
    [...aptGet, "install", "-y", "--no-install-recommends", ...packages],
    {
      what: "apt-get install",
      nameOf: (line) => /^((?:Unpacking|Setting up) [^ ]+)/.exec(line)?.[1],
      env,
    },
  );
  if (status !== 0)
    console.error(`${endOf(output)}\nsetup: apt-get failed; the end of what it printed is above.`);
  return missing(needs);
}

/** How to run apt-get with all rights and without a password; `undefined` where that cannot be. */
function rootCommand() {
  if (!runs("apt-get")) return undefined;
  if (process.getuid?.() === 0) return ["apt-get"];
  const asksNothing = spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0;
  return asksNothing ? ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"] : undefined;
}

function packagesFor(needs) {
  const choose = (names) => names.find(isKnown) ?? names[0];
  return [...new Set(needs.map((need) => choose(providers[need].packages)))];
}

function isKnown(name) {
  const { status, stdout } = spawnSync("apt-cache", ["policy", name], { encoding: "utf8" });
  return status === 0 && /Candidate: (?!\(none\))/.test(stdout);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [mode, ...named] = process.argv.slice(2);
  if (mode === "--missing") console.log(missing(named).join(" "));
  else if (mode === "--command") console.log(installCommand(named));
  else {
    const left = await install(missing(process.argv.slice(2)));
    if (left.length > 0) {
      console.error(
        `setup: ${left.join(", ")} not found. On Debian and Ubuntu:\n\n  ${installCommand(left)}\n`,
      );
      process.exitCode = 1;
    }
  }
}
