import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterThisProcess } from "../guard.js";
import { freePort } from "../ports.js";
import { forTests, javaOptions, single } from "./settings.js";
import { kafkaJars } from "./jars.js";
import type { Properties } from "./node.js";

/** A Kafka from before KRaft: one broker on a ZooKeeper of its own, for the tests of versions. */
export async function startWithZooKeeper(
  port: number,
): Promise<{ brokers: string; close: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "typed-kafka-"));
  const removeFolder = afterThisProcess("sh", "-c", 'sleep 1; rm -rf "$0"', folder);
  const zooKeeperPort = await freePort();
  const running: Server[] = [];
  const start = async (mainClass: string, started: string, properties: Properties) => {
    running.unshift(await startServer(folder, mainClass, started, properties));
  };
  const close = async () => {
    for (const server of running) await server.kill();
    rmSync(folder, { recursive: true, force: true });
    removeFolder();
  };
  try {
    await start("org.apache.zookeeper.server.quorum.QuorumPeerMain", "binding to port", {
      dataDir: join(folder, "zookeeper"),
      clientPort: zooKeeperPort,
      clientPortAddress: "127.0.0.1",
      "admin.enableServer": false,
    });
    await start("kafka.Kafka", "[KafkaServer id=1] started", {
      "broker.id": 1,
      "zookeeper.connect": `127.0.0.1:${zooKeeperPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port}`,
      "log.dirs": join(folder, "data"),
      ...single,
      ...forTests,
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { brokers: `127.0.0.1:${port}`, close };
}

interface Server {
  readonly kill: () => Promise<void>;
}

/** Starts a server; resolves when its log says `started`. */
async function startServer(
  folder: string,
  mainClass: string,
  started: string,
  properties: Properties,
): Promise<Server> {
  const file = join(folder, `${mainClass}.properties`);
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
  writeFileSync(file, lines.join("\n"));
  const logFile = join(folder, `${mainClass}.log`);
  const output = openSync(logFile, "a");
  const java = [...javaOptions(kafkaJars(), 512), "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", mainClass];
  const server = spawn("java", [...java, file], { stdio: ["ignore", output, output] });
  closeSync(output);
  await once(server, "spawn");
  const callOff = afterThisProcess("kill", "-9", String(server.pid));
  const ended = once(server, "exit").then(callOff);
  const kill = async () => {
    server.kill("SIGKILL");
    await ended;
  };
  const deadline = Date.now() + 90_000;
  while (!readFileSync(logFile, "utf8").includes(started)) {
    if (server.exitCode !== null || Date.now() > deadline) {
      const tail = readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-30).join("\n");
      await kill();
      throw new Error(`${mainClass} did not start:\n${tail}`);
    }
    await sleep(50);
  }
  return { kill };
}
