/**
 * Whether a value is written as JSON and read as it is, and quickly: only a `true` is certain. For every value of
 * which no schema proves it.
 */
export function isPlainJson(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return isPlainNumber(value);
    case "object":
      if (value === null) return true;
      return Array.isArray(value) ? isArrayOfJson(value) : isObjectOfJson(value);
    default:
      return false;
  }
}

/** {@link isPlainJson}, and that a schema has changed nothing but to leave properties out. */
export function isUnchangedJson(value: unknown, given: unknown): boolean {
  if (typeof value === "number") return value === given && isPlainNumber(value);
  if (typeof value !== "object" || value === null) return value === given && isPlainJson(value);
  if (value === given) return isPlainJson(value);
  if (typeof given !== "object" || given === null) return false;
  return Array.isArray(value)
    ? Array.isArray(given) && isUnchangedArray(value, given)
    : isUnchangedObject(value, given);
}

/** Whether a number is finite and no -0. */
function isPlainNumber(value: number): boolean {
  return value === 0 ? 1 / value > 0 : value - value === 0;
}

function isObjectOfJson(object: object): boolean {
  if (!looksPlain(object) || Object.getOwnPropertySymbols(object).length > 0) return false;
  for (const name in object) if (!isPlainJson((object as Properties)[name])) return false;
  return true;
}

function isArrayOfJson(array: readonly unknown[]): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype || !hasOnlyElements(array)) return false;
  for (let index = 0; index < array.length; index++) if (!isPlainJson(array[index])) return false;
  return true;
}

/** What a schema has copied has no properties but those that it has put there. */
function isUnchangedObject(object: object, given: object): boolean {
  if (!looksPlain(object) || hasUnsafeName(given)) return false;
  for (const name in object)
    if (!isUnchangedJson((object as Properties)[name], (given as Properties)[name])) return false;
  return true;
}

function isUnchangedArray(array: readonly unknown[], given: readonly unknown[]): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype || array.length !== given.length) return false;
  for (let index = 0; index < array.length; index++)
    if (!isUnchangedJson(array[index], given[index])) return false;
  return true;
}

type Properties = Readonly<Record<string, unknown>>;

function looksPlain(object: object): boolean {
  return Object.getPrototypeOf(object) === Object.prototype && !("toJSON" in object);
}

/** Names that schemas leave out of what they copy, whatever they say of names, to be safe from those who send them. */
export const unsafeNames = ["__proto__", "constructor", "prototype"] as const;

function hasUnsafeName(object: object): boolean {
  return object.constructor !== Object || "prototype" in object || Object.hasOwn(object, "__proto__");
}

/** Longer arrays are not asked for properties beside their elements, which would cost as much as to write them. */
const askedLength = 16;

function hasOnlyElements(array: readonly unknown[]): boolean {
  // What regular expressions and template texts give.
  if ("index" in array || "raw" in array) return false;
  return array.length > askedLength || Object.keys(array).length === array.length;
}

/**
 * Whether an object is nothing but its own properties, all of them named by strings. One without a prototype is, and
 * one of another realm, as tests that run in a `vm` have them.
 */
export function isPlainObject(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && !isRoot(prototype as object)) return false;
  if (Object.prototype.toString.call(object) !== "[object Object]" || hasSymbols(object)) return false;
  return !("toJSON" in object && typeof object.toJSON === "function");
}

/** Whether an array is nothing but its elements. */
export function isPlainArray(array: readonly unknown[]): boolean {
  const prototype: unknown = Object.getPrototypeOf(array);
  if (prototype !== Array.prototype && !isRootOfArrays(prototype as object)) return false;
  return Object.keys(array).length <= array.length && !hasSymbols(array);
}

function hasSymbols(object: object): boolean {
  return Object.getOwnPropertySymbols(object).some((symbol) =>
    Object.prototype.propertyIsEnumerable.call(object, symbol),
  );
}

/** Whether this is the `Object.prototype` of some realm. */
function isRoot(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "hasOwnProperty");
}

/** Whether this is the `Array.prototype` of some realm. */
function isRootOfArrays(prototype: object): boolean {
  const root: unknown = Object.getPrototypeOf(prototype);
  return root !== null && isRoot(root as object) && Object.hasOwn(prototype, "flatMap");
}
