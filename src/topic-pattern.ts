import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe } from "./check.js";
import { ConfigError } from "./errors.js";
import type { DefaultHeaders } from "./record.js";
import type { Serde } from "./serde/serde.js";
import type { ApplicationOf, Source } from "./serde/source.js";
import { type GivenDefinition, resolveDefinition, type TopicDefinition } from "./topic-definition.js";
import type { AnyTopic, TopicTypes } from "./topic.js";

/**
 * All topics whose names fit a regular expression, with records of one type: made with
 * {@link topicPattern}, read with {@link Kafka.consumer}. A topic made later is read as well, within
 * `metadataMaxAgeMs`. Nothing can be sent to a pattern, and neither a processor nor `read` nor `check` takes
 * one. `retryTopics` and `deadLetter: true` are refused with it; a topic of your own as `deadLetter` is not.
 */
export interface TopicPattern<Value, Key = string, Headers = DefaultHeaders> extends AnyTopicPattern {
  readonly value: Serde<Exclude<Value, null>>;
  readonly key: Serde<Key>;
  readonly headers: StandardSchemaV1<unknown, Headers> | undefined;
  /** Only for the compiler: a function of the types is what makes them invariant. Never set. */
  readonly "~types"?: (types: TopicTypes<Value, Key, Headers>) => TopicTypes<Value, Key, Headers>;
}

/** Any {@link TopicPattern}, whatever its types. */
export interface AnyTopicPattern extends Omit<
  AnyTopic,
  "name" | "keyOf" | "partitions" | "replicationFactor" | "config"
> {
  /** What the names of the topics fit, as it was given. */
  readonly pattern: RegExp;
  /** The same as Kafka takes it: a POSIX extended expression for the whole name. */
  readonly subscription: string;
}

/** What the records of all topics of a {@link TopicPattern} are. */
export type PatternDefinition<
  ValueSource extends Source,
  KeySource extends Source,
  HeadersSource extends StandardSchemaV1 | undefined,
  Tombstones extends boolean,
> = Pick<
  TopicDefinition<ValueSource, KeySource, HeadersSource, Tombstones>,
  "value" | "key" | "headers" | "tombstones"
>;

type PatternHeaders<HeadersSource> = HeadersSource extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<HeadersSource>
  : DefaultHeaders;

/**
 * Names all topics that fit a regular expression and have records of the same type. `record.topic` tells
 * where each one is from. Kafka's own topics (`__consumer_offsets` and the like) never fit.
 *
 * Kafka looks for the topics itself, so the expression may use what POSIX has as well: characters, `.`,
 * sets, `\d` and `\w`, groups, `|`, `*`, `+`, `?`, `{n,m}`, `^` at the beginning and `$` at the end.
 * Without these two it fits anywhere in a name.
 *
 * @throws `ConfigError` for an expression that uses more (lookahead, `\b`, flags, …), and as
 *   {@link defineTopic} does
 *
 * @example
 * ```ts
 * const orders = topicPattern(/^orders\.(eu|us)$/, { value: z.object({ id: z.string() }) });
 * for await (const { topic, value } of kafka.consumer(orders, { groupId: "audit" })) console.log(topic, value.id);
 * ```
 */
export function topicPattern<
  ValueSource extends Source,
  KeySource extends Source = Serde<string>,
  HeadersSource extends StandardSchemaV1 | undefined = undefined,
  const Tombstones extends boolean = false,
>(
  pattern: RegExp,
  definition: PatternDefinition<ValueSource, KeySource, HeadersSource, Tombstones>,
): TopicPattern<
  Tombstones extends true ? ApplicationOf<ValueSource> | null : ApplicationOf<ValueSource>,
  ApplicationOf<KeySource>,
  PatternHeaders<HeadersSource>
>;
export function topicPattern(pattern: RegExp, definition: GivenDefinition): AnyTopicPattern {
  if (!((pattern as unknown) instanceof RegExp))
    throw new ConfigError("pattern", `expected a regular expression, got ${describe(pattern)}`);
  const { value, key, headers, tombstones } = resolveDefinition(definition);
  for (const field of ["keyOf", "partitions", "replicationFactor", "config"] as const) {
    if (definition[field] !== undefined)
      throw new ConfigError(field, "is for a topic that is sent to or made; a pattern is only read");
  }
  return Object.freeze({
    pattern: new RegExp(pattern.source),
    subscription: toPosix(pattern),
    value,
    key,
    headers,
    tombstones,
  });
}

/**
 * The topic of this name: the one that was named, or one like the first pattern that fits.
 * @internal
 */
export function topicOf(topics: readonly (AnyTopic | AnyTopicPattern)[], name: string): AnyTopic {
  for (const topic of topics) if ("name" in topic && topic.name === name) return topic;
  for (const topic of topics) {
    if (!("pattern" in topic) || !topic.pattern.test(name)) continue;
    const { value, key, headers, tombstones } = topic;
    const unmade = { keyOf: undefined, partitions: undefined, replicationFactor: undefined, config: {} };
    return { name, value, key, headers, tombstones, ...unmade };
  }
  throw new ConfigError("topics", `a record of ${name} came, which none of them fits`);
}

/**
 * The expression as POSIX (and the RE2/J of Kafka's brokers) has it, for the whole of a name: the one
 * looks anywhere in it, the other at all of it.
 * @internal
 */
export function toPosix(pattern: RegExp): string {
  const { source, flags } = pattern;
  if (flags !== "")
    throw new ConfigError("pattern", `Kafka has no flags for regular expressions; got "${flags}"`);
  let depth = 0;
  let alternatives = false;
  let body = "";
  const anchoredStart = source.startsWith("^");
  const anchoredEnd = /(^|[^\\])(\\\\)*\$$/.test(source);
  let rest = source.slice(anchoredStart ? 1 : 0, anchoredEnd ? -1 : undefined);
  while (rest !== "") {
    const match = tokens.exec(rest);
    if (match === null)
      throw new ConfigError(
        "pattern",
        `Kafka's regular expressions have no ${JSON.stringify(rest.slice(0, 3))} (in ${String(pattern)})`,
      );
    const [token] = match;
    rest = rest.slice(token.length);
    if (token === "(" || token === "(?:") depth += 1;
    if (token === ")") depth -= 1;
    if (token === "|" && depth === 0) alternatives = true;
    body += posixOf(token);
  }
  if (alternatives && (anchoredStart || anchoredEnd))
    throw new ConfigError(
      "pattern",
      "put the alternatives into a group, so that ^ and $ are for all of them: /^(a|b)$/",
    );
  return `^${anchoredStart ? "" : ".*"}(${body})${anchoredEnd ? "" : ".*"}$`;
}

/** What both kinds of expressions have, and no lazy or possessive quantifiers. */
const tokens =
  /^(?:[\w<>=!@#%&~`'",:;/ -]|\\[dwDW.\-/]|\\[\\^$*+?()[\]{}|]|\.|\(\?:|\((?!\?)|\)|\||(?:[*+?]|\{\d+(?:,\d*)?\})(?![?+*{])|\[\^?(?:[\w.]-[\w.]|[\w.]|\\[dw.-])+-?\])/;

function posixOf(token: string): string {
  switch (token) {
    case "(?:":
      return "(";
    case "\\d":
      return "[0-9]";
    case "\\D":
      return "[^0-9]";
    case "\\w":
      return "[A-Za-z0-9_]";
    case "\\W":
      return "[^A-Za-z0-9_]";
    case "\\-":
    case "\\/":
      return token.slice(1);
    default:
      return token.startsWith("[") ? setOf(token) : token;
  }
}

/** A set in brackets: POSIX has no escapes there, and takes a hyphen for itself only at the end. */
function setOf(token: string): string {
  const inner = token.slice(token.startsWith("[^") ? 2 : 1, -1);
  const hyphen = inner.includes("\\-") || inner.endsWith("-") ? "-" : "";
  const plain = inner
    .replaceAll("\\-", "")
    .replace(/-$/, "")
    .replaceAll("\\d", "0-9")
    .replaceAll("\\w", "A-Za-z0-9_")
    .replaceAll("\\.", ".");
  return `${token.startsWith("[^") ? "[^" : "["}${plain}${hyphen}]`;
}
