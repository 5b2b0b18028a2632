import type { StandardSchemaV1 } from "@standard-schema/spec";
import { ConfigError, type Issue } from "../errors.js";
import { findNotJson } from "./not-json.js";
import {
  inspectZod,
  isZod,
  type Wire,
  type ZodPayload,
  type ZodRawIssue,
  type ZodSchema,
} from "./zod-structure.js";

type Result = StandardSchemaV1.Result<unknown>;

/** A schema made ready for the hot path. */
export interface SchemaCodec {
  /** From the application's value to the one on the wire. A promise only for an asynchronous schema. */
  readonly encode: (value: unknown) => Result | Promise<Result>;
  /** From the value on the wire to the application's. A promise only for an asynchronous schema. */
  readonly decode: (value: unknown) => Result | Promise<Result>;
}

/**
 * Takes a Standard Schema apart into its two directions.
 *
 * Going in is its `validate`. Going out is `validate` as well, as long as that changes nothing but
 * to leave out what the schema does not name; a zod schema with a codec, a default or a catch is run
 * backward instead, so that a codec encodes and a missing field is an error, not the default.
 *
 * @throws `ConfigError` where it is no schema, or one whose values could not be read again
 */
export function schemaCodec(
  schema: StandardSchemaV1,
  wire: Extract<Wire, "json" | "headers">,
  field: string,
): SchemaCodec {
  if (!isStandardSchema(schema)) {
    throw new ConfigError(
      field,
      "not a schema: give one that follows Standard Schema, such as z.object({ ... })",
    );
  }
  const { validate } = schema["~standard"];
  const decode = (value: unknown): Result | Promise<Result> => validate(value);
  // What a schema of another vendor gives is only known when it is there.
  const { encodes, opaque } = isZod(schema)
    ? inspectZod(schema, wire, field)
    : { encodes: false, opaque: true };
  const encode = encodes && isZod(schema) ? backward(schema) : decode;
  return { encode: opaque && wire === "json" ? checked(encode) : encode, decode };
}

/** Whether a value follows Standard Schema, version 1. A schema may be a function: arktype's is. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  if (
    (typeof value !== "object" && typeof value !== "function") ||
    value === null ||
    !("~standard" in value)
  ) {
    return false;
  }
  const standard = value["~standard"];
  return (
    typeof standard === "object" &&
    standard !== null &&
    "validate" in standard &&
    typeof standard.validate === "function"
  );
}

/** Whether a schema takes `null`, in either direction. */
export function takesNull(codec: SchemaCodec, isZodSchema: boolean): boolean {
  return [codec.encode, codec.decode].some((direction) => {
    try {
      const result = direction(null);
      if (!(result instanceof Promise)) return !result.issues;
      result.catch(() => undefined);
      // zod only gets to something asynchronous after the type has passed. Others always may: the types tell.
      return isZodSchema;
    } catch {
      return false;
    }
  });
}

/** Adds the check for what JSON would lose to schemas that do not prove it. */
function checked(encode: SchemaCodec["encode"]): SchemaCodec["encode"] {
  const check = (result: Result): Result => {
    if (result.issues) return result;
    const issue = findNotJson(result.value);
    return issue === undefined ? result : { issues: [issue] };
  };
  return (value) => {
    const result = encode(value);
    return result instanceof Promise ? result.then(check) : check(result);
  };
}

/**
 * Runs a zod schema backward, as `z.encode` does, without importing zod. It is tried without
 * promises first, which is faster; a schema that needs them fails in one way or another.
 */
function backward(schema: ZodSchema): SchemaCodec["encode"] {
  const { run } = schema._zod;
  let asynchronous = false;
  return (value) => {
    if (!asynchronous) {
      try {
        const payload = run({ value, issues: [] }, { direction: "backward", async: false });
        if (!(payload instanceof Promise)) return finished(payload);
        payload.catch(() => undefined);
      } catch {
        // What is wrong with the value itself is thrown again below.
      }
    }
    const payload = run({ value, issues: [] }, { direction: "backward", async: true });
    if (!(payload instanceof Promise)) return finished(payload);
    asynchronous = true;
    return payload.then(finished);
  };
}

function finished(payload: ZodPayload): Result {
  return payload.issues.length === 0 ? { value: payload.value } : { issues: payload.issues.map(withMessage) };
}

/** Gives an issue its message in zod's own order: the schema's, the configured, the locale's. */
function withMessage(issue: ZodRawIssue): Issue {
  const config = Reflect.get(globalThis, "__zod_globalConfig") as Record<string, unknown> | undefined;
  const message =
    issue.message ??
    messageOf(issue.inst?._zod?.def?.error, issue) ??
    messageOf(config?.["customError"], issue) ??
    messageOf(config?.["localeError"], issue) ??
    "Invalid input";
  return { message, path: issue.path ?? [] };
}

function messageOf(errorMap: unknown, issue: ZodRawIssue): string | undefined {
  if (typeof errorMap !== "function") return undefined;
  const message: unknown = (errorMap as (issue: ZodRawIssue) => unknown)(issue);
  if (typeof message === "string") return message;
  return typeof message === "object" &&
    message !== null &&
    "message" in message &&
    typeof message.message === "string"
    ? message.message
    : undefined;
}
