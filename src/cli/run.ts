import { ConfigError, KafkaError } from "../errors.js";
import { version } from "../version.js";
import { checkCommand } from "./check-command.js";
import { type Command, exitCodes, exitCodesUsage, type Terminal, UsageError } from "./command.js";
import { connectionFlags, Interrupted } from "./connection.js";
import { deadLettersCommand } from "./dead-letters.js";
import { groupsCommand } from "./groups.js";
import { lagCommand } from "./lag.js";
import { tailCommand } from "./tail.js";
import { topicsCommand } from "./topics.js";

/** Every command, by the word it is called with. */
const commands: Readonly<Record<string, Command>> = {
  topics: topicsCommand,
  tail: tailCommand,
  lag: lagCommand,
  groups: groupsCommand,
  check: checkCommand,
  "dead-letters": deadLettersCommand,
};

/** What kcat's first option says to do, and where that is here. */
const modesOfKcat: ReadonlyMap<string, string> = new Map([
  ["-L", ". kcat -L is typed-kafka topics"],
  ["-C", ". kcat -C is typed-kafka tail TOPIC"],
  ["-Q", ". kcat -Q is typed-kafka tail TOPIC -o TIME -c 1, or typed-kafka topics --json"],
  ["-G", ". kcat -G has nothing like it here: tail joins no group, groups and lag tell of them"],
  ["-P", ". kcat -P has nothing like it here: records are written by programs"],
]);

/** Runs `typed-kafka` with these arguments; resolves with the exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [word = "help", ...rest] = args;
  if (word === "--version" || word === "-v" || word === "-V") {
    terminal.out(version);
    return exitCodes.ok;
  }
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
  if (command === undefined) {
    const asked = ["help", "--help", "-h"].includes(word) && args.length > 0;
    if (asked) terminal.out(help());
    else if (args.length === 0) terminal.error(help());
    else
      terminal.error(
        `typed-kafka: no such command: ${word}${modesOfKcat.get(word.slice(0, 2)) ?? ""}\nusage: typed-kafka ${Object.keys(commands).join("|")} …\ntyped-kafka --help tells what they do`,
      );
    return asked ? exitCodes.ok : exitCodes.usage;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    terminal.out(command.usage);
    return exitCodes.ok;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    if (error instanceof Interrupted || terminal.signal.aborted) return exitCodes.interrupted;
    const name = `typed-kafka ${[word, ...(rest[0] !== undefined && command.words?.includes(rest[0]) === true ? [rest[0]] : [])].join(" ")}`;
    if (isUsage(error)) {
      terminal.error(`${name}: ${inFlags(error, command)}\nusage: ${command.synopsis}`);
      terminal.error(`typed-kafka ${word} --help tells every option`);
      return exitCodes.usage;
    }
    if (!(error instanceof KafkaError)) throw error;
    terminal.error(`${name}: ${error.message}`);
    return exitCodes.failed;
  }
}

/** A message that names the flag where the library names its option. */
function inFlags(error: Error, command: Command): string {
  if (!(error instanceof ConfigError)) return error.message;
  const { field, message } = error;
  const flags: Readonly<Record<string, string>> = { ...connectionFlags, ...command.flags };
  // `brokers[0]` and `retryTopics.delaysMs[1]` are given with the flag of the whole.
  const names = Object.keys(flags).sort((a, b) => b.length - a.length);
  const name = names.find((each) => field === each || field.startsWith(`${each}[`));
  const flag = name === undefined ? undefined : flags[name];
  return flag === undefined ? message : `${flag}${message.slice(field.length)}`;
}

function help(): string {
  const width = Math.max(...Object.keys(commands).map((word) => word.length));
  const list = Object.entries(commands).map(([word, { summary }]) => `  ${word.padEnd(width)}  ${summary}`);
  return [
    "usage: typed-kafka <command> [options]",
    "",
    ...list,
    "",
    "What kcat's users type, and what it is here:",
    "  kcat -L -b HOST               typed-kafka topics -b HOST",
    "  kcat -C -b HOST -t T -e       typed-kafka tail T -b HOST",
    "  kcat -C -b HOST -t T -o end   typed-kafka tail T -b HOST -o end -f",
    "  kcat … -o -10 -c 10 -K :      typed-kafka tail … -o -10 -c 10 -K :",
    "  kcat … -f '%k %s\\n' -J        typed-kafka tail … --format '%k %s\\n' | --json",
    "  kcat … -s avro -r URL         typed-kafka tail … -r URL",
    "",
    exitCodesUsage,
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
