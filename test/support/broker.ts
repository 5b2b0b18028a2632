import { execFileSync, spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterThisProcess } from "./guard.js";
import { startKafka } from "./kafka-cluster.js";
import { isOtherVersion, kafkaVersion, missingForJava } from "./kafka/jars.js";
import { startWithZooKeeper } from "./kafka/zookeeper.js";
import type { Properties } from "./kafka/node.js";
import { freePort } from "./ports.js";

export interface Broker {
  /** Where clients connect: `host:port`. */
  readonly brokers: string;
  /** What it runs on, for people. */
  readonly runsOn: string;
  /** Of the process that serves, where it is one of this machine. */
  readonly pid?: number;
  readonly close: () => Promise<void>;
}

/** There is nothing to run a broker on; the message says what to install or start. */
export class NoBrokerError extends Error {
  override readonly name = "NoBrokerError";
}

/**
 * The cluster in `KAFKA_BROKERS` where that is set, else a node of our own.
 *
 * @throws NoBrokerError if there is neither.
 */
export async function findOrStartBroker(): Promise<Broker> {
  const given = process.env["KAFKA_BROKERS"];
  if (given === undefined || given === "") return startBroker(await freePort());
  return { brokers: given, runsOn: "the cluster in KAFKA_BROKERS", close: () => Promise.resolve() };
}

/**
 * Starts a node on a loopback port: in Docker, else on Java.
 *
 * @param properties - of the server, which win over those that tests need
 * @throws NoBrokerError if there is neither.
 */
export async function startBroker(port: number, properties: Properties = {}): Promise<Broker> {
  if (!isOtherVersion && dockerAnswers()) return startInDocker(port, properties);
  const missing = await missingForJava();
  if (missing.length === 0) {
    if (kafkaVersion.startsWith("2.")) {
      const { brokers, close } = await startWithZooKeeper(port);
      return { brokers, runsOn: "Java", close };
    }
    const kafka = await startKafka({ port, properties });
    return {
      brokers: kafka.brokers,
      runsOn: "Java",
      pid: kafka.nodes[0].pid,
      close: () => kafka.close(),
    };
  }
  throw new NoBrokerError(
    "There is no Kafka broker, and nothing to run one on. Do one of these:\n" +
      `- start Docker, in which apache/kafka:${kafkaVersion} will be run\n` +
      `- install Java 17 or later with Maven (${missing.join(" and ")} not found);` +
      " Debian and Ubuntu: apt-get install -y openjdk-17-jre-headless maven; macOS: brew install openjdk maven\n" +
      "- for the tests: set KAFKA_BROKERS to the address (host:port) of a broker on which they may make topics",
  );
}

function dockerAnswers(): boolean {
  const info = spawnSync("docker", ["info", "--format", "{{.ServerVersion}}"], {
    encoding: "utf8",
    timeout: 3000,
    killSignal: "SIGKILL",
  });
  return info.status === 0 && info.stdout.trim() !== "";
}

async function startInDocker(port: number, properties: Properties): Promise<Broker> {
  const name = `typed-kafka-test-${port}`;
  // The image drops all its defaults as soon as one KAFKA_ variable is set.
  const settings = {
    KAFKA_NODE_ID: "1",
    KAFKA_PROCESS_ROLES: "broker,controller",
    KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:9093",
    KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
    KAFKA_LISTENERS: "CLIENT://:9092,INTERNAL://localhost:9094,CONTROLLER://:9093",
    // The node calls itself to end transactions, and inside the container the clients' port is closed.
    KAFKA_ADVERTISED_LISTENERS: `CLIENT://127.0.0.1:${port},INTERNAL://localhost:9094`,
    KAFKA_INTER_BROKER_LISTENER_NAME: "INTERNAL",
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENT:PLAINTEXT",
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1",
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: "1000",
    // Tests wait for the broker to end transactions that take too long.
    KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS: "1000",
    ...Object.fromEntries(Object.entries(properties).map(([name, value]) => [variableOf(name), value])),
  };
  const environment = Object.entries(settings).flatMap(([variable, value]) => ["-e", `${variable}=${value}`]);
  const remove = ["docker", "rm", "-f", name] as const;
  const callOff = afterThisProcess(...remove);
  const close = () => {
    execFileSync(remove[0], remove.slice(1), { stdio: "ignore" });
    callOff();
    return Promise.resolve();
  };
  try {
    const image = `apache/kafka:${kafkaVersion}`;
    const publish = ["-p", `127.0.0.1:${port}:9092`];
    execFileSync("docker", ["run", "-d", "--rm", "--name", name, ...publish, ...environment, image], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    await waitForLog(name, "Kafka Server started");
  } catch (error) {
    await close();
    throw error;
  }
  return { brokers: `127.0.0.1:${port}`, runsOn: "Docker", close };
}

function variableOf(property: string): string {
  return `KAFKA_${property.toUpperCase().replaceAll(".", "_")}`;
}

async function waitForLog(container: string, text: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { stdout, stderr } = spawnSync("docker", ["logs", container], { encoding: "utf8" });
    if (stdout.includes(text)) return;
    if (Date.now() > deadline) throw new Error(`Kafka in Docker did not start:\n${stdout}${stderr}`);
    await sleep(250);
  }
}
