import { isUtf8 } from "node:buffer";
import { parseArgs } from "node:util";
import { Kafka } from "../kafka.js";
import { bytes } from "../serde/bytes.js";
import { defineTopic } from "../topic.js";
import { type Command, exitCodes, type Terminal, UsageError } from "./command.js";
import { connectionArgs, connectionUsage, kafkaOptionsOf } from "./connection.js";

type RedriveOptions = Parameters<Kafka["redrive"]>[1];
type DeadLetter = Parameters<NonNullable<RedriveOptions["filter"]>>[0];

const defaultListed = 100;
const progressEveryMs = 1_000;
const maxCell = 60;

const args = {
  ...connectionArgs,
  topic: { type: "string" },
  group: { type: "string" },
  "dead-letter-topic": { type: "string" },
  to: { type: "string" },
  limit: { type: "string" },
  rate: { type: "string" },
  partition: { type: "string" },
  offset: { type: "string" },
  error: { type: "string" },
  "dry-run": { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** `typed-kafka dead-letters`: what failed, why, and sending it back. */
export const deadLettersCommand: Command = {
  summary: "lists dead letters, shows one, or sends them back",
  usage: `typed-kafka dead-letters list    --brokers host:port --topic name --group id [--limit n]
typed-kafka dead-letters show    --brokers host:port --topic name --group id --partition n --offset n
typed-kafka dead-letters redrive --brokers host:port --topic name --group id [--limit n] [--dry-run]

${connectionUsage}
  --topic name               the topic in which the records failed
  --group id                 the group in which they failed
  --dead-letter-topic name   where they are, if not in <topic>.<group>.dead-letter
  --error name               only those that failed with an error of this name
  --partition n --offset n   only the one at this offset of the dead-letter topic
  --limit n                  at most so many (list: ${defaultListed})
  --to name                  redrive: send them to this topic instead of the one they came from
  --rate n                   redrive: so many in a second at most
  --dry-run                  redrive: count what would be done, and do nothing
  --json                     print JSON

Redriven records come to every group that reads the topic. A redrive that was ended goes on where it
stopped when it is run again.

Exit code: 0 done, 1 it failed or there is no such dead letter, 2 called wrongly.`,

  run: async (words, terminal) => {
    const { values, positionals } = parseArgs({ args: [...words], options: args, allowPositionals: true });
    const [word, ...more] = positionals;
    if ((word !== "list" && word !== "show" && word !== "redrive") || more.length > 0)
      throw new UsageError("expected list, show or redrive");
    const { topic, group, json = false } = values;
    if (topic === undefined || group === undefined) throw new UsageError("--topic and --group are needed");
    if (word === "show" && (values.partition === undefined || values.offset === undefined))
      throw new UsageError("show needs --partition and --offset");
    const own = values["dead-letter-topic"];
    const partition = numberOf("partition", values.partition);
    const offset = numberOf("offset", values.offset);
    const options: RedriveOptions = {
      groupId: group,
      deadLetter: own === undefined ? undefined : topicNamed(own),
      limit: numberOf("limit", values.limit),
      filter: (letter) =>
        (values.error === undefined || letter.errorName === values.error) &&
        (partition === undefined || letter.partition === partition) &&
        (offset === undefined || letter.offset === offset),
    };
    const kafka = new Kafka(kafkaOptionsOf(values, terminal));
    try {
      if (word !== "redrive") {
        const limit = word === "show" ? 1 : (options.limit ?? defaultListed);
        const letters = await collect(kafka, topic, { ...options, limit });
        return word === "list" ? list(letters, limit, json, terminal) : show(letters, json, terminal);
      }
      const dryRun = values["dry-run"] ?? false;
      const result = await kafka.redrive(topicNamed(topic), {
        ...options,
        dryRun,
        toTopic: values.to === undefined ? undefined : topicNamed(values.to),
        maxRecordsPerSecond: numberOf("rate", values.rate),
        onProgress: json || dryRun ? undefined : progressTo(terminal),
      });
      const { redriven, kept } = result;
      terminal.out(
        json
          ? JSON.stringify({ ...result, dryRun })
          : `${redriven} ${dryRun ? "would be sent back" : "sent back"}, ${kept} ${dryRun ? "would stay" : "stayed"}`,
      );
      return exitCodes.ok;
    } finally {
      await kafka.close();
    }
  },
};

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
  if (json) terminal.out(JSON.stringify(letters.map(plain), null, 2));
  else if (letters.length === 0) terminal.out("no dead letters");
  else {
    for (const line of tableOf(letters)) terminal.out(line);
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
    terminal.out(JSON.stringify(plain(letter), null, 2));
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

function tableOf(letters: readonly DeadLetter[]): string[] {
  const rows = [
    ["PARTITION", "OFFSET", "CAME FROM", "FAILED", "CALLS", "ERROR", "KEY", "MESSAGE"],
    ...letters.map((letter) => [
      String(letter.partition),
      String(letter.offset),
      sourceOf(letter),
      timeOf(letter.failedAt),
      String(letter.attempts),
      letter.errorName,
      textOf(letter.key),
      letter.errorMessage,
    ]),
  ].map((row) => row.map((cell) => short(clean(cell))));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function progressTo(terminal: Terminal): NonNullable<RedriveOptions["onProgress"]> {
  let last = performance.now();
  return ({ redriven, kept }) => {
    if (performance.now() - last < progressEveryMs) return;
    last = performance.now();
    terminal.error(`${redriven} sent back, ${kept} stayed …`);
  };
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

function plainBytes(data: Buffer | null): string | { readonly base64: string } | null {
  if (data === null) return null;
  return isUtf8(data) ? data.toString() : { base64: data.toString("base64") };
}

function textOf(data: Buffer | null): string {
  if (data === null) return "(none)";
  return isUtf8(data) ? data.toString() : `base64:${data.toString("base64")}`;
}

/** What others wrote must not move the cursor, nor colour the terminal. */
function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
}

function short(text: string): string {
  return text.length <= maxCell ? text : `${text.slice(0, maxCell - 1)}…`;
}

function sourceOf({ sourceTopic, sourcePartition, sourceOffset }: DeadLetter): string {
  return `${sourceTopic}/${sourcePartition}/${sourceOffset}`;
}

function timeOf(ms: number): string {
  const date = new Date(ms);
  return ms < 0 || Number.isNaN(date.getTime()) ? "unknown" : date.toISOString();
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]+$/.test(text)) throw new UsageError(`--${name} ${text}: expected a number`);
  return Number(text);
}

const topicNamed = (name: string) => defineTopic(name, { value: bytes() });
