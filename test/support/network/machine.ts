import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { requireOwnNetwork } from "./own-network.js";

const run = promisify(execFile);

/**
 * A machine of a test's own, as far as the network goes: a network namespace behind a cable of its own. It has one
 * address for clients, which are in the namespace of the tests, and one for the other machines, which the namespace of
 * the tests routes to. Each of the two ways can be broken alone; what is sent on it is then lost, and nobody is told.
 */
export class Machine {
  static async start(id: number): Promise<Machine> {
    requireOwnNetwork();
    const holder = spawn("unshare", ["--net", "sh", "-c", "echo ready; read -r _"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    const machine = new Machine(id, holder);
    const cable = `cable${id}`;
    await run("ip", ["link", "add", cable, "type", "veth", "peer", "eth0", "netns", String(holder.pid)]);
    await run("ip", ["address", "add", `10.78.${id}.1/24`, "dev", cable]);
    await run("ip", ["address", "add", `10.79.${id}.1/24`, "dev", cable]);
    await run("ip", ["link", "set", cable, "up"]);
    await machine.#inside("ip", "link", "set", "lo", "up");
    await machine.#inside("ip", "address", "add", `${machine.brokerHost}/24`, "dev", "eth0");
    await machine.#inside("ip", "address", "add", `${machine.clientHost}/24`, "dev", "eth0");
    await machine.#inside("ip", "link", "set", "eth0", "up");
    await machine.#inside("ip", "route", "add", "default", "via", `10.78.${id}.1`);
    await run("sh", ["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    return machine;
  }

  readonly #id: number;
  readonly #holder: ChildProcess;

  private constructor(id: number, holder: ChildProcess) {
    this.#id = id;
    this.#holder = holder;
  }

  /** Its address for clients. */
  get clientHost(): string {
    return `10.79.${this.#id}.2`;
  }

  /** Its address for the other machines. */
  get brokerHost(): string {
    return `10.78.${this.#id}.2`;
  }

  /** What to put before a command that is to run on this machine. */
  get command(): readonly string[] {
    return ["nsenter", `--net=/proc/${String(this.#holder.pid)}/ns/net`];
  }

  /** Breaks the way to and from the other machines, or restores it. Clients still reach it. */
  async cutFromBrokers(isCut: boolean): Promise<void> {
    await run("ip", ["route", isCut ? "add" : "del", "blackhole", this.brokerHost]);
  }

  /** Breaks the way to and from clients, or restores it. The other machines still reach it. */
  async cutFromClients(isCut: boolean): Promise<void> {
    await this.#inside("ip", "route", isCut ? "add" : "del", "blackhole", `10.79.${this.#id}.1`);
  }

  async close(): Promise<void> {
    if (this.#holder.exitCode !== null) return;
    const ended = once(this.#holder, "exit");
    this.#holder.stdin?.end();
    await ended;
  }

  async #inside(...command: readonly string[]): Promise<void> {
    const [program = "", ...args] = [...this.command, ...command];
    await run(program, args);
  }
}
