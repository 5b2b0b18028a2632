import type { Schema, Type, types } from "avsc";
import { loadPeer } from "./peer.js";
import type { RegistrySchema } from "./registry.js";

interface Avsc {
  readonly Type: typeof Type;
  readonly types: typeof types;
}

/** What avsc passes to the types that it makes. */
type Parsing = ConstructorParameters<typeof types.LogicalType>;

const dayMs = 86_400_000;

/** Makes the types of Avro schemas, all of them with the same idea of what a value is. */
export class AvroTypes {
  readonly #avsc = loadPeer("avro", "avsc") as Avsc;
  readonly #bigint: boolean;
  readonly #logicalTypes: Record<string, new (...parsing: Parsing) => types.LogicalType>;

  /** @param longs - what a `long` is */
  constructor(longs: "number" | "bigint") {
    this.#bigint = longs === "bigint";
    this.#logicalTypes = logicalTypes(this.#avsc.types, this.#bigint);
  }

  /**
   * The type of a schema.
   *
   * @param referenced - the schemas whose names it uses, those that others use first
   */
  typeOf(schema: unknown, referenced: readonly RegistrySchema[] = []): Type {
    const logicalTypes = this.#logicalTypes;
    const typeHook = this.#bigint
      ? longsAs(bigintType(this.#avsc.types), logicalTypes)
      : (): undefined => undefined;
    const options = { registry: {}, logicalTypes, typeHook };
    for (const each of referenced) this.#avsc.Type.forSchema(JSON.parse(each.schema) as Schema, options);
    return this.#avsc.Type.forSchema(schema as Schema, options);
  }
}

/** Puts a type of our own in the place of `long`, under logical types too. */
function longsAs(type: Type, logicalTypes: object): (schema: unknown) => Type | undefined {
  // avsc asks twice for a logical type: for itself, and then for what it is written as.
  const asked = new Set<unknown>();
  return (schema) => {
    const { type: name, logicalType } = (typeof schema === "object" ? schema : { type: schema }) as {
      readonly type?: unknown;
      readonly logicalType?: unknown;
    };
    if (name !== "long") return undefined;
    const isLogical = typeof logicalType === "string" && logicalType in logicalTypes;
    if (!isLogical || asked.delete(schema)) return type;
    asked.add(schema);
    return undefined;
  };
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
  /** One that resolves from itself, and from what it is written as. */
  abstract class Logical extends LogicalType {
    protected override _resolve(writer: Type): ((value: unknown) => unknown) | undefined {
      if (writer.typeName === this.typeName) return this.isLike(writer) ? (value) => value : undefined;
      const isPlain =
        !writer.typeName.startsWith("logical:") && writer.typeName === this.underlyingType.typeName;
      return isPlain ? (value): unknown => this._fromValue(value) : undefined;
    }

    /** Whether a value of the writer's is the same value here. */
    protected isLike(_: Type): boolean {
      return true;
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
      const { precision, scale = 0 } = parsing[0] as unknown as { precision?: number; scale?: number };
      if (precision === undefined || !(precision >= scale && scale >= 0)) throw new Error("not a decimal");
      this.precision = precision;
      this.scale = scale;
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
    protected override isLike(writer: Type): boolean {
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
