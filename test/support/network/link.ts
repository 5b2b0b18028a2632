import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { requireOwnNetwork } from "./own-network.js";

export interface LinkSettings {
  /** What a packet takes in one direction. Default 0. */
  readonly delayMs?: number;
  /** A packet's chance to be lost, from 0 to 1. Default 0. */
  readonly loss?: number;
  /** Addresses from and to which every packet is lost. */
  readonly deadHosts?: readonly string[];
  /** The connections that are open by now are forgotten: what comes on them is lost. New ones work. */
  readonly forget?: boolean;
}

/** A link between clients and servers with latency and loss: `link.py` says how it works. */
export class Link {
  /** The address behind the link. It leads to every server of this machine that listens on all addresses. */
  static readonly host = "10.77.0.2";

  static async start(): Promise<Link> {
    requireOwnNetwork();
    const program = fileURLToPath(new URL("link.py", import.meta.url));
    const child = spawn("python3", [program, "10.77.0.1/24"], { stdio: ["pipe", "pipe", "inherit"] });
    const link = new Link(child);
    await link.#done();
    return link;
  }

  readonly #process: ChildProcess;
  readonly #answers: Interface;

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.#answers = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  }

  /** From now on the link has these settings, in place of all it had. */
  async set(settings: LinkSettings): Promise<void> {
    this.#process.stdin?.write(`${JSON.stringify(settings)}\n`);
    await this.#done();
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.stdin?.end();
    await ended;
  }

  async #done(): Promise<void> {
    const failed = once(this.#process, "exit").then(([code]) => {
      throw new Error(`the link ended with status ${String(code)}`);
    });
    failed.catch(() => undefined);
    await Promise.race([once(this.#answers, "line"), failed]);
  }
}
