import { describe } from "./check.js";
import { ConfigError, misuse } from "./errors.js";
import type { AnyTopic } from "./topic.js";
import type { AnyTopicPattern } from "./topic-pattern.js";

/** Whether a value was made with `defineTopic`, of this copy of the library or of another one in the process. */
export function isTopic(value: unknown): value is AnyTopic {
  return isDefinition(value) && "name" in value && typeof value.name === "string" && "config" in value;
}

/**
 * A topic where one is expected.
 *
 * @param call - how the call looks, for who made it as with another client
 * @throws `ConfigError` with `path` as its field
 */
export function checkTopic(path: string, value: unknown, call?: string): AnyTopic {
  if (isTopic(value)) return value;
  throw noTopic(path, value, call);
}

/**
 * Topics, or patterns of them, where one or several are expected.
 *
 * @throws `ConfigError` with `topics` as its field
 */
export function checkTopics<T extends AnyTopic | AnyTopicPattern>(
  topics: T | readonly T[],
  call: string,
): readonly T[] {
  const list = Array.isArray(topics) ? (topics as readonly T[]) : [topics as T];
  for (const topic of list) if (!isTopic(topic) && !isPattern(topic)) throw noTopic("topics", topic, call);
  return list;
}

function isPattern(value: unknown): boolean {
  return isDefinition(value) && "pattern" in value && "subscription" in value;
}

function isDefinition(value: unknown): value is object {
  return typeof value === "object" && value !== null && "value" in value && "key" in value;
}

function noTopic(path: string, value: unknown, call: string | undefined): ConfigError {
  const usage = call === undefined ? "" : `. The call is ${call}`;
  return misuse(new ConfigError(path, `expected a topic made with defineTopic, got ${given(value)}${usage}`));
}

function given(value: unknown): string {
  if (typeof value === "string")
    return `${describe(value)}: define it once, const topic = defineTopic(${describe(value)}, { value: schema }), and pass that`;
  if (typeof value === "object" && value !== null) {
    if ("messages" in value || "topicMessages" in value)
      return "an object with messages: the topic comes first, then a record { key, value } or an array of them";
    if ("topics" in value || "topicPartitions" in value)
      return "an object with topics: give the topics themselves, or their names, as an array";
    if ("groupId" in value) return "options: the topics come first";
  }
  return describe(value);
}
