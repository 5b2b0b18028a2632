import { isDeepStrictEqual } from "node:util";

/**
 * - `all`: the values are equal
 * - `read`: what was read is equal, as far as it was read: what was given may have properties that the schema leaves out
 * - `kinds`: as `read`, but texts, numbers and what else has no parts need only be of the same kind
 */
export type Comparison = "all" | "read" | "kinds";

/** The path of the first difference between two values; `undefined` where there is none. No property is undefined. */
export function differenceOf(
  read: unknown,
  expected: unknown,
  comparison: Comparison,
): readonly PropertyKey[] | undefined {
  if (Object.is(read, expected)) return undefined;
  if (!isData(read) || !isData(expected) || Array.isArray(read) !== Array.isArray(expected))
    return (comparison === "kinds" ? isOfOneKind(read, expected) : isEqual(read, expected)) ? undefined : [];
  if (Array.isArray(read) && Array.isArray(expected) && read.length !== expected.length) return [];
  for (const name of Object.keys(read)) {
    const difference = differenceOf(ownProperty(read, name), ownProperty(expected, name), comparison);
    if (difference !== undefined) return [Array.isArray(read) ? Number(name) : name, ...difference];
  }
  if (comparison !== "all") return undefined;
  const missing = Object.keys(expected).find((name) => !Object.hasOwn(read, name));
  return missing === undefined ? undefined : [missing];
}

/** Whether two values are equal in everything but what their objects were made by. */
export function isEqual(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(one, other);
}

/** Whether a value is an array, or an object that is nothing but its properties. */
export function isData(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) || Object.prototype.toString.call(value) === "[object Object]";
}

/** A copy of data as JSON has it, without the properties that are undefined. */
export function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (!isPlain(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const property = (value as Readonly<Record<string, unknown>>)[name];
    if (property === undefined) continue;
    if (name === "__proto__") defineProperty(copy, name, withoutUndefined(property));
    else copy[name] = withoutUndefined(property);
  }
  return copy;
}

/** Gives an object a property of its own, whatever its name. */
export function defineProperty(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

function isPlain(value: unknown): value is object {
  if (!isData(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A property that is an object's own; `undefined` for what it inherits. */
export function ownProperty(object: object, name: PropertyKey): unknown {
  return Object.hasOwn(object, name) ? (object as Readonly<Record<PropertyKey, unknown>>)[name] : undefined;
}

function isOfOneKind(one: unknown, other: unknown): boolean {
  if (typeof one !== typeof other || one === null || other === null) return false;
  return typeof one !== "object" || Object.getPrototypeOf(one) === Object.getPrototypeOf(other);
}
