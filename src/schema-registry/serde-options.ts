import { checkOneOf, describe } from "../check.js";
import { ConfigError } from "../errors.js";
import { choice, custom, flag } from "../options/kinds.js";
import type { Checked, OptionSpecs } from "../options/spec.js";
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

const strategies = ["topic", "record", "topic-record"] as const;

/** The options of all serdes, for those that have more. */
export const serdeSpecs = {
  registration: choice(["register", "lookup", "latest"], { default: "register" }),
  subject: custom<NonNullable<RegistrySerdeOptions["subject"]>, NonNullable<RegistrySerdeOptions["subject"]>>(
    "choice",
    checkSubject,
    { words: strategies, default: "topic" },
  ),
  normalize: flag({ default: false }),
} satisfies OptionSpecs<RegistrySerdeOptions>;

/**
 * Makes a serde's own settings of options that have been checked.
 *
 * @throws `ConfigError` naming the field
 */
export function settleSerdeOptions(
  options: Checked<typeof serdeSpecs>,
  recordName: string | undefined,
): ResolvedSerdeOptions {
  const { registration, normalize } = options;
  return { registration, normalize, subjectOf: subjectOf(options.subject, recordName) };
}

function checkSubject(path: string, given: unknown): NonNullable<RegistrySerdeOptions["subject"]> {
  return typeof given === "function"
    ? (given as Extract<RegistrySerdeOptions["subject"], (context: SubjectContext) => string>)
    : checkOneOf(path, given, strategies, "topic");
}

function subjectOf(
  given: NonNullable<RegistrySerdeOptions["subject"]>,
  recordName: string | undefined,
): ResolvedSerdeOptions["subjectOf"] {
  if (typeof given === "function") {
    return ({ topic, part }) => {
      const subject: unknown = given({ topic, part, recordName });
      if (typeof subject === "string" && subject !== "") return subject;
      throw new ConfigError("subject", `gave ${describe(subject)} for the ${part} of ${topic}: give a name`);
    };
  }
  if (given === "topic") return ({ topic, part }) => `${topic}-${part}`;
  if (recordName === undefined)
    throw new ConfigError("subject", `the schema has no name of its own, which "${given}" needs`);
  return ({ topic }) => (given === "record" ? recordName : `${topic}-${recordName}`);
}
