import type { DescMessage } from "@bufbuild/protobuf";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, test } from "vitest";
import { defineTopic, type KeyOf, type Serde, type ValueOf } from "typed-kafka";
import {
  avro,
  jsonSchema,
  protobuf,
  type RegistrySerdeOptions,
  type SchemaRegistry,
  type SchemaRegistryOptions,
} from "typed-kafka/schema-registry";
import { z } from "zod";
import { type Student, StudentSchema } from "../support/proto/student_pb.js";

declare const registry: SchemaRegistry;
const isoDate = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

describe("what the serdes of a schema registry infer", () => {
  test("is the application's type of the schema", () => {
    expectTypeOf(avro(registry, "long", z.bigint())).toEqualTypeOf<Serde<bigint>>();
    expectTypeOf(avro(registry, {}, v.object({ id: v.number() }))).toEqualTypeOf<Serde<{ id: number }>>();
    expectTypeOf(avro(registry, {}, type({ at: "Date" }))).toEqualTypeOf<Serde<{ at: Date }>>();
    expectTypeOf(jsonSchema(registry, z.object({ at: isoDate }))).toEqualTypeOf<Serde<{ at: Date }>>();
  });

  test("is the generated type of a protobuf message", () => {
    expectTypeOf(protobuf(registry, StudentSchema)).toEqualTypeOf<Serde<Student>>();
    const generic = <Schema extends DescMessage>(schema: Schema) => protobuf(registry, schema);
    expectTypeOf(generic(StudentSchema)).toEqualTypeOf<Serde<Student>>();
  });

  test("is that of a topic's keys and values", () => {
    const students = defineTopic("students", {
      key: avro(registry, "long", z.int()),
      value: protobuf(registry, StudentSchema),
      keyOf: ({ id }) => Number(id),
      tombstones: true,
    });
    expectTypeOf<KeyOf<typeof students>>().toEqualTypeOf<number>();
    expectTypeOf<ValueOf<typeof students>>().toEqualTypeOf<Student | null>();
  });
});

describe("what does not compile", () => {
  test("schemas that go one way only", () => {
    // @ts-expect-error a transform is no codec
    avro(registry, "string", z.string().transform(Number));
    // @ts-expect-error a transform is no codec
    jsonSchema(registry, z.object({ id: z.string().transform(Number) }));
    // @ts-expect-error valibot reads another type than it is given
    avro(registry, "string", v.pipe(v.string(), v.transform(Number)));
  });

  test("a wire side that is not JSON, where there is JSON", () => {
    avro(registry, {}, z.object({ at: z.date(), raw: z.instanceof(Buffer) }));
    // @ts-expect-error a Date is not JSON
    jsonSchema(registry, z.object({ at: z.date() }));
  });

  test("options that are none", () => {
    // @ts-expect-error no such way
    const registration: RegistrySerdeOptions = { registration: "auto" };
    // @ts-expect-error a name needs a password
    const options: SchemaRegistryOptions = { url: "http://localhost", auth: { username: "me" } };
    // @ts-expect-error longs are Avro's
    jsonSchema(registry, z.string(), { longs: "bigint" });
    // @ts-expect-error it is not generated
    protobuf(registry, {});
    void [registration, options];
  });
});
