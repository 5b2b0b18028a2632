import { isDeepStrictEqual } from "node:util";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Type } from "avsc";
import { ConfigError, type Issue } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { choice } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import { describeValue, SerdeFailure } from "../serde/failure.js";
import { schemaSerde } from "../serde/schema-serde.js";
import type { Serde } from "../serde/serde.js";
import type { CheckOneWay } from "../serde/source.js";
import { AvroTypes } from "./avro-types.js";
import { type Reader, reading } from "./reading.js";
import type { RegistrySchema, SchemaRegistry } from "./registry.js";
import { type RegistrySerdeOptions, serdeSpecs, settleSerdeOptions } from "./serde-options.js";
import { headerSize, writeHeader } from "./wire-format.js";
import { writing, type Writer } from "./writing.js";

/** An Avro schema: the object, or the JSON text of one, such as an `.avsc` file holds. */
export type AvroSchema = string | object;

/** Options of {@link avro}. */
export interface AvroOptions extends RegistrySerdeOptions {
  /**
   * What a `long` is. A `number` holds those up to 2^53; a larger one is refused, not rounded.
   * @default "number"
   */
  readonly longs?: "number" | "bigint" | undefined;
}

/** The options of Avro. */
export const avroSpecs = {
  ...serdeSpecs,
  longs: choice(["number", "bigint"], { default: "number" }),
} satisfies OptionSpecs<AvroOptions>;

/**
 * Avro in the wire format of Confluent's `KafkaAvroSerializer`. The Avro schema is what is on the wire, and what
 * is registered; the other schema gives the type, and checks. What was written with another version of the Avro
 * schema is resolved to this one, by Avro's rules: defaults, promotions, aliases.
 *
 * `int`, `float`, `double` are numbers, `long` see {@link AvroOptions.longs}; `bytes` and `fixed` Buffers,
 * `enum` strings, `map` objects. A union is its value; where values do not tell its branches apart, as for two
 * records, it is `{ "full.name": value }`. `timestamp-millis` and `date` are Dates, `decimal` is a text such as
 * `"12.50"`, `uuid` a string, and other logical types are what they are written as. zod codecs make something
 * else of them.
 *
 * Needs the package `avsc`.
 *
 * @param avroSchema - complete in itself: the types it names are in it
 * @param schema - a Standard Schema of the same values
 * @throws `ConfigError` where a schema is wrong, goes one way only, or `avsc` is not installed
 *
 * @example
 * ```ts
 * const student = {
 *   type: "record",
 *   name: "school.Student",
 *   fields: [
 *     { name: "id", type: "long" },
 *     { name: "enrolled", type: { type: "long", logicalType: "timestamp-millis" } },
 *   ],
 * };
 * const students = defineTopic("students", {
 *   value: avro(registry, student, z.object({ id: z.int(), enrolled: z.date() })),
 * });
 * ```
 */
export function avro<Schema extends StandardSchemaV1>(
  registry: SchemaRegistry,
  avroSchema: AvroSchema,
  schema: Schema & CheckOneWay<Schema, "schema">,
  options: AvroOptions = {},
): Serde<StandardSchemaV1.InferOutput<Schema>> {
  const given = checkOptions("options", options, avroSpecs);
  const types = new AvroTypes(given.longs);
  const { own, document } = ownType(types, avroSchema);
  const resolved = settleSerdeOptions(given, own.name);
  const registered: RegistrySchema = {
    schema: JSON.stringify(document),
    schemaType: "AVRO",
    references: [],
  };

  const typeOf = async (given: RegistrySchema, what: string): Promise<Type> => {
    if (given.schemaType !== "AVRO")
      throw new SerdeFailure(`${what} is a schema of ${given.schemaType}, not of Avro`);
    return types.typeOf(JSON.parse(given.schema), await registry.referencesOf(given));
  };
  /** The resolver of what was written as another type; absent where that is the own one. */
  const resolverFrom = (writer: Type, what: string) => {
    try {
      return own.createResolver(writer);
    } catch (error) {
      throw new SerdeFailure(
        `${what} cannot be read as the topic's Avro schema: ${error instanceof Error ? error.message : String(error)}`,
        [],
        { cause: error },
      );
    }
  };

  const format = {
    schema: () => registered,
    writer: async (id: number, latest?: RegistrySchema): Promise<Writer> => {
      if (latest === undefined) return writerOf(own, id);
      const type = await typeOf(latest, `the subject's latest schema (id ${id})`);
      // What this serde could not read again it does not write.
      resolverFrom(type, `what the subject's latest schema (id ${id}) writes`);
      return writerOf(type, id);
    },
    copy: (wire: unknown): unknown => {
      checkValue(own, wire);
      return own.clone(wire);
    },
  };
  const readerFor = async (given: RegistrySchema, id: number): Promise<Reader> => {
    const what = `what was written with schema id ${id}`;
    if (given.references.length === 0 && isDeepStrictEqual(JSON.parse(given.schema), document))
      return readerOf(own, undefined, what);
    const writer = await typeOf(given, `schema id ${id}`);
    return readerOf(own, resolverFrom(writer, what), what);
  };
  return schemaSerde(schema, "schema", "application", {
    write: writing(registry, format, resolved),
    read: reading(registry, readerFor),
  });
}

function ownType(types: AvroTypes, given: AvroSchema): { readonly own: Type; readonly document: unknown } {
  try {
    const document: unknown =
      typeof given === "string" && /^\s*[[{"]/.test(given) ? JSON.parse(given) : given;
    return { own: types.typeOf(document), document };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError("avroSchema", error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

/** Where values are written before it is known how long they are. */
const scratch = Buffer.allocUnsafeSlow(16_384);

function writerOf(type: Type, id: number): Writer {
  return (wire) => {
    checkValue(type, wire);
    let bytes: Buffer;
    const end = type.encode(wire, scratch, headerSize);
    if (end < 0) {
      // It gives how many bytes were missing.
      bytes = Buffer.allocUnsafe(scratch.length - end);
      type.encode(wire, bytes, headerSize);
    } else {
      bytes = Buffer.allocUnsafe(end);
      scratch.copy(bytes, headerSize, headerSize, end);
    }
    writeHeader(bytes, id);
    return bytes;
  };
}

function readerOf(
  type: Type,
  resolver: ReturnType<Type["createResolver"]> | undefined,
  what: string,
): Reader {
  return (bytes) => {
    const decoded: { readonly value: unknown; readonly offset: number } = type.decode(
      bytes,
      headerSize,
      resolver,
    );
    const { value, offset } = decoded;
    if (offset === bytes.length) return value;
    throw new SerdeFailure(`${what}: ${offset < 0 ? "the bytes are cut off" : "there are bytes left over"}`);
  };
}

/**
 * Refuses what is not of the type, and what has fields that the type lacks, which nobody would read again. (avsc
 * would leave them out, and names no path. Asking it takes a tenth of a microsecond.)
 * @throws `SerdeFailure`
 */
function checkValue(type: Type, wire: unknown): void {
  if (type.isValid(wire, { noUndeclaredFields: true })) return;
  const issues: Issue[] = [];
  type.isValid(wire, {
    noUndeclaredFields: true,
    errorHook: (path: string[], value: unknown, expected: Type) =>
      issues.push({
        path: path.map((name) => (/^\d+$/.test(name) ? Number(name) : name)),
        message: whatIsWrong(value, expected),
      }),
  });
  throw SerdeFailure.ofIssues(issues);
}

function whatIsWrong(value: unknown, expected: Type): string {
  const fields = "fields" in expected ? (expected.fields as readonly { readonly name: string }[]) : [];
  if (fields.length > 0 && typeof value === "object" && value !== null) {
    const unknown = Object.keys(value).filter((name) => fields.every((field) => field.name !== name));
    if (unknown.length > 0) return `${unknown.join(", ")}: no such field in the Avro schema`;
  }
  return `expected Avro's ${expected.name ?? expected.typeName}, got ${describeValue(value)}`;
}
