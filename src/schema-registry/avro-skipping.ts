import type { Type } from "avsc";
import type { AvroInput } from "./avro-input.js";
import { shapeOf } from "./avro-shapes.js";

/** Moves over a value that nobody reads. */
export type Skip = (input: AvroInput) => void;

/** For values that have no bytes: of records in records in records of nulls there would be a lot to skip. */
const nothing: Skip = () => {};

/** What moves over the values of a type. */
export function skipperOf(type: Type, records = new Map<Type, { skip: Skip | undefined }>()): Skip {
  const shape = shapeOf(type);
  const of = (part: Type): Skip => skipperOf(part, records);
  switch (shape.kind) {
    case "null":
      return nothing;
    case "boolean":
      return (input) => input.skip(1);
    case "float":
      return (input) => input.skip(4);
    case "double":
      return (input) => input.skip(8);
    case "bytes":
    case "string":
      return (input) => input.skip(input.long());
    case "fixed": {
      const { size } = shape;
      return size === 0 ? nothing : (input) => input.skip(size);
    }
    case "array":
      return skipBlocks(of(shape.items));
    case "map": {
      const value = of(shape.values);
      return skipBlocks((input) => {
        input.skip(input.long());
        value(input);
      });
    }
    case "union": {
      const branches = shape.branches.map(of);
      return (input) => {
        branches[input.long()]?.(input);
      };
    }
    case "logical":
      return of(shape.type.underlyingType);
    case "record": {
      const known = records.get(type);
      if (known !== undefined) return known.skip ?? ((input) => known.skip?.(input));
      const begun: { skip: Skip | undefined } = { skip: undefined };
      records.set(type, begun);
      const fields = shape.fields.map((field) => of(field.type)).filter((skip) => skip !== nothing);
      begun.skip =
        fields.length === 0
          ? nothing
          : (input) => {
              for (const skip of fields) skip(input);
            };
      return begun.skip;
    }
    default:
      return (input) => input.long();
  }
}

function skipBlocks(skipItem: Skip): Skip {
  return (input) => {
    for (let count = input.blockSize(); count > 0; count = input.blockSize())
      for (; count > 0; count--) skipItem(input);
  };
}
