/** Where a command writes: the terminal, or what a test gives it. */
export interface Terminal {
  readonly out: (line: string) => void;
  readonly error: (line: string) => void;
  /** Where progress is shown. */
  readonly progress: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Resolves when what was written has been passed on: who writes much waits for it. */
  readonly drained: () => Promise<void>;
  /** Environment variables: passwords come from there, not from the command line. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether what is written with `out` may be coloured. */
  readonly isColoured: boolean;
  /** Aborts on Ctrl-C (SIGINT), or when somebody ends the command otherwise (SIGTERM). */
  readonly signal: AbortSignal;
  /** Aborts when nobody reads the output any more, as after `| head`. */
  readonly unread: AbortSignal;
}

/** One word after `typed-kafka`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** How it is called, in one line. */
  readonly synopsis: string;
  /** How it is called, with every option. */
  readonly usage: string;
  /** What may stand behind the word, as `reset` behind `groups`. */
  readonly words?: readonly string[];
  /** Which flag gives an option of the library, by the name in its errors. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Resolves with the exit code. */
  readonly run: (args: readonly string[], terminal: Terminal) => Promise<number>;
}

/** Done; it failed; the command was not called rightly; it was interrupted. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** How a command's help tells of them. */
export const exitCodesUsage = "Exit code: 0 done, 1 it failed, 2 called wrongly, 130 interrupted.";

/** The command was not called rightly; the message says how. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
