import { describe } from "../check.js";
import { ConfigError } from "../errors.js";
import { custom } from "../options/kinds.js";

/** How the members of a group with the protocol `classic` share its partitions out. Kafka: `partition.assignment.strategy`. */
export type Assignor = "cooperative-sticky" | "range" | "roundrobin";

/** All that there are. */
export const assignorNames: readonly string[] = ["cooperative-sticky", "range", "roundrobin"];

/** The option `assignor`: one, or a list by preference. Checked, it is the native property. */
export const assignorSpec = custom<Assignor | readonly Assignor[], string | undefined>("list", check, {
  words: assignorNames,
  absent: "`cooperative-sticky`",
  property: "partition.assignment.strategy",
  kafkajs: "partitionAssigners",
});

function check(path: string, given: unknown): string | undefined {
  if (given === undefined) return undefined;
  const names: readonly unknown[] = Array.isArray(given) ? given : [given];
  const wrong = names.find((name) => !assignorNames.includes(name as string));
  if (names.length === 0 || wrong !== undefined)
    throw new ConfigError(
      path,
      `expected ${assignorNames.join(", ")}, or a list of them, got ${names.length === 0 ? "an empty list" : describe(wrong)}${hintOf(wrong)}`,
    );
  if (new Set(names).size < names.length) throw new ConfigError(path, "one of them is named twice");
  if (names.length > 1 && names.includes("cooperative-sticky"))
    throw new ConfigError(
      path,
      "cooperative-sticky cannot be in a list with others: the native client offers a group either that one or the others. docs/migrating.md says how a running group changes to it",
    );
  return names.join(",");
}

function hintOf(name: unknown): string {
  return name === "RoundRobinAssigner"
    ? ", which only kafkajs has: docs/migrating.md says how to take its groups over"
    : "";
}
