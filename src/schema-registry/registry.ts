import { ConfigError } from "../errors.js";
import { SerdeFailure } from "../serde/failure.js";
import { Cache } from "./cache.js";
import { resolveRegistryOptions, type SchemaRegistryOptions } from "./options.js";
import { Refusal, Requests } from "./requests.js";
import type { Registration } from "./serde-options.js";

/**
 * A schema registry that speaks Confluent's protocol (Confluent's own, Apicurio, Karapace, Redpanda), for
 * {@link avro}, {@link jsonSchema} and {@link protobuf}. Made once, at module scope; it opens nothing until the
 * first record, and asks for each schema once.
 *
 * @throws `ConfigError` naming the field
 *
 * @example
 * ```ts
 * const registry = schemaRegistry({
 *   url: "https://registry.example.com",
 *   auth: { username: "key", password: "secret" },
 * });
 * ```
 */
export function schemaRegistry(options: SchemaRegistryOptions): SchemaRegistry {
  return new SchemaRegistry(options);
}

/** A schema as the registry's protocol has it. */
export interface RegistrySchema {
  readonly schema: string;
  readonly schemaType: "AVRO" | "JSON" | "PROTOBUF";
  readonly references: readonly SchemaReference[];
}

/** Another schema that one refers to. */
export interface SchemaReference {
  /** How it is named there: an Avro name, or the path of an import. */
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** Which of a subject's schemas is written with. */
interface SubjectQuestion {
  readonly subject: string;
  readonly schema: RegistrySchema;
  readonly normalize: boolean;
}

/** A schema registry, made by {@link schemaRegistry}. Give it to the serdes. */
export class SchemaRegistry {
  readonly #requests: Requests;
  readonly #schemas = new Cache<number, RegistrySchema>();
  readonly #ids = new Cache<string, number>();

  /** @internal Use {@link schemaRegistry}. */
  constructor(options: SchemaRegistryOptions) {
    this.#requests = new Requests(resolveRegistryOptions(options));
  }

  /**
   * The schema of an id.
   *
   * @throws `SerdeFailure` where there is none: the record that has the id cannot be read by anyone
   * @internal
   */
  schemaOf(id: number): Promise<RegistrySchema> {
    return this.#schemas.get(id, async () => {
      try {
        return schemaIn(await this.#ask("GET", `/schemas/ids/${id}`));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (!error.isMissing) throw notAnswered(`schema id ${id}`, error);
        throw new SerdeFailure(
          `schema id ${id} is not in the registry (${error.message}): the record was written with another registry, or the schema was deleted for good`,
        );
      }
    });
  }

  /**
   * The descriptors of a protobuf schema and of what it imports, its own first, in base64.
   *
   * @throws `ConfigError` where the registry gives only the text of .proto files
   * @internal
   */
  async descriptorsOf(id: number): Promise<readonly string[]> {
    const found: string[] = [];
    const seen = new Set<string>();
    const add = async (path: string): Promise<void> => {
      if (isSeen(seen, path)) return;
      let answer: RegistrySchema;
      try {
        answer = schemaIn(await this.#ask("GET", path));
      } catch (error) {
        throw error instanceof Refusal ? notAnswered(path, error) : error;
      }
      if (!/^[A-Za-z0-9+/]+=*$/.test(answer.schema))
        throw new ConfigError("url", "the registry gives no descriptors of protobuf (format=serialized)");
      found.push(answer.schema);
      for (const { subject, version } of answer.references)
        await add(`/subjects/${encodeURIComponent(subject)}/versions/${version}?format=serialized`);
    };
    await add(`/schemas/ids/${id}?format=serialized`);
    return found;
  }

  /**
   * The id of a schema under a subject, registered before where that is asked for.
   * @internal
   */
  idOf(registration: Exclude<Registration, "latest">, question: SubjectQuestion): Promise<number> {
    const { subject, schema, normalize } = question;
    const key = JSON.stringify([registration, subject, normalize, schema]);
    return this.#ids.get(key, async () => {
      if (registration === "lookup") return (await this.#find(question)).id;
      const path = `/subjects/${encodeURIComponent(subject)}/versions?normalize=${String(normalize)}`;
      try {
        return idIn(await this.#ask("POST", path, bodyOf(schema)));
      } catch (error) {
        throw refused(subject, error);
      }
    });
  }

  /**
   * The version of a schema that is registered under a subject.
   * @internal
   */
  async versionOf(question: SubjectQuestion): Promise<number> {
    return (await this.#find(question)).version;
  }

  /**
   * The newest schema of a subject.
   * @internal
   */
  async latestOf(subject: string): Promise<RegistrySchema & { readonly id: number }> {
    try {
      const answer = await this.#ask("GET", `/subjects/${encodeURIComponent(subject)}/versions/latest`);
      return { ...schemaIn(answer), id: idIn(answer) };
    } catch (error) {
      throw missing(subject, "has no schema", error);
    }
  }

  /**
   * The schemas that a schema refers to, those that they refer to before them, each once.
   * @internal
   */
  async referencesOf(schema: RegistrySchema, seen = new Set<string>()): Promise<readonly RegistrySchema[]> {
    const found: RegistrySchema[] = [];
    for (const { subject, version } of schema.references) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}?deleted=true`;
      if (isSeen(seen, path)) continue;
      let referenced: RegistrySchema;
      try {
        referenced = schemaIn(await this.#ask("GET", path));
      } catch (error) {
        throw error instanceof Refusal ? notAnswered(`${subject}, version ${version}`, error) : error;
      }
      found.push(...(await this.referencesOf(referenced, seen)), referenced);
    }
    return found;
  }

  async #find({ subject, schema, normalize }: SubjectQuestion): Promise<{ id: number; version: number }> {
    const path = `/subjects/${encodeURIComponent(subject)}?normalize=${String(normalize)}`;
    try {
      const answer = await this.#ask("POST", path, bodyOf(schema));
      return { id: idIn(answer), version: numberIn(answer, "version") };
    } catch (error) {
      throw missing(subject, "does not have this schema", error);
    }
  }

  #ask(method: "GET" | "POST", path: string, body?: object): Promise<unknown> {
    return this.#requests.send(method, path, body);
  }
}

function bodyOf({ schema, schemaType, references }: RegistrySchema): object {
  return { schema, schemaType, ...(references.length === 0 ? {} : { references }) };
}

/** Why a schema could not be registered. */
function refused(subject: string, error: unknown): unknown {
  if (!(error instanceof Refusal)) return error;
  const cure =
    error.status === 409
      ? "is not compatible with the versions before it: change it so that it is, or the subject's compatibility"
      : "is refused by the registry";
  return new ConfigError("schema", `subject ${subject}: the schema ${cure}: ${error.message}`, {
    cause: error,
  });
}

function missing(subject: string, what: string, error: unknown): unknown {
  if (!(error instanceof Refusal)) return error;
  const cure = error.isMissing ? `${what}: register it before, or with registration: "register"` : "refused";
  return new ConfigError("registration", `subject ${subject} ${cure} (${error.message})`, { cause: error });
}

/** A refusal that says nothing of a record: it must not pass for one. */
function notAnswered(what: string, error: Refusal): ConfigError {
  return new ConfigError("url", `the registry does not give ${what}: ${error.message}`, { cause: error });
}

function schemaIn(answer: unknown): RegistrySchema {
  const { schema, schemaType, references } = answer as Partial<Record<keyof RegistrySchema, unknown>>;
  if (typeof schema !== "string") throw notUnderstood("schema");
  const list = references ?? [];
  if (!Array.isArray(list) || !list.every(isReference)) throw notUnderstood("references");
  // Another type is one that a reader may not know; it says so.
  return { schema, schemaType: (schemaType ?? "AVRO") as RegistrySchema["schemaType"], references: list };
}

function isReference(given: unknown): given is SchemaReference {
  const { name, subject, version } = Object(given) as Partial<Record<keyof SchemaReference, unknown>>;
  return typeof name === "string" && typeof subject === "string" && Number.isSafeInteger(version);
}

/**
 * Whether a schema was asked for before, which is remembered.
 * @throws `ConfigError` where there are more than a schema can need: the registry's answers lead on without an end
 */
function isSeen(seen: Set<string>, path: string): boolean {
  if (seen.has(path)) return true;
  if (seen.size >= maxReferences)
    throw new ConfigError("url", `a schema refers to more than ${maxReferences} others`);
  seen.add(path);
  return false;
}

const maxReferences = 200;

function idIn(answer: unknown): number {
  return numberIn(answer, "id");
}

function numberIn(answer: unknown, name: "id" | "version"): number {
  const value = (answer as Partial<Record<string, unknown>>)[name];
  if (typeof value !== "number") throw notUnderstood(name);
  return value;
}

function notUnderstood(field: string): ConfigError {
  return new ConfigError("url", `the answer has no ${field} that can be read: is it a schema registry's?`);
}
