// What stands where in the documentation site.

/** The guides in reading order, by the headings above them: files of docs/, without `.md`. */
export const guides = {
  "Begin here": ["getting-started", "topics", "producing", "consuming", "failure-policy"],
  Guarantees: ["exactly-once", "databases", "state", "replay", "scaling"],
  "In your service": ["recipes", "testing", "schema-registry", "observability", "production", "command"],
  Reference: ["options", "errors", "compatibility", "guarantees", "licences"],
  "Coming from elsewhere": ["migrating", "choosing-a-client", "benchmarks"],
  Inside: ["architecture"],
};

/** The groups of the API in their order, and the folders and files of `src/` whose exports are in each. */
export const groups = {
  Clients: ["kafka", "producer", "consumer", "group", "delivery", "reader", "table", "admin", "preflight"],
  "Topics and serdes": ["topic", "topic-definition", "topic-pattern", "topic-name", "serde"],
  Records: ["record", "offsets"],
  "Failure policy": ["failure", "redrive"],
  "Transactions and state": ["transactions", "processor", "state"],
  Errors: ["errors"],
  Connecting: ["kafka-options", "kafka-options-from-env", "security-options", "driver"],
  "Logs and health": ["logger", "health"],
};

/** The group of what a source file exports. */
export function groupOf(file) {
  const [, name = ""] = /(?:^|\/)src\/([^/]+?)(?:\.ts|\/|$)/.exec(file) ?? [];
  const found = Object.entries(groups).find(([, places]) => places.includes(name));
  if (found === undefined)
    throw new Error(`${file}: src/${name} is in no group of scripts/site/contents.mjs`);
  return found[0];
}
