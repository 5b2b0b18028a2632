import { Writable } from "node:stream";
import { run } from "../../src/cli/run.js";

/** Calls `typed-kafka` in this process, and gives what it printed. */
export async function callCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  more: {
    readonly signal?: AbortSignal;
    readonly onOut?: (line: string) => void;
    readonly isColoured?: boolean;
  } = {},
) {
  const [out, error]: [string[], string[]] = [[], []];
  const code = await run(args, {
    out: (line) => {
      out.push(line);
      more.onOut?.(line);
    },
    error: (line) => error.push(line),
    progress: new Writable({
      write: (text: Buffer, _, done) => {
        error.push(text.toString().trimEnd());
        done();
      },
    }),
    drained: () => Promise.resolve(),
    environment,
    isColoured: more.isColoured ?? false,
    signal: more.signal ?? new AbortController().signal,
    unread: new AbortController().signal,
  });
  return { code, out: out.join("\n"), error: error.join("\n") };
}
