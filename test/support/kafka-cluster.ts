/**
 * A real Kafka cluster (KRaft) of this process's own, on Java, for tests that break it and for
 * `npm run kafka`. Tests that only need a broker take the shared one of test/integration instead:
 * `inject("brokers")` from vitest, and `createTopic` from topics.ts.
 *
 *     const kafka = await startKafka();                          // one node, about 3 s
 *     const kafka = await startKafka({ nodes: 3 });              // replicated, about 8 s
 *     const kafka = await startKafka({ properties: { "message.max.bytes": 2000 } });
 *     kafka.brokers                                              // "127.0.0.1:21001,127.0.0.1:21002,…"
 *
 *     await kafka.nodes[0].kill();                               // SIGKILL; kill("SIGTERM") is orderly
 *     await kafka.nodes[0].start();                              // with its data, on its port
 *     const fourth = await kafka.addNode();                      // a broker that is no controller
 *     await kafka.tool("org.apache.kafka.tools.TopicCommand", ["--describe"]);   // its output
 *
 *     const kafka = await startKafka({ nodes: 3, proxied: true });   // clients pass through TcpProxy
 *     kafka.nodes[0].proxy?.blackhole();                         // see tcp-proxy.ts
 *
 *     await kafka.close();                                       // ends the processes, removes the data
 *
 * The processes end with this process, even if it is killed.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterThisProcess } from "./guard.js";
import { classArchive, isOtherVersion, kafkaJars, requireJava } from "./kafka/jars.js";
import { KafkaNode, type Properties } from "./kafka/node.js";
import { forTests, javaOptions, single } from "./kafka/settings.js";
import { freePort } from "./ports.js";
import { TcpProxy } from "./tcp-proxy.js";

export type { KafkaNode } from "./kafka/node.js";

export interface KafkaClusterOptions {
  /** 1 (the default) or 3 nodes, each a broker and a controller. */
  readonly nodes?: 1 | 3;
  /** More server properties, which win over the ones chosen here. */
  readonly properties?: Properties;
  /** Puts a {@link TcpProxy} between the clients and each node. Default `false`. */
  readonly proxied?: boolean;
  /** Where the node of an id is. Default: on loopback. */
  readonly place?: (id: number) => NodePlace;
  /** The port of the first node. A free one unless given. */
  readonly port?: number;
  /** The security protocol for clients. Default `PLAINTEXT`. */
  readonly clientProtocol?: "PLAINTEXT" | "SASL_SSL";
  /** Users made with the cluster, name to password, for SCRAM-SHA-512. */
  readonly scramUsers?: Readonly<Record<string, string>>;
}

/** A node that is not on loopback listens for clients on all addresses of where it is. */
export interface NodePlace {
  /** The name or address by which clients find it. */
  readonly clientHost: string;
  /** The address by which the other nodes find it. Default `127.0.0.1`. */
  readonly brokerHost?: string;
  /** What its command begins with, as {@link Machine.command}. */
  readonly command?: readonly string[];
}

/** Starts a cluster; resolves when all its nodes serve clients. */
export async function startKafka(options: KafkaClusterOptions = {}): Promise<KafkaCluster> {
  await requireJava();
  const jars = kafkaJars();
  const java = javaOptions(jars, options.nodes === 3 ? 384 : 512);
  // Other versions are started once, for which an archive does not pay.
  if (isOtherVersion) return KafkaCluster.start(options, java);
  const archive = classArchive();
  if (!existsSync(archive)) await archiveClasses(jars, archive);
  return KafkaCluster.start(options, [...java, `-XX:SharedArchiveFile=${archive}`]);
}

export class KafkaCluster {
  /** @internal Use {@link startKafka}. */
  static async start(options: KafkaClusterOptions, java: readonly string[]): Promise<KafkaCluster> {
    const cluster = new KafkaCluster(options, java);
    try {
      const ids = options.nodes === 3 ? [1, 2, 3] : [1];
      for (const id of ids) cluster.#controllers.set(id, await freePort());
      await Promise.all(ids.map((id) => cluster.#format(id)));
      cluster.#nodes.sort((a, b) => a.id - b.id);
      await Promise.all(cluster.#nodes.map((node) => node.start()));
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  readonly #options: KafkaClusterOptions;
  readonly #java: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), "typed-kafka-"));
  // The wait lets the servers end first, or they would write into what is being removed.
  readonly #keepFolder = afterThisProcess("sh", "-c", 'sleep 1; rm -rf "$0"', this.#folder);
  // Kafka's own form of a UUID; its tools take a leading dash for an option.
  readonly #clusterId = randomBytes(16).toString("base64url").replace(/^-/, "_");
  /** The controllers' ports by node id. */
  readonly #controllers = new Map<number, number>();
  /** The ports on which brokers and tools talk, past any proxy and without credentials, by node id. */
  readonly #internalPorts = new Map<number, number>();
  readonly #nodes: KafkaNode[] = [];

  private constructor(options: KafkaClusterOptions, java: readonly string[]) {
    this.#options = options;
    this.#java = java;
  }

  /** Every node, in the order of their ids, which begin at 1. */
  get nodes(): readonly [KafkaNode, ...KafkaNode[]] {
    return this.#nodes as [KafkaNode, ...KafkaNode[]];
  }

  /** Where clients connect: `host:port,host:port`. */
  get brokers(): string {
    return this.#nodes.map(({ id, port }) => `${this.#place(id).clientHost}:${port}`).join(",");
  }

  /** Starts one more broker; partitions move onto it only when told (`ReassignPartitionsCommand`). */
  async addNode(): Promise<KafkaNode> {
    const node = await this.#format(this.#nodes.length + 1);
    await node.start();
    return node;
  }

  /**
   * Runs one of Kafka's own tools against the cluster, with all rights, and returns what it prints.
   * `--bootstrap-server` is added.
   */
  async tool(className: string, args: readonly string[], input = ""): Promise<string> {
    const internal = [...this.#internalPorts]
      .map(([id, port]) => `${this.#brokerHost(id)}:${port}`)
      .join(",");
    return new Promise((resolve, reject) => {
      const command = [...this.#java, className, ...args, "--bootstrap-server", internal];
      const tool = execFile("java", command, { timeout: 120_000 }, (error, stdout, stderr) => {
        if (error) reject(new Error(`${className} failed:\n${stdout}${stderr}`, { cause: error }));
        else resolve(stdout);
      });
      tool.stdin?.end(input);
    });
  }

  /** Ends all nodes and removes their data. */
  async close(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill(signal)));
    for (const node of this.#nodes) node.proxy?.close();
    rmSync(this.#folder, { recursive: true, force: true });
    this.#keepFolder();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #format(id: number): Promise<KafkaNode> {
    const listenPort = this.#options.port !== undefined && id === 1 ? this.#options.port : await freePort();
    const internalPort = await freePort();
    const proxy = this.#options.proxied === true ? await TcpProxy.start(listenPort) : undefined;
    this.#internalPorts.set(id, internalPort);
    const node = await KafkaNode.format({
      id,
      listenPort,
      proxy,
      clusterId: this.#clusterId,
      folder: join(this.#folder, `node-${id}`),
      properties: {
        ...this.#addresses(id, listenPort, internalPort, proxy?.port ?? listenPort),
        ...(this.#controllers.size === 3 ? replicated : single),
        ...forTests,
        ...this.#options.properties,
      },
      java: this.#java,
      command: this.#place(id).command ?? [],
      scramUsers: this.#options.scramUsers ?? {},
    });
    this.#nodes.push(node);
    return node;
  }

  #place(id: number): NodePlace {
    return this.#options.place?.(id) ?? { clientHost: "127.0.0.1" };
  }

  #brokerHost(id: number): string {
    return this.#place(id).brokerHost ?? "127.0.0.1";
  }

  #addresses(id: number, listenPort: number, internalPort: number, advertisedPort: number): Properties {
    const controller = this.#controllers.get(id);
    const voters = [...this.#controllers].map(
      ([voter, port]) => `${voter}@${this.#brokerHost(voter)}:${port}`,
    );
    const { clientHost } = this.#place(id);
    const listenHost = this.#options.place === undefined ? clientHost : "0.0.0.0";
    const brokerHost = this.#brokerHost(id);
    const listeners = [`CLIENT://${listenHost}:${listenPort}`, `INTERNAL://${brokerHost}:${internalPort}`];
    if (controller !== undefined) listeners.push(`CONTROLLER://${brokerHost}:${controller}`);
    const clientProtocol = this.#options.clientProtocol ?? "PLAINTEXT";
    return {
      "node.id": id,
      "process.roles": controller === undefined ? "broker" : "broker,controller",
      "controller.quorum.voters": voters.join(","),
      "controller.listener.names": "CONTROLLER",
      listeners: listeners.join(","),
      "advertised.listeners": `CLIENT://${clientHost}:${advertisedPort},INTERNAL://${brokerHost}:${internalPort}`,
      "inter.broker.listener.name": "INTERNAL",
      "listener.security.protocol.map": `CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENT:${clientProtocol}`,
    };
  }
}

const replicated: Properties = {
  "default.replication.factor": 3,
  "min.insync.replicas": 2,
  "offsets.topic.replication.factor": 3,
  "transaction.state.log.replication.factor": 3,
  "transaction.state.log.min.isr": 2,
  "broker.heartbeat.interval.ms": 500,
  "broker.session.timeout.ms": 3000,
};

/** Java writes the archive when a server that was told to ends in order. Once for each machine, about 10 s. */
async function archiveClasses(jars: string, archive: string): Promise<void> {
  const unfinished = `${archive}.${process.pid}`;
  const cluster = await KafkaCluster.start({}, [
    ...javaOptions(jars, 512),
    `-XX:ArchiveClassesAtExit=${unfinished}`,
  ]);
  await cluster.close("SIGTERM");
  if (existsSync(unfinished)) renameSync(unfinished, archive);
}
