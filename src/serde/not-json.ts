import type { Issue } from "../errors.js";
import { describeValue } from "./failure.js";

/**
 * The first thing in a value that JSON would lose or change: a number that is not finite, a bigint,
 * an undefined in an array, a Date, a Map, and so on. `undefined` where there is none. For values
 * of which the schema does not prove it. An undefined property is fine: it is left out.
 */
export function findNotJson(value: unknown): Issue | undefined {
  const path: PropertyKey[] = [];
  const problem = search(value, path);
  return problem === undefined ? undefined : { message: problem, path: path.reverse() };
}

/** Fills the path from its end, on the way back: nothing is allocated for a value that is fine. */
function search(value: unknown, path: PropertyKey[]): string | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : lost(value);
    case "object":
      if (value === null) return undefined;
      return Array.isArray(value) ? searchArray(value, path) : searchObject(value, path);
    default:
      return lost(value);
  }
}

function searchArray(array: readonly unknown[], path: PropertyKey[]): string | undefined {
  for (let index = 0; index < array.length; index++) {
    const problem = search(array[index], path);
    if (problem !== undefined) {
      path.push(index);
      return problem;
    }
  }
  return undefined;
}

function searchObject(object: object, path: PropertyKey[]): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && !isData(object)) return lost(object);
  if ("toJSON" in object && typeof object.toJSON === "function") return lost(object);
  for (const name of Object.keys(object)) {
    const value: unknown = Reflect.get(object, name);
    if (value === undefined) continue;
    const problem = search(value, path);
    if (problem !== undefined) {
      path.push(name);
      return problem;
    }
  }
  return undefined;
}

/** Whether an instance of a class is data in its own properties, which a Map or a RegExp is not. */
function isData(object: object): boolean {
  return Object.prototype.toString.call(object) === "[object Object]";
}

function lost(value: unknown): string {
  return `${describeValue(value)} is not JSON: what is read would not be what was sent`;
}
