import { describe } from "./check.js";
import { ConfigError } from "./errors.js";
import type { AnyTopic } from "./topic.js";

/** Whether a value was made with `defineTopic`, of this copy of the library or of another one in the process. */
export function isTopic(value: unknown): value is AnyTopic {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    typeof value.name === "string" &&
    "value" in value &&
    "config" in value
  );
}

/**
 * A topic where one is expected.
 *
 * @throws `ConfigError` with `path` as its field
 */
export function checkTopic(path: string, value: unknown): AnyTopic {
  if (isTopic(value)) return value;
  throw new ConfigError(path, `expected a topic made with defineTopic, got ${describe(value)}`);
}
