import type { Wire } from "./zod-structure.js";
import { arrayOf, isOpaque, isSchema } from "./zod-structure.js";
import { isGuarded } from "./zod-checks.js";

/** How a property that may be undefined is read when it is left out. */
export type WhenUndefined = "never" | "fine" | "doubtful" | "perhaps lost" | "lost";

/** What is around a part of a schema, as far as it matters for what is left out. */
interface Around {
  readonly wire: Wire;
  readonly perhaps: boolean;
  readonly guarded: boolean;
}

/** How a property that a schema names is read when it is undefined, and so left out. */
export function whenUndefined(name: string, schema: unknown, { wire, guarded }: Around): WhenUndefined {
  if (wire === "application" || !mayBeUndefined(schema)) return "never";
  // Left out, it is read as what every object inherits.
  if (name in Object.prototype) return "doubtful";
  return !guarded && isOptional(schema) ? "fine" : "doubtful";
}

/** As {@link whenUndefined}, for an entry of which the schema does not name the property. */
export function whenEntryUndefined(
  schema: unknown,
  { wire, perhaps }: Around,
  isNamed: boolean,
): WhenUndefined {
  if (wire === "application" || !mayBeUndefined(schema)) return "never";
  if (isNamed) return "doubtful";
  return perhaps ? "perhaps lost" : "lost";
}

/** Whether a schema takes `undefined`, as far as its structure tells. */
export function mayBeUndefined(schema: unknown, seen = new Set<unknown>()): boolean {
  if (!isSchema(schema) || seen.has(schema)) return false;
  seen.add(schema);
  const { def, innerType } = schema._zod;
  switch (def.type) {
    case "optional":
    case "undefined":
    case "void":
      return true;
    case "nonoptional":
      return false;
    case "literal":
      return arrayOf(def["values"]).includes(undefined);
    case "union":
      return arrayOf(def["options"]).some((option) => mayBeUndefined(option, seen));
    case "pipe":
      return mayBeUndefined(def["in"], seen) || mayBeUndefined(def["out"], seen);
    case "intersection":
      return mayBeUndefined(def["left"], seen) && mayBeUndefined(def["right"], seen);
    case "lazy":
      return mayBeUndefined(innerType, seen);
    default:
      return isOpaque(schema) || mayBeUndefined(def["innerType"], seen);
  }
}

/** Whether a property of this schema is read as undefined when it is not there. */
function isOptional(schema: unknown): boolean {
  if (!isSchema(schema)) return false;
  const { def } = schema._zod;
  if (isGuarded(def)) return false;
  if (def.type === "nullable" || def.type === "readonly") return isOptional(def["innerType"]);
  return def.type === "optional" && !fillsIn(def["innerType"]);
}

/** Whether a schema makes something of what is not there, also deep in it. */
function fillsIn(schema: unknown, seen = new Set<unknown>()): boolean {
  if (!isSchema(schema) || seen.has(schema)) return false;
  seen.add(schema);
  const { def, innerType } = schema._zod;
  switch (def.type) {
    case "default":
    case "prefault":
    case "catch":
      return true;
    case "pipe":
      return mayBeUndefined(def["in"]) || fillsIn(def["in"], seen);
    case "lazy":
      return fillsIn(innerType, seen);
    case "union":
      return arrayOf(def["options"]).some((option) => fillsIn(option, seen));
    default:
      return fillsIn(def["innerType"], seen);
  }
}
