import { clone, create, toBinary } from "@bufbuild/protobuf";
import { DescriptorProtoSchema, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/errors.js";
import { protobuf } from "../../../src/schema-registry/protobuf.js";
import { schemaRegistry } from "../../../src/schema-registry/registry.js";
import type { RegistrySerdeOptions } from "../../../src/schema-registry/serde-options.js";
import { startFakeRegistry } from "../../support/fake-registry.js";
import { CourseSchema } from "../../support/proto/course_pb.js";
import { Student_AddressSchema, StudentSchema, UnrelatedSchema } from "../../support/proto/student_pb.js";
import { failureOf, roundTrip, value } from "./context.js";

const fake = await startFakeRegistry();
afterAll(() => fake[Symbol.asyncDispose]());
beforeEach(() => {
  fake.requests.length = 0;
});
const registry = () => schemaRegistry({ url: fake.url });
const students = (options?: RegistrySerdeOptions) => protobuf(registry(), StudentSchema, options);
const ann = create(StudentSchema, {
  id: 2n ** 60n,
  name: "Ann",
  course: { title: "Data" },
  photo: Uint8Array.of(1, 2),
});
const textOf = (file: string): string => `syntax = "proto3"; package school; ${file}`;

/** Ann's bytes behind an id and the path of indexes that a client writes. */
const written = (id: number, path: string): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 0, 0, id]), Buffer.from(path, "hex"), toBinary(StudentSchema, ann)]);

test("reads a message behind the entries of a map field, which Python counts and others do not", async () => {
  const file = clone(FileDescriptorProtoSchema, StudentSchema.file.proto);
  const student = file.messageType.find(({ name }) => name === "Student");
  const entries = create(DescriptorProtoSchema, { name: "TagsEntry", options: { mapEntry: true } });
  student?.nestedType.unshift(entries);
  const schema = Buffer.from(toBinary(FileDescriptorProtoSchema, file)).toString("base64");
  const city = toBinary(Student_AddressSchema, create(Student_AddressSchema, { city: "B" }));
  const registered = {
    schemaOf: async () => Promise.resolve({ schema, schemaType: "PROTOBUF", references: [] }),
  };
  const addresses = protobuf(registered as unknown as ReturnType<typeof registry>, Student_AddressSchema);
  for (const path of ["040200", "040202"]) {
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), Buffer.from(path, "hex"), city]);
    expect(await addresses.deserialize(bytes, value)).toMatchObject({ city: "B" });
  }
});

describe("writing", () => {
  test("is the magic byte, the id, the path to the message and its bytes", async () => {
    const bytes = await students().serialize(ann, value);
    const id = fake.subject("students-value")[0]?.id ?? -1;
    expect(bytes).toEqual(written(id, "0202"));
    const city = create(Student_AddressSchema, { city: "B" });
    const nested = await protobuf(registry(), Student_AddressSchema).serialize(city, value);
    expect(nested.toString("hex")).toBe(`00000000${id.toString(16).padStart(2, "0")}0402000a0142`);
    const course = create(CourseSchema, { title: "D" });
    const first = await protobuf(registry(), CourseSchema, { subject: "record" }).serialize(course, value);
    expect(first.subarray(5).toString("hex")).toBe("000a0144");
    expect(fake.subject("school.Course")).toHaveLength(1);
  });

  test("registers the files that are imported before the file that imports them, but not Google's", async () => {
    await students({ subject: () => "imports" }).serialize(ann, value);
    const [registered] = fake.subject("imports");
    expect(registered?.schemaType).toBe("PROTOBUF");
    expect(registered?.references).toEqual([{ name: "course.proto", subject: "course.proto", version: 1 }]);
    const descriptor = toBinary(FileDescriptorProtoSchema, StudentSchema.file.proto);
    expect(registered?.schema).toBe(Buffer.from(descriptor).toString("base64"));
    expect(fake.requests).toEqual([
      "POST /subjects/course.proto/versions",
      "POST /subjects/course.proto",
      "POST /subjects/imports/versions",
    ]);
  });

  test("lookup registers nothing", async () => {
    const serde = students({ registration: "lookup", subject: () => "unknown" });
    expect(await failureOf(() => serde.serialize(ann, value))).toBeInstanceOf(ConfigError);
    expect(fake.requests.every((request) => !request.endsWith("/versions"))).toBe(true);
  });

  test("latest writes the path that the message has in the newest file", async () => {
    const id = fake.register("newest", textOf("message A {} message B {} message Student {}"), "PROTOBUF");
    const serde = students({ registration: "latest", subject: () => "newest" });
    expect(await serde.serialize(ann, value)).toEqual(written(id, "0204"));
    fake.register("without", textOf("message A {}"), "PROTOBUF");
    const without = students({ registration: "latest", subject: () => "without" });
    expect((await failureOf(() => without.serialize(ann, value))).message).toMatch(
      /no message school\.Student/,
    );
  });

  test("a message that waits for its id is what it was, and later ones need no promise", async () => {
    const serde = students();
    const given = create(StudentSchema, { name: "before" });
    const bytes = serde.serialize(given, value);
    given.name = "after";
    expect((await serde.deserialize(await bytes, value)).name).toBe("before");
    expect(serde.serialize(given, value)).toBeInstanceOf(Buffer);
  });

  test.each([
    [
      "a message of another type",
      create(UnrelatedSchema),
      /expected a school\.Student.* got a school\.Unrelated/,
    ],
    ["an object", { id: 1n }, /got an object/],
    ["null", null, /got null/],
  ])("%s is refused", async (_, given, message) => {
    expect((await failureOf(() => students().serialize(given as never, value))).message).toMatch(message);
    expect(fake.requests).toEqual([]);
  });

  test("what is no generated schema is refused when the serde is made", () => {
    expect(() => protobuf(registry(), {} as never)).toThrow(ConfigError);
  });
});

describe("reading", () => {
  test("asks once for each id, and needs no promise then", async () => {
    const serde = students();
    expect(await roundTrip(serde, ann)).toEqual(ann);
    const bytes = await serde.serialize(ann, value);
    fake.requests.length = 0;
    expect(serde.deserialize(bytes, value)).toEqual(ann);
    expect(fake.requests).toEqual([]);
  });

  test("what the text of a .proto file says is another message is refused, whatever its place", async () => {
    const id = fake.register(
      "text",
      textOf("message Student {} message Other { message Student {} }"),
      "PROTOBUF",
    );
    const serde = students();
    expect(await serde.deserialize(written(id, "00"), value)).toEqual(ann);
    expect(() => serde.deserialize(written(id, "0202"), value)).toThrow(
      /holds a school\.Other .*not a school\.Student/,
    );
    expect(() => serde.deserialize(written(id, "040200"), value)).toThrow(/school\.Other\.Student/);
    expect(() => serde.deserialize(written(id, "0208"), value)).toThrow(/not in its schema/);
    expect(serde.deserialize(written(id, "00"), value)).toEqual(ann);
  });

  test("a schema of another kind, and bytes that are cut off", async () => {
    const id = fake.register("avro", '"string"');
    expect((await failureOf(() => students().deserialize(written(id, "00"), value))).message).toMatch(/AVRO/);
    const serde = students();
    const bytes = await serde.serialize(ann, value);
    expect(await failureOf(() => serde.deserialize(bytes.subarray(0, -1), value))).toBeInstanceOf(Error);
  });

  test("what was read is no view of the record's bytes", async () => {
    const serde = students();
    const bytes = await serde.serialize(ann, value);
    const { photo } = await serde.deserialize(bytes, value);
    bytes.fill(0);
    expect(photo).toEqual(Uint8Array.of(1, 2));
  });
});
