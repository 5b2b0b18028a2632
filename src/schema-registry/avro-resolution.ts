import type { Type } from "avsc";
import { defineProperty } from "../serde/difference.js";
import { SerdeFailure } from "../serde/failure.js";
import type { AvroInput } from "./avro-input.js";
import {
  type Field,
  isNamedLike,
  type Named,
  nameOf,
  type Primitive,
  type Shape,
  shapeOf,
} from "./avro-shapes.js";
import { skipperOf } from "./avro-skipping.js";

/** Reads the next value. */
type Read = (input: AvroInput) => unknown;

/** How values of a writer's type are read as a reader's. */
export interface Resolution {
  /** @throws `SerdeFailure` with the path, where the types do not fit at the value that is there */
  readonly read: Read;
  /** Whether every value of the writer's can be read. */
  readonly isTotal: boolean;
}

/**
 * Works out Avro's schema resolution: a writer's union is resolved by the branch that a value is of, an unknown symbol
 * of an enum where it occurs. So types which fit in part are read as far as values allow.
 */
export function resolve(writer: Type, reader: Type): Resolution {
  const resolver = new Resolver();
  const read = resolver.readerOf(writer, reader);
  return { read, isTotal: resolver.isTotal };
}

type Of<Kind extends Shape["kind"]> = Extract<Shape, { readonly kind: Kind }>;

class Resolver {
  isTotal = true;
  /** Records may hold themselves: what reads one is there before its fields are known. */
  readonly #records = new Map<Type, Map<Type, { read: Read }>>();

  readerOf(writer: Type, reader: Type): Read {
    const written = shapeOf(writer);
    const wanted = shapeOf(reader);
    if (written.kind === "union") return this.#writtenUnion(written, reader);
    if (wanted.kind === "union") return this.#union(writer, reader, wanted);
    if (wanted.kind === "logical") return this.#logical(writer, reader, wanted.type);
    if (written.kind === "logical") return this.readerOf(written.type.underlyingType, reader);
    switch (wanted.kind) {
      case "record":
        return written.kind === "record"
          ? this.#record(writer, written, reader, wanted)
          : this.#mismatch(writer, reader);
      case "enum":
        return written.kind === "enum" ? this.#enum(written, wanted) : this.#mismatch(writer, reader);
      case "fixed":
        return written.kind === "fixed" ? this.#fixed(written, wanted) : this.#mismatch(writer, reader);
      case "array":
        return written.kind === "array"
          ? arrayReader(this.readerOf(written.items, wanted.items))
          : this.#mismatch(writer, reader);
      case "map":
        return written.kind === "map"
          ? mapReader(this.readerOf(written.values, wanted.values))
          : this.#mismatch(writer, reader);
      default:
        return primitives[wanted.kind][written.kind as Primitive] ?? this.#mismatch(writer, reader);
    }
  }

  #writtenUnion({ branches }: Of<"union">, reader: Type): Read {
    const readers = branches.map((branch) => this.readerOf(branch, reader));
    return (input) => {
      const index = input.long();
      const read = readers[index];
      if (read === undefined) throw unreadable(`the union that was written has no branch ${String(index)}`);
      return read(input);
    };
  }

  #union(writer: Type, reader: Type, { branches, isWrapped }: Of<"union">): Read {
    const branch = branchFor(writer, branches);
    if (branch === undefined) return this.#mismatch(writer, reader);
    const read = this.readerOf(writer, branch);
    const name = branch.branchName;
    if (!isWrapped || name === undefined || name === "null") return read;
    return (input) => ({ [name]: read(input) });
  }

  #logical(writer: Type, reader: Type, type: Of<"logical">["type"]): Read {
    const written = shapeOf(writer);
    if (written.kind === "logical" && !type.isLike(written.type)) return this.#mismatch(writer, reader);
    const source = written.kind === "logical" ? written.type.underlyingType : writer;
    // One decimal may be bytes and the other a fixed: what they hold is the same.
    const isDecimal = written.kind === "logical" && isOfBytes(source);
    const read = this.readerOf(source, isDecimal ? source : type.underlyingType);
    return (input) => type.fromWire(read(input));
  }

  #record(writer: Type, written: Of<"record">, reader: Type, wanted: Of<"record">): Read {
    const known = this.#records.get(writer)?.get(reader);
    if (known !== undefined) return (input) => known.read(input);
    const begun = { read: (): unknown => undefined } as { read: Read };
    const ofWriter = this.#records.get(writer) ?? new Map<Type, { read: Read }>();
    this.#records.set(writer, ofWriter.set(reader, begun));
    begun.read = isNamedLike(written, wanted)
      ? this.#fields(written, wanted)
      : this.#fail(otherName(written, wanted));
    return begun.read;
  }

  #fields(written: Of<"record">, wanted: Of<"record">): Read {
    const { fields } = wanted;
    const sources = sourcesOf(written.fields, fields);
    const missing = fields.find(
      (field, slot) => sources[slot] === undefined && field.defaultValue() === undefined,
    );
    if (missing !== undefined)
      return this.#fail(
        "the field was not written: give it a default, or as an alias the name that it was written with",
        [missing.name],
      );
    const steps = written.fields.flatMap((field): Step[] => {
      const slots = [...fields.keys()].filter((slot) => sources[slot] === field);
      if (slots.length === 0)
        return [{ name: field.name, slot: -1, isAgain: false, read: skipperOf(field.type) }];
      return slots.map((slot, index) => {
        const { name, type } = fields[slot] as Field;
        return { name, slot, isAgain: index > 0, read: this.readerOf(field.type, type) };
      });
    });
    return recordReader(steps, recordMaker(wanted));
  }

  #enum(written: Of<"enum">, wanted: Of<"enum">): Read {
    if (!isNamedLike(written, wanted)) return this.#fail(otherName(written, wanted));
    const symbols = written.symbols.map((symbol) =>
      wanted.symbols.includes(symbol) ? symbol : wanted.byDefault,
    );
    if (symbols.includes(undefined)) this.isTotal = false;
    return (input) => {
      const index = input.long();
      const symbol = symbols[index];
      if (symbol !== undefined) return symbol;
      const unknown = written.symbols[index];
      throw unreadable(
        unknown === undefined
          ? `${written.name ?? "the enum"} has no symbol ${String(index)}`
          : `the symbol ${unknown} is not one of ${wanted.name ?? "the enum"}: add it, or give the enum a default`,
      );
    };
  }

  #fixed(written: Of<"fixed">, wanted: Of<"fixed">): Read {
    if (!isNamedLike(written, wanted)) return this.#fail(otherName(written, wanted));
    const { size } = wanted;
    if (written.size === size) return (input) => input.fixed(size);
    return this.#fail(
      `${String(written.size)} bytes were written, and ${wanted.name ?? "fixed"} has ${String(size)}: give the one of another size another name`,
    );
  }

  #mismatch(writer: Type, reader: Type): Read {
    const written = nameOf(writer);
    const cure =
      written === "null" ? "make it nullable" : `add ${written} to its type, as a branch of a union`;
    return this.#fail(`${written} was written, which cannot be read as ${nameOf(reader)}: ${cure}`);
  }

  #fail(message: string, path: readonly PropertyKey[] = []): Read {
    this.isTotal = false;
    return () => {
      throw unreadable(message, path);
    };
  }
}

/** What is done with a field that was written: read into a slot of the reader's record, or skipped (-1). */
interface Step {
  readonly name: string;
  readonly slot: number;
  /** Whether this is the field of the step before once more, for another slot. */
  readonly isAgain: boolean;
  readonly read: Read;
}

function recordReader(steps: readonly Step[], make: (values: readonly unknown[]) => unknown): Read {
  return (input) => {
    const values: unknown[] = [];
    let start = input.at;
    let index = 0;
    try {
      for (; index < steps.length; index++) {
        const { read, slot, isAgain } = steps[index] as Step;
        if (isAgain) input.at = start;
        else start = input.at;
        const value = read(input);
        if (slot >= 0) values[slot] = value;
      }
    } catch (error) {
      throw within(steps[index]?.name ?? index, error);
    }
    return make(values);
  };
}

/** Makes a record of its fields' values; one that is undefined becomes the default. */
function recordMaker({ fields, make: Record }: Of<"record">): (values: readonly unknown[]) => unknown {
  if (fields.every(({ name }) => name !== "__proto__")) return (values) => new Record(...values);
  return (values) => {
    const record = {};
    for (const [slot, field] of fields.entries())
      defineProperty(record, field.name, values[slot] === undefined ? field.defaultValue() : values[slot]);
    return record;
  };
}

function arrayReader(read: Read): Read {
  return (input) => {
    const array: unknown[] = [];
    try {
      for (let count = input.blockSize(); count > 0; count = input.blockSize())
        for (; count > 0; count--) array.push(read(input));
    } catch (error) {
      throw within(array.length, error);
    }
    return array;
  };
}

function mapReader(read: Read): Read {
  return (input) => {
    const map: Record<string, unknown> = {};
    let key = "";
    try {
      for (let count = input.blockSize(); count > 0; count = input.blockSize()) {
        for (; count > 0; count--) {
          key = input.string();
          if (key === "__proto__") defineProperty(map, key, read(input));
          else map[key] = read(input);
        }
      }
    } catch (error) {
      throw within(key, error);
    }
    return map;
  };
}

const asLong: Read = (input) => input.safeLong();
const asNumber: Read = (input) => input.long();
const asBigint: Read = (input) => input.bigint();
const asRounded: Read = (input) => Math.fround(input.long());
const asFloat: Read = (input) => input.float();

/** How each primitive type is read, by what was written. */
const primitives: Readonly<Record<Primitive, Readonly<Partial<Record<Primitive, Read>>>>> = {
  null: { null: () => null },
  boolean: { boolean: (input) => input.boolean() },
  int: { int: asNumber },
  long: { int: asNumber, long: asLong, bigint: asLong },
  bigint: { int: asBigint, long: asBigint, bigint: asBigint },
  float: { int: asRounded, long: asRounded, bigint: asRounded, float: asFloat },
  double: {
    int: asNumber,
    long: asNumber,
    bigint: asNumber,
    float: asFloat,
    double: (input) => input.double(),
  },
  bytes: { bytes: (input) => input.bytes(), string: (input) => input.bytes() },
  string: { bytes: (input) => input.string(), string: (input) => input.string() },
};

/**
 * For each field of the reader's the one of the writer's that it is read from. A field that is written under an alias
 * is read as the field with the alias, as if the writer had renamed it; except where the writer has that one too.
 */
function sourcesOf(written: readonly Field[], wanted: readonly Field[]): readonly (Field | undefined)[] {
  const find = (name: string): Field | undefined => written.find((field) => field.name === name);
  const renamed = wanted.map((field) =>
    find(field.name) === undefined
      ? field.aliases.map(find).find((source) => source !== undefined)
      : undefined,
  );
  return wanted.map((field, slot) => {
    const source = find(field.name);
    if (source === undefined) return renamed[slot];
    // Nothing would be left for a field that cannot do without.
    return renamed.includes(source) && field.defaultValue() !== undefined ? undefined : source;
  });
}

/** The branch of a reader's union that a value is read as: one of the same type first, then one that takes it. */
function branchFor(writer: Type, branches: readonly Type[]): Type | undefined {
  const written = plainShape(writer);
  const same = branches.filter((branch) => isAlike(written, plainShape(branch)));
  if ("name" in written) return same.find(({ name }) => name === written.name) ?? same[0];
  return (
    same[0] ??
    branches.find((branch) => {
      const wanted = plainShape(branch);
      return wanted.kind in primitives && written.kind in primitives[wanted.kind as Primitive];
    })
  );
}

/** The shape of what is written, whatever its logical type makes of it. */
function plainShape(type: Type): Shape {
  const shape = shapeOf(type);
  return shape.kind === "logical" ? plainShape(shape.type.underlyingType) : shape;
}

function isAlike(written: Shape, wanted: Shape): boolean {
  return (
    written.kind === wanted.kind && (!("name" in written && "name" in wanted) || isNamedLike(written, wanted))
  );
}

function isOfBytes(type: Type): boolean {
  const { kind } = shapeOf(type);
  return kind === "bytes" || kind === "fixed";
}

function otherName(written: Named, wanted: Named): string {
  return `${written.name ?? ""} was written, not ${wanted.name ?? ""}: if they are the same, add that name to its aliases`;
}

function unreadable(message: string, path: readonly PropertyKey[] = []): SerdeFailure {
  return SerdeFailure.ofIssues([{ message, path }]);
}

/** The error of a part, as that of the whole. */
function within(name: PropertyKey, error: unknown): unknown {
  if (!(error instanceof SerdeFailure)) return error;
  return SerdeFailure.ofIssues(
    error.issues.map(({ message, path = [] }) => ({ message, path: [name, ...path] })),
  );
}
