import { ConfigError, KafkaError } from "../errors.js";
import { version } from "../version.js";
import { checkCommand } from "./check-command.js";
import { type Command, exitCodes, type Terminal, UsageError } from "./command.js";
import { deadLettersCommand } from "./dead-letters.js";

/** Every command, by the word it is called with. */
const commands: Readonly<Record<string, Command>> = {
  check: checkCommand,
  "dead-letters": deadLettersCommand,
};

/** Runs `typed-kafka` with these arguments; resolves with the exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [word = "help", ...rest] = args;
  if (word === "--version" || word === "-v") {
    terminal.out(version);
    return exitCodes.ok;
  }
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
  if (command === undefined) {
    const asked = ["help", "--help", "-h"].includes(word) && args.length > 0;
    if (asked) terminal.out(help());
    else terminal.error(args.length === 0 ? help() : `${word}: no such command\n\n${help()}`);
    return asked ? exitCodes.ok : exitCodes.usage;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    terminal.out(command.usage);
    return exitCodes.ok;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    if (isUsage(error)) {
      terminal.error(`typed-kafka ${word}: ${error.message}\n\n${command.usage}`);
      return exitCodes.usage;
    }
    if (!(error instanceof KafkaError)) throw error;
    terminal.error(`typed-kafka ${word}: ${error.message}`);
    return exitCodes.failed;
  }
}

function help(): string {
  const width = Math.max(...Object.keys(commands).map((word) => word.length));
  const list = Object.entries(commands).map(([word, { summary }]) => `  ${word.padEnd(width)}  ${summary}`);
  return [
    "usage: typed-kafka <command> [options]",
    "",
    ...list,
    "",
    "typed-kafka <command> --help tells its options, typed-kafka --version the version.",
  ].join("\n");
}

/** `parseArgs` throws type errors with codes of its own. */
function isUsage(error: unknown): error is Error {
  return (
    error instanceof UsageError ||
    error instanceof ConfigError ||
    (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"))
  );
}
