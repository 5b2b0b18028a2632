// What the figures were measured on.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { kafkaVersion } from "../test/support/kafka/jars.ts";
import { peers } from "./rows.mjs";

const here = import.meta.dirname;

export function describeMachine(runtimes) {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    cpu: `${cpus().length} × ${cpu.model.trim()}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${release()} ${process.arch}`,
    kafka: kafkaVersion,
    node: process.version,
    node24: runtimes.node24 && say(runtimes.node24, ["--version"]),
    python: runtimes.python && say(runtimes.python, ["--version"]),
    java: runtimes.java && say("java", ["--version"]).split("\n")[0],
    versions: versions(),
  };
}

function commit() {
  const hash = say("git", ["rev-parse", "--short", "HEAD"]);
  const isChanged = say("git", ["status", "--porcelain", "--", "src", "bench"]) !== "";
  return isChanged ? `${hash} with changes` : hash;
}

/** Of each peer's package, as it is installed. */
function versions() {
  const require = createRequire(join(here, "package.json"));
  const found = { "typed-kafka": readVersion(join(here, "..", "package.json")) };
  for (const { package: name } of Object.values(peers)) {
    if (name === undefined) continue;
    const paths = require.resolve.paths(name).map((folder) => join(folder, name, "package.json"));
    for (const path of paths) {
      const version = readVersion(path);
      if (version === undefined) continue;
      found[name] = version;
      break;
    }
  }
  for (const line of readFileSync(join(here, "requirements.txt"), "utf8").trim().split("\n")) {
    const [name, version] = line.split("==");
    found[`${name} (Python)`] = version;
  }
  found["Kafka Streams (Java)"] = kafkaVersion;
  return found;
}

function readVersion(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).version;
  } catch {
    return undefined;
  }
}

function say(command, args) {
  const { stdout } = spawnSync(command, args, { cwd: here, encoding: "utf8" });
  return stdout?.trim() ?? "";
}
