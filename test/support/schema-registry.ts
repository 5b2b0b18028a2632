import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterThisProcess } from "./guard.js";
import { cacheFolder } from "./kafka/jars.js";
import { freePort } from "./ports.js";
import { requireCommands } from "./system-packages.js";

const version = "2.6.13.Final";
const name = `apicurio-registry-app-${version}`;
const startsWithinMs = 60_000;

/** A schema registry of our own, which forgets everything when it is closed. */
export interface RegistryServer {
  readonly port: number;
  /** The path of its interface in Confluent's protocol. */
  readonly path: string;
  readonly close: () => Promise<void>;
}

/** Starts Apicurio on a loopback port, on Java. Maven fetches it the first time (140 MB, about 15 s). */
export async function startSchemaRegistry(): Promise<RegistryServer> {
  const jar = join(await installed(), `${name}-runner.jar`);
  const port = await freePort();
  const logFile = join(tmpdir(), `${name}-${port}.log`);
  const output = openSync(logFile, "w");
  const options = ["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
  const address = ["-Dquarkus.http.host=127.0.0.1", `-Dquarkus.http.port=${port}`];
  const server = spawn("java", [...options, ...address, "-jar", jar], {
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  await once(server, "spawn");
  const callOff = afterThisProcess("kill", "-9", String(server.pid));
  const close = async (): Promise<void> => {
    const hasEnded = server.exitCode !== null || server.signalCode !== null;
    if (!hasEnded) {
      const exit = once(server, "exit");
      server.kill("SIGKILL");
      await exit;
    }
    callOff();
    rmSync(logFile, { force: true });
  };
  const path = "/apis/ccompat/v7";
  const deadline = Date.now() + startsWithinMs;
  while (!(await answers(`http://127.0.0.1:${port}${path}/subjects`))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      const log = readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-30).join("\n");
      await close();
      throw new Error(`the schema registry did not start:\n${log}`);
    }
    await sleep(100);
  }
  return { port, path, close };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

/** The folder with the server's jar. */
async function installed(): Promise<string> {
  const folder = join(cacheFolder(), name);
  await requireCommands("java", ...(existsSync(folder) ? [] : ["mvn"]));
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  const run = promisify(execFile);
  try {
    const copy = [
      "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
      `-Dartifact=io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
      `-DoutputDirectory=${unfinished}`,
    ];
    await run("mvn", ["-q", "-B", ...copy], { timeout: 300_000 });
    const archive = join(unfinished, `${name}-all.tar.gz`);
    await run("tar", ["-xzf", archive, "-C", unfinished]);
    rmSync(archive);
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Somebody else may have been faster; their folder is as good.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
