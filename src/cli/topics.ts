import type { Admin } from "../admin/admin.js";
import { KafkaError } from "../errors.js";
import type { Kafka } from "../kafka.js";
import { argumentsOf } from "./arguments.js";
import { type Command, exitCodes, exitCodesUsage } from "./command.js";
import { connectionArgs, connectionUsage, topicNamed, withKafka } from "./connection.js";
import { jsonText, printTable } from "./text.js";

/** `typed-kafka topics`: which topics there are, and how much is in them. */
export const topicsCommand: Command = {
  summary: "lists topics with partitions, replicas and offsets",
  synopsis: "typed-kafka topics [NAME…] -b host:port [--internal] [--json]",
  usage: `typed-kafka topics [NAME…] -b host:port [--internal] [--json]

${connectionUsage}
  -t, --topic name           only this one; may be repeated
  --internal                 Kafka's own too, such as __consumer_offsets
  --json                     print JSON, with every partition

RECORDS counts offsets, from the first to the last that is kept: those of compacted records and of the
markers of transactions too.

${exitCodesUsage}`,

  run: async (args, terminal) => {
    const { values, positionals } = argumentsOf(args, {
      ...connectionArgs,
      topic: { type: "string", short: "t", multiple: true },
      internal: { type: "boolean" },
      json: { type: "boolean" },
    });
    const named = [...positionals, ...(values.topic ?? [])].map((name) => topicNamed(name).name);
    const topics = await withKafka(values, terminal, (kafka) => look(kafka, named));
    const shown =
      values.internal === true || named.length > 0 ? topics : topics.filter(({ internal }) => !internal);
    if (values.json === true) terminal.out(jsonText(shown, 2));
    else if (shown.length === 0) terminal.out("no topics");
    else
      printTable(
        terminal,
        ["TOPIC", "PARTITIONS", "REPLICAS", "RECORDS", "WITHOUT LEADER"],
        shown.map(({ name, partitions, replicationFactor, records }) => [
          name,
          partitions.length,
          replicationFactor,
          records,
          partitions.filter(({ leader }) => leader === undefined).length,
        ]),
      );
    return exitCodes.ok;
  },
};

const looks = 5;

async function look(kafka: Kafka, named: readonly string[]) {
  const admin = kafka.admin();
  if (named.length > 0) return lookAt(admin, named);
  for (let count = 1; ; count += 1)
    try {
      return await lookAt(admin, await admin.listTopics());
    } catch (error) {
      // One of them was deleted after it was listed.
      if (!(error instanceof KafkaError) || error.code !== "UNKNOWN_TOPIC" || count === looks) throw error;
    }
}

async function lookAt(admin: Admin, names: readonly string[]) {
  const topics = await admin.describeTopics(names);
  const readable = topics.filter(({ partitions }) => partitions.every(({ leader }) => leader !== undefined));
  const offsets = await admin.logOffsets(readable.map(({ name }) => name)).catch((error: unknown) => {
    // How much is in them is not told to whoever may not read.
    if (error instanceof KafkaError && error.code === "AUTHORIZATION") return [];
    throw error;
  });
  return topics.map(({ name, internal, replicationFactor, partitions }) => {
    const own = offsets.filter(({ topic }) => topic === name);
    const offsetsOf = (partition: number) => own.find((each) => each.partition === partition);
    return {
      name,
      internal,
      replicationFactor,
      records: own.length === 0 ? "unknown" : own.reduce((sum, { start, end }) => sum + end - start, 0),
      partitions: partitions.map((each) => ({
        ...each,
        start: offsetsOf(each.partition)?.start,
        end: offsetsOf(each.partition)?.end,
      })),
    };
  });
}
