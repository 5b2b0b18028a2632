/** Where a command writes: the terminal, or what a test gives it. */
export interface Terminal {
  readonly out: (line: string) => void;
  readonly error: (line: string) => void;
  /** Environment variables: passwords come from there, not from the command line. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One word after `typed-kafka`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** How it is called, with every option. */
  readonly usage: string;
  /** Resolves with the exit code. */
  readonly run: (args: readonly string[], terminal: Terminal) => Promise<number>;
}

/** Everything was as it should be; something was not; the command was not called rightly. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** The command was not called rightly; the message says how. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
