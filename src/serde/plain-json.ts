/**
 * Whether a value is written as JSON and read as it is, and quickly: only a `true` is certain. For every value of
 * which no schema proves it.
 *
 * @param asksForNames - whether what an object or an array has beside its names and elements is the value's own, so
 *   that it must not be left out. To ask for that costs as much as all the rest.
 */
export function isPlainJson(value: unknown, asksForNames: boolean): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return isPlainNumber(value);
    case "object":
      if (value === null) return true;
      return Array.isArray(value) ? isArrayOfJson(value, asksForNames) : isObjectOfJson(value, asksForNames);
    default:
      return false;
  }
}

/** {@link isPlainJson}, and that a schema has changed nothing. */
export function isUnchangedJson(value: unknown, given: unknown, asksForNames: boolean): boolean {
  if (typeof value === "number") return value === given && isPlainNumber(value);
  if (typeof value !== "object" || value === null) return value === given && isPlainJson(value, asksForNames);
  if (value === given) return isPlainJson(value, asksForNames);
  if (typeof given !== "object" || given === null) return false;
  return Array.isArray(value)
    ? Array.isArray(given) && isUnchangedArray(value, given, asksForNames)
    : isUnchangedObject(value, given, asksForNames);
}

/** Whether a number is finite and no -0. */
function isPlainNumber(value: number): boolean {
  return value === 0 ? 1 / value > 0 : value - value === 0;
}

function isObjectOfJson(object: object, asksForNames: boolean): boolean {
  if (!looksPlain(object) || (asksForNames && hasAnySymbol(object))) return false;
  for (const name in object) {
    const property = (object as Properties)[name];
    // Most are, and a call for each would cost as much as all of this.
    if (typeof property === "string") continue;
    if (!isPlainJson(property, asksForNames)) return false;
  }
  return true;
}

function isArrayOfJson(array: readonly unknown[], asksForNames: boolean): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype) return false;
  if (asksForNames && !hasOnlyElements(array)) return false;
  for (let index = 0; index < array.length; index++) {
    const element = array[index];
    if (typeof element !== "string" && !isPlainJson(element, asksForNames)) return false;
  }
  return true;
}

/** What a schema has copied has no properties but those that it has put there. */
function isUnchangedObject(object: object, given: object, asksForNames: boolean): boolean {
  if (!looksPlain(object) || hasUnsafeName(given)) return false;
  let count = 0;
  for (const name in object) {
    const [property, source] = [(object as Properties)[name], (given as Properties)[name]];
    if (!isUnchangedJson(property, source, asksForNames)) return false;
    count += 1;
  }
  // What is left out may have been what told an option of a union from another one, which would read the rest.
  for (const _ in given) count -= 1;
  return count === 0;
}

function isUnchangedArray(
  array: readonly unknown[],
  given: readonly unknown[],
  asksForNames: boolean,
): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype || array.length !== given.length) return false;
  for (let index = 0; index < array.length; index++)
    if (!isUnchangedJson(array[index], given[index], asksForNames)) return false;
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

/**
 * Longer arrays are not asked for names beside their elements, such as `array.total = 3`, which JSON leaves out: that
 * would cost as much as to write them. Names that are symbols are asked for whatever the length.
 */
const askedLength = 16;

function hasOnlyElements(array: readonly unknown[]): boolean {
  // What regular expressions and template texts give.
  if ("index" in array || "raw" in array || hasAnySymbol(array)) return false;
  return array.length > askedLength || Object.keys(array).length === array.length;
}

/**
 * Whether an object is nothing but its own properties, all of them named by strings. One without a prototype is, and
 * one of another realm, as tests that run in a `vm` have them.
 */
export function isPlainObject(object: object, asksForNames: boolean): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && !isRoot(prototype as object)) return false;
  if (Object.prototype.toString.call(object) !== "[object Object]") return false;
  if (asksForNames && hasSymbols(object)) return false;
  return !("toJSON" in object && typeof object.toJSON === "function");
}

/** Whether an array is nothing but its elements. */
export function isPlainArray(array: readonly unknown[], asksForNames: boolean): boolean {
  const prototype: unknown = Object.getPrototypeOf(array);
  if (prototype !== Array.prototype && !isRootOfArrays(prototype as object)) return false;
  return !asksForNames || (Object.keys(array).length <= array.length && !hasSymbols(array));
}

function hasAnySymbol(object: object): boolean {
  return Object.getOwnPropertySymbols(object).length > 0;
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
