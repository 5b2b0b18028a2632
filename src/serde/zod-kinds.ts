import { arrayOf, isSchema, partNames, type ZodSchema } from "./zod-structure.js";

type Kind = "string" | "number" | "boolean" | "null" | "undefined" | "object" | "array";

const allKinds: readonly Kind[] = ["string", "number", "boolean", "null", "undefined", "object", "array"];

/** Whether `null` on the wire fits a schema. */
export function takesWrittenNull(schema: unknown): boolean {
  return kindsOf(schema).has("null");
}

/** Whether a value may fit the wire sides of both schemas, as far as their structure tells. */
export function overlaps(one: ZodSchema, other: ZodSchema): boolean {
  const kinds = kindsOf(other);
  const common = [...kindsOf(one)].filter((kind) => kinds.has(kind));
  return common.some((kind) => kind !== "object") || (common.length > 0 && !isToldApart(one, other));
}

/** Whether what a schema makes of a value on the wire may be another one: it holds a codec, a default or a catch. */
export function goesTwoWays(value: unknown, seen = new Set<unknown>()): boolean {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  seen.add(value);
  if (!isSchema(value)) return Object.values(value).some((part) => goesTwoWays(part, seen));
  const { def, innerType } = value._zod;
  if (def.type === "default" || def.type === "prefault" || def.type === "catch") return true;
  if (def.type === "pipe" && typeof def["reverseTransform"] === "function") return true;
  return goesTwoWays(innerType, seen) || partNames.some((name) => goesTwoWays(def[name], seen));
}

/** Whether two schemas of objects have a property of which no value fits both. */
function isToldApart(one: ZodSchema, other: ZodSchema): boolean {
  const values = one._zod.propValues ?? {};
  return Object.entries(other._zod.propValues ?? {}).some(([name, others]) => {
    const own = Object.hasOwn(values, name) ? values[name] : undefined;
    return own !== undefined && ![...own].some((value) => others.has(value));
  });
}

/** The kinds of values that a schema has on the wire. */
function kindsOf(schema: unknown, seen = new Set<unknown>()): ReadonlySet<Kind> {
  if (!isSchema(schema) || seen.has(schema)) return new Set();
  seen.add(schema);
  const { def, innerType } = schema._zod;
  const of = (...parts: readonly unknown[]): Set<Kind> =>
    new Set(parts.flatMap((part) => [...kindsOf(part, seen)]));
  switch (def.type) {
    case "string":
    case "template_literal":
      return new Set(["string"]);
    case "number":
    case "boolean":
    case "null":
    case "undefined":
    case "array":
    case "object":
      return new Set([def.type]);
    case "void":
      return new Set(["undefined"]);
    case "tuple":
      return new Set(["array"]);
    case "record":
      return new Set(["object"]);
    case "never":
      return new Set();
    case "literal":
      return new Set(arrayOf(def["values"]).map(kindOf));
    case "enum":
      return new Set(Object.values(def["entries"] ?? {}).map(kindOf));
    case "union":
      return of(...arrayOf(def["options"]));
    case "intersection":
      return of(def["left"]);
    case "nullable":
      return of(def["innerType"]).add("null");
    case "optional":
      return of(def["innerType"]).add("undefined");
    case "pipe":
      return of(def["in"]);
    case "lazy":
      return of(innerType);
    default:
      return isSchema(def["innerType"]) ? of(def["innerType"]) : new Set(allKinds);
  }
}

function kindOf(value: unknown): Kind {
  if (value === null) return "null";
  return allKinds.find((kind) => kind === typeof value) ?? "object";
}
