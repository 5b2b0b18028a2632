import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import type { DeclaredOption } from "../../../src/options/spec.js";
import { allOptions } from "../../support/all-options.js";

/** What a name means that several clients have an option by: one thing, whoever takes it. */
const meanings: Readonly<Record<string, string>> = {
  groupId: "a consumer group",
  transactionalId: "a transactional producer's identity",
  from: "where reading begins",
  onOffsetOutOfRange: "what happens where the log does not have the next offset",
  order: "the order in which records are delivered",
  isolationLevel: "whether records of open and aborted transactions are seen",
  onInvalid: "what becomes of a record that does not fit its topic",
  deadLetter: "the dead-letter topic",
  retry: "calling a handler again in place",
  retryTopics: "calling a handler again later",
  groupInstanceId: "a member's name that survives restarts",
  groupProtocol: "the group's protocol",
  assignor: "how partitions are assigned",
  sessionTimeoutMs: "how long a silent member stays in the group",
  maxPollIntervalMs: "how long a handler may take",
  concurrency: "how many handlers run at a time",
  commitIntervalMs: "how often offsets are committed",
  maxTransactionRecords: "how many records a transaction has at most",
  stores: "the stores of a processor",
  stateDirectory: "where stores are kept on disk",
  maxTaskIdleMs: "how long a task waits for a topic that is behind",
  onRestore: "whoever is told how far a restore has come",
  drainTimeoutMs: "how long handlers may go on when a partition is released",
  maxBufferBytes: "how much fetched data waits for the handlers",
  startOffsets: "where assigned partitions begin",
  onRebalance: "whoever is told that partitions were assigned or revoked",
  transactionTimeoutMs: "how long a transaction may take",
  lingerMs: "how long a record waits for others to share a request with",
  compression: "how batches are compressed",
  maxBatchBytes: "how large a batch may grow",
  partitioner: "how records that name no partition are spread",
  closeTimeoutMs: "how long close lets what is under way go on",
  timeoutMs: "how long one call may take",
  signal: "what ends a call",
  onProgress: "whoever is told how far a call has come",
  registration: "how a serde comes to the id that it writes",
  subject: "under which subject a schema is registered",
  normalize: "whether schemas that differ in form only are the same",
};

const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => readFileSync(`src/${file}`, "utf8"));

type Use = readonly [of: string, option: DeclaredOption];

const byName = new Map<string, Use[]>();
for (const { of, specs } of allOptions)
  for (const [name, option] of Object.entries(specs))
    byName.set(name, [...(byName.get(name) ?? []), [of, option]]);
const shared = [...byName].filter(([, uses]) => uses.length > 1);
const distinct = (values: readonly (string | undefined)[]) => [
  ...new Set(values.filter((v) => v !== undefined)),
];
/** A position may be a word alone. */
const kindOf = ({ kind }: DeclaredOption) => (kind === "position" ? "choice" : kind);

describe("the options of all clients", () => {
  test("are all in the table", () => {
    const declared = sources.flatMap((text) =>
      [...text.matchAll(/^export const (\w+Specs) = /gm)].map(([, name]) => name),
    );
    expect(declared.length).toBeGreaterThan(20);
    expect(new Set(allOptions.map(({ table }) => table))).toEqual(new Set(declared));
  });

  test("a name that several have means one thing", () => {
    const known = new Set(Object.keys(meanings));
    expect(shared.map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
    expect([...known].filter((name) => !shared.some(([other]) => other === name))).toEqual([]);
  });

  test.each(shared)("%s is the same kind of thing for all of them", (_, uses) => {
    expect(distinct(uses.map(([, option]) => kindOf(option)))).toHaveLength(1);
    expect(distinct(uses.map(([, { property }]) => property)).length).toBeLessThanOrEqual(1);
    expect(distinct(uses.map(([, { kafkajs }]) => kafkajs)).length).toBeLessThanOrEqual(1);
  });

  test("a native property has one name", () => {
    const names = new Map<string, Set<string>>();
    for (const [name, uses] of byName)
      for (const [, { property }] of uses)
        if (property !== undefined) names.set(property, (names.get(property) ?? new Set()).add(name));
    // The credentials are of several options, and auto.offset.reset says two things at once.
    const split = (property: string) => property.startsWith("sasl.") || property === "auto.offset.reset";
    const several = [...names].filter(([property, of]) => of.size > 1 && !split(property));
    expect(several).toEqual([]);
  });

  test("a number says its unit, or counts what its name says", () => {
    const counts = ["retries", "concurrency", "limit", "attempts", "factor", "maxRecordsPerSecond"];
    const numbers = [...byName].filter(([, uses]) => uses.some(([, { min }]) => min !== undefined));
    expect(numbers.length).toBeGreaterThan(20);
    expect(
      numbers
        .map(([name]) => name)
        .filter((name) => !/(Ms|Bytes|Records|Requests)$/.test(name) && !counts.includes(name)),
    ).toEqual([]);
  });

  test("max stands first, but in Kafka's own metadata.max.age.ms", () => {
    expect([...byName.keys()].filter((name) => /.Max/.test(name))).toEqual(["metadataMaxAgeMs"]);
  });

  test.each(allOptions)("$of: defaults are what the options themselves take", ({ specs }) => {
    for (const [name, { default: value, check }] of Object.entries(specs)) {
      if (value !== undefined && typeof value !== "object") expect(check(name, value)).toBe(value);
    }
  });

  test.each(allOptions.filter(({ of }) => of !== "sasl"))(
    "$of: the documented defaults are the real ones",
    ({ type, specs }) => {
      const documented = documentedDefaults(type);
      for (const [name, { default: value, absent }] of Object.entries(specs)) {
        const text = documented.get(name);
        if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") {
          // Inherited from another interface, or with a bound that stands for none.
          if (text === undefined && (!documented.has(name) || value === Number.MAX_SAFE_INTEGER)) continue;
          expect(`${name}: ${text?.replaceAll("_", "") ?? ""}`).toMatch(
            new RegExp(`^${name}: ${JSON.stringify(value).replaceAll("_", "")}(?![\\w.])`),
          );
        } else if (absent === undefined && documented.has(name))
          expect(`${name}: ${text ?? ""}`).toBe(`${name}: `);
      }
    },
  );
});

/** What `@default` says of each property of an interface; `undefined` for a property without. */
function documentedDefaults(type: string): ReadonlyMap<string, string | undefined> {
  for (const text of sources) {
    if (!text.includes(`export interface ${type}`)) continue;
    const source = ts.createSourceFile("source.ts", text, ts.ScriptTarget.Latest, true);
    const found = source.statements.find(
      (node): node is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(node) && node.name.text === type,
    );
    if (found === undefined) continue;
    return new Map(
      found.members.map((member) => {
        const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === "default");
        return [member.name?.getText() ?? "", ts.getTextOfJSDocComment(tag?.comment)];
      }),
    );
  }
  throw new Error(`there is no interface ${type}`);
}
