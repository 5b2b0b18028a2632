import type { StandardSchemaV1 } from "@standard-schema/spec";
import { parseJson, toJson } from "./json-text.js";
import { schemaSerde } from "./schema-serde.js";
import type { Serde } from "./serde.js";
import type { CheckSchema } from "./source.js";
import { decodeUtf8 } from "./utf8.js";

/**
 * JSON that a schema describes, checked on the way out and on the way in. What is sent is what the
 * schema gives for the value: fields that it does not name are left out where the schema leaves them
 * out. A zod codec is encoded on the way out and decoded on the way in.
 *
 * JavaScript's numbers hold integers up to 2^53. A larger one in the JSON, such as a Java `long`, loses its
 * last digits with `z.number()` and is refused by `z.int()`: send it as a string, with a codec to `bigint`.
 *
 * @param schema - a Standard Schema: zod, valibot, arktype and others. One that goes one way only, or
 *   whose wire side JSON does not have, does not compile where its types tell it. For zod it is
 *   also found out at run time, anywhere in the schema. What no type tells (`z.unknown()`, other
 *   vendors' schemas) is looked at in each value sent, which is read back as it was sent or refused.
 * @throws `ConfigError` with the path of the part of the schema that cannot be sent and read again
 *
 * @example
 * ```ts
 * const student = json(z.object({ id: z.number(), enrolled: z.codec(z.iso.datetime(), z.date(), {
 *   decode: (text) => new Date(text),
 *   encode: (date) => date.toISOString(),
 * }) }));
 * ```
 */
export function json<Schema extends StandardSchemaV1>(
  schema: Schema & CheckSchema<Schema, "schema">,
): Serde<StandardSchemaV1.InferOutput<Schema>> {
  return jsonOf(schema, "schema");
}

/** {@link json} of a schema that stands in the field of this path. */
export function jsonOf(schema: StandardSchemaV1, field: string): Serde<unknown> {
  return schemaSerde(schema, field, "json", {
    write: (wire, { part }) => Buffer.from(toJson(wire, part)),
    writeText: (wire, { part }) => toJson(wire, part),
    read: (bytes) => parseJson(decodeUtf8(bytes)),
    readText: parseJson,
  });
}
