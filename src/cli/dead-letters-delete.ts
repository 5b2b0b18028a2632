import type { Kafka } from "../kafka.js";
import { numberOf } from "./arguments.js";
import { exitCodes, type Terminal } from "./command.js";
import { topicNamed } from "./connection.js";
import { counted, jsonText } from "./text.js";

interface DeleteArgs {
  readonly partition?: string | undefined;
  readonly offset?: string | undefined;
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
}

interface Letters {
  readonly topic: string;
  readonly group: string;
  /** The dead-letter topic. */
  readonly letters: string;
}

/**
 * Deletes dead letters for good: all that are there now, or those of a partition up to an offset. Without `--yes`
 * they are only counted. Refused where there are records of others among them.
 */
export async function deleteLetters(
  kafka: Kafka,
  { topic, group, letters }: Letters,
  args: DeleteArgs,
  terminal: Terminal,
): Promise<number> {
  const { yes = false, json = false } = args;
  const partition = numberOf("partition", args.partition);
  const offset = numberOf("offset", args.offset);
  const admin = kafka.admin();
  const logs = await admin.logOffsets(letters);
  const ends = logs
    .filter((log) => partition === undefined || log.partition === partition)
    .map((log) => ({
      topic: letters,
      partition: log.partition,
      offset: offset === undefined ? log.end : Math.max(log.start, Math.min(log.end, offset + 1)),
    }));
  let passed = 0;
  const { redriven: count, kept } = await kafka.redrive(topicNamed(topic), {
    groupId: group,
    deadLetter: topicNamed(letters),
    dryRun: true,
    filter: (letter) => {
      const isBefore = ends.some((end) => end.partition === letter.partition && letter.offset < end.offset);
      if (!isBefore) passed += 1;
      return isBefore;
    },
  });
  const others = kept - passed;
  if (others > 0) {
    terminal.error(
      `typed-kafka dead-letters delete: ${letters} has ${counted(others, "record")} of other topics or groups, which would be deleted with them`,
    );
    return exitCodes.failed;
  }
  if (yes) await admin.deleteRecords(letters, ends);
  const done = yes ? "deleted" : "would be deleted: --yes does it";
  terminal.out(json ? jsonText({ deleted: count, done: yes }) : `${count} ${done}`);
  return exitCodes.ok;
}
