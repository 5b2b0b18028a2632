import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Type } from "avsc";
import { ConfigError, type Issue } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { choice } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import { isData } from "../serde/difference.js";
import { describeValue, SerdeFailure } from "../serde/failure.js";
import { schemaSerde } from "../serde/schema-serde.js";
import type { Serde } from "../serde/serde.js";
import type { CheckOneWay } from "../serde/source.js";
import { hasItemsWithoutBytes } from "./avro-counts.js";
import { AvroInput, CutOff } from "./avro-input.js";
import { type Resolution, resolve } from "./avro-resolution.js";
import { isLaidOutAlike, nameOf, type Shape, shapeOf, typesIn } from "./avro-shapes.js";
import { AvroTypes, ofWriter } from "./avro-types.js";
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
 * schema is resolved to this one, by Avro's rules and value by value: defaults, promotions, aliases, and of unions
 * and enums what the value has.
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

  const typeOf = async (given: RegistrySchema, what: string, parse: Parse): Promise<Type> => {
    if (given.schemaType !== "AVRO")
      throw new SerdeFailure(`${what} is a schema of ${given.schemaType}, not of Avro`);
    const referenced = await registry.referencesOf(given);
    return types.typeOf(
      parse(given.schema),
      referenced.map(({ schema }) => parse(schema)),
    );
  };
  const format = {
    schema: () => registered,
    writer: async (id: number, latest?: RegistrySchema): Promise<Writer> => {
      if (latest === undefined) return writerOf(own, id);
      const what = `the subject's latest schema (id ${id})`;
      const type = await typeOf(latest, what, (text) => JSON.parse(text) as unknown);
      const write = writerOf(type, id, what);
      const resolution = resolve(type, own);
      if (resolution.isTotal) return write;
      // What this serde could not read again it does not write.
      const read = resolvingReader(resolution, `what ${what} writes`);
      return (wire) => {
        const bytes = write(wire);
        read(bytes);
        return bytes;
      };
    },
    copy: (wire: unknown): unknown => readerOf(own, "a copy")(writerOf(own, 0)(wire)),
  };
  const readerFor = async (given: RegistrySchema, id: number): Promise<Reader> => {
    const what = `what was written with schema id ${id}`;
    const writer = await typeOf(given, `schema id ${id}`, ofWriter);
    return isLaidOutAlike(writer, own) ? readerOf(own, what) : resolvingReader(resolve(writer, own), what);
  };
  return schemaSerde(schema, "schema", "application", {
    write: writing(registry, format, resolved),
    read: reading(registry, readerFor),
    mayWait: true,
  });
}

type Parse = (text: string) => unknown;

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

function writerOf(type: Type, id: number, what = "the Avro schema"): (wire: unknown) => Buffer {
  const inherits = [...typesIn(type)].some((part) => hasInheritedDefault(shapeOf(part)));
  return (given) => {
    const wire = inherits ? withoutPrototypes(given) : given;
    checkValue(type, wire, what);
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

/** Whether a field that is left out would be taken for what every object inherits, and not for the default. */
function hasInheritedDefault(shape: Shape): boolean {
  return (
    shape.kind === "record" &&
    shape.fields.some((field) => field.name in Object.prototype && field.defaultValue() !== undefined)
  );
}

/** A copy of data that has only the names of its own. */
function withoutPrototypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  if (!isData(value)) return value;
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [name, property] of Object.entries(value)) copy[name] = withoutPrototypes(property);
  return copy;
}

/** Reads what was written as the same type: by avsc, which is faster, where no name is lost by that. */
export function readerOf(type: Type, what: string): Reader {
  const shapes = [...typesIn(type)].map(shapeOf);
  const resolving = resolvingReader(resolve(type, type), what);
  if (shapes.some((shape) => shape.kind === "record" && shape.fields.some(({ name }) => name === unsafeName)))
    return resolving;
  if (hasItemsWithoutBytes(type)) return resolving;
  const fast = avscReader(type, what);
  if (shapes.every(({ kind }) => kind !== "map")) return fast;
  return (bytes) => (mayHoldUnsafeName(bytes) ? resolving(bytes) : fast(bytes));
}

/** The name that sets an object's prototype, where it is set as other names are. */
const unsafeName = "__proto__";

/** Whether there is a `__p` in bytes. To look for single bytes is several times as fast as for all of the name. */
function mayHoldUnsafeName(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(underscore); at >= 0; at = bytes.indexOf(underscore, at + 1))
    if (bytes[at + 1] === underscore && bytes[at + 2] === letterP) return true;
  return false;
}

const underscore = 0x5f;
const letterP = 0x70;

function avscReader(type: Type, what: string): Reader {
  return (bytes) => {
    let decoded: { readonly value: unknown; readonly offset: number };
    try {
      decoded = type.decode(bytes, headerSize);
    } catch (error) {
      throw cannotBeRead(error, what);
    }
    if (decoded.offset === bytes.length) return decoded.value;
    throw new SerdeFailure(`${what}: ${decoded.offset < 0 ? cutOff : leftOver}`);
  };
}

/** Reads what was written as another type. */
function resolvingReader({ read }: Resolution, what: string): Reader {
  return (bytes) => {
    try {
      const input = new AvroInput(bytes, headerSize);
      const value = read(input);
      if (input.left === 0) return value;
    } catch (error) {
      throw cannotBeRead(error, what);
    }
    throw new SerdeFailure(`${what}: ${leftOver}`);
  };
}

function cannotBeRead(error: unknown, what: string): unknown {
  if (error instanceof CutOff) return new SerdeFailure(`${what}: ${cutOff}`);
  if (!(error instanceof SerdeFailure)) return error;
  return SerdeFailure.ofIssues(
    error.issues.map(({ message, path }) => ({
      path,
      message: `${what} cannot be read as the topic's Avro schema: ${message}`,
    })),
  );
}

const cutOff = "the bytes are cut off";
const leftOver = "there are bytes left over";

/**
 * Refuses what is not of the type, and what has fields that the type lacks, which nobody would read again. (avsc
 * would leave them out, and names no path. Asking it takes a tenth of a microsecond.)
 * @throws `SerdeFailure`
 */
function checkValue(type: Type, wire: unknown, what: string): void {
  if (type.isValid(wire, { noUndeclaredFields: true })) return;
  const issues: Issue[] = [];
  type.isValid(wire, {
    noUndeclaredFields: true,
    errorHook: (path: string[], value: unknown, expected: Type) =>
      issues.push({
        path: path.map((name) => (/^\d+$/.test(name) ? Number(name) : name)),
        message: whatIsWrong(value, expected, what),
      }),
  });
  throw SerdeFailure.ofIssues(issues);
}

function whatIsWrong(value: unknown, expected: Type, what: string): string {
  const shape = shapeOf(expected);
  if (shape.kind === "record" && typeof value === "object" && value !== null) {
    const unknown = Object.keys(value).filter((name) => shape.fields.every((field) => field.name !== name));
    if (unknown.length > 0) return `${unknown.join(", ")}: no such field in ${what}`;
  }
  return `expected Avro's ${nameOf(expected)}, got ${describeValue(value)}`;
}
