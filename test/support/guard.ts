import { spawn } from "node:child_process";

/**
 * Runs a shell command when this process ends, however it ends: by itself, by Ctrl-C, by a crash or by
 * SIGKILL. Returns what calls it off.
 *
 * An exit hook misses the last two. A pipe does not: the shell reads from it until the kernel closes it.
 */
export function afterThisProcess(command: string, ...args: string[]): () => void {
  const guard = spawn("sh", ["-c", 'while read -r _; do :; done; "$@"', "guard", command, ...args], {
    detached: true, // else Ctrl-C, which goes to the whole process group, would end the guard first
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Neither the guard nor the pipe to it is a reason for this process to live on.
  guard.unref();
  (guard.stdin as unknown as { unref: () => void }).unref();
  return () => {
    guard.kill("SIGKILL");
  };
}
