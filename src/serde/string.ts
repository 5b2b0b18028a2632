import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describeValue, SerdeFailure } from "./failure.js";
import { schemaSerde } from "./schema-serde.js";
import { type AnySerde, readsText, type Serde, writesText } from "./serde.js";
import type { CheckStringSchema } from "./source.js";
import { decodeUtf8, hasUtf8 } from "./utf8.js";

/**
 * Strings as UTF-8, strictly: bytes that are not UTF-8 are an error, not replacement characters, and
 * so is a string that holds half of a surrogate pair. Kafka: `StringSerializer`.
 *
 * @returns the same serde at each call
 */
export function string(): Serde<string>;
/**
 * Strings as UTF-8 that a schema describes, checked on the way out and on the way in: the text itself, without the
 * quotes of JSON, as Java's `StringSerializer` writes it. The type is the schema's: a brand, a union of literals, or
 * the application's side of a codec from a string. Kafka: `StringSerializer`.
 *
 * @param schema - a Standard Schema whose wire side is a string; refused where `json` refuses one, that is where it
 *   goes one way only. An asynchronous one is awaited.
 * @throws `ConfigError` where it goes one way only, or is not of a string
 *
 * @example
 * ```ts
 * const orders = defineTopic("orders", { value: order, key: string(z.uuid()), keyOf: ({ id }) => id });
 * ```
 */
export function string<Schema extends StandardSchemaV1>(
  schema: Schema & CheckStringSchema<Schema>,
): Serde<StandardSchemaV1.InferOutput<Schema>>;
export function string(schema?: StandardSchemaV1): AnySerde {
  return schema === undefined
    ? plain
    : schemaSerde(schema, "schema", "string", {
        write: (value) => Buffer.from(checkText(value)),
        writeText: checkText,
        read: decodeUtf8,
        readText: (text) => text,
      });
}

const plain: Serde<string> = Object.freeze({
  serialize: (value: unknown) => Buffer.from(checkText(value)),
  deserialize: decodeUtf8,
});
writesText(plain, checkText);
readsText(plain, (text) => text);

function checkText(value: unknown): string {
  if (typeof value !== "string") throw new SerdeFailure(`expected a string, got ${describeValue(value)}`);
  if (!hasUtf8(value)) throw new SerdeFailure("the string holds half of a surrogate pair, which is no UTF-8");
  return value;
}
