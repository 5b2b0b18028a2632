import * as v from "valibot";
import { afterAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../../src/errors.js";
import { jsonSchema } from "../../../src/schema-registry/json-schema.js";
import { schemaRegistry } from "../../../src/schema-registry/registry.js";
import { defineTopic } from "../../../src/topic.js";
import { startFakeRegistry } from "../../support/fake-registry.js";
import { failureOf, roundTrip, value } from "./context.js";

const fake = await startFakeRegistry();
afterAll(() => fake[Symbol.asyncDispose]());
beforeEach(() => {
  fake.requests.length = 0;
});
const registry = schemaRegistry({ url: fake.url });
const isoDate = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});
const student = z.object({ id: z.int(), at: isoDate }).meta({ title: "Student" });
const ann = { id: 1, at: new Date("2026-01-01T00:00:00.000Z") };

test("writes the magic byte, the id and JSON, and registers the JSON Schema of the wire side", async () => {
  const serde = jsonSchema(registry, student);
  const bytes = await serde.serialize(ann, value);
  const [registered] = fake.subject("students-value");
  expect(bytes.readInt32BE(1)).toBe(registered?.id);
  expect(bytes[0]).toBe(0);
  expect(bytes.subarray(5).toString()).toBe('{"id":1,"at":"2026-01-01T00:00:00.000Z"}');
  expect(registered?.schemaType).toBe("JSON");
  expect(JSON.parse(registered?.schema ?? "")).toMatchObject({
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Student",
    properties: { id: { type: "integer" }, at: { type: "string", format: "date-time" } },
  });
  expect(serde.serialize(ann, value)).toEqual(bytes);
});

test("reading asks the registry nothing, and checks", async () => {
  const serde = jsonSchema(registry, student);
  const bytes = await serde.serialize(ann, value);
  fake.requests.length = 0;
  expect(serde.deserialize(bytes, value)).toEqual(ann);
  const header = Buffer.from([0, 0, 0, 0, 99]);
  const read = (text: string) => serde.deserialize(Buffer.concat([header, Buffer.from(text)]), value);
  expect(() => read('{"id":"1"}')).toThrow(/id: /);
  expect(() => read("{")).toThrow(/not JSON/);
  expect(() => serde.deserialize(Buffer.from('{"id":1}'), value)).toThrow(/do not begin with 0/);
  expect(fake.requests).toEqual([]);
});

test("text of any language comes back, and a value that waits for its id is what it was", async () => {
  const serde = jsonSchema(registry, z.object({ name: z.string(), more: z.unknown() }), {
    subject: () => "texts",
  });
  const given = { name: "Zoë 学生 🎓", more: { tags: ["a"] } };
  const bytes = serde.serialize(given, value);
  given.more.tags.push("b");
  expect(await serde.deserialize(await bytes, value)).toEqual({ name: "Zoë 学生 🎓", more: { tags: ["a"] } });
});

test("a schema that gives no JSON Schema needs one", async () => {
  const schema = v.object({ id: v.number() });
  expect(() => jsonSchema(registry, schema)).toThrow(ConfigError);
  const serde = jsonSchema(registry, schema, {
    schema: { title: "Given", type: "object" },
    subject: "record",
  });
  expect(await roundTrip(serde, { id: 1 })).toEqual({ id: 1 });
  expect(fake.subject("Given")[0]?.schema).toBe('{"title":"Given","type":"object"}');
});

test("one that JSON cannot carry, or goes one way, is refused when the serde is made", () => {
  expect(() => jsonSchema(registry, z.object({ at: z.date() }) as never)).toThrow(/z\.date\(\) is not JSON/);
  expect(() => jsonSchema(registry, z.string().transform(Number) as never)).toThrow(/one way/);
  const schema = z.custom<string>(() => true);
  expect(() => jsonSchema(registry, schema)).toThrow(/has no JSON Schema/);
});

test("a schema that takes null cannot have tombstones", async () => {
  const value = jsonSchema(registry, z.string().nullable());
  const error = await failureOf(() => defineTopic("t", { value, tombstones: true as never }));
  expect(error.message).toMatch(/tombstones/);
});
