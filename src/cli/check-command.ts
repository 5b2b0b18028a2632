import { assignorNames } from "../group/assignors.js";
import { type Finding, formatFindings, remedyOf } from "../preflight/report.js";
import { bytes } from "../serde/bytes.js";
import { defineStore } from "../state/store-definition.js";
import { argumentsOf } from "./arguments.js";
import { type Command, exitCodes, exitCodesUsage, UsageError } from "./command.js";
import { connectionArgs, connectionUsage, topicNamed, withKafka } from "./connection.js";
import { jsonText } from "./text.js";

const flags: Readonly<Record<string, string>> = {
  groupId: "--group",
  transactionalId: "--transactional-id",
  "retryTopics.delaysMs": "--retry-delays",
  retryTopics: "--retry-delays",
  deadLetter: "--dead-letter",
  stores: "--store",
  name: "--store",
  groupProtocol: "--group-protocol",
  assignor: "--assignor",
};

/** `typed-kafka check`: what a service will need, looked at before it starts. */
export const checkCommand: Command = {
  summary: "tells what is missing before a service starts",
  synopsis: "typed-kafka check -b host:port [-t topic…] [-G group] [options]",
  flags,
  usage: `typed-kafka check -b host:port [-t topic…] [-G group] [options]

${connectionUsage}
  -t, --topic name           a topic that is read (with --group), written, or either; may be repeated
  --writes name              a topic that is written; may be repeated
  -G, --group id             the consumer group
  --group-protocol name      how the service is going to join: classic (the default) or consumer
  --assignor name,name       its assignors: ${assignorNames.join(", ")}
  --transactional-id id      the transactional id
  --dead-letter              the group has the option deadLetter: true
  --retry-delays ms,ms       the group has retry topics with these delays
  --store name               the group has a store of this name; may be repeated
  --json                     print the report as JSON

Group protocol and assignor are compared with what the group's members use, and the brokers know.

${exitCodesUsage}`,

  run: async (args, terminal) => {
    const { values, positionals } = argumentsOf(args, {
      ...connectionArgs,
      topic: { type: "string", short: "t", multiple: true },
      writes: { type: "string", multiple: true },
      group: { type: "string", short: "G" },
      "group-protocol": { type: "string" },
      assignor: { type: "string" },
      "transactional-id": { type: "string" },
      "dead-letter": { type: "boolean" },
      "retry-delays": { type: "string" },
      store: { type: "string", multiple: true },
      json: { type: "boolean" },
    });
    if (positionals.length > 0) throw new UsageError("topics are given with --topic");
    const { group, topic = [], writes = [], store } = values;
    const delays = values["retry-delays"];
    const report = await withKafka(values, terminal, (kafka) =>
      kafka.check(topic.map(topicNamed), {
        groupId: group,
        // Looked at by the check, which says what may be given.
        groupProtocol: values["group-protocol"] as "classic" | undefined,
        assignor: values.assignor as "range" | undefined,
        transactionalId: values["transactional-id"],
        writes: writes.map(topicNamed),
        stores: store?.map((name) => defineStore(name, { value: bytes() })),
        deadLetter: values["dead-letter"],
        retryTopics: delays === undefined ? undefined : { delaysMs: delays.split(",").map(Number) },
      }),
    );
    const findings = report.findings.map((finding) => {
      const { level, subject, message } = finding;
      return { level, subject, message, remedy: remedyOf(finding, inFlags) };
    });
    terminal.out(
      values.json === true ? jsonText({ ok: report.ok, findings }, 2) : formatFindings(report, inFlags),
    );
    return report.ok ? exitCodes.ok : exitCodes.failed;
  },
};

/** Calls of the library are none of this command's. */
function inFlags({ option }: Finding): readonly (string | undefined)[] {
  return [option && `set ${flags[option.name] ?? option.name} ${option.value}`];
}
