import type { Schema, Type, types } from "avsc";
import { boundedBytes, boundedTypes } from "./avro-counts.js";
import { AvroInput } from "./avro-input.js";
import { enumWithInheritedNames, shapeOf, typesIn } from "./avro-shapes.js";
import { loadPeer } from "./peer.js";

interface Avsc {
  readonly Type: typeof Type;
  readonly types: typeof types;
}

/** What avsc passes to the types that it makes. */
type Parsing = ConstructorParameters<typeof types.LogicalType>;

/** One of the logical types that are made here. */
export interface OwnLogicalType extends types.LogicalType {
  /** Whether a value of another logical type means the same here. */
  readonly isLike: (writer: Type) => boolean;
  /** The value of what is written. */
  readonly fromWire: (value: unknown) => unknown;
}

const dayMs = 86_400_000;

/** Makes the types of Avro schemas, all of them with the same idea of what a value is. */
export class AvroTypes {
  readonly #avsc = loadPeer("avro", "avsc") as Avsc;
  readonly #bigint: boolean;
  readonly #EnumWithInheritedNames: ReturnType<typeof enumClass>;
  readonly #bounded: ReturnType<typeof boundedTypes>;
  readonly #logicalTypes: Record<string, new (...parsing: Parsing) => types.LogicalType>;

  /** @param longs - what a `long` is */
  constructor(longs: "number" | "bigint") {
    this.#bigint = longs === "bigint";
    this.#logicalTypes = logicalTypes(this.#avsc.types, this.#bigint);
    this.#EnumWithInheritedNames = enumClass(this.#avsc.types);
    this.#bounded = boundedTypes(this.#avsc.types);
  }

  /**
   * The type of a schema.
   *
   * @param referenced - the schemas whose names it uses, those that others use first
   */
  typeOf(schema: unknown, referenced: readonly unknown[] = []): Type {
    const logicalTypes = this.#logicalTypes;
    const long = this.#bigint ? bigintType(this.#avsc.types) : numberType(this.#avsc.types);
    const ownLong = inPlaceOf("long", long, logicalTypes);
    const ownBytes = inPlaceOf("bytes", boundedBytes(this.#avsc.types), logicalTypes);
    const EnumWithInheritedNames = this.#EnumWithInheritedNames;
    const typeHook = (given: Schema, parsing: unknown): Type | undefined =>
      hasInheritedSymbols(given)
        ? new EnumWithInheritedNames(given, parsing as Parsing[1])
        : (ownLong(given) ?? ownBytes(given) ?? this.#bounded(given, parsing));
    const registry = Object.create(null) as Record<string, Type>;
    const options = { registry, logicalTypes, typeHook };
    for (const each of referenced) this.#avsc.Type.forSchema(each as Schema, options);
    const type = this.#avsc.Type.forSchema(schema as Schema, options);
    forgetInheritedNames(type);
    return type;
  }
}

/**
 * Makes avsc know only the names that a schema has: it looks them up in objects that inherit others, such as
 * `constructor`, and gives records methods that are none of their fields.
 */
function forgetInheritedNames(whole: Type): void {
  for (const type of typesIn(whole)) {
    const { _fieldsByName: fields, _indices, _branchIndices } = type as Type & LookUps;
    for (const names of [fields, _indices, _branchIndices])
      if (names !== undefined) Object.setPrototypeOf(names, null);
    const shape = shapeOf(type);
    if (shape.kind !== "record") continue;
    shape.make.prototype = Object.prototype;
    // It has become the prototype.
    const unsafe = shape.fields.find(({ name }) => name === "__proto__");
    if (fields !== undefined && unsafe !== undefined) fields[unsafe.name] = unsafe;
  }
}

/** Where avsc looks names up. */
interface LookUps {
  readonly _fieldsByName?: Record<string, unknown>;
  readonly _indices?: object;
  readonly _branchIndices?: object;
}

/** An enum as the schema has it. */
interface EnumSchema {
  readonly symbols: readonly string[];
  readonly default?: string;
}

/** Whether this is an enum that avsc does not take, because it takes symbols such as `constructor` for known ones. */
function hasInheritedSymbols(schema: unknown): schema is EnumSchema {
  if (typeof schema !== "object" || schema === null || !("symbols" in schema)) return false;
  return Array.isArray(schema.symbols) && schema.symbols.some((symbol) => String(symbol) in Object.prototype);
}

/** An enum of which avsc knows the symbols by other names. */
function enumClass({ LogicalType }: typeof types) {
  return class extends LogicalType {
    readonly symbols: readonly string[];
    readonly default: string | undefined;
    readonly #written: ReadonlyMap<unknown, string>;
    readonly #read: ReadonlyMap<unknown, string>;

    constructor(schema: EnumSchema, parsing: Parsing[1]) {
      const rename = (symbol: string): string => `${symbol}_`;
      const renamed = { ...schema, symbols: schema.symbols.map(rename), logicalType: enumWithInheritedNames };
      if (schema.default !== undefined) Object.assign(renamed, { default: rename(schema.default) });
      super(renamed as never, parsing);
      this.symbols = schema.symbols;
      this.default = schema.default;
      this.#written = new Map(schema.symbols.map((symbol) => [symbol, rename(symbol)]));
      this.#read = new Map(schema.symbols.map((symbol) => [rename(symbol), symbol]));
    }

    protected override _fromValue(value: unknown): unknown {
      return this.#read.get(value);
    }
    protected override _toValue(value: unknown): unknown {
      return this.#written.get(value);
    }
  };
}

/** The schema of a primitive type, written as an object. */
interface PrimitiveSchema {
  readonly type?: unknown;
  readonly logicalType?: unknown;
  readonly precision?: number;
  readonly scale?: number;
}

/** Puts a type of our own in the place of a primitive one, under logical types too. */
function inPlaceOf(
  primitive: "long" | "bytes",
  type: Type,
  logicalTypes: object,
): (schema: unknown) => Type | undefined {
  // avsc asks twice for a logical type: for itself, and then for what it is written as.
  const asked = new Set<unknown>();
  return (schema) => {
    const given = (typeof schema === "object" ? schema : { type: schema }) as PrimitiveSchema;
    const { type: name, logicalType } = given;
    if (name !== primitive) return undefined;
    const isLogical =
      typeof logicalType === "string" &&
      logicalType in logicalTypes &&
      (logicalType !== "decimal" || isDecimal(given));
    if (!isLogical || asked.delete(schema)) return type;
    asked.add(schema);
    return undefined;
  };
}

/** What avsc's types read from and write to. */
interface Tap {
  readonly buf: Buffer;
  pos: number;
  readonly readLong: () => number;
  readonly writeLong: (value: number) => void;
}

/** A `long` that is a number. avsc's own loses the last bit of those that need all 53 bits, and with it the sign. */
function numberType({ LongType }: typeof types): Type {
  const isSmall = (value: number): boolean => Math.abs(value) < 2 ** 52;
  return new (class extends LongType {
    _check(value: unknown, _: unknown, hook?: (value: unknown, type: Type) => void): boolean {
      const isValid = Number.isSafeInteger(value);
      if (!isValid) hook?.(value, this);
      return isValid;
    }

    _read(tap: Tap): number {
      const start = tap.pos;
      const value = tap.readLong();
      return isSmall(value) ? value : new AvroInput(tap.buf, start).safeLong();
    }

    _write(tap: Tap, value: number): void {
      if (isSmall(value) || value > 0) return tap.writeLong(value);
      let zigzag = -2n * BigInt(value) - 1n;
      for (; zigzag > 0x7fn; zigzag >>= 7n) tap.buf[tap.pos++] = Number(zigzag & 0x7fn) | 0x80;
      tap.buf[tap.pos++] = Number(zigzag);
    }
  })();
}

/** A `long` of 64 bits, all of them. */
function bigintType({ LongType }: typeof types): Type {
  return LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer: (value: bigint) => {
      const bytes = Buffer.allocUnsafe(8);
      bytes.writeBigInt64LE(value);
      return bytes;
    },
    fromJSON: BigInt,
    toJSON: (value: bigint) => value,
    isValid: (value: unknown) => typeof value === "bigint" && BigInt.asIntN(64, value) === value,
    compare: (one: bigint, other: bigint) => (one < other ? -1 : one > other ? 1 : 0),
  });
}

/** The logical types whose values are another thing here than what is written; others are what is written. */
function logicalTypes({ LogicalType }: typeof types, isBigint: boolean) {
  abstract class Logical extends LogicalType implements OwnLogicalType {
    isLike(writer: Type): boolean {
      return writer.typeName === this.typeName;
    }

    fromWire(value: unknown): unknown {
      return this._fromValue(value);
    }
  }

  /** Milliseconds since the epoch, as a Date. */
  class TimestampMillis extends Logical {
    protected override _fromValue(value: unknown): unknown {
      return new Date(Number(value));
    }
    protected override _toValue(value: unknown): unknown {
      if (!(value instanceof Date) || Number.isNaN(value.getTime())) return undefined;
      return isBigint && this.underlyingType.typeName !== "int" ? BigInt(value.getTime()) : value.getTime();
    }
  }

  /** Days since the epoch, as the Date of their beginning in UTC. */
  class Day extends Logical {
    protected override _fromValue(value: unknown): unknown {
      return new Date(Number(value) * dayMs);
    }
    protected override _toValue(value: unknown): unknown {
      return value instanceof Date && value.getTime() % dayMs === 0 ? value.getTime() / dayMs : undefined;
    }
  }

  /** What is written, with its unit: no Date is made of microseconds, which it does not have. */
  class Plain extends Logical {
    protected override _fromValue(value: unknown): unknown {
      return value;
    }
    protected override _toValue(value: unknown): unknown {
      return value;
    }
  }

  /** A decimal number as its text, such as "12.50", always with all digits of its scale. */
  class Decimal extends Logical {
    readonly precision: number;
    readonly scale: number;

    constructor(...parsing: Parsing) {
      super(...parsing);
      const schema = parsing[0] as unknown as PrimitiveSchema;
      if (!isDecimal(schema)) throw new Error("not a decimal");
      this.precision = schema.precision;
      this.scale = schema.scale ?? 0;
    }

    protected override _fromValue(value: unknown): unknown {
      return decimalText(value as Buffer, this.scale);
    }
    protected override _toValue(value: unknown): unknown {
      if (typeof value !== "string") return undefined;
      const { underlyingType } = this;
      const size = "size" in underlyingType ? (underlyingType.size as number) : undefined;
      return decimalBytes(value, this.precision, this.scale, size);
    }
    override isLike(writer: Type): boolean {
      return "scale" in writer && writer.scale === this.scale;
    }
  }

  return {
    "timestamp-millis": TimestampMillis,
    "local-timestamp-millis": TimestampMillis,
    date: Day,
    decimal: Decimal,
    "timestamp-micros": Plain,
    "timestamp-nanos": Plain,
    "local-timestamp-micros": Plain,
    "local-timestamp-nanos": Plain,
    "time-millis": Plain,
    "time-micros": Plain,
  };
}

/** Whether a decimal is one: what is none is the bytes that it is written as. */
function isDecimal(schema: PrimitiveSchema): schema is PrimitiveSchema & { readonly precision: number } {
  const { precision, scale = 0 } = schema;
  return precision !== undefined && precision >= scale && scale >= 0;
}

/** The text of an unscaled number in two's complement, big-endian. */
export function decimalText(bytes: Buffer, scale: number): string {
  const unscaled = BigInt.asIntN(bytes.length * 8, BigInt(`0x0${bytes.toString("hex")}`));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? "-" : ""}${whole}${scale === 0 ? "" : `.${digits.slice(-scale)}`}`;
}

/**
 * The opposite of {@link decimalText}; `undefined` for what is no decimal number, or does not fit.
 *
 * @param size - how many bytes it has to have; absent: as few as it needs
 */
export function decimalBytes(
  text: string,
  precision: number,
  scale: number,
  size: number | undefined,
): Buffer | undefined {
  const [, sign, whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (sign === undefined || fraction.length > scale) return undefined;
  const digits = `${whole}${fraction.padEnd(scale, "0")}`.replace(/^0+(?=\d)/, "");
  if (digits.length > precision) return undefined;
  const unscaled = sign === "-" ? -BigInt(digits) : BigInt(digits);
  let length = size ?? 1;
  while (size === undefined && BigInt.asIntN(length * 8, unscaled) !== unscaled) length += 1;
  if (BigInt.asIntN(length * 8, unscaled) !== unscaled) return undefined;
  return Buffer.from(
    BigInt.asUintN(length * 8, unscaled)
      .toString(16)
      .padStart(length * 2, "0"),
    "hex",
  );
}

/**
 * A writer's schema, for reading: without defaults, which are for writing, and of which avsc does not know all that are
 * allowed; and with names as avsc takes them: those of Java's inner classes have a `$`.
 */
export function ofWriter(text: string): unknown {
  return JSON.parse(text, (name, value: unknown) => {
    if (name === "default") return undefined;
    return typeof value === "string" && name !== "logicalType" ? value.replace(/[^\w.]/g, "_") : value;
  }) as unknown;
}
