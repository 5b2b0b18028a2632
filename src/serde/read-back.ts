import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Issue } from "../errors.js";
import { differenceOf, isData, isEqual, ownProperty, withoutUndefined } from "./difference.js";
import { doubtful, type Look, lost, Trace, undefinedEntry, type UndefinedProperty } from "./doubts.js";
import { describeValue } from "./failure.js";
import type { SchemaNames } from "./schema-names.js";

type Result = StandardSchemaV1.Result<unknown>;
type Later<T> = T | Promise<T>;

/** The two directions of a schema. */
export interface Directions {
  readonly encode: (value: unknown) => Later<Result>;
  readonly decode: (value: unknown) => Later<Result>;
  /** Whether the application's value is another than the one on the wire. */
  readonly encodes: boolean;
  /** Which names the schema has, as far as that was asked for. */
  readonly names: SchemaNames;
}

/** What became of a value with a doubt: what is wrong with it, or where it holds a -0. */
export interface Settled {
  readonly issue: Issue | undefined;
  readonly negativeZeroAt: readonly PropertyKey[] | undefined;
}

/**
 * Looks again at a value about which there is a doubt, and says what is wrong with it: what JSON loses, or that it
 * would not be read as it was sent. For that it is read back, which only few values need.
 *
 * @param wire - the value to be written
 * @param given - the value that the schema made it of
 */
export function settle(look: Look, directions: Directions, wire: unknown, given: unknown): Later<Settled> {
  const trace = new Trace();
  const doubts = look(wire, given, trace);
  const negativeZeroAt = trace.firstNegativeZero;
  if ((doubts & lost) !== 0) return { issue: trace.firstLost, negativeZeroAt };
  if ((doubts & doubtful) === 0) return { issue: undefined, negativeZeroAt };
  return after(readBack(directions, wire, given, trace.undefinedProperties), (issue) => ({
    issue,
    negativeZeroAt,
  }));
}

function readBack(
  directions: Directions,
  wire: unknown,
  given: unknown,
  undefinedProperties: readonly UndefinedProperty[],
): Later<Issue | undefined> {
  const { encode, decode, encodes, names } = directions;
  const written = withoutUndefined(wire);
  return after(decode(written), (result) => {
    if (result.issues) return unreadable(result.issues, undefinedProperties);
    const read = result.value;
    return after(firstUnnamed(names, decode, written, undefinedProperties), (unnamed) => {
      if (unnamed !== undefined) return { message: undefinedEntry, path: unnamed };
      if (!encodes) return changed(differenceOf(read, written, "all"), read);
      if (differenceOf(read, given, "read") === undefined) return undefined;
      const difference = differenceOf(read, given, "kinds");
      if (difference !== undefined) return changed(difference, read);
      return after(encode(read), (again) =>
        again.issues
          ? unreadable(again.issues, [])
          : changed(differenceOf(again.value, written, "all"), read),
      );
    });
  });
}

/** What is wrong with a value that the schema refuses when it is read. */
function unreadable(issues: readonly Issue[], undefinedProperties: readonly UndefinedProperty[]): Issue {
  const [issue] = issues;
  const reason = issue?.message ?? "Invalid input";
  const isAt = (path: readonly PropertyKey[]): boolean => isEqual(path, keysOf(issue?.path));
  const property = undefinedProperties.find(({ path }) => isAt(path)) ?? undefinedProperties[0];
  return property === undefined
    ? {
        message: `it would be refused when it is read, as the schema has changed it: ${reason}`,
        path: issue?.path,
      }
    : {
        message: `undefined is left out of JSON, and the schema does not read the value without it (${reason}): use null, or make it optional`,
        path: property.path,
      };
}

function changed(path: readonly PropertyKey[] | undefined, read: unknown): Issue | undefined {
  if (path === undefined) return undefined;
  return { message: `it would be read as another value (${describeValue(at(read, path))})`, path };
}

/** The path of the first undefined property that the schema does not name. */
function firstUnnamed(
  names: SchemaNames,
  decode: Directions["decode"],
  written: unknown,
  properties: readonly UndefinedProperty[],
): Later<readonly PropertyKey[] | undefined> {
  const [property, ...rest] = properties;
  if (property === undefined) return undefined;
  const next = (): Later<readonly PropertyKey[] | undefined> => firstUnnamed(names, decode, written, rest);
  const { path, mayBeUnnamed } = property;
  if (!mayBeUnnamed || names.has(path)) return next();
  return after(isUnnamed(decode, written, path), (unnamed) => (unnamed ? path : next()));
}

/**
 * Whether a property means no more to the schema than one of any other name: both may be undefined, and both may be,
 * or may not be, something that no schema asks for.
 */
function isUnnamed(
  decode: Directions["decode"],
  written: unknown,
  path: readonly PropertyKey[],
): Later<boolean> {
  const around = path.slice(0, -1);
  const name = path.at(-1) as string;
  const other = `${name}_`;
  const keeps = (key: string, value: unknown): Later<boolean> =>
    after(tryDecode(decode, withProperty(written, around, key, value)), (result) => {
      if (result.issues) return false;
      const object = at(result.value, around);
      return typeof object === "object" && object !== null && Object.hasOwn(object, key);
    });
  return after(keeps(other, undefined), (isKept) =>
    isKept
      ? after(keeps(name, unheardOf), (one) => after(keeps(other, unheardOf), (two) => one === two))
      : false,
  );
}

const unheardOf = Symbol("a value that no schema asks for");

function tryDecode(decode: Directions["decode"], value: unknown): Later<Result> {
  const failed: Result = { issues: [] };
  try {
    const result = decode(value);
    return result instanceof Promise ? result.catch(() => failed) : result;
  } catch {
    return failed;
  }
}

/** A copy with one more property in the object at a path. */
function withProperty(value: unknown, path: readonly PropertyKey[], key: string, property: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return { ...(value as object), [key]: property };
  const changedPart = withProperty(at(value, [first]), rest, key, property);
  if (Array.isArray(value))
    return value.map((each: unknown, index) => (index === first ? changedPart : each));
  return { ...(value as object), [first]: changedPart };
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let part = value;
  for (const name of path) {
    if (!isData(part)) return undefined;
    part = ownProperty(part, name);
  }
  return part;
}

function keysOf(path: Issue["path"]): readonly PropertyKey[] {
  return (path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment));
}

function after<T, U>(value: Later<T>, next: (value: T) => Later<U>): Later<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
