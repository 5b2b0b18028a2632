import { checkKnown, checkOneOf, describe } from "../check.js";
import { ConfigError } from "../errors.js";
import type { SerdeContext } from "../serde/serde.js";

/**
 * How a serde comes to the id that it writes:
 * - `register`: it registers its schema, which changes nothing where that is there already. Confluent:
 *   `auto.register.schemas=true`.
 * - `lookup`: its schema must be there. Confluent: `auto.register.schemas=false`.
 * - `latest`: it writes with the subject's newest schema, as of its first record. Confluent:
 *   `use.latest.version=true`.
 */
export type Registration = "register" | "lookup" | "latest";

/** What a subject's name is made from. */
export interface SubjectContext extends SerdeContext {
  /** The schema's own full name: of an Avro record or a protobuf message, or a JSON Schema's title. */
  readonly recordName: string | undefined;
}

/** Options of all serdes of a schema registry. They are about writing: reading goes by the id in the record. */
export interface RegistrySerdeOptions {
  /** How the serde comes to the id that it writes. @default "register" */
  readonly registration?: Registration | undefined;
  /**
   * Under which subject its schema is: `topic` is `<topic>-key` or `<topic>-value`, `record` the schema's own
   * name, `topic-record` is `<topic>-<name>`, and a function makes another. Confluent: `TopicNameStrategy`,
   * `RecordNameStrategy`, `TopicRecordNameStrategy`.
   * @default "topic"
   */
  readonly subject?: "topic" | "record" | "topic-record" | ((context: SubjectContext) => string) | undefined;
  /**
   * Whether the registry takes schemas for the same that differ only in their form. Confluent:
   * `normalize.schemas`.
   * @default false
   */
  readonly normalize?: boolean | undefined;
}

/** Options checked, with their defaults. */
export interface ResolvedSerdeOptions {
  readonly registration: Registration;
  readonly subjectOf: (context: SerdeContext) => string;
  readonly normalize: boolean;
}

/**
 * Checks options and fills in what they leave out.
 *
 * @param more - the names of options that only this serde has
 * @throws `ConfigError` naming the field
 */
export function resolveSerdeOptions(
  options: RegistrySerdeOptions,
  recordName: string | undefined,
  more: readonly string[] = [],
): ResolvedSerdeOptions {
  checkKnown("options", options, ["registration", "subject", "normalize", ...more]);
  const normalize: unknown = options.normalize;
  if (normalize !== undefined && typeof normalize !== "boolean")
    throw new ConfigError("normalize", `expected true or false, got ${describe(normalize)}`);
  const names = ["register", "lookup", "latest"] as const;
  return {
    registration: checkOneOf("registration", options.registration, names, "register"),
    subjectOf: subjectOf(options.subject, recordName),
    normalize: normalize === true,
  };
}

function subjectOf(
  given: RegistrySerdeOptions["subject"],
  recordName: string | undefined,
): ResolvedSerdeOptions["subjectOf"] {
  if (typeof given === "function") {
    return ({ topic, part }) => {
      const subject: unknown = given({ topic, part, recordName });
      if (typeof subject === "string" && subject !== "") return subject;
      throw new ConfigError("subject", `gave ${describe(subject)} for the ${part} of ${topic}: give a name`);
    };
  }
  const strategy = checkOneOf("subject", given, ["topic", "record", "topic-record"], "topic");
  if (strategy === "topic") return ({ topic, part }) => `${topic}-${part}`;
  if (recordName === undefined)
    throw new ConfigError("subject", `the schema has no name of its own, which "${strategy}" needs`);
  return ({ topic }) => (strategy === "record" ? recordName : `${topic}-${recordName}`);
}
