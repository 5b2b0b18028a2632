import { createServer, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError, InvalidRecordError, KafkaError, TimeoutError } from "../../../src/errors.js";
import { readAny } from "../../../src/schema-registry/any.js";
import { avro } from "../../../src/schema-registry/avro.js";
import { parseProto } from "../../../src/schema-registry/proto-messages.js";
import { protobuf } from "../../../src/schema-registry/protobuf.js";
import { type SchemaRegistry, schemaRegistry } from "../../../src/schema-registry/registry.js";
import { createDecoder } from "../../../src/serde/decoder.js";
import { defineTopic } from "../../../src/topic.js";
import {
  anyJson,
  oddNames,
  ownEntries,
  runs,
  valueOrKafkaError,
  watchPrototypes,
} from "../../support/hostile.js";
import { StudentSchema } from "../../support/proto/student_pb.js";
import { rawRecord } from "../group/records.js";

/** What the registry says to the next question. */
let answer: (response: ServerResponse, url: string) => void = (response) => response.end();
let asked: { readonly url: string; readonly headers: NodeJS.Dict<string | string[]> }[] = [];
const server = createServer((request, response) => {
  asked.push({ url: request.url ?? "", headers: request.headers });
  answer(response, request.url ?? "");
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
watchPrototypes();

const registry = (timeoutMs = 400): SchemaRegistry => schemaRegistry({ url, timeoutMs });
const json =
  (given: unknown, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof given === "string" ? given : JSON.stringify(given));
  };

const record = (payload: Uint8Array = Buffer.alloc(0)) =>
  rawRecord(0, { value: Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), payload]) });

const student = { type: "record", name: "Student", fields: [{ name: "name", type: "string" }] };

/** Reads a record by whatever the registry answers: as Avro, as protobuf, and as the command does. */
async function read(payload?: Uint8Array, timeoutMs?: number) {
  const one = registry(timeoutMs);
  const topics = [
    defineTopic("students", { value: avro(one, student, z.unknown()) }),
    defineTopic("students", { value: protobuf(one, StudentSchema) }),
  ];
  const outcomes = [];
  for (const topic of topics)
    outcomes.push(await valueOrKafkaError(() => createDecoder(topic)(record(payload))));
  // The command shows whatever was thrown.
  await readAny(one)(record(payload).value ?? Buffer.alloc(0)).catch((error: unknown) => {
    expect(error).toBeInstanceOf(Error);
  });
  return outcomes;
}

/** Sends a record by whatever the registry answers. */
async function write(registration: "register" | "lookup" | "latest", timeoutMs?: number) {
  const serde = avro(registry(timeoutMs), student, z.object({ name: z.string() }), { registration });
  const context = { topic: "students", part: "value" } as const;
  try {
    return await serde.serialize({ name: "Samwel" }, context);
  } catch (error) {
    // What the encoder makes a SerializationError of, or passes on.
    expect(error).toBeInstanceOf(Error);
    return error;
  }
}

describe("what a registry answers is a value or a typed error", () => {
  test("any JSON, with any status", { timeout: 120_000 }, async () => {
    const status = fc.constantFrom(200, 200, 200, 201, 204, 301, 304, 400, 401, 403, 404, 409, 418, 422);
    await fc.assert(
      fc.asyncProperty(anyJson, status, async (given, code) => {
        answer = json(given, code);
        await read();
        await write("latest");
        await write("register");
        await write("lookup");
      }),
      runs(25),
    );
  });

  test("answers of the right shape, whose fields are anything", { timeout: 120_000 }, async () => {
    const schema = fc.oneof(
      anyJson,
      anyJson.map((given) => JSON.stringify(given)),
    );
    const references = fc.oneof(
      anyJson,
      fc.array(
        fc.record({
          name: fc.oneof(oddNames, anyJson),
          subject: fc.oneof(oddNames, anyJson),
          version: anyJson,
        }),
        { maxLength: 3 },
      ),
    );
    const type = fc.oneof(fc.constantFrom(undefined, "AVRO", "PROTOBUF", "JSON", "XML"), anyJson);
    await fc.assert(
      fc.asyncProperty(schema, type, references, anyJson, async (text, schemaType, refs, id) => {
        answer = json({ schema: text, schemaType, references: refs, id, version: id });
        await read(Buffer.from([0, 2, 0x61]));
        await write("latest");
      }),
      runs(30),
    );
  });

  test("schemas of Avro with any names and types", { timeout: 120_000 }, async () => {
    const name = fc.oneof(oddNames, fc.constantFrom("name", "Student", "polluted"), fc.string());
    const type = fc.letrec<{ type: unknown }>((tie) => ({
      type: fc.oneof(
        { maxDepth: 4, depthSize: "small" },
        fc.constantFrom("null", "string", "long", "bytes", "Student", "double", "constructor", "__proto__"),
        fc.array(tie("type"), { maxLength: 3 }),
        fc.record({ type: fc.constant("array"), items: tie("type") }),
        fc.record({ type: fc.constant("map"), values: tie("type") }),
        fc.record({ type: fc.constant("enum"), name, symbols: fc.array(name, { maxLength: 3 }) }),
        fc.record({ type: fc.constant("fixed"), name, size: fc.constantFrom(0, 1, -1, 2 ** 31, 1e300) }),
        fc.record({
          type: fc.constant("bytes"),
          logicalType: fc.constantFrom("decimal", "__proto__"),
          precision: fc.integer(),
          scale: fc.integer(),
        }),
        fc.record({
          type: fc.constantFrom("record", "error"),
          name,
          fields: fc.array(
            fc.record({ name, type: tie("type"), aliases: fc.array(name, { maxLength: 2 }) }),
            { maxLength: 3 },
          ),
        }),
      ),
    })).type;
    const fields = fc.array(fc.tuple(name, type), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fields, fc.uint8Array({ maxLength: 40 }), async (given, payload) => {
        const written = {
          ...student,
          fields: [...given.map(([field, of]) => ({ name: field, type: of })), ...student.fields],
        };
        answer = json({ schema: JSON.stringify(written), id: 7 });
        const [outcome] = await read(Buffer.from(payload));
        if (outcome?.value !== undefined) expect(Object.getPrototypeOf(outcome.value)).toBe(Object.prototype);
        await write("latest");
      }),
      runs(40),
    );
  });
});

describe("a registry that does not end", () => {
  test("an answer of any size is refused in bounded memory", { timeout: 60_000 }, async () => {
    const chunk = Buffer.alloc(1 << 20, 0x20);
    let written = 0;
    answer = (response) => {
      written = 0;
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) written += 1;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    };
    const before = process.memoryUsage.rss();
    const [outcome] = await read(undefined, 20_000);
    expect(outcome?.error).toBeInstanceOf(ConfigError);
    expect(outcome?.error?.message).toMatch(/more than 16 MiB/);
    expect(written).toBeLessThan(100);
    expect(process.memoryUsage.rss() - before).toBeLessThan(300e6);
  });

  test("an answer that comes a byte at a time is not waited for longer than timeoutMs", async () => {
    answer = (response) => {
      const timer = setInterval(() => response.write(" "), 20);
      response.once("close", () => {
        clearInterval(timer);
      });
    };
    const [outcome] = await read(undefined, 300);
    expect(outcome?.error).toBeInstanceOf(TimeoutError);
  });

  test("references in circles, to themselves and without an end", { timeout: 60_000 }, async () => {
    const circle = { schema: '"string"', references: [{ name: "a", subject: "a", version: 1 }] };
    for (const schemaType of ["AVRO", "PROTOBUF"]) {
      answer = json({ ...circle, schema: schemaType === "AVRO" ? '"string"' : "AAAA", schemaType, id: 7 });
      asked = [];
      await read(undefined, 20_000);
      expect(asked.length).toBeLessThan(12);
    }
    let next = 0;
    answer = (response) => {
      next += 1;
      json({
        schema: "AAAA",
        schemaType: "PROTOBUF",
        references: [{ name: "a", subject: `s${next}`, version: 1 }],
      })(response);
    };
    await expect(registry(20_000).descriptorsOf(7)).rejects.toThrow(/refers to more than 200 others/);
    answer = (response) => {
      next += 1;
      json({ schema: '"string"', references: [{ name: "a", subject: `s${next}`, version: 1 }] })(response);
    };
    const [outcome] = await read(undefined, 20_000);
    expect(outcome?.error).toBeInstanceOf(ConfigError);
  });

  test.each([
    ["arrays", (inner: unknown) => ({ type: "array", items: inner })],
    ["maps", (inner: unknown) => ({ type: "map", values: inner })],
    [
      "records",
      (inner: unknown, level: number) => ({
        type: "record",
        name: `R${level}`,
        fields: [{ name: "f", type: inner }],
      }),
    ],
    ["unions", (inner: unknown) => ["null", { type: "array", items: inner }]],
  ] as const)("schemas of Avro a thousand levels deep, and twenty thousand: %s", async (_, wrap) => {
    for (const levels of [1_000, 20_000]) {
      let deep = '"string"';
      const [before = "", after = ""] = JSON.stringify(wrap("@", 0)).split('"@"');
      const name = (level: number): string => before.replaceAll("R0", `R${level}`);
      const opening = Array.from({ length: levels }, (_each, level) => name(level)).join("");
      deep = `${opening}${deep}${after.repeat(levels)}`;
      const whole = `{"type":"record","name":"Student","fields":[{"name":"deep","type":${deep}},{"name":"name","type":"string"}]}`;
      answer = json({ schema: whole, id: 7 });
      const [outcome] = await read(Buffer.alloc(2_000, 2), 20_000);
      if (levels > 1_000) expect(outcome?.error).toBeInstanceOf(InvalidRecordError);
    }
  });

  test("records of nothing, doubled forty times, are skipped at once", async () => {
    const fields = (of: string | object) => [
      { name: "one", type: of },
      { name: "other", type: typeof of === "string" ? of : (of as { name: string }).name },
    ];
    let doubled: object = { type: "record", name: "D0", fields: [] };
    for (let level = 1; level <= 40; level += 1)
      doubled = { type: "record", name: `D${level}`, fields: fields(doubled) };
    const whole = { ...student, fields: [{ name: "many", type: doubled }, ...student.fields] };
    answer = json({ schema: JSON.stringify(whole), id: 7 });
    const topic = defineTopic("students", { value: avro(registry(20_000), student, z.unknown()) });
    const { value } = await valueOrKafkaError(
      () => createDecoder(topic)(record(Buffer.from([2, 0x61]))),
      20_000,
    );
    expect(value).toMatchObject({ value: { name: "a" } });
    // The command would show all of it.
    await expect(readAny(registry(20_000))(Buffer.from([0, 0, 0, 0, 7, 2, 0x61]))).rejects.toThrow(
      "more than 100000 records",
    );
  });

  test("more nulls than anybody wrote, which have no bytes, as the command reads them", async () => {
    answer = json({ schema: JSON.stringify({ type: "array", items: "null" }), id: 7 });
    const many = Buffer.from([0, 0, 0, 0, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0]);
    await expect(readAny(registry(20_000))(many)).rejects.toThrow("the bytes are cut off");
  });

  test("a record that holds itself and nothing else", async () => {
    const endless = { type: "record", name: "Endless", fields: [{ name: "again", type: "Endless" }] };
    const whole = { ...student, fields: [{ name: "e", type: endless }, ...student.fields] };
    answer = json({ schema: JSON.stringify(whole), id: 7 });
    const [outcome] = await read(Buffer.from([2, 0x61]), 20_000);
    expect(outcome?.error).toBeInstanceOf(InvalidRecordError);
  });

  test.each(["/*", '"\\', "'\\", "message a{", "{", "}", '"', "//", "\\", "a."])(
    "the text of a .proto file that is nothing but %j",
    (part) => {
      const began = performance.now();
      parseProto(part.repeat(100_000));
      // Milliseconds; minutes where each part is looked for to the end.
      expect(performance.now() - began).toBeLessThan(20_000);
    },
  );
});

test("a redirect is not followed: what is sent to the registry goes nowhere else", async () => {
  const elsewhere: unknown[] = [];
  const other = createServer((request, response) => {
    elsewhere.push(request.headers);
    response.end("{}");
  });
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const target = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  for (const status of [301, 302, 303, 307, 308]) {
    answer = (response) => {
      response.writeHead(status, { location: target });
      response.end();
    };
    const one = schemaRegistry({ url, headers: { "x-api-key": "planted-secret" }, timeoutMs: 20_000 });
    const error = await one.schemaOf(1).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KafkaError);
    expect((error as Error).message).toMatch(/redirect/);
  }
  expect(elsewhere).toEqual([]);
  other.close();
});

test("ownEntries makes a name of __proto__", () => {
  expect(JSON.stringify(ownEntries([["__proto__", 1]]))).toBe('{"__proto__":1}');
});
