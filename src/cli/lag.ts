import { argumentsOf, requiredSubjectOf } from "./arguments.js";
import { type Command, exitCodes, exitCodesUsage } from "./command.js";
import { connectionArgs, connectionUsage, withKafka } from "./connection.js";
import { jsonText, printTable } from "./text.js";

/** `typed-kafka lag`: how far a group is behind. */
export const lagCommand: Command = {
  summary: "tells how far a group is behind, by partition and in total",
  synopsis: "typed-kafka lag GROUP -b host:port [-t topic…] [--json]",
  flags: { groupId: "--group", groupIds: "--group" },
  usage: `typed-kafka lag GROUP -b host:port [-t topic…] [--json]

${connectionUsage}
  -G, --group id             the group, as the word GROUP
  -t, --topic name           only this topic, partitions in which nothing was committed too; may be repeated
  --json                     print JSON

${exitCodesUsage}`,

  run: async (args, terminal) => {
    const { values, positionals } = argumentsOf(args, {
      ...connectionArgs,
      group: { type: "string", short: "G" },
      topic: { type: "string", short: "t", multiple: true },
      json: { type: "boolean" },
    });
    const group = requiredSubjectOf("--group", positionals, values.group);
    const lags = await withKafka(values, terminal, (kafka) => kafka.admin().groupLag(group, values.topic));
    const total = lags.reduce((sum, { lag }) => sum + lag, 0);
    if (values.json === true) {
      terminal.out(jsonText({ group, total, partitions: lags }, 2));
      return exitCodes.ok;
    }
    if (lags.length === 0) {
      terminal.error(`typed-kafka lag: group ${group} has committed nothing, or does not exist`);
      return exitCodes.failed;
    }
    printTable(
      terminal,
      ["TOPIC", "PARTITION", "COMMITTED", "END", "LAG"],
      lags.map(({ topic, partition, committed, end, lag }) => [topic, partition, committed ?? "-", end, lag]),
    );
    terminal.out(`total lag: ${total}`);
    return exitCodes.ok;
  },
};
