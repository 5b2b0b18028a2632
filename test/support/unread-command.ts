import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { programArguments } from "./program-arguments.js";

const program = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/**
 * Runs `typed-kafka` with nobody reading its output, as after `| head` has ended.
 *
 * @param unread - which of its streams are closed
 */
export async function runUnread(unread: readonly ("stdout" | "stderr")[], args: readonly string[]) {
  const child = spawn(process.execPath, programArguments(program, ...args), {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = once(child, "close");
  for (const name of unread) child[name].destroy();
  const error = unread.includes("stderr") ? "" : await text(child.stderr);
  await end;
  return { code: child.exitCode, error };
}
