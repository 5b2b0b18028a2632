import { spawn, execFileSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { until } from "./consuming.js";
import { freePort } from "./ports.js";
import { requireCommands } from "./system-packages.js";

/** A PostgreSQL server of this test alone, on a loopback port. */
export interface Postgres {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** Starts a server in a folder of its own; installs PostgreSQL where it is missing and that needs no password. */
export async function startPostgres(): Promise<Postgres> {
  await requireCommands("postgres");
  const folder = mkdtempSync(join(tmpdir(), "typed-kafka-postgres-"));
  const user = userOfServer();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const options = { ...user, cwd: folder, stdio: "ignore" } as const;
  const port = await freePort();
  execFileSync(programOf("initdb"), ["-D", data, "-U", "test", "-A", "trust", "--no-sync"], options);
  const server = spawn(
    programOf("postgres"),
    ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", folder, "-F"],
    options,
  );
  const url = `postgres://test@127.0.0.1:${port}/postgres`;
  const close = async (): Promise<void> => {
    if (server.exitCode === null) {
      const ended = once(server, "exit");
      // Its smart shutdown waits for connections that are on their way out, its fast one ends what is left.
      server.kill("SIGTERM");
      const impatient = setTimeout(() => server.kill("SIGINT"), 3_000);
      await ended;
      clearTimeout(impatient);
    }
    rmSync(folder, { recursive: true });
  };
  try {
    await until("PostgreSQL answers", () => answers(url));
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

/** The server refuses to run as root: then it is whom Debian's package has made for it. */
function userOfServer(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string): number =>
    Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }).trim());
  return { uid: idOf("-u"), gid: idOf("-g") };
}

/** Debian keeps the programs of each version in a folder that is not in the PATH. */
function programOf(name: string): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root) : [];
  const found = versions.map((version) => join(root, version, "bin", name)).find((path) => existsSync(path));
  return found ?? name;
}
