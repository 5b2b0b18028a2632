import type { StandardSchemaV1 } from "@standard-schema/spec";

/**
 * The paths of properties that a schema is known to name: by the JSON Schema that it gives of itself, or because it
 * was found out. Elements of arrays have one path.
 */
export class SchemaNames {
  readonly #schema: StandardSchemaV1;
  readonly #known = new Set<string>();
  #described: unknown;

  constructor(schema: StandardSchemaV1) {
    this.#schema = schema;
  }

  has(path: readonly PropertyKey[]): boolean {
    if (this.#known.has(keyOf(path))) return true;
    this.#described ??= descriptionOf(this.#schema) ?? {};
    if (!isNamedIn(this.#described, path)) return false;
    this.add(path);
    return true;
  }

  add(path: readonly PropertyKey[]): void {
    if (this.#known.size < maxKnown) this.#known.add(keyOf(path));
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

/** Whether a JSON Schema names the property at a path. */
function isNamedIn(node: unknown, path: readonly PropertyKey[]): boolean {
  if (typeof node !== "object" || node === null) return false;
  const schema = node as Readonly<Record<string, unknown>>;
  const options = ["anyOf", "oneOf", "allOf"].flatMap((name) => schema[name]);
  if (options.some((option) => isNamedIn(option, path))) return true;
  const [first, ...rest] = path;
  if (typeof first === "number") return [schema["items"]].flat().some((item) => isNamedIn(item, rest));
  const properties: unknown = schema["properties"];
  if (
    typeof first === "string" &&
    typeof properties === "object" &&
    properties !== null &&
    Object.hasOwn(properties, first)
  )
    return rest.length === 0 || isNamedIn((properties as Readonly<Record<string, unknown>>)[first], rest);
  return rest.length > 0 && isNamedIn(schema["additionalProperties"], rest);
}
