import type { GroupDescription } from "../admin/descriptions.js";
import { assignorNames } from "../group/assignors.js";
import type { Finding } from "./report.js";

/** What the brokers are configured with, by Kafka's names; `undefined` where they could not be asked. */
export type BrokerSettings = ReadonlyMap<string, string> | undefined;

/** How a member is going to join. */
export interface Membership {
  readonly groupProtocol: "classic" | "consumer";
  /** By preference, of the protocol `classic`. */
  readonly assignors: readonly string[];
}

/** Whether the brokers, and the group as it is now, would take such a member. Pure. */
export function membershipFindings(
  group: GroupDescription,
  membership: Membership,
  settings: BrokerSettings,
): readonly Finding[] {
  const subject = `group ${group.groupId}`;
  const problems = [protocolProblem(membership, settings), ...groupProblems(group, membership, settings)];
  return problems.flatMap((problem) => (problem === undefined ? [] : [{ subject, ...problem }]));
}

type Problem = Omit<Finding, "subject"> | undefined;

const stopFirst = "stop them before this one starts, or see docs/migrating.md for a rolling deployment";

function groupProblems(
  group: GroupDescription,
  membership: Membership,
  settings: BrokerSettings,
): readonly Problem[] {
  if (group.members.length === 0) return [];
  return [assignorProblem(group, membership), sizeProblem(group, settings)];
}

function protocolProblem({ groupProtocol }: Membership, settings: BrokerSettings): Problem {
  if (groupProtocol !== "consumer" || settings === undefined) return undefined;
  const known = settings.get("group.coordinator.rebalance.protocols")?.split(",") ?? [];
  if (known.includes("consumer")) return undefined;
  return {
    level: "error",
    message: "the group protocol consumer is not known to these brokers, or switched off there",
    option: { name: "groupProtocol", value: "classic" },
    remedy: "use brokers that know it, from Kafka 4.0 on (group.coordinator.rebalance.protocols)",
  };
}

function assignorProblem(
  { assignor, protocol }: GroupDescription,
  { groupProtocol, assignors }: Membership,
): Problem {
  // Brokers share out, whatever the members of the protocol `classic` have.
  if (protocol === "consumer") return undefined;
  if (groupProtocol === "consumer")
    return assignor === "cooperative-sticky"
      ? {
          level: "warning",
          message:
            "its members use assignor cooperative-sticky: brokers refuse one of the group protocol consumer beside those of librdkafka",
          remedy: stopFirst,
        }
      : undefined;
  if (assignor === "" || assignors.includes(assignor)) return undefined;
  const message = `its members use assignor ${assignor}, and this one ${assignors.join(", ")}`;
  return assignorNames.includes(assignor)
    ? {
        level: "warning",
        message: `${message}: the group refuses it unless they all know that too`,
        option: { name: "assignor", value: assignor },
        remedy: stopFirst,
      }
    : { level: "error", message: `${message}: the group refuses it`, remedy: stopFirst };
}

function sizeProblem({ members, protocol }: GroupDescription, settings: BrokerSettings): Problem {
  const name = protocol === "consumer" ? "group.consumer.max.size" : "group.max.size";
  const most = Number(settings?.get(name));
  if (!(members.length >= most)) return undefined;
  return {
    level: "warning",
    message: `is full: it has ${members.length} members, and the brokers' ${name} is ${most}`,
    remedy: "a new member waits until another one has left",
  };
}
