import { describe } from "./check.js";
import { ConfigError } from "./errors.js";

const maxLength = 249;

/**
 * What makes a text no topic's name by Kafka's rule (1 to 249 of `a-z A-Z 0-9 . _ -`, and neither `.` nor `..`);
 * `undefined` where it is one.
 */
export function topicNameFlaw(name: string): string | undefined {
  if (name === "" || name === "." || name === "..") return "give another one";
  if (name.length > maxLength) return `it has ${name.length} characters, ${maxLength} is the most`;
  const wrong = /[^a-zA-Z0-9._-]/u.exec(name)?.[0];
  return wrong === undefined ? undefined : `${JSON.stringify(wrong)} is none of a-z A-Z 0-9 . _ -`;
}

/**
 * Checks a topic's name by Kafka's rule.
 *
 * @throws `ConfigError`
 */
export function checkTopicName(name: unknown): void {
  if (typeof name !== "string") throw new ConfigError("name", "a topic's name is a string");
  const flaw = topicNameFlaw(name);
  if (flaw !== undefined) throw new ConfigError("name", `${describe(name)} is no topic name: ${flaw}`);
}
