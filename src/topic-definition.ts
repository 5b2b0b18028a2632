import type { StandardSchemaV1 } from "@standard-schema/spec";
import { tooLong, unsendableIn } from "./check.js";
import { ConfigError } from "./errors.js";
import { jsonOf } from "./serde/json.js";
import { isNullable } from "./serde/schema-serde.js";
import { isStandardSchema, schemaCodec } from "./serde/schema.js";
import type { AnySerde, Serde } from "./serde/serde.js";
import type { ApplicationOf, CheckHeaders, CheckSource, Source } from "./serde/source.js";
import { string } from "./serde/string.js";

/**
 * What `defineTopic` takes. `value` and `key` are a {@link Serde}, or a Standard Schema, which
 * means `json(schema)`.
 */
export interface TopicDefinition<
  ValueSource extends Source,
  KeySource extends Source = Serde<string>,
  HeadersSource extends StandardSchemaV1 | undefined = undefined,
  Tombstones extends boolean = false,
> {
  /** What a value is: a `Serde`, or a schema for JSON. */
  readonly value: ValueSource & CheckSource<ValueSource, "value">;
  /**
   * What a key is: a `Serde`, or a schema for JSON. A schema of strings is JSON too: `z.uuid()` writes the key with
   * quotes around it, which is another key, on another partition, than the one that Java's `StringSerializer` writes;
   * `string(z.uuid())` writes the same. Default `string()`.
   */
  readonly key?: (KeySource & CheckSource<KeySource, "key">) | undefined;
  /**
   * A schema of an object of strings. Default: any names, with strings or bytes, one or many of each.
   */
  readonly headers?: (HeadersSource & CheckHeaders<HeadersSource>) | undefined;
  /**
   * Derives the key of a record that gives none, from its value as it was passed: what the schema makes of it
   * (`trim`, `toLowerCase`, a default) is not done yet. Default: such a record has no key.
   */
  readonly keyOf?:
    ((value: Exclude<ApplicationOf<ValueSource>, null>) => ApplicationOf<KeySource> | null) | undefined;
  /**
   * Whether a value may be `null`: in a compacted topic that deletes the key. Default `false`: a
   * record without a value is then an invalid record. Not for a schema that takes `null` itself.
   */
  readonly tombstones?: (Tombstones & CheckTombstones<ApplicationOf<ValueSource>, Tombstones>) | undefined;
  /** How many partitions to make the topic with, from 1. Default: the broker's. Kafka: `num.partitions`. */
  readonly partitions?: number | undefined;
  /** How many brokers hold each partition, from 1. Default: the broker's. Kafka: `default.replication.factor`. */
  readonly replicationFactor?: number | undefined;
  /** The topic's configuration in Kafka, such as `{ "cleanup.policy": "compact" }`. Default: the broker's. */
  readonly config?: Readonly<Record<string, string>> | undefined;
}

type CheckTombstones<Value, Tombstones extends boolean> = null extends Value
  ? Tombstones extends true
    ? {
        readonly error: "the value's schema takes null itself: make it not nullable, or leave tombstones out";
      }
    : unknown
  : unknown;

/** A definition as it may be at run time: whatever a caller without types gave. */
export type GivenDefinition = Readonly<Partial<Record<(typeof fields)[number], unknown>>>;

/** A definition checked, with its defaults, and copied. */
export interface ResolvedDefinition {
  readonly value: AnySerde;
  readonly key: AnySerde;
  readonly headers: StandardSchemaV1 | undefined;
  readonly keyOf: ((value: never) => unknown) | undefined;
  readonly tombstones: boolean;
  readonly partitions: number | undefined;
  readonly replicationFactor: number | undefined;
  readonly config: Readonly<Record<string, string>>;
}

/**
 * Checks a definition and fills in what it leaves out.
 *
 * @throws `ConfigError` naming the field
 */
export function resolveDefinition(definition: GivenDefinition): ResolvedDefinition {
  checkFields(definition);
  const tombstones = booleanOf("tombstones", definition.tombstones);
  const value = serdeOf("value", definition.value);
  if (tombstones && isNullable(value)) {
    throw new ConfigError(
      "tombstones",
      "the value's schema takes null itself, so a null could mean either: make it not nullable, or leave tombstones out",
    );
  }
  return {
    value,
    key: definition.key === undefined ? string() : serdeOf("key", definition.key),
    headers: headersOf(definition.headers),
    keyOf: functionOf("keyOf", definition.keyOf),
    tombstones,
    partitions: countOf("partitions", definition.partitions),
    replicationFactor: countOf("replicationFactor", definition.replicationFactor),
    config: configOf(definition.config),
  };
}

const fields = [
  "value",
  "key",
  "headers",
  "keyOf",
  "tombstones",
  "partitions",
  "replicationFactor",
  "config",
] as const;

function checkFields(definition: unknown): void {
  if (typeof definition !== "object" || definition === null) {
    throw new ConfigError("definition", "a topic's definition is an object: { value: schema, ... }");
  }
  for (const field of Object.keys(definition)) {
    if (!fields.some((known) => known === field)) {
      throw new ConfigError(field, `a topic's definition has no such field: it has ${fields.join(", ")}`);
    }
  }
}

function serdeOf(field: "value" | "key", source: unknown): AnySerde {
  if (isStandardSchema(source)) return jsonOf(source, field);
  if (isSerde(source)) return source;
  throw new ConfigError(
    field,
    "give a schema (zod, valibot, arktype or another that follows Standard Schema) or a Serde, such as string()",
  );
}

function isSerde(source: unknown): source is AnySerde {
  return (
    typeof source === "object" &&
    source !== null &&
    "serialize" in source &&
    typeof source.serialize === "function" &&
    "deserialize" in source &&
    typeof source.deserialize === "function"
  );
}

function headersOf(schema: unknown): StandardSchemaV1 | undefined {
  if (schema === undefined) return undefined;
  if (!isStandardSchema(schema)) {
    throw new ConfigError(
      "headers",
      "give a schema of an object of strings, such as z.object({ trace: z.string() })",
    );
  }
  schemaCodec(schema, "headers", "headers");
  return schema;
}

function booleanOf(field: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw new ConfigError(field, "give true or false");
  return value;
}

function functionOf(field: string, value: unknown): ResolvedDefinition["keyOf"] {
  if (value === undefined) return undefined;
  if (typeof value !== "function")
    throw new ConfigError(field, "give a function of the value that gives its key");
  return value as ResolvedDefinition["keyOf"];
}

function countOf(field: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new ConfigError(field, "give a whole number from 1, or leave it out for the broker's default");
  }
  return value as number;
}

function configOf(config: unknown): Readonly<Record<string, string>> {
  if (config === undefined) return noConfig;
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new ConfigError("config", 'give an object of strings, such as { "cleanup.policy": "compact" }');
  }
  const entries: [string, string][] = [];
  for (const [name, value] of Object.entries(config) as [string, unknown][]) {
    if (typeof value !== "string") {
      throw new ConfigError(`config.${name}`, "give a string, as Kafka's own configuration files have it");
    }
    const change = unsendableIn(name) ?? unsendableIn(value) ?? tooLong(name) ?? tooLong(value);
    if (change !== undefined) throw new ConfigError(`config.${name}`, change);
    entries.push([name, value]);
  }
  return Object.freeze(Object.fromEntries(entries));
}

const noConfig: Readonly<Record<string, string>> = Object.freeze({});
