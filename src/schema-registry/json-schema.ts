import type { StandardSchemaV1 } from "@standard-schema/spec";
import { ConfigError } from "../errors.js";
import { copyJson, parseJson, toJson } from "../serde/json-text.js";
import { schemaCodec } from "../serde/schema.js";
import { schemaSerde } from "../serde/schema-serde.js";
import type { Serde, SerdeContext } from "../serde/serde.js";
import type { CheckSchema } from "../serde/source.js";
import { decodeUtf8 } from "../serde/utf8.js";
import type { RegistrySchema, SchemaRegistry } from "./registry.js";
import { checkOptions } from "../options/check-options.js";
import { unchecked } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import { type RegistrySerdeOptions, serdeSpecs, settleSerdeOptions } from "./serde-options.js";
import { headerSize, readId } from "./wire-format.js";
import { writing } from "./writing.js";

/** Options of {@link jsonSchema}. */
export interface JsonSchemaOptions extends RegistrySerdeOptions {
  /**
   * The JSON Schema to register, of the wire side. Default: what the schema itself gives as draft 7, which zod's
   * (from 4.2) and others that follow Standard JSON Schema do.
   */
  readonly schema?: Readonly<Record<string, unknown>> | undefined;
}

/** The options of JSON Schema. */
export const jsonSchemaSpecs = {
  ...serdeSpecs,
  schema: unchecked<NonNullable<JsonSchemaOptions["schema"]>>("object"),
} satisfies OptionSpecs<JsonSchemaOptions>;

/**
 * JSON in the wire format of Confluent's `KafkaJsonSchemaSerializer`: as `json`, with the id of a JSON
 * Schema in a registry before it. The registry is asked once for each topic that is written to. Reading asks it
 * nothing, because what the schema given here does not take is refused whatever the writer's schema says.
 *
 * @param schema - a Standard Schema, as for `json`; zod codecs are encoded on the way out
 * @throws `ConfigError` where it cannot be sent and read again, or has no JSON Schema
 *
 * @example
 * ```ts
 * const students = defineTopic("students", {
 *   value: jsonSchema(registry, z.object({ id: z.int(), name: z.string() })),
 * });
 * ```
 */
export function jsonSchema<Schema extends StandardSchemaV1>(
  registry: SchemaRegistry,
  schema: Schema & CheckSchema<Schema, "schema">,
  options: JsonSchemaOptions = {},
): Serde<StandardSchemaV1.InferOutput<Schema>> {
  // What it says is wrong with a schema helps more than why that has no JSON Schema.
  schemaCodec(schema, "json", "schema");
  const given = checkOptions("options", options, jsonSchemaSpecs);
  const document = given.schema ?? documentOf(schema);
  const { title } = document;
  const resolved = settleSerdeOptions(given, typeof title === "string" ? title : undefined);
  const registered: RegistrySchema = {
    schema: toJson(document, "value"),
    schemaType: "JSON",
    references: [],
  };
  const format = {
    schema: () => registered,
    writer:
      (id: number) =>
      (wire: unknown, { part }: SerdeContext) => {
        const bytes = Buffer.from(header + toJson(wire, part));
        bytes.writeInt32BE(id, 1);
        return bytes;
      },
    copy: copyJson,
  };
  return schemaSerde(schema, "schema", "json", {
    write: writing(registry, format, resolved),
    read: (bytes) => {
      readId(bytes);
      return parseJson(decodeUtf8(bytes.subarray(headerSize)));
    },
    mayWait: true,
  });
}

/** As text, so that one step makes all the bytes. */
const header = "\0".repeat(headerSize);

/** What Standard JSON Schema adds to a schema (https://standardschema.dev/json-schema). */
interface WithJsonSchema {
  readonly jsonSchema?: {
    readonly input?: (options: { readonly target: string }) => Record<string, unknown>;
  };
}

/** The JSON Schema that a schema gives of what is on the wire, which is its input. */
function documentOf(schema: StandardSchemaV1): Record<string, unknown> {
  const standard = schema["~standard"] as WithJsonSchema;
  if (typeof standard.jsonSchema?.input !== "function")
    throw new ConfigError("schema", "gives no JSON Schema by itself: give it in the option schema");
  try {
    return standard.jsonSchema.input({ target: "draft-07" });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError("schema", `has no JSON Schema (${reason}): give one in the option schema`, {
      cause: error,
    });
  }
}
