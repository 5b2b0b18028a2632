import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireOwnNetwork } from "./own-network.js";

/** The names of hosts, in a file that takes the place of /etc/hosts for this process and those that it starts. */
export class Names {
  static start(): Names {
    requireOwnNetwork();
    const names = new Names();
    names.set({});
    execFileSync("mount", ["--bind", names.#file, "/etc/hosts"]);
    return names;
  }

  readonly #folder = mkdtempSync(join(tmpdir(), "typed-kafka-names-"));
  readonly #file = join(this.#folder, "hosts");

  /** From now on these names lead to these addresses, and no others but `localhost`. */
  set(addresses: Readonly<Record<string, string>>): void {
    const lines = Object.entries({ localhost: "127.0.0.1", ...addresses });
    writeFileSync(this.#file, lines.map(([name, address]) => `${address} ${name}\n`).join(""));
  }

  close(): void {
    execFileSync("umount", ["/etc/hosts"]);
    rmSync(this.#folder, { recursive: true });
  }
}
