import type { StandardSchemaV1 } from "@standard-schema/spec";
import { parseJson } from "./json-text.js";
import { schemaCodec, takesNull, valueOf } from "./schema.js";
import { readsJson, readsText, type Serde, type SerdeContext, writesText } from "./serde.js";
import { waiting } from "./waiting-serde.js";
import { isZod, type Wire } from "./zod-structure.js";

/** How what a schema gives for a value becomes bytes, and back. A promise only where it has to be waited for. */
export interface WireFormat {
  readonly write: (wire: unknown, context: SerdeContext) => Buffer | Promise<Buffer>;
  /** The text of which `write` gives the UTF-8; absent where a format is no text. */
  readonly writeText?: (wire: unknown, context: SerdeContext) => string;
  readonly read: (bytes: Buffer, context: SerdeContext) => unknown;
  /** The same as `read` of the bytes that the text is in UTF-8; absent where a format is no text. */
  readonly readText?: (text: string) => unknown;
  /** It may give promises. */
  readonly mayWait?: true;
}

/**
 * A serde of what a schema describes: checked and encoded by the schema, then written; read, then checked and
 * decoded. Without a promise where neither the schema nor the format has one.
 *
 * @param wire - what may be on the schema's wire side: JSON, a string, or (`application`) whatever the format takes
 * @throws `ConfigError` for a schema whose values could not be read again
 */
export function schemaSerde(
  schema: StandardSchemaV1,
  field: string,
  wire: Exclude<Wire, "headers">,
  { write, writeText, read, readText, mayWait }: WireFormat,
): Serde<unknown> {
  const { encode, decode } = schemaCodec(schema, wire, field);
  const serde: Serde<unknown> = Object.freeze({
    ...(mayWait && waiting),
    ...(takesNull({ encode, decode }, isZod(schema)) && { [nullable]: true }),
    serialize: (value: unknown, context: SerdeContext) => {
      const result = encode(value);
      return result instanceof Promise
        ? result.then((later) => write(valueOf(later), context))
        : write(valueOf(result), context);
    },
    deserialize: (bytes: Buffer, context: SerdeContext) => {
      const value = read(bytes, context);
      const result = value instanceof Promise ? value.then(decode) : decode(value);
      return result instanceof Promise ? result.then(valueOf) : valueOf(result);
    },
  });
  if (writeText !== undefined) {
    writesText(serde, (value, context) => {
      const result = encode(value);
      return result instanceof Promise
        ? result.then((later) => writeText(valueOf(later), context))
        : writeText(valueOf(result), context);
    });
  }
  if (readText !== undefined) {
    const decoded = (value: unknown): unknown => {
      const result = decode(value);
      return result instanceof Promise ? result.then(valueOf) : valueOf(result);
    };
    readsText(serde, (text) => decoded(readText(text)));
    if (readText === parseJson) readsJson(serde, decoded);
  }
  return serde;
}

/** Whether this is the serde of a schema that takes `null`. */
export function isNullable(serde: object): boolean {
  return nullable in serde;
}

/** Marks the serde itself, for every copy of this library in the process. */
const nullable = Symbol.for("typed-kafka.nullable");
