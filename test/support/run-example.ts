import { type ChildProcess, spawn } from "node:child_process";
import { programArguments } from "./program-arguments.js";

/** A program of examples/, or any other, running as people run it. */
export interface RunningProgram {
  readonly process: ChildProcess;
  /** What it has printed so far. */
  readonly output: () => string;
  /** Resolves with the exit code when it has ended by itself. */
  readonly ended: Promise<number | null>;
  /** Resolves when the output matches; rejects after `timeoutMs`, or when the program ends first. */
  readonly printed: (pattern: RegExp, timeoutMs?: number) => Promise<string>;
}

/** Runs a TypeScript file from the repository's root, with `typed-kafka` resolved to src/. */
export function runProgram(file: string, environment: Readonly<Record<string, string>> = {}): RunningProgram {
  const child = spawn(process.execPath, programArguments(file), {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += text;
      for (const listener of listeners) listener();
    });
  }
  let hasEnded = false;
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      hasEnded = true;
      resolve(code);
      for (const listener of listeners) listener();
    });
  });
  const printed = (pattern: RegExp, timeoutMs = 20_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        listeners.delete(look);
        settle();
      };
      const look = (): void => {
        const found = pattern.exec(output);
        if (found !== null) done(() => resolve(found[0]));
        else if (hasEnded)
          done(() => reject(new Error(`${file} ended without printing ${pattern}:\n${output}`)));
      };
      const timer = setTimeout(
        () => done(() => reject(new Error(`${file} did not print ${pattern}:\n${output}`))),
        timeoutMs,
      );
      listeners.add(look);
      look();
    });
  return { process: child, output: () => output, ended, printed };
}
