import type { StandardSchemaV1 } from "@standard-schema/spec";
import { ConfigError, type Issue } from "../errors.js";
import { ignoreRejection } from "../waiting.js";
import { type Look, noDoubt } from "./doubts.js";
import { SerdeFailure } from "./failure.js";
import { exactJson } from "./json-text.js";
import { lookAtAnything, lookAtChanges, lookAtHeaders } from "./looks.js";
import { type Directions, settle, type Settled } from "./read-back.js";
import { SchemaNames } from "./schema-names.js";
import { arktypeLook } from "./arktype-looks.js";
import { valibotLook } from "./valibot-looks.js";
import { zodLook } from "./zod-looks.js";
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
 * backward instead, so that a codec encodes and a missing field is an error, not the default. What is written
 * is what is read: a value that JSON, or the schema on the way in, would make something else of is an issue.
 *
 * @throws `ConfigError` where it is no schema, or one whose values could not be read again
 */
export function schemaCodec(schema: StandardSchemaV1, wire: Wire, field: string): SchemaCodec {
  if (!isStandardSchema(schema)) {
    throw new ConfigError(
      field,
      "not a schema: give one that follows Standard Schema, such as z.object({ ... })",
    );
  }
  if (isZod(schema)) {
    const { encodes, asynchronous } = inspectZod(schema, wire, field);
    const decode = zodDirection(schema, "forward", asynchronous);
    const encode = encodes ? zodDirection(schema, "backward", asynchronous) : decode;
    const look = zodLook(schema, wire, encodes);
    const names = new SchemaNames(schema);
    return {
      encode: look === undefined ? encode : checked(look, { encode, decode, encodes, names }),
      decode,
    };
  }
  const { validate } = schema["~standard"];
  const decode = (value: unknown): Result | Promise<Result> => validate(value);
  const names = new SchemaNames(schema);
  const look = wire === "json" ? jsonLook(schema) : looks[wire];
  const encode = look && checked(look, { encode: decode, decode, encodes: false, names });
  return { encode: encode ?? decode, decode };
}

/** How the values of a schema of another vendor are looked at before they become JSON, if they have to be. */
function jsonLook(schema: StandardSchemaV1): Look | undefined {
  switch (schema["~standard"].vendor) {
    case "valibot":
      return valibotLook(schema);
    case "arktype":
      return arktypeLook(schema);
    default:
      return lookAtAnything;
  }
}

/** How the values of schemas are looked at of which no structure is known. */
const looks: Readonly<Record<Exclude<Wire, "json">, Look>> = {
  headers: lookAtHeaders,
  string: lookAtChanges,
  application: lookAtChanges,
};

/**
 * What a schema gave.
 *
 * @throws `SerdeFailure` with the issues it found
 */
export function valueOf(result: Result): unknown {
  if (result.issues) throw SerdeFailure.ofIssues(result.issues);
  return result.value;
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
      ignoreRejection(result);
      // zod only gets to something asynchronous after the type has passed. Others always may: the types tell.
      return isZodSchema;
    } catch {
      return false;
    }
  });
}

/** Adds the look at each value that is about to be written. */
function checked(look: Look, directions: Directions): SchemaCodec["encode"] {
  const settled = (value: unknown, given: unknown): Result | Promise<Result> => {
    const outcome = settle(look, directions, value, given);
    return outcome instanceof Promise ? outcome.then(resultOf) : resultOf(outcome);
    function resultOf({ issue, negativeZeroAt }: Settled): Result {
      if (issue !== undefined) return { issues: [issue] };
      return { value: negativeZeroAt === undefined ? value : exactJson(value, negativeZeroAt) };
    }
  };
  const check = (result: Result, given: unknown): Result | Promise<Result> => {
    if (result.issues) return result;
    try {
      return look(result.value, given, undefined) === noDoubt ? result : settled(result.value, given);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return { issues: [{ message: "it is nested too deeply, or holds itself" }] };
    }
  };
  return (given) => {
    const result = directions.encode(given);
    return result instanceof Promise ? result.then((later) => check(later, given)) : check(result, given);
  };
}

/** How many values are run so that a promise would be waited for, before a schema counts as synchronous. */
const carefulRuns = 1_000;

/**
 * Runs a zod schema in one direction, as `z.decode` and `z.encode` do, without importing zod. Its runs
 * without promises are several times as fast, but one that meets a promise loses it: the user's function
 * is called again, and if the promise rejects nobody handles it. So a schema has to earn them.
 */
function zodDirection(
  schema: ZodSchema,
  direction: "forward" | "backward",
  asynchronous: boolean,
): SchemaCodec["encode"] {
  // Asked for at each call: zod replaces it once it knows that a schema does not hold itself, by one that costs less.
  const internals = schema._zod;
  let careful = asynchronous ? Infinity : carefulRuns;
  return (value) => {
    if (careful === 0) {
      try {
        const payload = internals.run({ value, issues: [] }, { direction, async: false });
        if (!(payload instanceof Promise)) return finished(payload);
        ignoreRejection(payload);
      } catch {
        // A promise after all, or what is wrong with the value itself: that is thrown again below.
      }
    }
    const payload = internals.run({ value, issues: [] }, { direction, async: true });
    if (payload instanceof Promise) {
      careful = Infinity;
      return payload.then(finished);
    }
    // A value that is refused may not have come to all the functions.
    if (careful > 0 && payload.issues.length === 0) careful -= 1;
    return finished(payload);
  };
}

function finished({ value, issues }: ZodPayload): Result {
  return issues.length === 0 ? { value } : { issues: issues.map(finishedIssue) };
}

/** An issue as `validate` gives it: without the schema and the value, its message in zod's own order. */
function finishedIssue(issue: ZodRawIssue): Issue {
  const { inst, schema, input: _, continue: __, ...shown } = issue;
  const config = Reflect.get(globalThis, "__zod_globalConfig") as Record<string, unknown> | undefined;
  // What a schema finds by itself is not for the messages of one around it.
  const ofCheck = inst === undefined || (inst._zod?.traits?.has("$ZodCheck") ?? false);
  const message =
    issue.message ??
    messageOf(inst?._zod?.def?.error, issue) ??
    messageOf(ofCheck ? schema?._zod?.def?.error : undefined, issue) ??
    messageOf(config?.["customError"], issue) ??
    messageOf(config?.["localeError"], issue) ??
    "Invalid input";
  return { ...shown, message, path: issue.path ?? [] };
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
