import type { LogOffsets } from "../admin/admin.js";
import { lastOf, numberOf, type Position, positionOf, requiredSubjectOf } from "./arguments.js";
import { exitCodes, type Terminal, UsageError } from "./command.js";
import { type ConnectionArgs, withKafka } from "./connection.js";
import { jsonText, printTable } from "./text.js";

interface ResetArgs extends ConnectionArgs {
  readonly group?: string | undefined;
  readonly topic?: readonly string[] | undefined;
  readonly to?: string | undefined;
  readonly partition?: string | undefined;
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `typed-kafka groups reset`: shows where a group would go on, and with `--yes` moves it there. */
export async function resetGroup(
  words: readonly string[],
  args: ResetArgs,
  terminal: Terminal,
): Promise<number> {
  const group = requiredSubjectOf("--group", words, args.group);
  const { topic: topics = [], yes = false } = args;
  if (topics.length === 0) throw new UsageError("--topic is missing");
  if (args.to === undefined) throw new UsageError("--to is missing");
  const to = positionOf("to", args.to);
  const partition = numberOf("partition", args.partition);
  const moves = await withKafka(args, terminal, async (kafka) => {
    const admin = kafka.admin();
    const time = typeof to === "object" && "time" in to ? to.time : undefined;
    const logs = await admin.logOffsets(topics, time);
    const chosen = logs.filter((log) => partition === undefined || log.partition === partition);
    if (chosen.length === 0)
      throw new UsageError(`--partition ${partition ?? ""}: there is no such partition`);
    const committed = await admin.groupLag(group, topics);
    const offsets = chosen.map((log) => ({ ...log, offset: offsetIn(log, to) }));
    if (yes)
      await admin.resetOffsets(
        group,
        topics,
        offsets.map((log) => ({ topic: log.topic, partition: log.partition, offset: log.offset })),
      );
    return offsets.map((log) => {
      const before = committed.find((one) => one.topic === log.topic && one.partition === log.partition);
      return {
        topic: log.topic,
        partition: log.partition,
        before: before?.committed,
        after: log.offset,
        lag: log.end - log.offset,
      };
    });
  });
  if (args.json === true) terminal.out(jsonText({ group, done: yes, partitions: moves }, 2));
  else {
    printTable(
      terminal,
      ["TOPIC", "PARTITION", "BEFORE", "AFTER", "LAG AFTER"],
      moves.map(({ topic, partition: number, before, after, lag }) => [
        topic,
        number,
        before ?? "-",
        after,
        lag,
      ]),
    );
    if (moves.every(({ before }) => before === undefined))
      terminal.error(`group ${group} had committed nothing there: is its name right?`);
    terminal.out(yes ? `group ${group} was reset` : "nothing was changed: --yes does it");
  }
  return exitCodes.ok;
}

/** Where a position is in a log. An offset that the log does not have is no other one's. */
function offsetIn(log: LogOffsets, to: Position): number {
  const { topic, partition, start, end, at } = log;
  if (to === "earliest") return start;
  if (to === "latest") return end;
  if ("time" in to) return at ?? end;
  if ("last" in to) return lastOf(log, to.last);
  if (to.offset < start || to.offset > end)
    throw new UsageError(
      `--to ${to.offset}: not in the log of ${topic}[${partition}], which has ${start} to ${end}`,
    );
  return to.offset;
}
