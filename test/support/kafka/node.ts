import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterThisProcess } from "../guard.js";
import type { TcpProxy } from "../tcp-proxy.js";

/** Server properties, by Kafka's names. */
export type Properties = Readonly<Record<string, string | number | boolean>>;

export interface NodeOptions {
  readonly id: number;
  /** The port on which the node listens for clients. */
  readonly listenPort: number;
  readonly proxy?: TcpProxy | undefined;
  readonly clusterId: string;
  /** The node's own folder, made here, removed by whoever gave it. */
  readonly folder: string;
  readonly properties: Properties;
  /** The options of `java`, class path included. */
  readonly java: readonly string[];
  /** What the server's command begins with, before `java`. */
  readonly command: readonly string[];
  readonly scramUsers: Readonly<Record<string, string>>;
}

const startsWithinMs = 90_000;

/** One Kafka server process, which can be stopped, killed and started again with what it has on disk. */
export class KafkaNode {
  readonly id: number;
  /** The port to which clients connect: the proxy's where there is one. */
  readonly port: number;
  /** The proxy in front of the node, with `startKafka({ proxied: true })`. */
  readonly proxy: TcpProxy | undefined;

  readonly #options: NodeOptions;
  #process: ChildProcess | undefined;
  #logFile = "";
  #starts = 0;

  /** Use {@link KafkaNode.format}. */
  private constructor(options: NodeOptions) {
    this.#options = options;
    this.id = options.id;
    this.port = options.proxy?.port ?? options.listenPort;
    this.proxy = options.proxy;
  }

  /** A node with an empty log on disk, not started. */
  static async format(options: NodeOptions): Promise<KafkaNode> {
    const node = new KafkaNode(options);
    mkdirSync(options.folder, { recursive: true });
    const properties = { ...options.properties, "log.dirs": join(options.folder, "data") };
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
    writeFileSync(node.#propertiesFile, lines.join("\n"));
    const users = Object.entries(options.scramUsers).flatMap(([name, password]) => [
      "--add-scram",
      `SCRAM-SHA-512=[name=${name},password=${password}]`,
    ]);
    const format = ["kafka.tools.StorageTool", "format", "-t", options.clusterId, "-c", node.#propertiesFile];
    await promisify(execFile)("java", [...options.java, ...format, ...users]);
    return node;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** The server's process id. */
  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error(`Kafka node ${this.id} is not running`);
    return this.#process.pid;
  }

  /** What the server logged (warnings and worse) since its last start. */
  get log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** Starts the server; resolves when it serves clients. */
  async start(): Promise<void> {
    if (this.running) return;
    this.#starts += 1;
    this.#logFile = join(this.#options.folder, `server-${this.#starts}.log`);
    const output = openSync(this.#logFile, "a");
    // To a file, not a pipe: a test that keeps this process busy must not hold up the server's log.
    const [program = "java", ...args] = [
      ...[...this.#options.command, "java", ...this.#options.java],
      ...["kafka.Kafka", this.#propertiesFile],
    ];
    const server = spawn(program, args, { stdio: ["ignore", output, output] });
    closeSync(output);
    await once(server, "spawn");
    const callOff = afterThisProcess("kill", "-9", String(server.pid));
    this.#process = server;
    server.once("exit", () => {
      callOff();
      this.#process = undefined;
    });
    await this.#started(server);
  }

  /** Ends the server with a signal; resolves when it has ended. `SIGTERM` is an orderly shutdown. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const server = this.#process;
    if (server === undefined) return;
    const exit = once(server, "exit");
    server.kill(signal);
    await exit;
  }

  get #propertiesFile(): string {
    return join(this.#options.folder, "server.properties");
  }

  async #started(server: ChildProcess): Promise<void> {
    const deadline = Date.now() + startsWithinMs;
    while (!this.log.includes("Kafka Server started")) {
      const ended = server.exitCode !== null || server.signalCode !== null;
      if (ended || Date.now() > deadline) {
        const tail = this.log.trimEnd().split("\n").slice(-30).join("\n");
        await this.kill();
        throw new Error(
          `Kafka node ${this.id} ${ended ? "ended while starting" : "did not start in time"}:\n${tail}`,
        );
      }
      await sleep(50);
    }
  }
}
