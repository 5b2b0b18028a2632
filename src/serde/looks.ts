import {
  type Doubts,
  doubtful,
  droppedName,
  type Look,
  lost,
  negativeZero,
  noDoubt,
  type Trace,
  undefinedElement,
  undefinedEntry,
} from "./doubts.js";
import { describeValue } from "./failure.js";
import { isPlainArray, isPlainJson, isPlainObject, isUnchangedJson, unsafeNames } from "./plain-json.js";

/** Looks at the number of a schema that takes only finite ones. */
export const lookAtNumber: Look = (wire, _, trace) => {
  if (wire !== 0 || 1 / wire > 0) return noDoubt;
  trace?.noteNegativeZero();
  return negativeZero;
};

/** Looks at a value of which the schema says nothing, where every property is the value's own. */
export const lookAtUnknown: Look = (wire, _, trace) => {
  if (trace === undefined) return isPlainJson(wire, true) ? noDoubt : doubtful;
  return lookAtAny(wire, wire, trace, ownValue);
};

/** {@link lookAtUnknown}, where another part of the schema may name the properties. */
export const lookAtPerhapsUnknown: Look = (wire, _, trace) => {
  if (trace === undefined) return isPlainJson(wire, true) ? noDoubt : doubtful;
  return lookAtAny(wire, wire, trace, perhapsOwn);
};

/** Looks at a value of a schema of which the structure is not known, and may change values. */
export const lookAtAnything: Look = (wire, given, trace) => {
  if (trace === undefined) return isUnchangedJson(wire, given, true) ? noDoubt : doubtful;
  return lookAtAny(wire, given, trace, perhapsOwn);
};

/** {@link lookAtAnything}, where each object is described, and what it has beside its names and elements is left out. */
export const lookAtDescribed: Look = (wire, given, trace) => {
  if (trace === undefined) return isUnchangedJson(wire, given, false) ? noDoubt : doubtful;
  return lookAtAny(wire, given, trace, described);
};

/** Looks whether a schema of which the structure is not known has changed a value, in a format that keeps every value. */
export const lookAtChanges: Look = (wire, given, trace) => {
  if (Object.is(wire, given)) return noDoubt;
  if (typeof wire !== "object" || wire === null || typeof given !== "object" || given === null)
    return doubtful;
  if (!Array.isArray(wire) && !isPlainObject(wire, true)) return doubtful;
  let doubts = noDoubt;
  for (const name of Object.keys(wire)) {
    doubts |= lookAtChanges((wire as Properties)[name], (given as Properties)[name], trace);
    if (doubts !== noDoubt) return doubts;
  }
  return doubts;
};

/** Looks at the headers of a schema of which the structure is not known. */
export const lookAtHeaders: Look = (wire, given, trace) => {
  if (typeof wire !== "object" || wire === null) return noDoubt;
  let doubts = lookAtChanges(wire, given, trace);
  for (const [name, value] of Object.entries(wire))
    if (value === undefined) doubts |= lookAtUndefined(name, trace, doubtful);
  return doubts;
};

/** Looks whether a schema that copies its values has left out a property named `__proto__`. */
export function lookForDropped(wire: object, given: unknown, trace: Trace | undefined): Doubts {
  if (wire === given || !isObject(given) || !Object.hasOwn(given, "__proto__")) return noDoubt;
  trace?.enter("__proto__");
  trace?.noteLost(droppedName);
  trace?.leave();
  return lost;
}

/** Looks whether two names have become one, or a name has become another. */
export function lookAtChangedKeys(wire: object, given: unknown, trace: Trace | undefined): Doubts {
  if (!isObject(given)) return doubtful;
  const names = Object.keys(wire);
  if (names.length < Object.keys(given).length) {
    trace?.noteLost("two names become one, so that an entry would not be sent");
    return lost;
  }
  return names.every((name) => Object.hasOwn(given, name)) ? noDoubt : doubtful;
}

/** Whether an object lacks properties of the one that it was made of. */
export function leavesOut(object: object, given: unknown): boolean {
  return typeof given === "object" && given !== null && countOf(given) > countOf(object);
}

function countOf(object: object): number {
  let count = 0;
  for (const _ in object) count += 1;
  return count;
}

/** Whether a value is an object, and no array. */
export function isObject(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How a value is walked through of which no schema proves that it is read as it is. */
interface Rules {
  /** What there is to say of a property that is undefined. */
  readonly undefinedProperty: Doubts;
  /** Whether what an object or an array has beside its names and elements is the value's own. */
  readonly asksForNames: boolean;
}

const ownValue: Rules = { undefinedProperty: lost, asksForNames: true };
const perhapsOwn: Rules = { undefinedProperty: doubtful, asksForNames: true };
const described: Rules = { undefinedProperty: doubtful, asksForNames: false };

function lookAtAny(wire: unknown, given: unknown, trace: Trace, rules: Rules): Doubts {
  switch (typeof wire) {
    case "string":
    case "boolean":
      return wire === given ? noDoubt : doubtful;
    case "number":
      if (!Number.isFinite(wire)) return losing(wire, trace);
      return (wire === given ? noDoubt : doubtful) | lookAtNumber(wire, given, trace);
    case "object":
      if (wire === null) return given === null ? noDoubt : doubtful;
      return Array.isArray(wire)
        ? lookAtArray(wire, given, trace, rules)
        : lookAtObject(wire, given, trace, rules);
    default:
      return losing(wire, trace);
  }
}

function lookAtArray(array: readonly unknown[], given: unknown, trace: Trace, rules: Rules): Doubts {
  if (!isPlainArray(array, rules.asksForNames)) return losing(array, trace);
  const source: readonly unknown[] = Array.isArray(given) ? given : noSource;
  let doubts = source.length === array.length ? noDoubt : doubtful;
  for (let index = 0; index < array.length; index++) {
    trace.enter(index);
    const element = array[index];
    if (element === undefined) {
      trace.noteLost(undefinedElement);
      doubts |= lost;
    } else doubts |= lookAtAny(element, source[index], trace, rules);
    trace.leave();
  }
  return doubts;
}

function lookAtObject(object: object, given: unknown, trace: Trace, rules: Rules): Doubts {
  if (!isPlainObject(object, rules.asksForNames)) return losing(object, trace);
  let doubts = noDoubt;
  if (object !== given) {
    if (leavesOut(object, given)) doubts |= doubtful;
    const dropped = nameDropped(object, given);
    if (dropped !== undefined) {
      trace.enter(dropped);
      trace.noteLost(droppedName);
      trace.leave();
      doubts |= lost;
    }
  }
  const source = typeof given === "object" && given !== null ? given : noProperties;
  for (const name of Object.keys(object)) {
    const value = (object as Properties)[name];
    if (value === undefined) doubts |= lookAtUndefined(name, trace, rules.undefinedProperty);
    else {
      trace.enter(name);
      doubts |= lookAtAny(value, (source as Properties)[name], trace, rules);
      trace.leave();
    }
  }
  return doubts;
}

type Properties = Readonly<Record<string, unknown>>;

const noSource: readonly unknown[] = [];
const noProperties: Properties = Object.freeze({});

function lookAtUndefined(name: string, trace: Trace | undefined, doubt: Doubts): Doubts {
  if (trace === undefined) return doubt;
  if (doubt !== lost) trace.noteUndefined(name, true);
  else {
    trace.enter(name);
    trace.noteLost(undefinedEntry);
    trace.leave();
  }
  return doubt;
}

function losing(value: unknown, trace: Trace): Doubts {
  trace.noteLost(`${describeValue(value)} is not JSON: what is read would not be what was sent`);
  return lost;
}

function nameDropped(object: object, given: unknown): string | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  for (const name of unsafeNames) if (Object.hasOwn(given, name) && !Object.hasOwn(object, name)) return name;
  return undefined;
}
