import { doubtful, type Doubts, type Look, lost, noDoubt, type Trace, undefinedElement } from "./doubts.js";
import { isObject, leavesOut, lookAtAnything } from "./looks.js";

/**
 * What has to be looked at in each value that a valibot schema gives before it is written: only the parts of which
 * the schema does not prove that they are read again as they are. `undefined` where it proves it of all of them.
 */
export function valibotLook(schema: unknown): Look | undefined {
  return lookAt(schema, { guarded: false, perhaps: false });
}

/** What is around a part of a schema, as far as it matters for the part. */
interface Around {
  /** Whether a property that is left out could make a difference to what is around it. */
  readonly guarded: boolean;
  /** Whether another part of the schema may describe the same value. */
  readonly perhaps: boolean;
}

/** The fields of valibot's schemas that are looked at here. */
interface ValibotSchema {
  readonly kind: "schema";
  readonly type: string;
  readonly pipe?: readonly { readonly kind: string; readonly type: string }[];
  readonly fallback?: unknown;
  readonly default?: unknown;
  readonly wrapped?: unknown;
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly item?: unknown;
  readonly items?: readonly unknown[];
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
}

function lookAt(schema: unknown, around: Around): Look | undefined {
  if (!isSchema(schema) || "fallback" in schema || changes(schema)) return lookAtAnything;
  const inner = schema.pipe === undefined ? around : { ...around, guarded: true };
  switch (schema.type) {
    case "string":
    case "boolean":
    case "null":
    case "never":
      return undefined;
    case "literal":
      return isKept(schema.literal) ? undefined : lookAtAnything;
    case "picklist":
    case "enum":
      return schema.options?.every(isKept) === true ? undefined : lookAtAnything;
    case "object":
    case "strict_object":
      return lookAtEntries(schema.entries ?? {}, inner);
    case "array":
      return lookAtItems([], schema.item, inner);
    case "tuple":
    case "strict_tuple":
      return lookAtItems(schema.items ?? [], undefined, inner);
    case "union":
    case "variant":
      return lookAtOptions(schema.options ?? [], { guarded: true, perhaps: true });
    case "nullable":
    case "nullish":
    case "optional":
    case "undefinedable":
    case "exact_optional":
      return schema.default === undefined ? lookAt(schema.wrapped, inner) : lookAtAnything;
    default:
      // Numbers may be -0 or infinite, and of the others nothing is known.
      return lookAtAnything;
  }
}

function lookAtEntries(schemas: Readonly<Record<string, unknown>>, around: Around): Look | undefined {
  // valibot makes a prototype of a property of this name.
  if (Object.hasOwn(schemas, "__proto__")) return lookAtAnything;
  const all = Object.entries(schemas).map(([name, schema]) => ({
    name,
    look: lookAt(schema, around),
    mayLack: mayBeUndefined(schema) && (around.guarded || !isOptional(schema) || name in Object.prototype),
  }));
  const watched = all.filter(({ look, mayLack }) => look !== undefined || mayLack);
  if (watched.length === 0 && !around.perhaps) return undefined;
  return (wire, given, trace) => {
    if (!isObject(wire)) return noDoubt;
    // valibot takes entries of an array, too, such as the `constructor` that all of them have.
    if (!isObject(given)) return lookAtAnything(wire, given, trace);
    // Another option may read what one has left out of the value.
    let doubts = around.perhaps && leavesOut(wire, given) ? doubtful : noDoubt;
    for (const { name, look, mayLack } of watched) {
      const value = wire[name];
      if (typeof value === "number" && value - value === 0 && value !== 0 && value === given[name]) continue;
      if (value === undefined) {
        if (!mayLack || !Object.hasOwn(wire, name)) continue;
        trace?.noteUndefined(name, false);
        doubts |= doubtful;
      } else if (look !== undefined) doubts |= lookInside(name, look, value, given[name], trace);
    }
    return doubts;
  };
}

function lookAtItems(first: readonly unknown[], rest: unknown, around: Around): Look | undefined {
  const looks = first.map((item) => lookAt(item, around));
  const every = rest === undefined ? undefined : lookAt(rest, around);
  const mayLack = [...first, rest].some(mayBeUndefined);
  if (!mayLack && every === undefined && looks.every((look) => look === undefined)) return undefined;
  return (wire, given, trace) => {
    if (!Array.isArray(wire) || !Array.isArray(given)) return noDoubt;
    let doubts = noDoubt;
    for (let index = 0; index < wire.length; index++) {
      const value: unknown = wire[index];
      if (value === undefined) {
        doubts |= lost;
        trace?.enter(index);
        trace?.noteLost(undefinedElement);
        trace?.leave();
        continue;
      }
      const look = index < looks.length ? looks[index] : every;
      if (look !== undefined) doubts |= lookInside(index, look, value, given[index], trace);
    }
    return doubts;
  };
}

function lookAtOptions(schemas: readonly unknown[], around: Around): Look | undefined {
  const looks = schemas.map((schema) => lookAt(schema, around)).filter((look) => look !== undefined);
  if (looks.length === 0) return undefined;
  return (wire, given, trace) => {
    let doubts = noDoubt;
    for (const look of looks) doubts |= look(wire, given, trace);
    return doubts;
  };
}

function lookInside(
  name: PropertyKey,
  look: Look,
  wire: unknown,
  given: unknown,
  trace: Trace | undefined,
): Doubts {
  trace?.enter(name);
  const doubts = look(wire, given, trace);
  trace?.leave();
  return doubts;
}

/** Whether what comes behind a schema may change its value. */
function changes({ pipe = [] }: ValibotSchema): boolean {
  return pipe
    .slice(1)
    .some(({ kind, type }) => kind === "schema" || (kind === "transformation" && !marks.has(type)));
}

/** Transformations that only change the type. */
const marks = new Set(["brand", "flavor", "readonly"]);

/** Whether JSON keeps a value of which a schema says that it is this one. */
function isKept(value: unknown): boolean {
  if (typeof value === "number") return value - value === 0 && value !== 0;
  return typeof value === "string" || typeof value === "boolean" || value === null;
}

/** Whether a schema takes `undefined`. Those of which nothing is known may. */
function mayBeUndefined(schema: unknown): boolean {
  if (!isSchema(schema)) return schema !== undefined;
  const { type } = schema;
  if (type === "union" || type === "variant") return schema.options?.some(mayBeUndefined) === true;
  if (type === "nullable") return mayBeUndefined(schema.wrapped);
  if (type === "literal") return schema.literal === undefined;
  return !neverUndefined.has(type) || "fallback" in schema || changes(schema);
}

const neverUndefined = new Set([
  ...["string", "boolean", "number", "null", "never", "picklist", "enum", "object", "strict_object"],
  ...["loose_object", "object_with_rest", "array", "tuple", "strict_tuple", "record", "non_optional"],
]);

/** Whether a property of this schema that is left out is read as one that is undefined. */
function isOptional(schema: unknown): boolean {
  if (!isSchema(schema) || schema.pipe !== undefined || schema.default !== undefined) return false;
  return schema.type === "optional" || schema.type === "nullish";
}

function isSchema(value: unknown): value is ValibotSchema {
  return isObject(value) && value["kind"] === "schema";
}
