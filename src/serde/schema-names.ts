import type { StandardSchemaV1 } from "@standard-schema/spec";
import { isData, ownProperty } from "./difference.js";

/**
 * The paths of properties that a schema names, whatever the value is: by the JSON Schema that it gives of itself.
 * Elements of arrays have one path.
 */
export class SchemaNames {
  readonly #schema: StandardSchemaV1;
  readonly #known = new Set<string>();
  #described: unknown;

  constructor(schema: StandardSchemaV1) {
    this.#schema = schema;
  }

  has(path: readonly PropertyKey[]): boolean {
    const key = keyOf(path);
    if (this.#known.has(key)) return true;
    this.#described ??= descriptionOf(this.#schema) ?? {};
    if (namingOf(this.#described, path) !== "named") return false;
    if (this.#known.size < maxKnown) this.#known.add(key);
    return true;
  }
}

/** Names may be those of a record's entries, of which there is no end. */
const maxKnown = 1_000;

function keyOf(path: readonly PropertyKey[]): string {
  let key = "";
  for (const name of path) key += typeof name === "number" ? "[]\0" : `${String(name)}\0`;
  return key;
}

/** A schema that follows Standard JSON Schema describes itself. */
function descriptionOf(schema: StandardSchemaV1): unknown {
  const standard = schema["~standard"] as {
    readonly jsonSchema?: { readonly output?: (options: { target: "draft-07" }) => unknown };
  };
  try {
    return standard.jsonSchema?.output?.({ target: "draft-07" });
  } catch {
    return undefined;
  }
}

/** `open`: a property of any other name may be there as well. */
type Naming = "named" | "open" | "absent";

/** What a JSON Schema says about the property at a path. */
function namingOf(node: unknown, path: readonly PropertyKey[]): Naming {
  if (node === false) return "absent";
  if (typeof node !== "object" || node === null) return "open";
  const schema = node as Readonly<Record<string, unknown>>;
  const namings = (options: unknown): readonly Naming[] =>
    Array.isArray(options) ? options.map((option) => namingOf(option, path)) : [];
  const all = namings(schema["allOf"]);
  if (all.length > 0) return all.includes("named") ? "named" : (all[0] as Naming);
  const any = [...namings(schema["anyOf"]), ...namings(schema["oneOf"])];
  // Which of them a value is read by is not known here.
  if (any.length > 0) return firstOf(any);
  const [first, ...rest] = path;
  if (typeof first === "number") return namingOfElement(schema, rest);
  const { type, properties, additionalProperties } = schema;
  if (type !== undefined && type !== "object") return "absent";
  const property = first === undefined || !isData(properties) ? undefined : ownProperty(properties, first);
  if (property !== undefined) return rest.length === 0 ? "named" : namingOf(property, rest);
  // What says nothing of other names takes them as they come, and what has no names at all is made of them.
  const others = additionalProperties ?? properties === undefined;
  return others !== false && rest.length === 0 ? "open" : namingOf(others, rest);
}

function namingOfElement(schema: Readonly<Record<string, unknown>>, path: readonly PropertyKey[]): Naming {
  const { type, items } = schema;
  if (type !== undefined && type !== "array") return "absent";
  return firstOf([items].flat().map((item) => namingOf(item, path)));
}

/** Of several, by any of which a value may be read. */
function firstOf(namings: readonly Naming[]): Naming {
  return (["open", "named"] as const).find((naming) => namings.includes(naming)) ?? "absent";
}
