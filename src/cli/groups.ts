import type { Admin } from "../admin/admin.js";
import type { GroupDescription, GroupListing } from "../admin/descriptions.js";
import { KafkaError } from "../errors.js";
import { argumentsOf } from "./arguments.js";
import { type Command, exitCodes, exitCodesUsage, UsageError } from "./command.js";
import { connectionArgs, connectionUsage, withKafka } from "./connection.js";
import { resetGroup } from "./groups-reset.js";
import { jsonText, printTable } from "./text.js";

/** `typed-kafka groups`: which groups there are, and moving one. */
export const groupsCommand: Command = {
  summary: "lists groups with state and members, or moves one: groups reset",
  words: ["reset"],
  synopsis: "typed-kafka groups [reset GROUP -t topic --to position [--yes]] -b host:port",
  flags: { groupId: "--group", groupIds: "--group", to: "--to", "to[]": "--to" },
  usage: `typed-kafka groups -b host:port [--json]
typed-kafka groups reset GROUP -b host:port -t topic --to position [-p n] [--yes]

${connectionUsage}
  -G, --group id             reset: the group, as the word GROUP
  -t, --topic name           reset: the topic; may be repeated
  --to, -o position          reset: earliest, latest, an offset, -N for the last N, or a time
                             (2026-01-31T12:00:00Z)
  -p, --partition n          reset: only this partition
  --yes                      reset: do it; without it is shown what would be done
  --json                     print JSON

A group is reset while it has no members: stop them first.

${exitCodesUsage}`,

  run: async (args, terminal) => {
    const { values, positionals } = argumentsOf(args, {
      ...connectionArgs,
      group: { type: "string", short: "G" },
      topic: { type: "string", short: "t", multiple: true },
      to: { type: "string", short: "o" },
      partition: { type: "string", short: "p" },
      yes: { type: "boolean" },
      json: { type: "boolean" },
    });
    const [word, ...rest] = positionals;
    if (word === "reset") return resetGroup(rest, values, terminal);
    if (word !== undefined && word !== "list") throw new UsageError("expected nothing, list or reset");
    const groups = await withKafka(values, terminal, async (kafka) => {
      const admin = kafka.admin();
      const listed = await admin.listGroups();
      // Each is a question to its own coordinator; the admin client asks a few at a time.
      return Promise.all(listed.map((group) => describedOrListed(admin, group)));
    });
    if (values.json === true) terminal.out(jsonText(groups, 2));
    else if (groups.length === 0) terminal.out("no groups");
    else {
      printTable(
        terminal,
        ["GROUP", "STATE", "PROTOCOL", "ASSIGNOR", "MEMBERS"],
        groups.map(({ groupId, state, protocol, ...more }) => [
          groupId,
          state,
          protocol,
          "members" in more && more.assignor !== "" ? more.assignor : "-",
          "members" in more ? more.members.length : "-",
        ]),
      );
      for (const group of groups) if ("error" in group) terminal.error(group.error);
    }
    return exitCodes.ok;
  },
};

/** The group as the list has it, with the reason, where it alone cannot be described: its members' own assignor, or a right. */
async function describedOrListed(
  admin: Admin,
  listed: GroupListing,
): Promise<GroupDescription | (GroupListing & { readonly error: string })> {
  try {
    const [group] = await admin.describeGroups(listed.groupId);
    if (group !== undefined) return group;
  } catch (error) {
    if (!(error instanceof KafkaError) || error.groupId !== listed.groupId || error.retriable) throw error;
    return { ...listed, error: error.message };
  }
  return { ...listed, error: `group ${listed.groupId}: no answer` };
}
