// Does what a guide says, in an empty folder: writes the files that it shows, and runs its commands in their order.
//
// Three things are done in another way than a reader does them, because this machine is no reader's: the package is
// the packed one instead of the registry's, its native client is copied instead of built for minutes, and the
// broker is one that runs already. A program that goes on until Ctrl-C is ended so when it has printed what it has to.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const [major, minor] = process.versions.node.split(".").map(Number);
const stripsTypes = major > 22 || (major === 22 && minor >= 18);

/**
 * @param page - the guide's path
 * @param folder - an empty folder
 * @param prints - what commands have to print: lines that begin with `line`, so many `times`; `goesOn` until Ctrl-C
 */
export async function followGuide(page, folder, { tarball, copyNativeClient, brokers, prints }) {
  const missing = new Set(Object.keys(prints));
  for (const { info, code } of fencesOf(readFileSync(page, "utf8"))) {
    const [language, shown] = info.split(" ");
    if (shown !== undefined) writeFileSync(join(folder, basename(shown)), `${code}\n`);
    for (const command of language === "sh" ? code.split("\n") : []) {
      missing.delete(command);
      if (/^docker run /.test(command)) continue;
      if (/^npm (install-scripts|rebuild) /.test(command)) copyNativeClient(folder);
      else if (/^node /.test(command) && !stripsTypes)
        console.log(`  ${command}: not on Node.js ${process.versions.node}, which does not strip types`);
      else await run(ofThisMachine(command, tarball), folder, brokers, prints[command]);
    }
  }
  if (missing.size > 0) throw new Error(`${page} does not have: ${[...missing].join(", ")}`);
}

function ofThisMachine(command, tarball) {
  if (!command.startsWith("npm install ")) return command;
  const local = command.replace(/^npm install typed-kafka /, `npm install ${tarball} `);
  return `${local} --no-audit --no-fund --prefer-offline --ignore-scripts`;
}

/** The fenced blocks of a page, in order. */
function fencesOf(text) {
  return [...text.matchAll(/^```(\S.*)\n([\s\S]*?)\n```$/gm)].map(([, info, code]) => ({ info, code }));
}

/** Runs a command as a shell does, in a process group of its own, which Ctrl-C reaches as a whole. */
function run(command, cwd, brokers, expected) {
  const child = spawn("sh", ["-c", command], {
    cwd,
    detached: true,
    env: { ...process.env, KAFKA_BROKERS: brokers },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It has ended.
    }
  };
  const deadline = setTimeout(() => signal("SIGKILL"), 300_000);
  let output = "";
  let isInterrupted = false;
  const hasPrinted = () => {
    const lines = output.split("\n").filter((line) => line.startsWith(expected?.line ?? ""));
    return lines.length >= (expected?.times ?? 0);
  };
  const onOutput = (chunk) => {
    output += chunk;
    if (expected?.goesOn !== true || isInterrupted || !hasPrinted()) return;
    isInterrupted = true;
    signal("SIGINT");
  };
  child.stdout.on("data", onOutput);
  child.stderr.on("data", onOutput);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(deadline);
      // A shell that is interrupted says so, whatever its command made of it.
      const isFine = isInterrupted ? [0, 130, null].includes(status) : status === 0;
      if (isFine && hasPrinted()) resolve();
      else reject(new Error(`${command}: ended with ${status}\n${output}`));
    });
  });
}
