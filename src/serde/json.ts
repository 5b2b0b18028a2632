import type { StandardSchemaV1 } from "@standard-schema/spec";
import { SerdeFailure } from "./failure.js";
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
 *   vendors' schemas) is looked at in each value sent.
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
    write: (wire) => Buffer.from(toJson(wire)),
    read: (bytes) => parseJson(decodeUtf8(bytes)),
    readText: parseJson,
  });
}

/** The JSON of a value that a schema gave. */
export function toJson(wire: unknown): string {
  const text = stringify(wire);
  if (text === undefined) throw new SerdeFailure("the value has no JSON");
  return text;
}

/** What its declaration leaves out: it gives `undefined` for what has no JSON. */
const stringify: (value: unknown) => string | undefined = JSON.stringify;

/** The value of a JSON text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SerdeFailure(`not JSON: ${error instanceof Error ? error.message : String(error)}`, [], {
      cause: error,
    });
  }
}
