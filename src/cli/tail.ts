import type { ReadOptions } from "../reader/options.js";
import type { Kafka } from "../kafka.js";
import type { ConsumerRecord } from "../record.js";
import { bytes } from "../serde/bytes.js";
import { defineTopic } from "../topic.js";
import { argumentsOf, lastOf, numberOf, type Position, positionOf, requiredSubjectOf } from "./arguments.js";
import { type Command, exitCodes, exitCodesUsage, type Terminal, UsageError } from "./command.js";
import { connectionArgs, connectionUsage, Interrupted, withKafka } from "./connection.js";
import { type Decode, decoderOf } from "./decoding.js";
import { formatOf, type Line, lineOf } from "./record-lines.js";

type Bytes = ConsumerRecord<Buffer | null, Buffer>;

/** `typed-kafka tail`: the records of a topic. */
export const tailCommand: Command = {
  summary: "prints the records of a topic, and follows it",
  synopsis: "typed-kafka tail TOPIC -b host:port [-o position] [-c n] [-f] [--json] [-r registry]",
  flags: { topic: "--topic", topics: "--topic", url: "--schema-registry", auth: "--schema-registry" },
  usage: `typed-kafka tail TOPIC -b host:port [-o position] [-c n] [-f] [--json] [-r registry]

${connectionUsage}
  -t, --topic name           the topic, as the word TOPIC
  -o, --from position        beginning, end, an offset, -N for the last N of each partition, or a time
                             (2026-01-31T12:00:00Z); beginning, or with -f end
  --to position              stop before this; the end as of now
  -p, --partition n          only this partition; may be repeated
  -f, --follow               go on with what arrives, until Ctrl-C
  -e                         exit at the end, which is done without -f
  -c, --count n              stop after n records
  --key text                 only records with this key
  -K, --key-delimiter text   print key and value with this between them
  --format text              print this: %t topic, %p partition, %o offset, %T timestamp, %k key, %s value,
                             %h headers, %S and %K their lengths, %% a percent sign, \\n and \\t
  -J, --json                 print each record as a line of JSON
  -r, --schema-registry url  decode values, and keys that have an id, by the registry: Avro (needs the
                             package avsc), JSON Schema, protobuf (needs @bufbuild/protobuf).
                             SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD, or
                             SCHEMA_REGISTRY_TOKEN, are in the environment

Joins no group and commits nothing. Records of aborted transactions are not shown.

${exitCodesUsage}`,

  run: async (args, terminal) => {
    const { values, positionals } = argumentsOf(args, {
      ...connectionArgs,
      topic: { type: "string", short: "t" },
      from: { type: "string", short: "o" },
      to: { type: "string" },
      partition: { type: "string", short: "p", multiple: true },
      follow: { type: "boolean", short: "f" },
      exit: { type: "boolean", short: "e" },
      count: { type: "string", short: "c" },
      key: { type: "string" },
      "key-delimiter": { type: "string", short: "K" },
      format: { type: "string" },
      json: { type: "boolean", short: "J" },
      "schema-registry": { type: "string", short: "r" },
    });
    if (values.follow === true && positionals.some((word) => word.includes("%")))
      throw new UsageError("-f is --follow here: what to print is given with --format");
    const topic = requiredSubjectOf("--topic", positionals, values.topic);
    const { follow = false } = values;
    if (follow && values.exit === true) throw new UsageError("--follow and -e contradict each other");
    if (follow && values.to !== undefined) throw new UsageError("--follow and --to contradict each other");
    const count = numberOf("count", values.count);
    if (count === 0) return exitCodes.ok;
    const partitions = values.partition?.flatMap((text) => numberOf("partition", text) ?? []);
    const from = positionOf("from", values.from ?? (follow ? "end" : "beginning"));
    const to = values.to === undefined ? undefined : positionOf("to", values.to);
    const line = formatOf({ ...values, isColoured: terminal.isColoured });
    const registry = values["schema-registry"];
    const decode = registry === undefined ? undefined : decoderOf(registry, terminal.environment);
    await withKafka(values, terminal, async (kafka) => {
      const range = await rangeOf(kafka, topic, { from, to, partitions }, terminal);
      const options = { ...range, partitions, follow };
      await print(kafka, topic, { options, count, key: values.key, line, decode }, terminal);
    });
    return exitCodes.ok;
  },
};

interface Printing {
  readonly options: ReadOptions;
  readonly count: number | undefined;
  readonly key: string | undefined;
  readonly line: Line;
  readonly decode: Decode | undefined;
}

async function print(kafka: Kafka, topic: string, what: Printing, terminal: Terminal): Promise<void> {
  const { options, count, key, line, decode } = what;
  const definition = defineTopic(topic, { value: bytes(), key: bytes(), tombstones: true });
  const signal = AbortSignal.any([terminal.signal, terminal.unread]);
  let printed = 0;
  try {
    for await (const record of kafka.read(definition, { ...options, signal })) {
      if (key !== undefined && !(await hasKey(record, key, decode))) continue;
      terminal.out(line(await lineOf(record, decode)));
      await terminal.drained();
      printed += 1;
      if (printed === count) break;
    }
  } catch (error) {
    if (terminal.signal.aborted) throw new Interrupted();
    // Who read has seen enough.
    if (!terminal.unread.aborted) throw error;
  }
  if (printed === 0 && !terminal.unread.aborted) terminal.error("no records");
}

async function hasKey(record: Bytes, key: string, decode: Decode | undefined): Promise<boolean> {
  if (record.key?.toString() === key) return true;
  if (record.key === null || decode === undefined) return false;
  const decoded = await decode(record.key);
  return decoded !== undefined && (decoded.value === key || decoded.json === key);
}

interface Range {
  readonly from: Position;
  readonly to: Position | undefined;
  readonly partitions: readonly number[] | undefined;
}

/** Positions as a read has them: where offsets are counted from the end, or said for every partition, they are looked up. */
async function rangeOf(
  kafka: Kafka,
  topic: string,
  { from, to, partitions }: Range,
  terminal: Terminal,
): Promise<ReadOptions> {
  const isRelative = [from, to].some((one) => typeof one === "object" && !("time" in one));
  const logs = isRelative ? await kafka.admin().logOffsets(topic) : [];
  const chosen = logs.filter(({ partition }) => partitions?.includes(partition) ?? true);
  const resolve = (position: Position) => {
    if (typeof position === "string") return position;
    if ("time" in position) return position.time;
    return Object.fromEntries(
      chosen.map((log) => [log.partition, "last" in position ? lastOf(log, position.last) : position.offset]),
    );
  };
  if (
    typeof from === "object" &&
    "offset" in from &&
    chosen.length > 0 &&
    chosen.every(({ end }) => from.offset > end)
  ) {
    const ends = chosen.map(({ partition, end }) => `${topic}[${partition}] at ${end}`);
    terminal.error(`--from ${from.offset} is beyond the end of the log: ${ends.join(", ")}`);
  }
  const end = to === undefined ? undefined : resolve(to);
  if (end === "earliest") throw new UsageError("--to beginning: nothing is before it");
  return { from: resolve(from), to: end };
}
