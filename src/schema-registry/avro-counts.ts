import type { Type, types } from "avsc";
import { CutOff } from "./avro-input.js";
import { shapeOf, typesIn } from "./avro-shapes.js";

/** Where avsc reads from. */
interface Tap {
  readonly buf: Buffer;
  readonly pos: number;
  readonly readLong: () => number;
  readonly readString: () => string;
  readonly readFixed: (size: number) => Buffer;
}

/** A type as avsc calls it to read the next value. */
interface Reading {
  readonly _read: (tap: Tap) => unknown;
}

/**
 * avsc's arrays and maps, but for counts that the bytes left cannot have, which are refused: avsc takes memory for as
 * many items as are announced, and time, before it finds the end. Types of which {@link hasItemsWithoutBytes} are not
 * to be read by it.
 */
export function boundedTypes({
  ArrayType,
  MapType,
}: typeof types): (schema: unknown, parsing: unknown) => Type | undefined {
  const BoundedArray = class extends ArrayType {
    protected _read(tap: Tap): unknown {
      return readArray(this.itemsType as never, tap);
    }
  };
  const BoundedMap = class extends MapType {
    protected _read(tap: Tap): unknown {
      return readMap(this.valuesType as never, tap);
    }
  };
  return (schema, parsing) => {
    const { type } = schema as { readonly type?: unknown };
    if (type === "array") return new BoundedArray(schema as never, parsing);
    return type === "map" ? new BoundedMap(schema as never, parsing) : undefined;
  };
}

/**
 * avsc's `bytes`, but for a length that the bytes left cannot have, which is refused. One that is no number, of a number
 * that never ends, would reach the memory that avsc shares between all values of the process: every `bytes` and `fixed`
 * after it would be read as empty.
 */
export function boundedBytes({ BytesType }: typeof types): Type {
  return new (class extends BytesType {
    protected _read(tap: Tap): Buffer {
      const length = tap.readLong();
      if (length >= 0 && length <= tap.buf.length - tap.pos) return tap.readFixed(length);
      throw new CutOff();
    }
  })();
}

function readArray(items: Reading, tap: Tap): unknown {
  let array: unknown[] | undefined;
  let at = 0;
  for (let count = countOf(tap); count > 0; count = countOf(tap)) {
    // As avsc has it: to make it of this size takes a tenth less time.
    array ??= new Array<unknown>(count);
    for (; count > 0; count -= 1) array[at++] = items._read(tap);
  }
  return array ?? [];
}

function readMap(values: Reading, tap: Tap): unknown {
  const map: Record<string, unknown> = {};
  for (let count = countOf(tap); count > 0; count = countOf(tap))
    for (; count > 0; count -= 1) {
      const key = tap.readString();
      map[key] = values._read(tap);
    }
  return map;
}

/** How many items the next block has; 0 for the end. A negative count comes with the bytes of the block. */
function countOf(tap: Tap): number {
  const count = tap.readLong();
  if (count < 0) tap.readLong();
  const items = Math.abs(count);
  // Each has a byte at least. What is no number is refused too.
  if (items === 0 || items <= tap.buf.length - tap.pos) return items;
  throw new CutOff();
}

/** Whether the type has arrays whose items may have no bytes at all, such as nulls. */
export function hasItemsWithoutBytes(whole: Type): boolean {
  return [...typesIn(whole)].some((type) => {
    const shape = shapeOf(type);
    return shape.kind === "array" && mayHaveNoBytes(shape.items);
  });
}

function mayHaveNoBytes(type: Type, within: readonly Type[] = []): boolean {
  const shape = shapeOf(type);
  switch (shape.kind) {
    case "null":
      return true;
    case "fixed":
      return shape.size === 0;
    case "record":
      // One that holds itself has no end.
      return (
        !within.includes(type) && shape.fields.every((field) => mayHaveNoBytes(field.type, [...within, type]))
      );
    case "logical":
      return mayHaveNoBytes(shape.type.underlyingType, within);
    default:
      return false;
  }
}

/**
 * The most records that a record of this type is made of whatever its bytes are: those in its fields, and in theirs. Of
 * records that hold another one twice, each doubles them.
 */
export function recordsIn(whole: Type): number {
  const known = new Map<Type, number>();
  const count = (type: Type): number => {
    const shape = shapeOf(type);
    if (shape.kind === "logical") return count(shape.type.underlyingType);
    if (shape.kind !== "record") return 0;
    const found = known.get(type);
    if (found !== undefined) return found;
    // One that holds itself has no end, and is never read.
    known.set(type, 0);
    const records = shape.fields.reduce((sum, field) => sum + count(field.type), 1);
    known.set(type, records);
    return records;
  };
  return Math.max(...[...typesIn(whole)].map(count));
}
