import { types } from "node:util";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { ConfigError } from "../errors.js";

/** What is used of a zod schema: the same in zod and zod mini, which need not be installed. */
export interface ZodSchema extends StandardSchemaV1 {
  readonly _zod: {
    readonly def: ZodDef;
    readonly bag?: Readonly<Record<string, unknown>>;
    readonly innerType?: unknown;
    /** The only values that a schema takes, where they are known. */
    readonly values?: ReadonlySet<unknown>;
    /** The only values of each property, of those of which they are known. */
    readonly propValues?: Readonly<Record<string, ReadonlySet<unknown>>>;
    readonly run: (payload: ZodPayload, context: ZodRunContext) => ZodPayload | Promise<ZodPayload>;
  };
}

/** A schema's own definition; which fields there are depends on `type`. */
export type ZodDef = Readonly<Record<string, unknown>> & { readonly type: string };

/** A check on a schema: its function, or that of a refinement in its definition. */
export interface ZodCheck {
  readonly _zod: { readonly check?: unknown; readonly def?: Readonly<Record<string, unknown>> };
}

/** What zod passes through a schema. */
export interface ZodPayload {
  value: unknown;
  issues: ZodRawIssue[];
}

/** An issue before zod gives it a message. */
export interface ZodRawIssue {
  readonly message?: string;
  readonly path?: readonly PropertyKey[];
  /** What found it: a schema, or a check on one. */
  readonly inst?: ZodIssueSource;
  /** The schema that the check is on. */
  readonly schema?: ZodIssueSource;
  readonly input?: unknown;
  readonly continue?: boolean;
}

interface ZodIssueSource {
  readonly _zod?: {
    readonly def?: { readonly error?: unknown };
    readonly traits?: { readonly has: (trait: string) => boolean };
  };
}

interface ZodRunContext {
  readonly direction: "forward" | "backward";
  readonly async: boolean;
}

/** What the structure of a schema says about how to send its values. */
interface ZodStructure {
  /** Holds a codec, a default or a catch: going out is another thing than validating. */
  readonly encodes: boolean;
  /**
   * Holds an `async` function or a promise. Others may give promises too: a function that is compiled to old
   * JavaScript, that only returns one, or that zod keeps to itself.
   */
  readonly asynchronous: boolean;
}

/** Whether a schema is zod's, version 4. */
export function isZod(schema: StandardSchemaV1): schema is ZodSchema {
  const internals: unknown = "_zod" in schema ? schema._zod : undefined;
  return (
    typeof internals === "object" &&
    internals !== null &&
    "def" in internals &&
    "run" in internals &&
    typeof internals.run === "function"
  );
}

/**
 * Looks through a zod schema, recursion included, and refuses what cannot be sent and read again: a
 * transform that is no codec, and a wire side that is not JSON (for headers and text: not a string).
 *
 * @param wire - what the wire side must be
 * @param field - the path the errors begin with
 * @throws `ConfigError` with the path of what is refused and its cure
 */
export function inspectZod(schema: ZodSchema, wire: Wire, field: string): ZodStructure {
  const walk = new Walk();
  walk.visit(schema, field, { wire, absent: false });
  return walk;
}

/**
 * - `json`: the schema of a JSON value
 * - `headers`: the schema of an object of strings
 * - `string`: the schema of a string, such as one of those
 * - `application`: behind a codec, or in a format that is not JSON, where anything goes but a transform
 */
export type Wire = "json" | "headers" | "string" | "application";

interface SchemaPosition {
  readonly wire: Wire;
  /** Whether `undefined` may stand here: a property, which is then left out. */
  readonly absent: boolean;
}

/** Types whose values JSON does not have, with what to do about each. */
const notJson: Readonly<Record<string, string>> = {
  date: "use z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() })",
  bigint: "use z.codec(z.string(), z.bigint(), { decode: BigInt, encode: String })",
  map: "use z.record(...), or z.codec(z.array(z.tuple([...])), z.map(...), { decode: (entries) => new Map(entries), encode: (map) => [...map] })",
  set: "use z.array(...), or z.codec(z.array(...), z.set(...), { decode: (items) => new Set(items), encode: (set) => [...set] })",
  symbol: "use z.string(), or a z.codec(...) from one",
  nan: "use z.null(), or a z.codec(...) from it",
  file: "use z.codec(z.base64(), ...)",
  function: "leave it out",
  promise: "use the schema of what it resolves to",
};

class Walk implements ZodStructure {
  encodes = false;
  asynchronous = false;
  readonly #seen = new Map<unknown, Set<string>>();

  visit(schema: unknown, path: string, position: SchemaPosition): void {
    if (!isSchema(schema)) return;
    const visited = `${position.wire} ${String(position.absent)}`;
    const seen = this.#seen.get(schema);
    if (seen?.has(visited)) return;
    if (seen === undefined) this.#seen.set(schema, new Set([visited]));
    else seen.add(visited);

    const { def } = schema._zod;
    if (isAsynchronous(def)) this.asynchronous = true;
    switch (def.type) {
      case "transform":
      case "success":
        return refuse(
          path,
          `z.${def.type}() goes one way only, so what is sent could not be read: use z.codec(...), which goes both ways`,
        );
      case "pipe":
        return this.#pipe(def, path, position);
      case "lazy":
        return this.visit(schema._zod.innerType, path, position);
      case "optional":
        if (!position.absent) this.#undefined(path, position, "z.nullable(...)");
        return this.visit(def["innerType"], path, position);
      case "nullable":
        if (position.wire === "string")
          refuse(path, `null is not a string${position.absent ? ": use z.optional(...)" : ""}`);
        return this.visit(def["innerType"], path, position);
      case "nonoptional":
        return this.visit(def["innerType"], path, { ...position, absent: true });
      case "readonly":
        // Validating freezes what it is given where that is not a copy: going out it must not.
        if (isOpaque(def["innerType"])) this.encodes = true;
        return this.visit(def["innerType"], path, position);
      case "default":
      case "prefault":
      case "catch":
        this.encodes = true;
        return this.visit(def["innerType"], path, { ...position, absent: true });
      case "union":
        for (const option of arrayOf(def["options"])) this.visit(option, path, position);
        return;
      case "intersection":
        this.visit(def["left"], path, position);
        return this.visit(def["right"], path, position);
      default:
        if (position.wire === "string") this.#string(def, path, position);
        else if (isContainer(def.type)) this.#container(def, path, position);
        else this.#leaf(schema, path, position);
    }
  }

  #pipe(def: ZodDef, path: string, position: SchemaPosition): void {
    if (typeof def["reverseTransform"] === "function") {
      this.encodes = true;
      this.visit(def["in"], path, position);
      return this.visit(def["out"], path, applicationOf(position));
    }
    this.visit(def["in"], path, position);
    // Without a codec both sides of a pipe are of the same value, the one on the wire.
    this.visit(def["out"], path, holdsCodec(def["in"]) ? applicationOf(position) : position);
  }

  #container(def: ZodDef, path: string, position: SchemaPosition): void {
    const inner: SchemaPosition = {
      wire: position.wire === "headers" ? "string" : position.wire,
      absent: true,
    };
    if (position.wire === "headers" && (def.type === "array" || def.type === "tuple")) {
      refuse(path, `the schema must describe an object of strings, not z.${def.type}()`);
    }
    switch (def.type) {
      case "object": {
        const shape = typeof def["shape"] === "object" && def["shape"] !== null ? def["shape"] : {};
        if (position.wire !== "application" && Object.getOwnPropertySymbols(shape).length > 0) {
          refuse(path, "a property named by a symbol is not JSON: name it by a string");
        }
        if (Object.hasOwn(shape, "__proto__"))
          refuse(path, "zod leaves out a property that is named __proto__: give it another name");
        for (const [name, property] of Object.entries(shape)) this.visit(property, `${path}.${name}`, inner);
        return this.visit(def["catchall"], `${path}[]`, inner);
      }
      case "record":
        this.visit(def["keyType"], `${path}[key]`, {
          wire: inner.wire === "string" ? "json" : inner.wire,
          absent: false,
        });
        return this.visit(def["valueType"], `${path}[]`, inner);
      case "array":
        return this.visit(def["element"], `${path}[]`, { ...inner, absent: position.wire === "application" });
      default:
        for (const [index, item] of arrayOf(def["items"]).entries()) {
          // An optional item may be missing at the end, but not undefined: the value itself tells.
          this.visit(item, `${path}[${String(index)}]`, inner);
        }
        return this.visit(def["rest"], `${path}[]`, { ...inner, absent: position.wire === "application" });
    }
  }

  #leaf(schema: ZodSchema, path: string, position: SchemaPosition): void {
    const { def, bag } = schema._zod;
    if (position.wire === "application") return;
    const cure = notJson[def.type];
    if (cure !== undefined)
      refuse(path, `z.${def.type}() is not JSON, it would be sent and never read: ${cure}`);
    if (bag?.["Class"] !== undefined) {
      refuse(path, "z.instanceof() is not JSON, it would be sent and never read: use z.codec(...)");
    }
    if (position.wire === "headers" && !isOpaque(schema) && def.type !== "never") {
      refuse(path, `the schema must describe an object of strings, not z.${def.type}()`);
    }
    if (def.type === "undefined" || def.type === "void") this.#undefined(path, position, "z.null()");
    if (def.type === "literal") this.#literal(def, path, position);
  }

  #literal(def: ZodDef, path: string, position: SchemaPosition): void {
    for (const value of arrayOf(def["values"])) {
      if (value === undefined) this.#undefined(path, position, "z.null()");
      else if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) {
        refuse(
          path,
          `z.literal(${String(value)}) is not JSON, it would be sent and never read: use a string or a number`,
        );
      }
    }
  }

  #string(def: ZodDef, path: string, position: SchemaPosition): void {
    switch (def.type) {
      case "string":
      case "template_literal":
      case "never":
        return;
      case "any":
      case "unknown":
      case "custom":
        return;
      case "undefined":
      case "void":
        return this.#undefined(path, position, "z.string()");
      case "literal":
        if (arrayOf(def["values"]).every((value) => typeof value === "string")) return;
        break;
      case "enum":
        if (Object.values(def["entries"] ?? {}).every((value) => typeof value === "string")) return;
        break;
    }
    refuse(
      path,
      `z.${def.type}() is not a string, which is what goes over the wire: use z.string(), or z.codec(z.string(), ...)`,
    );
  }

  #undefined(path: string, position: SchemaPosition, cure: string): void {
    if (position.absent || position.wire === "application") return;
    if (position.wire === "string") refuse(path, "undefined is not a string");
    refuse(path, `undefined is not JSON and can only stand for a property that is left out: use ${cure}`);
  }
}

function refuse(path: string, message: string): never {
  throw new ConfigError(path, message);
}

function applicationOf(position: SchemaPosition): SchemaPosition {
  return { wire: "application", absent: position.absent };
}

export function holdsCodec(value: unknown, seen = new Set<unknown>()): boolean {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  seen.add(value);
  if (!isSchema(value)) return Object.values(value).some((part) => holdsCodec(part, seen));
  const { def, innerType } = value._zod;
  if (def.type === "pipe" && typeof def["reverseTransform"] === "function") return true;
  return holdsCodec(innerType, seen) || partNames.some((name) => holdsCodec(def[name], seen));
}

/** The fields of a definition that hold schemas, or arrays or objects of them. */
export const partNames = [
  ...["in", "out", "innerType", "shape", "catchall", "element", "items", "rest"],
  ...["keyType", "valueType", "options", "left", "right"],
];

/** Whether a schema itself, without its parts, is seen to give promises. */
function isAsynchronous(def: ZodDef): boolean {
  if (def.type === "promise") return true;
  const ofChecks = (arrayOf(def["checks"]) as readonly ZodCheck[]).flatMap(({ _zod }) => [
    _zod.check,
    _zod.def?.["fn"],
  ]);
  return [def["fn"], def["transform"], def["reverseTransform"], ...ofChecks].some((value) =>
    types.isAsyncFunction(value),
  );
}

function isContainer(type: string): boolean {
  return type === "object" || type === "record" || type === "array" || type === "tuple";
}

export function isOpaque(schema: unknown): boolean {
  if (!isSchema(schema)) return false;
  const { type } = schema._zod.def;
  return type === "any" || type === "unknown" || type === "custom";
}

export function isSchema(value: unknown): value is ZodSchema {
  return (typeof value === "object" || typeof value === "function") && value !== null && "_zod" in value;
}

export function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
