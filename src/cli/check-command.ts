import { parseArgs } from "node:util";
import { Kafka } from "../kafka.js";
import { bytes } from "../serde/bytes.js";
import { defineTopic } from "../topic.js";
import { type Command, exitCodes } from "./command.js";
import { connectionArgs, connectionUsage, kafkaOptionsOf } from "./connection.js";

/** `typed-kafka check`: what a service will need, looked at before it starts. */
export const checkCommand: Command = {
  summary: "tells what is missing before a service starts",
  usage: `typed-kafka check --brokers host:port --topic name… [options]

${connectionUsage}
  --topic name               a topic that is read (with --group), written, or either; may be repeated
  --writes name              a topic that is written; may be repeated
  --group id                 the consumer group
  --transactional-id id      the transactional id
  --dead-letter              the group has the option deadLetter: true
  --retry-delays ms,ms       the group has retry topics with these delays
  --timeout ms               how long to wait for a broker (10000)
  --json                     print the report as JSON

Exit code: 0 ready, 1 not ready, 2 called wrongly.`,

  run: async (args, terminal) => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...connectionArgs,
        topic: { type: "string", multiple: true },
        writes: { type: "string", multiple: true },
        group: { type: "string" },
        "transactional-id": { type: "string" },
        "dead-letter": { type: "boolean" },
        "retry-delays": { type: "string" },
        timeout: { type: "string" },
        json: { type: "boolean" },
      },
    });
    const { timeout, group, topic = [], writes = [] } = values;
    const delays = values["retry-delays"];
    const kafka = new Kafka({
      ...kafkaOptionsOf(values, terminal),
      connectTimeoutMs: timeout === undefined ? undefined : Number(timeout),
    });
    try {
      const report = await kafka.check(topic.map(topicNamed), {
        groupId: group,
        transactionalId: values["transactional-id"],
        writes: writes.map(topicNamed),
        deadLetter: values["dead-letter"],
        retryTopics: delays === undefined ? undefined : { delaysMs: delays.split(",").map(Number) },
      });
      terminal.out(values.json === true ? JSON.stringify(report, null, 2) : report.format());
      return report.ok ? exitCodes.ok : exitCodes.failed;
    } finally {
      await kafka.close();
    }
  },
};

const topicNamed = (name: string) => defineTopic(name, { value: bytes() });
