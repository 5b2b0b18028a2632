import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { missingCommands, requireCommands } from "../system-packages.js";

const pom = fileURLToPath(new URL("./pom.xml", import.meta.url));

/**
 * The version of the servers: the one in `KAFKA_VERSION`, else the one of pom.xml, which alone has Kafka's command line
 * tools. The Docker image takes the same.
 */
const pomVersion = /<kafka\.version>(.*)<\/kafka\.version>/.exec(readFileSync(pom, "utf8"))?.[1] ?? "";
export const kafkaVersion = process.env["KAFKA_VERSION"] ?? pomVersion;
/** Where it is another version, Docker is not asked: its images begin with 3.7. */
export const isOtherVersion = kafkaVersion !== pomVersion;

/**
 * What has to be installed before {@link kafkaJars} can work, after the system's packages were installed where that
 * needs no password; nothing when it can.
 */
export function missingForJava(): Promise<string[]> {
  return missingCommands(...neededCommands());
}

/** @throws Error that says what to install, where {@link missingForJava} finds something. */
export function requireJava(): Promise<void> {
  return requireCommands(...neededCommands());
}

/** The folder with the jars of the server and its tools, fetched by Maven the first time (about 10 s, 54 MB). */
export function kafkaJars(): string {
  const folder = installed();
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  const version = [`-Dkafka.version=${kafkaVersion}`, ...(isOtherVersion ? ["-P", "!tools"] : [])];
  const into = ["dependency:copy-dependencies", `-DoutputDirectory=${unfinished}`];
  const copy = ["-q", "-B", "-f", pom, ...version, ...into];
  const maven = spawnSync("mvn", copy, { encoding: "utf8", timeout: 300_000 });
  if (maven.status !== 0) {
    rmSync(unfinished, { recursive: true, force: true });
    throw new Error(`Maven could not fetch Kafka ${kafkaVersion}:\n${maven.stdout}${maven.stderr}`);
  }
  // Somebody else may have been faster; their folder is as good.
  try {
    renameSync(unfinished, folder);
  } catch {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** Where an archive of the server's loaded classes goes: it halves the start, and fits one build of Java only. */
export function classArchive(): string {
  const java = spawnSync("java", ["-version"], { encoding: "utf8" }).stderr;
  return `${installed()}-classes-${shortHash(java)}.jsa`;
}

/** Where what was fetched once is kept. */
export function cacheFolder(): string {
  const caches = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return process.env["TYPED_KAFKA_CACHE"] ?? join(caches, "typed-kafka");
}

/** Maven has nothing to do where the jars are there. */
const neededCommands = () => ["java", ...(existsSync(installed()) ? [] : ["mvn"])];

function installed(): string {
  return join(cacheFolder(), `kafka-${kafkaVersion}-${shortHash(readFileSync(pom, "utf8"))}`);
}

const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);
