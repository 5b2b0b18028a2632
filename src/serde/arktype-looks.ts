import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Look } from "./doubts.js";
import { isData } from "./difference.js";
import { lookAtAnything, lookAtDescribed } from "./looks.js";

/**
 * How the values of an arktype schema are looked at. arktype passes objects on as they are, so each has to be walked
 * through; but only where the schema does not describe them, a property that is named by a symbol is the value's own.
 * Asking for those costs as much as the rest of the walk. Elsewhere they are left out, as those are that other
 * vendors' schemas do not name.
 */
export function arktypeLook(schema: StandardSchemaV1): Look {
  const described = descriptionOf(schema);
  return described === undefined || letsAnythingPass(described) ? lookAtAnything : lookAtDescribed;
}

/** The JSON Schema of an arktype schema; `undefined` where it has none, such as one with names that are symbols. */
function descriptionOf(schema: StandardSchemaV1): unknown {
  try {
    return (schema as Partial<DescribesItself>).toJsonSchema?.({
      target: "draft-07",
      // Whether a value is one of few, or passes a function of the user's, makes no difference here.
      fallback: { predicate: ({ base }) => base, unit: () => ({ const: null }) },
    });
  } catch {
    return undefined;
  }
}

interface DescribesItself {
  readonly toJsonSchema: (options: {
    readonly target: "draft-07";
    readonly fallback: Readonly<Record<string, (problem: { readonly base: unknown }) => unknown>>;
  }) => unknown;
}

/** Whether a JSON Schema, or a part of it, takes objects or arrays of which it says nothing. */
function letsAnythingPass(node: unknown): boolean {
  if (!isData(node)) return node === true;
  const { type, properties, additionalProperties, items, additionalItems, definitions, anyOf, allOf, oneOf } =
    node as Readonly<Record<string, unknown>>;
  if (!describing.some((name) => name in node)) return true;
  if (type === "object" && !isNonEmpty(properties) && additionalProperties === undefined) return true;
  if (type === "array" && items === undefined) return true;
  const parts = [properties, definitions, items, anyOf, allOf, oneOf].filter(isData).flatMap(partsOf);
  return [...parts, additionalProperties, additionalItems].some(
    (part) => part !== undefined && letsAnythingPass(part),
  );

  function partsOf(part: object): readonly unknown[] {
    return part === items && !Array.isArray(part) ? [part] : Object.values(part);
  }
}

/** What says which values a JSON Schema takes. */
const describing = ["type", "enum", "const", "anyOf", "allOf", "oneOf", "$ref"];

function isNonEmpty(properties: unknown): boolean {
  return isData(properties) && Object.keys(properties).length > 0;
}
