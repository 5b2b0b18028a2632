import { deadLetterTopicOf } from "../failure/topic-names.js";
import type { Kafka } from "../kafka.js";
import { argumentsOf, numberOf } from "./arguments.js";
import { type Command, exitCodes, exitCodesUsage, type Terminal, UsageError } from "./command.js";
import { connectionArgs, connectionUsage, topicNamed, withKafka } from "./connection.js";
import { deleteLetters } from "./dead-letters-delete.js";
import { Progress } from "./progress.js";
import { clean, jsonText, plainBytes, printTable, short, textOf, timeOf } from "./text.js";

type RedriveOptions = Parameters<Kafka["redrive"]>[1];
type DeadLetter = Parameters<NonNullable<RedriveOptions["filter"]>>[0];

const defaultListed = 100;
const words = ["list", "show", "redrive", "delete"] as const;

const args = {
  ...connectionArgs,
  topic: { type: "string", short: "t" },
  group: { type: "string", short: "G" },
  "dead-letter-topic": { type: "string" },
  to: { type: "string" },
  limit: { type: "string", short: "c" },
  rate: { type: "string" },
  partition: { type: "string", short: "p" },
  offset: { type: "string", short: "o" },
  "came-from": { type: "string" },
  error: { type: "string" },
  "dry-run": { type: "boolean" },
  yes: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** `typed-kafka dead-letters`: what failed, why, sending it back, and deleting it. */
export const deadLettersCommand: Command = {
  summary: "lists dead letters, shows one, sends them back, or deletes them",
  words,
  synopsis: "typed-kafka dead-letters list|show|redrive|delete -b host:port -t topic -G group [options]",
  flags: {
    groupId: "--group",
    limit: "--limit",
    maxRecordsPerSecond: "--rate",
    toTopic: "--to",
    deadLetter: "--dead-letter-topic",
  },
  usage: `typed-kafka dead-letters list    -b host:port -t topic -G group [--limit n]
typed-kafka dead-letters show    -b host:port -t topic -G group --partition n --offset n
typed-kafka dead-letters redrive -b host:port -t topic -G group [--limit n] [--dry-run]
typed-kafka dead-letters delete  -b host:port -t topic -G group [--partition n --offset n] [--yes]

${connectionUsage}
  -t, --topic name           the topic in which the records failed
  -G, --group id             the group in which they failed
  --dead-letter-topic name   where they are, if not in <topic>.<group>.dead-letter
  --error name               only those that failed with an error of this name
  -p, --partition n, -o, --offset n
                             only the one at this offset of the dead-letter topic;
                             delete: this one, and those before it in its partition
  --came-from part/offset    only the one that was at this offset of the topic, as CAME FROM shows
  -c, --limit n              at most so many (list: ${defaultListed})
  --to name                  redrive: send them to this topic instead of the one they came from
  --rate n                   redrive: so many in a second at most
  --dry-run                  redrive: count what would be done, and do nothing
  --yes                      delete: do it; without it is counted what would be done
  --json                     print JSON

Redriven records come to every group that reads the topic. A redrive that was ended goes on where it
stopped when it is run again. Those that stay, in front of one that is sent back, are written to the end of
the dead-letter topic: their offset there changes, and where they came from does not.

${exitCodesUsage}`,

  run: async (given, terminal) => {
    const { values, positionals } = argumentsOf(given, args);
    const [first, ...more] = positionals;
    const word = words.find((each) => each === first);
    if (word === undefined || more.length > 0) throw new UsageError(`expected ${words.join(", ")}`);
    const { topic, group } = values;
    if (topic === undefined || group === undefined)
      throw new UsageError(`${topic === undefined ? "--topic" : "--group"} is missing`);
    if ((values.partition === undefined) !== (values.offset === undefined))
      throw new UsageError("--partition and --offset go together: an offset is of one partition");
    const cameFrom = values["came-from"];
    if (word === "show" && values.offset === undefined && cameFrom === undefined)
      throw new UsageError("show needs --partition and --offset, or --came-from");
    if (word === "delete" && (values.error ?? cameFrom ?? values.limit) !== undefined)
      throw new UsageError(
        "delete takes all, or those up to --partition and --offset: Kafka deletes no others",
      );
    const options = optionsOf(values, group);
    return withKafka(values, terminal, async (kafka) => {
      if (word === "redrive") return redrive(kafka, topic, options, values, terminal);
      if (word === "delete") {
        const letters = values["dead-letter-topic"] ?? deadLetterTopicOf(topic, group);
        return deleteLetters(kafka, { topic, group, letters }, values, terminal);
      }
      const limit = word === "show" ? 1 : (options.limit ?? defaultListed);
      const letters = await collect(kafka, topic, { ...options, limit });
      const json = values.json ?? false;
      return word === "list" ? list(letters, limit, json, terminal) : show(letters, json, terminal);
    });
  },
};

type Values = ReturnType<typeof argumentsOf<typeof args>>["values"];

function optionsOf(values: Values, groupId: string): RedriveOptions {
  const own = values["dead-letter-topic"];
  const partition = numberOf("partition", values.partition);
  const offset = numberOf("offset", values.offset);
  const source = values["came-from"];
  if (source !== undefined && !/^\d+\/\d+$/.test(source))
    throw new UsageError(`--came-from ${source}: expected partition/offset, such as 0/17`);
  return {
    groupId,
    deadLetter: own === undefined ? undefined : topicNamed(own),
    limit: numberOf("limit", values.limit),
    filter: (letter) =>
      (values.error === undefined || letter.errorName === values.error) &&
      (partition === undefined || letter.partition === partition) &&
      (offset === undefined || letter.offset === offset) &&
      (source === undefined || `${letter.sourcePartition}/${letter.sourceOffset}` === source),
  };
}

async function redrive(
  kafka: Kafka,
  topic: string,
  options: RedriveOptions,
  values: Values,
  terminal: Terminal,
): Promise<number> {
  const { json = false, "dry-run": dryRun = false } = values;
  const all = { ...options, maxRecordsPerSecond: numberOf("rate", values.rate) };
  const to = values.to === undefined ? undefined : topicNamed(values.to);
  const isWatched = !json && !dryRun;
  // How many there are is known by reading them, which is quick beside sending them.
  const total = isWatched
    ? (await kafka.redrive(topicNamed(topic), { ...options, dryRun: true })).redriven
    : 0;
  const progress = total > 0 ? new Progress(terminal.progress, total, "sent back") : undefined;
  const result = await kafka
    .redrive(topicNamed(topic), {
      ...all,
      dryRun,
      toTopic: to,
      signal: terminal.signal,
      onProgress: ({ redriven }) => progress?.show(redriven),
    })
    .finally(() => progress?.end());
  const { redriven, kept } = result;
  terminal.out(
    json
      ? jsonText({ ...result, dryRun })
      : `${redriven} ${dryRun ? "would be sent back" : "sent back"}, ${kept} ${dryRun ? "would stay" : "stayed"}`,
  );
  return exitCodes.ok;
}

async function collect(kafka: Kafka, topic: string, options: RedriveOptions): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  await kafka.redrive(topicNamed(topic), {
    ...options,
    dryRun: true,
    filter: async (letter) => {
      const isWanted = (await options.filter?.(letter)) ?? true;
      if (isWanted) letters.push(letter);
      return isWanted;
    },
  });
  return letters;
}

function list(letters: readonly DeadLetter[], limit: number, json: boolean, terminal: Terminal): number {
  if (json) terminal.out(jsonText(letters.map(plain), 2));
  else if (letters.length === 0) terminal.out("no dead letters");
  else {
    printTable(
      terminal,
      ["PARTITION", "OFFSET", "CAME FROM", "FAILED", "CALLS", "ERROR", "KEY", "MESSAGE"],
      letters.map((letter) => [
        letter.partition,
        letter.offset,
        sourceOf(letter),
        timeOf(letter.failedAt),
        letter.attempts,
        letter.errorName,
        short(textOf(letter.key)),
        short(letter.errorMessage),
      ]),
    );
    if (letters.length === limit) terminal.out(`the first ${limit}; there may be more (--limit)`);
  }
  return exitCodes.ok;
}

function show([letter]: readonly DeadLetter[], json: boolean, terminal: Terminal): number {
  if (letter === undefined) {
    terminal.error("there is no dead letter at this offset");
    return exitCodes.failed;
  }
  if (json) {
    terminal.out(jsonText(plain(letter), 2));
    return exitCodes.ok;
  }
  const lines: (readonly [string, string])[] = [
    ["partition", String(letter.partition)],
    ["offset", String(letter.offset)],
    ["came from", sourceOf(letter)],
    ["written", timeOf(letter.sourceTimestamp)],
    ["failed", timeOf(letter.failedAt)],
    ["reason", letter.reason],
    ["attempts", String(letter.attempts)],
    [
      "error",
      letter.errorCode === undefined ? letter.errorName : `${letter.errorName} (${letter.errorCode})`,
    ],
    ["message", letter.errorMessage],
    ["key", textOf(letter.key)],
    ...letter.headers.map(([name, value]) => [`header ${name}`, textOf(value)] as const),
    ["value", textOf(letter.value)],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  for (const [name, text] of lines) terminal.out(`${clean(name).padEnd(width)}  ${clean(text)}`);
  return exitCodes.ok;
}

/** A letter as JSON has it: bytes as text where they are UTF-8, else in base64. */
function plain({ key, value, headers, ...letter }: DeadLetter): object {
  return {
    ...letter,
    key: plainBytes(key),
    value: plainBytes(value),
    headers: headers.map(([name, bytesOf]) => [name, plainBytes(bytesOf)]),
  };
}

function sourceOf({ sourceTopic, sourcePartition, sourceOffset }: DeadLetter): string {
  return `${sourceTopic}/${sourcePartition}/${sourceOffset}`;
}
