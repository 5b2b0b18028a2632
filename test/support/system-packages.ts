import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const script = fileURLToPath(new URL("../../scripts/system-packages.mjs", import.meta.url));

/** Commands of this process that are known to be there. */
const found = new Set<string>();

/**
 * Which of these commands are missing, after the system's packages that provide them were installed where that needs
 * no password. Knows the commands of scripts/system-packages.mjs.
 */
export async function missingCommands(...commands: readonly string[]): Promise<string[]> {
  const wanted = commands.filter((command) => !found.has(command));
  if (wanted.length === 0) return [];
  const install = spawn(process.execPath, [script, ...wanted], { stdio: ["ignore", "inherit", "ignore"] });
  const [status] = (await once(install, "close")) as [number | null];
  const missing =
    status === 0
      ? ""
      : (await promisify(execFile)(process.execPath, [script, "--missing", ...wanted])).stdout;
  const left = wanted.filter((command) => missing.split(/\s/).includes(command));
  for (const command of wanted) if (!left.includes(command)) found.add(command);
  return left;
}

/** @throws Error that says what to install, where one of these commands is missing and cannot be installed here. */
export async function requireCommands(...commands: readonly string[]): Promise<void> {
  const missing = await missingCommands(...commands);
  if (missing.length === 0) return;
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--command", ...missing]);
  throw new Error(`${missing.join(" and ")} not found. Debian and Ubuntu: ${stdout.trim()}`);
}
