// Runs a command that takes minutes and prints too much to read: shows that it lives, and keeps what it prints for
// the case that it fails. On a terminal one line changes; elsewhere, in a log of CI, a plain line comes every few
// seconds.
import { spawn } from "node:child_process";

const everyMs = 5_000;
/** More than a failed build prints at its end. */
const keptCharacters = 200_000;

/**
 * Resolves with the exit status (`null` where it was killed or could not be started) and the end of what was printed.
 *
 * `what` is said while it runs; `nameOf` makes of a line that the command prints what it is at, or `undefined`.
 */
export function runWatched(command, args, { what, nameOf = () => undefined, timeoutMs, ...options }) {
  const begin = Date.now();
  const { isTTY, columns = 80 } = process.stdout;
  let output = "";
  let unfinishedLine = "";
  let steps = 0;
  let present = "";

  const line = () => {
    const seconds = Math.round((Date.now() - begin) / 1_000);
    return `setup: ${what}: ${seconds} s${steps > 0 ? `, step ${steps}, ${present}` : ""}`;
  };
  const show = () => {
    if (isTTY) process.stdout.write(`\r\x1b[2K${line().slice(0, columns - 1)}`);
    else console.log(line());
  };

  const child = spawn(command, args, {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const timer = setInterval(show, isTTY ? 200 : everyMs);
  const take = (text) => {
    output = (output + text).slice(-keptCharacters);
    const lines = (unfinishedLine + text).split("\n");
    unfinishedLine = lines.pop();
    for (const name of lines.map(nameOf).filter((name) => name !== undefined && name !== present)) {
      steps += 1;
      present = name;
    }
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", take);

  return new Promise((resolve) => {
    const end = (status) => {
      clearInterval(timer);
      if (isTTY) process.stdout.write("\r\x1b[2K");
      resolve({ status, output });
    };
    child.once("close", end);
    child.once("error", (error) => {
      output += error.message;
      end(null);
    });
  });
}

/** The end of what a failed command printed, for people. */
export function endOf(output) {
  return output.trimEnd().split("\n").slice(-40).join("\n");
}
