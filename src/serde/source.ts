import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AnySerde, Serde } from "./serde.js";

/** What can describe a key or a value: a {@link Serde}, or a Standard Schema (which means JSON). */
export type Source = AnySerde | StandardSchemaV1;

/** The application's type of a {@link Source}: a schema's output, or what a serde deserializes to. */
export type ApplicationOf<S> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<S>
  : S extends { readonly deserialize: (...parameters: never[]) => infer Result }
    ? Awaited<Result>
    : never;

/**
 * `unknown` for a source that can be sent and read again, else a message for the compiler to show:
 * the field's type is intersected with it, so that what is wrong does not compile.
 */
export type CheckSource<S, Field extends string> = S extends StandardSchemaV1
  ? CheckSchema<S, Field>
  : // Inferring asks whether both sides have one type, also of a `Serde<T>` in generic code.
    S extends Serde<infer _Type>
    ? unknown
    : `${Field}: serialize takes another type than deserialize gives`;

/** {@link CheckSource} for schemas, whose wire side is JSON. Most are done with the first question. */
export type CheckSchema<S extends StandardSchemaV1, Field extends string> = S extends JsonSchema
  ? unknown
  : Message<OneWay<S, Field> | NotJson<StandardSchemaV1.InferInput<S>, Field, "value", []>>;

/** {@link CheckSource} for schemas of which the wire side may be anything. */
export type CheckOneWay<S extends StandardSchemaV1, Field extends string> = Message<OneWay<S, Field>>;

/** {@link CheckSource} for headers, whose wire side is an object of strings. */
export type CheckHeaders<S> = S extends StandardSchemaV1
  ? Message<OneWay<S, "headers"> | NotHeaders<StandardSchemaV1.InferInput<S>>>
  : unknown;

/** {@link CheckSource} for the schema of a string, which is what goes over the wire. */
export type CheckStringSchema<S extends StandardSchemaV1> = Message<
  OneWay<S, "schema"> | NotString<StandardSchemaV1.InferInput<S>>
>;

type Message<Problem> = [Problem] extends [never] ? unknown : Problem;

// One way -----------------------------------------------------------------------------------------

type OneWay<S extends StandardSchemaV1, Field extends string> =
  IsAny<S> extends true
    ? never
    : S extends ZodShape
      ? ZodOneWay<S, Field, []>
      : SameType<StandardSchemaV1.InferInput<S>, StandardSchemaV1.InferOutput<S>> extends true
        ? never
        : `${Field}: the schema reads another type than it is given, and cannot turn it back: use a zod codec, a schema without transforms, or a Serde`;

type SameType<A, B> = [A, B] extends [B, A] ? true : false;

/** The part of a zod schema that tells its structure; the same in zod and zod mini. */
interface ZodShape {
  readonly _zod: { readonly def: { readonly type: string } };
}

/**
 * The path of each transform that is no codec, as far as the types show the structure. A schema or a part that fits
 * {@link TwoWay} is passed over. A recursive schema ends at some depth; `defineTopic` looks at the rest.
 */
type ZodOneWay<S, Path extends string, Depth extends readonly 0[]> = [S] extends [TwoWay]
  ? never
  : Depth["length"] extends 6
    ? never
    : ZodPart<S> extends infer Part
      ? Part extends "one way"
        ? `${Path}: a transform goes one way only, so what is sent could not be read: use z.codec(...)`
        : Part extends { readonly same: infer Inner }
          ? ZodOneWay<Inner, Path, Deeper<Depth>>
          : Part extends { readonly items: infer Inner }
            ? ZodOneWay<Inner, `${Path}[]`, Deeper<Depth>>
            : Part extends { readonly properties: infer Shape }
              ? {
                  [K in keyof Shape & string]: ZodOneWay<Shape[K], `${Path}.${K}`, Deeper<Depth>>;
                }[keyof Shape & string]
              : never
      : never;

/**
 * A zod schema in which there is no transform but in codecs. Whether a schema is one costs the compiler a comparison,
 * which it remembers; conditional types over each part of each schema would cost it thousands of instantiations. So
 * this type and those below have no parameters.
 */
interface TwoWay {
  readonly _zod: { readonly def: TwoWayDef };
}

/** What {@link ZodPart} takes apart, and the kinds without parts. A kind that is not here is looked at there. */
type TwoWayDef =
  | {
      readonly type:
        JsonKind | "any" | "unknown" | "bigint" | "date" | "undefined" | "void" | "custom" | "lazy";
    }
  | { readonly type: "literal" }
  | { readonly type: Transparent | Optional | "nonoptional" | "catch"; readonly innerType: TwoWay }
  | { readonly type: "pipe"; readonly in: TwoWay; readonly out: TwoWay }
  | { readonly type: "object"; readonly shape: { readonly [name: string]: TwoWay } }
  | { readonly type: "array"; readonly element: TwoWay }
  | { readonly type: "tuple"; readonly items: readonly TwoWay[] }
  | { readonly type: "record"; readonly valueType: TwoWay }
  | { readonly type: "union"; readonly options: readonly TwoWay[] }
  | { readonly type: "intersection"; readonly left: TwoWay; readonly right: TwoWay };

/** A {@link TwoWay} schema whose wire side is JSON, as its structure alone shows: its input type need not be made. */
interface JsonSchema {
  readonly _zod: JsonInternals;
}

/** The same of a property, which may vanish. */
interface JsonProperty {
  readonly _zod:
    | JsonInternals
    | { readonly def: { readonly type: Transparent | Optional; readonly innerType: JsonProperty } };
}

type JsonInternals =
  | { readonly def: JsonDef }
  | {
      readonly def: { readonly type: "object"; readonly shape: { readonly [name: string]: JsonProperty } };
      /** What properties beyond those of the shape have. */
      readonly config: { readonly in: { readonly [name: string]: PlainJson | undefined } };
    };

type JsonDef =
  | { readonly type: JsonKind }
  | { readonly type: "literal"; readonly values: readonly Json[] }
  | { readonly type: Transparent; readonly innerType: JsonSchema }
  | { readonly type: "pipe"; readonly in: JsonSchema; readonly out: TwoWay }
  | { readonly type: "array"; readonly element: JsonSchema }
  | { readonly type: "tuple"; readonly items: readonly JsonSchema[]; readonly rest: JsonSchema | null }
  | { readonly type: "record"; readonly valueType: JsonSchema }
  | { readonly type: "union"; readonly options: readonly JsonSchema[] };

type JsonKind = "string" | "number" | "boolean" | "null" | "enum" | "template_literal" | "never";
type Transparent = "nullable" | "readonly";
type Optional = "optional" | "default" | "prefault";

type Deeper<Depth extends readonly 0[]> = [...Depth, 0];

/** What a zod schema is made of: schemas of the `same` value, of its `items`, or of its `properties`. */
type ZodPart<S> = S extends { readonly _zod: { readonly def: infer Def } }
  ? Def extends { readonly type: "transform" | "success" }
    ? "one way"
    : Def extends { readonly type: "pipe"; readonly in: infer In; readonly out: infer Out }
      ? { readonly same: In } | { readonly same: Out }
      : Def extends { readonly type: "object"; readonly shape: infer Shape }
        ? { readonly properties: Shape }
        : Def extends { readonly type: "array"; readonly element: infer Inner }
          ? { readonly items: Inner }
          : Def extends { readonly type: "tuple"; readonly items: infer Items extends readonly unknown[] }
            ? { readonly items: Items[number] }
            : Def extends { readonly type: "record"; readonly valueType: infer Inner }
              ? { readonly items: Inner }
              : Def extends {
                    readonly type: "union";
                    readonly options: infer Options extends readonly unknown[];
                  }
                ? { readonly same: Options[number] }
                : Def extends {
                      readonly type: "intersection";
                      readonly left: infer Left;
                      readonly right: infer Right;
                    }
                  ? { readonly same: Left } | { readonly same: Right }
                  : Def extends { readonly innerType: infer Inner }
                    ? { readonly same: Inner }
                    : never
  : never;

// JSON --------------------------------------------------------------------------------------------

/** Where a type stands: `undefined` may vanish from a property, not from anywhere else. */
type Slot = "value" | "property";

/**
 * The path of each part of a type that is not JSON. A type that fits {@link PlainJson} is passed over, as most do. For
 * others, whether there is such a part is asked first: that answer does not depend on the path, so the compiler has it
 * once for each type.
 */
type NotJson<T, Path extends string, Where extends Slot, Depth extends readonly 0[]> = [T] extends [PlainJson]
  ? never
  : [HasNotJson<T, Where, Depth>] extends [never]
    ? never
    : T extends Json
      ? never
      : T extends undefined
        ? Where extends "property"
          ? never
          : `${Path}: undefined is not JSON: use null`
        : T extends Lost
          ? `${Path}: ${NameOf<T>} is not JSON, it would be sent and never read: use ${CureOf<T>} or a Serde`
          : T extends readonly unknown[]
            ? NotJson<Element<T>, `${Path}[]`, "value", Deeper<Depth>>
            : T extends object
              ? {
                  [K in keyof T]-?: NotJson<T[K], `${Path}.${K & string}`, "property", Deeper<Depth>>;
                }[keyof T]
              : never;

/** `true` where a type holds something that is not JSON, else `never`. */
type HasNotJson<T, Where extends Slot, Depth extends readonly 0[]> =
  IsAny<T> extends true
    ? never
    : Depth["length"] extends 8
      ? never
      : T extends Json
        ? never
        : T extends undefined
          ? Where extends "property"
            ? never
            : true
          : T extends Lost
            ? true
            : T extends readonly unknown[]
              ? HasNotJson<Element<T>, "value", Deeper<Depth>>
              : T extends object
                ? { [K in keyof T]-?: HasNotJson<T[K], "property", Deeper<Depth>> }[keyof T]
                : never;

type Json = string | number | boolean | null;

/** What JSON has, nested; no interfaces, which may have more than they declare. Without parameters, as {@link TwoWay}. */
type PlainJson = Json | readonly PlainJson[] | { readonly [name: string]: PlainJson | undefined };

/** What JSON does not have. Objects with methods are told by their shape. */
type Lost = bigint | symbol | Date | ((...parameters: never[]) => unknown) | WithMethods;

type WithMethods =
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Promise<unknown>
  | ArrayBufferView
  | ArrayBuffer
  | RegExp
  | { toJSON: (...parameters: never[]) => unknown };

type NameOf<T> = T extends bigint
  ? "a bigint"
  : T extends symbol
    ? "a symbol"
    : T extends Date
      ? "a Date"
      : T extends (...parameters: never[]) => unknown
        ? "a function"
        : "an object with methods (such as a Map, a Set or a Buffer)";

type CureOf<T> = T extends bigint
  ? "z.codec(z.string(), z.bigint(), ...)"
  : T extends Date
    ? "z.codec(z.iso.datetime(), z.date(), ...)"
    : "z.codec(...)";

/** What an array holds. An element that a tuple may lack is no `undefined` in it. */
type Element<T extends readonly unknown[]> = number extends T["length"] ? T[number] : Required<T>[number];

type NotString<T> =
  IsAny<T> extends true
    ? never
    : unknown extends T
      ? never
      : [T] extends [string]
        ? never
        : "schema: what goes over the wire must be a string: use z.string() or z.codec(z.string(), ...)";

type NotHeaders<T> =
  IsAny<T> extends true
    ? never
    : unknown extends T
      ? never
      : T extends object
        ? {
            [K in keyof T]-?: [T[K]] extends [string | undefined]
              ? never
              : IsRest<K, T[K]> extends true
                ? never
                : `headers.${K & string}: a header is a string on the wire: use z.string() or z.codec(z.string(), ...)`;
          }[keyof T]
        : "headers: the schema must describe an object of strings";

/** Whether this is what `z.looseObject` says of names that it does not know. */
type IsRest<Name, T> = string extends Name ? (unknown extends T ? true : false) : false;

type IsAny<T> = 0 extends 1 & T ? true : false;
