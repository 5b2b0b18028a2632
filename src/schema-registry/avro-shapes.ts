import type { Type } from "avsc";
import type { OwnLogicalType } from "./avro-types.js";

/** What a type of avsc's is, as the specification names it. */
export type Shape =
  | { readonly kind: Primitive }
  | ({ readonly kind: "record" } & RecordParts & Named)
  | ({
      readonly kind: "enum";
      readonly symbols: readonly string[];
      readonly byDefault: string | undefined;
    } & Named)
  | ({ readonly kind: "fixed"; readonly size: number } & Named)
  | { readonly kind: "array"; readonly items: Type }
  | { readonly kind: "map"; readonly values: Type }
  | { readonly kind: "union"; readonly branches: readonly Type[]; readonly isWrapped: boolean }
  | { readonly kind: "logical"; readonly type: OwnLogicalType };

/** What a record is made of. */
interface RecordParts {
  readonly fields: readonly Field[];
  /** Makes a record of its fields' values, and of the defaults of those that are undefined. */
  readonly make: new (...values: readonly unknown[]) => object;
}

/** A field of a record. */
export interface Field {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: Type;
  /** A new value, each time; undefined for none. */
  readonly defaultValue: () => unknown;
}

/** What there is of types of one kind or another. */
interface Parts {
  readonly fields: readonly Field[];
  readonly recordConstructor: RecordParts["make"];
  readonly symbols: readonly string[];
  readonly default?: string;
  readonly size: number;
  readonly itemsType: Type;
  readonly valuesType: Type;
  readonly types: readonly Type[];
}

/** The types without a name and without parts. `bigint` is a `long` that is a bigint here. */
export type Primitive =
  "null" | "boolean" | "int" | "long" | "bigint" | "float" | "double" | "bytes" | "string";

/** What has a name, in full, and may have had others. */
export interface Named {
  readonly name: string | undefined;
  readonly aliases: readonly string[];
}

/** What an enum is to avsc whose symbols are renamed for it; no logical type of anybody's. */
export const enumWithInheritedNames = "enum with inherited names";

/** What a type of avsc's is. */
export function shapeOf(type: Type): Shape {
  const { typeName, name, aliases = [] } = type;
  const parts: Type & Parts = type as never;
  if (typeName === `logical:${enumWithInheritedNames}`) {
    const { name: own, aliases: others = [] } = (type as unknown as OwnLogicalType).underlyingType;
    return { kind: "enum", name: own, aliases: others, symbols: parts.symbols, byDefault: parts.default };
  }
  if (typeName.startsWith("logical:")) return { kind: "logical", type: type as never };
  switch (typeName) {
    case "record":
    case "error":
      return { kind: "record", name, aliases, fields: parts.fields, make: parts.recordConstructor };
    case "enum":
      return { kind: "enum", name, aliases, symbols: parts.symbols, byDefault: parts.default };
    case "fixed":
      return { kind: "fixed", name, aliases, size: parts.size };
    case "array":
      return { kind: "array", items: parts.itemsType };
    case "map":
      return { kind: "map", values: parts.valuesType };
    case "union:wrapped":
    case "union:unwrapped":
      return { kind: "union", branches: parts.types, isWrapped: typeName === "union:wrapped" };
    case "abstract:long":
      return { kind: "bigint" };
    default:
      return { kind: typeName as Primitive };
  }
}

/** The types that a type is made of. */
function partsOf(shape: Shape): readonly Type[] {
  switch (shape.kind) {
    case "record":
      return shape.fields.map(({ type }) => type);
    case "array":
      return [shape.items];
    case "map":
      return [shape.values];
    case "union":
      return shape.branches;
    case "logical":
      return [shape.type.underlyingType];
    default:
      return [];
  }
}

/** A type, and all that it is made of. */
export function typesIn(type: Type, found = new Set<Type>()): ReadonlySet<Type> {
  if (found.has(type)) return found;
  found.add(type);
  for (const part of partsOf(shapeOf(type))) typesIn(part, found);
  return found;
}

/** A type as a message names it. */
export function nameOf(type: Type): string {
  const shape = shapeOf(type);
  if (shape.kind === "logical") return type.typeName.slice("logical:".length);
  if ("name" in shape && shape.name !== undefined) return shape.name;
  if (shape.kind === "union") return `[${shape.branches.map(nameOf).join(", ")}]`;
  return shape.kind === "bigint" ? "long" : shape.kind;
}

/** Whether a writer's type may be a reader's, by the name without its namespace, or an alias. */
export function isNamedLike(writer: Named, reader: Named): boolean {
  if (writer.name === undefined || reader.name === undefined) return true;
  const name = unqualified(writer.name);
  return [reader.name, ...reader.aliases].some((each) => unqualified(each) === name);
}

function unqualified(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/**
 * Whether the bytes of one type are those of another, and mean the same there. Names count without their namespaces,
 * and defaults, aliases and documentation do not.
 */
export function isLaidOutAlike(one: Type, other: Type, seen = new Map<Type, Type>()): boolean {
  if (one === other || seen.get(one) === other) return true;
  seen.set(one, other);
  const a = shapeOf(one);
  const b = shapeOf(other);
  const alike = (first: Type, second: Type): boolean => isLaidOutAlike(first, second, seen);
  const areAlike = (first: readonly Type[], second: readonly Type[]): boolean =>
    first.length === second.length && first.every((type, index) => alike(type, second[index] as Type));
  if (
    "name" in a &&
    "name" in b &&
    !isNamedLike({ name: a.name, aliases: [] }, { name: b.name, aliases: [] })
  )
    return false;
  switch (a.kind) {
    case "record":
      return (
        b.kind === "record" &&
        a.fields.every(({ name }, index) => name === b.fields[index]?.name) &&
        areAlike(
          a.fields.map(({ type }) => type),
          b.fields.map(({ type }) => type),
        )
      );
    case "enum":
      return b.kind === "enum" && a.symbols.join() === b.symbols.join();
    case "fixed":
      return b.kind === "fixed" && a.size === b.size;
    case "array":
      return b.kind === "array" && alike(a.items, b.items);
    case "map":
      return b.kind === "map" && alike(a.values, b.values);
    case "union":
      return b.kind === "union" && areAlike(a.branches, b.branches);
    case "logical":
      return (
        b.kind === "logical" && b.type.isLike(a.type) && alike(a.type.underlyingType, b.type.underlyingType)
      );
    default:
      return a.kind === b.kind;
  }
}
