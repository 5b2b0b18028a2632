import { isDeepStrictEqual } from "node:util";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type, type Type } from "arktype";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../../src/errors.js";
import { SerdeFailure } from "../../../src/serde/failure.js";
import { jsonOf } from "../../../src/serde/json.js";
import type { SerdeContext } from "../../../src/serde/serde.js";

const context: SerdeContext = { topic: "t", part: "value" };
type Constant = string | number | boolean | null;

/** What a schema describes, whoever's schema it is. */
type Shape =
  | { readonly kind: "string" | "number" | "boolean" | "unknown" | "any" | "date" }
  | { readonly kind: "literal"; readonly value: Constant }
  | { readonly kind: "array" | "record" | "nullable" | "undefinedable"; readonly of: Shape }
  | { readonly kind: "tuple" | "union"; readonly of: readonly Shape[] }
  | {
      readonly kind: "object";
      readonly entries: Readonly<Record<string, { readonly of: Shape; readonly optional: boolean }>>;
      readonly others: "stripped" | "refused" | "kept";
    };

const names = fc.constantFrom("a", "b", "c", "kind", "constructor", "toString", "__proto__");

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 4, depthSize: "max" },
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("string", "number", "boolean") }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("unknown", "any", "date") }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("literal"), value: fc.constantFrom("x", 1, 0, true, null) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom("array", "record", "nullable", "undefinedable"),
        of: tie("shape"),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom("tuple", "union"),
        of: fc.array(tie("shape"), { minLength: 1, maxLength: 3, size: "max" }),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("object"),
        entries: fc.dictionary(names, fc.record({ of: tie("shape"), optional: fc.boolean() }), {
          maxKeys: 3,
          size: "max",
          noNullPrototype: true,
        }),
        others: fc.constantFrom("stripped", "refused", "kept"),
      }),
    },
  ),
}));

class Point {
  readonly x = 1;
}

/** What JSON has no form for, or is easily lost, with what it has. */
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(undefined, NaN, -0, Infinity, 0, 1, "", "x", null, true, 1n, Symbol("s")),
  fc.constant(new Date(0)),
  fc.constant({ toJSON: () => 1 }),
  fc.constant({ [Symbol("s")]: 1 }),
  fc.constant(Object.assign([1], { [Symbol("s")]: 1 })),
  fc.constant(new Point()),
  fc.constant(new Map([[1, 2]])),
  fc.constant([undefined]),
  fc.constant({ a: undefined, b: 1 }),
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSparseArray: true,
    withNullPrototype: true,
  }),
);

/** Values that mostly are of the shape, with something odd here and there. */
function valuesOf(of: Shape): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: fittingOf(of) }, { weight: 1, arbitrary: odd });
}

function fittingOf(of: Shape): fc.Arbitrary<unknown> {
  switch (of.kind) {
    case "string":
      return fc.string();
    case "number":
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, 1));
    case "boolean":
      return fc.boolean();
    case "date":
      return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(1e12) });
    case "literal":
      return fc.constant(of.value);
    case "unknown":
    case "any":
      return fc.oneof(odd, fc.jsonValue());
    case "nullable":
      return fc.oneof(fc.constant(null), valuesOf(of.of));
    case "undefinedable":
      return fc.oneof(fc.constant(undefined), valuesOf(of.of));
    case "array":
      return fc.array(valuesOf(of.of), { maxLength: 3, size: "max" });
    case "record":
      return fc.dictionary(names, valuesOf(of.of), { maxKeys: 3, size: "max" });
    case "tuple":
      return fc.tuple(...of.of.map(valuesOf));
    case "union":
      return fc.oneof(...of.of.map(valuesOf));
    case "object": {
      const named = Object.entries(of.entries).map(([name, entry]) =>
        fc.tuple(fc.constant(name), valuesOf(entry.of), fc.integer({ min: 0, max: entry.optional ? 3 : 30 })),
      );
      return fc
        .tuple(fc.tuple(...named), fc.dictionary(names, odd, { maxKeys: 1 }), fc.integer({ min: 0, max: 3 }))
        .map(([entries, more, which]) => {
          const kept = entries.filter(([, , gone]) => gone !== 0);
          const values = kept.map(([name, value, gone]) => [name, gone === 1 ? undefined : value] as const);
          return Object.fromEntries([...(which === 0 ? Object.entries(more) : []), ...values]);
        });
    }
  }
}

function zodOf(of: Shape): z.ZodType {
  switch (of.kind) {
    case "string":
      return z.string();
    case "number":
      return z.number();
    case "boolean":
      return z.boolean();
    case "date":
      return z.codec(z.iso.datetime(), z.date(), {
        decode: (text) => new Date(text),
        encode: (date) => date.toISOString(),
      });
    case "literal":
      return z.literal(of.value);
    case "unknown":
      return z.unknown();
    case "any":
      return z.any();
    case "nullable":
      return z.nullable(zodOf(of.of));
    case "undefinedable":
      return z.union([zodOf(of.of), z.undefined()]);
    case "array":
      return z.array(zodOf(of.of));
    case "record":
      return z.record(z.string(), zodOf(of.of));
    case "tuple":
      return z.tuple(of.of.map(zodOf) as [z.ZodType]);
    case "union":
      return z.union(of.of.map(zodOf) as [z.ZodType]);
    case "object": {
      const object = z.object(
        entriesOf(of.entries, (entry) => (entry.optional ? zodOf(entry.of).optional() : zodOf(entry.of))),
      );
      if (of.others === "stripped") return object;
      return of.others === "refused" ? object.strict() : object.catchall(z.unknown());
    }
  }
}

type ValibotSchema = v.GenericSchema;

function valibotOf(of: Shape): ValibotSchema {
  switch (of.kind) {
    case "string":
      return v.string();
    case "number":
      return v.number();
    case "boolean":
      return v.boolean();
    case "literal":
      return of.value === null ? v.null() : v.literal(of.value);
    case "unknown":
      return v.unknown();
    case "any":
    case "date":
      return v.any();
    case "nullable":
      return v.nullable(valibotOf(of.of));
    case "undefinedable":
      return v.undefinedable(valibotOf(of.of));
    case "array":
      return v.array(valibotOf(of.of));
    case "record":
      return v.record(v.string(), valibotOf(of.of));
    case "tuple":
      return v.tuple(of.of.map(valibotOf));
    case "union":
      return v.union(of.of.map(valibotOf));
    case "object": {
      // valibot makes a prototype of an entry of that name.
      const { __proto__: _, ...named } = of.entries;
      const entries = entriesOf(named, (entry) =>
        entry.optional ? v.optional(valibotOf(entry.of)) : valibotOf(entry.of),
      );
      if (of.others === "stripped") return v.object(entries);
      return of.others === "refused" ? v.strictObject(entries) : v.objectWithRest(entries, v.any());
    }
  }
}

function arktypeOf(of: Shape): Type {
  switch (of.kind) {
    case "string":
    case "number":
    case "boolean":
      return type.raw(of.kind);
    case "unknown":
    case "any":
    case "date":
      return type.raw("unknown");
    case "literal":
      return type.unit(of.value);
    case "nullable":
      return type.raw([arktypeOf(of.of), "|", "null"]);
    case "undefinedable":
      return type.raw([arktypeOf(of.of), "|", "undefined"]);
    case "array":
      return arktypeOf(of.of).array();
    case "record":
      return type({ "[string]": arktypeOf(of.of) });
    case "tuple":
      return type(of.of.map(arktypeOf) as [Type]);
    case "union":
      return of.of.map(arktypeOf).reduce((one, other) => type.raw([one, "|", other]));
    case "object": {
      const undeclared = { stripped: "delete", refused: "reject", kept: "ignore" } as const;
      const entries = Object.entries(of.entries).map(
        ([name, entry]) => [entry.optional ? `${name}?` : name, arktypeOf(entry.of)] as const,
      );
      return type({ ...Object.fromEntries(entries), "+": undeclared[of.others] } as never);
    }
  }
}

function entriesOf<Schema>(
  entries: Extract<Shape, { kind: "object" }>["entries"],
  make: (entry: { readonly of: Shape; readonly optional: boolean }) => Schema,
): Record<string, Schema> {
  return Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, make(entry)]));
}

describe("what a generated schema sends is read back equal, or refused with the path", () => {
  test.each<[string, (of: Shape) => StandardSchemaV1]>([
    ["zod", zodOf],
    ["valibot", valibotOf],
    ["arktype", arktypeOf],
  ])("%s", (vendor, schemaOf) => {
    const counts = { sent: 0, refused: 0 };
    fc.assert(
      fc.property(
        shape.chain((of) =>
          fc.tuple(fc.constant(of), fc.array(valuesOf(of), { minLength: 1, maxLength: 8, size: "max" })),
        ),
        ([of, values]) => {
          const schema = orNone(() => schemaOf(of));
          const serde = schema && orNone(() => jsonOf(schema, "value"));
          fc.pre(schema !== undefined && serde !== undefined);
          for (const value of values) {
            let bytes: Buffer;
            try {
              bytes = serde.serialize(value, context) as Buffer;
            } catch (error) {
              if (!(error instanceof SerdeFailure) && !isOfArktype(error)) throw error;
              if (error instanceof SerdeFailure && value !== undefined)
                expect(error.issues.map(({ path }) => path)).not.toEqual([]);
              counts.refused += 1;
              continue;
            }
            counts.sent += 1;
            const read = serde.deserialize(bytes, context);
            const encodes = vendor === "zod" && hasDate(of);
            const expected = encodes ? value : written(schema, value);
            expect(isRead(read, expected, encodes), bytes.toString()).toBe(true);
          }
        },
      ),
      { numRuns: 200 },
    );
    expect(counts.sent).toBeGreaterThan(100);
    expect(counts.refused).toBeGreaterThan(20);
  });
});

/** What a schema without codecs gives for a value. */
function written(schema: StandardSchemaV1, value: unknown): unknown {
  return (schema["~standard"].validate(value) as { readonly value: unknown }).value;
}

/** What a schema cannot be made of is left out: the vendor, or `defineTopic`, refuses it. */
function orNone<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof ConfigError || isOfArktype(error)) return undefined;
    throw error;
  }
}

/** It fails in its own messages about properties named `constructor` or `__proto__`, and refuses unions that are not clear. */
function isOfArktype(error: unknown): boolean {
  return error instanceof Error && (error.name === "ParseError" || error.stack?.includes("/@ark/") === true);
}

function hasDate(of: Shape): boolean {
  if (of.kind === "date") return true;
  if (of.kind === "object") return Object.values(of.entries).some((entry) => hasDate(entry.of));
  return "of" in of && [of.of].flat().some(hasDate);
}

/** Whether a value was read as it was written, but for properties that are undefined; or left out, where a codec is. */
function isRead(read: unknown, written: unknown, mayLack: boolean): boolean {
  // zod makes an object of what its schema names of an instance of a class.
  if (!isData(read) || !(isData(written) || (mayLack && written instanceof Object)))
    return isDeepStrictEqual(read, written);
  const [had, has] = [written, read].map(definedOf) as [Map<string, unknown>, Map<string, unknown>];
  if (Array.isArray(read) !== Array.isArray(written)) return false;
  if (mayLack && !Array.isArray(read) ? has.size > had.size : has.size !== had.size) return false;
  return [...has].every(([name, value]) => had.has(name) && isRead(value, had.get(name), mayLack));
}

function definedOf(value: object): Map<string, unknown> {
  return new Map(Object.entries(value).filter(([, each]) => each !== undefined));
}

function isData(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Array.isArray(value);
}
