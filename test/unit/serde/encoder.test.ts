import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { SerializationError } from "../../../src/errors.js";
import { bytesOf, type EncodedRecord } from "../../../src/record.js";
import { bytes } from "../../../src/serde/bytes.js";
import { createEncoder } from "../../../src/serde/encoder.js";
import { integer } from "../../../src/serde/numbers.js";
import type { Serde, SerdeContext } from "../../../src/serde/serde.js";
import { string } from "../../../src/serde/string.js";
import { type AnyTopic, defineTopic } from "../../../src/topic.js";

const students = defineTopic("students", {
  value: z.object({ id: z.number().int(), name: z.string() }),
  keyOf: (student) => String(student.id),
});
const texts = defineTopic("texts", { value: string() });
const samwel = Object.freeze({ id: 1, name: "Samwel" });

/** What a caller without types may give. */
function encode(topic: AnyTopic, record: unknown, index?: number): InBytes {
  const encoded = createEncoder(topic)(record as never, index);
  if (encoded instanceof Promise) throw new Error("a promise");
  return inBytes(encoded);
}

type InBytes = EncodedRecord & { readonly key: Buffer | null; readonly value: Buffer | null };

/** A text as the bytes that are written. */
function inBytes(record: EncodedRecord): InBytes {
  return { ...record, key: bytesOf(record.key), value: bytesOf(record.value) };
}

function refusalOf(topic: AnyTopic, record: unknown, index?: number): SerializationError {
  try {
    encode(topic, record, index);
  } catch (error) {
    expect(error).toBeInstanceOf(SerializationError);
    return error as SerializationError;
  }
  throw new Error("it was not refused");
}

describe("a record to be sent", () => {
  test("becomes bytes, with the key that keyOf gives", () => {
    expect(encode(students, { value: samwel })).toEqual({
      key: Buffer.from("1"),
      value: Buffer.from('{"id":1,"name":"Samwel"}'),
      headers: undefined,
      partition: undefined,
      timestamp: undefined,
      size: 25,
    });
  });

  test("has the key that keyOf gives for the value as it was passed, before the schema normalises it", () => {
    const users = defineTopic("users", {
      value: z.object({ email: z.email().toLowerCase() }),
      keyOf: ({ email }) => email,
    });
    const { key, value } = encode(users, { value: { email: "Ann@Example.org" } });
    expect(String(key)).toBe("Ann@Example.org");
    expect(String(value)).toBe('{"email":"ann@example.org"}');
  });

  test("keeps its own key, partition and timestamp", () => {
    const encoded = encode(students, { value: samwel, key: "k", partition: 0, timestamp: 1_700_000_000_000 });
    expect(encoded).toMatchObject({ key: Buffer.from("k"), partition: 0, timestamp: 1_700_000_000_000 });
  });

  test("has no key if its key is null, or the topic has no keyOf, or keyOf gives null", () => {
    expect(encode(students, { value: samwel, key: null }).key).toBeNull();
    expect(encode(texts, { value: "a" }).key).toBeNull();
    expect(encode(defineTopic("t", { value: string(), keyOf: () => null }), { value: "a" }).key).toBeNull();
  });

  test("takes undefined for a field as its absence", () => {
    const record = {
      value: "a",
      key: undefined,
      headers: undefined,
      partition: undefined,
      timestamp: undefined,
    };
    expect(encode(texts, record)).toEqual(encode(texts, { value: "a" }));
  });

  test("may be frozen, and is left as it was", () => {
    const record = Object.freeze({
      value: Object.freeze({ ...samwel, extra: 1 }),
      headers: Object.freeze({ a: Object.freeze(["1", "2"]) }),
    });
    encode(students, record);
    expect(record).toEqual({ value: { id: 1, name: "Samwel", extra: 1 }, headers: { a: ["1", "2"] } });
  });

  test("is a text where its serde makes bytes of one, and bytes where it makes those", () => {
    const topic = defineTopic("t", { value: z.object({ id: z.number() }), key: integer() });
    expect(createEncoder(topic)({ value: { id: 1 }, key: 7 }, undefined)).toMatchObject({
      value: '{"id":1}',
      key: Buffer.of(0, 0, 0, 7),
      size: 12,
    });
    const { serialize, deserialize } = string();
    const other = defineTopic("t", {
      value: { serialize, deserialize: (given, context) => deserialize(given, context) },
    });
    expect(createEncoder(other)({ value: "é" }, undefined)).toMatchObject({ value: "é", size: 1 });
  });

  test("keeps an empty value and an empty key apart from none, which needs memory behind them", () => {
    const encoded = encode(texts, { value: "", key: "" });
    expect(encoded.value).toHaveLength(0);
    expect(encoded.key).toHaveLength(0);
    expect(encoded.value?.buffer.byteLength).toBeGreaterThan(0);
    expect(encoded.key?.buffer.byteLength).toBeGreaterThan(0);
  });
});

describe("a record that does not fit", () => {
  test("is refused with topic, position, part and path", () => {
    const refusal = refusalOf(students, { value: { id: "1", name: "a" } }, 3);
    expect(refusal.message).toMatch(/^students: record 3: value\.id: .*expected number/);
    expect(refusal).toMatchObject({
      code: "SERIALIZATION",
      topic: "students",
      part: "value",
      index: 3,
      retriable: false,
    });
    expect(refusal.issues).toMatchObject([{ path: ["id"] }]);
    expect(refusalOf(students, { value: 1 }).message).toMatch(/^students: value: .*expected object/);
  });

  test.each([undefined, null, 1, "a", [], Buffer.of(1), () => 1])(
    "is refused where it is %s, no record",
    (record) => {
      expect(refusalOf(students, record)).toMatchObject({ part: "record" });
    },
  );

  test("is refused for a field that there is not", () => {
    expect(refusalOf(students, { vaule: samwel }).message).toBe(
      "students: record: unknown field vaule: a record is { value, key, headers, partition, timestamp }",
    );
    expect(refusalOf(students, { value: samwel, offset: 1 }).part).toBe("record");
  });

  test("is refused without a value", () => {
    expect(refusalOf(students, {}).message).toBe(
      "students: value: there is none: a record is { value, ... }",
    );
    expect(refusalOf(texts, { value: undefined }).part).toBe("value");
  });

  test("is refused for a null value on a topic without tombstones, and says what to do", () => {
    expect(refusalOf(students, { key: "1", value: null }).message).toContain("tombstones: true");
    expect(refusalOf(texts, { key: "1", value: null }).message).toContain("tombstones: true");
  });

  test.each([-1, 1.5, "0", null, NaN, 2 ** 31])("is refused for the partition %s", (partition) => {
    const refusal = refusalOf(texts, { value: "a", partition });
    expect(refusal.part).toBe("partition");
    expect(refusal.message).toMatch(/^texts: partition: expected a whole number from 0/);
  });

  test.each([-1, 0, 1.5, "1", null, NaN, Infinity, new Date(), 2 ** 53])(
    "is refused for the timestamp %s",
    (timestamp) => {
      const refusal = refusalOf(texts, { value: "a", timestamp });
      expect(refusal.part).toBe("timestamp");
      expect(refusal.message).toMatch(/^texts: timestamp: expected whole milliseconds/);
    },
  );

  test("is refused for a key of another type", () => {
    expect(refusalOf(texts, { value: "a", key: 1 }).message).toBe("texts: key: expected a string, got 1");
    const numbered = defineTopic("t", { value: string(), key: integer() });
    expect(refusalOf(numbered, { value: "a", key: "1" }).part).toBe("key");
    expect(encode(numbered, { value: "a" }).key).toBeNull();
  });

  test("is refused where keyOf throws or gives undefined", () => {
    const cause = new Error("no id");
    const throwing = defineTopic("t", {
      value: string(),
      keyOf: () => {
        throw cause;
      },
    });
    expect(refusalOf(throwing, { value: "a" })).toMatchObject({
      message: "t: key: no id",
      part: "key",
      cause,
    });
    const empty = defineTopic("t", { value: string(), keyOf: (() => undefined) as never });
    expect(refusalOf(empty, { value: "a" }).message).toContain("keyOf gave undefined");
  });
});

describe("a tombstone", () => {
  const deletable = defineTopic("deletable", {
    value: string(),
    tombstones: true,
    keyOf: (text) => text.slice(0, 1),
  });

  test("has no bytes, and the key that it names", () => {
    expect(encode(deletable, { key: "k", value: null })).toMatchObject({
      key: Buffer.from("k"),
      value: null,
      size: 1,
    });
    expect(encode(deletable, { value: "abc" }).key).toEqual(Buffer.from("a"));
  });

  test.each([{ value: null }, { value: null, key: null }, { value: null, key: undefined }])(
    "is refused without a key: %j",
    (record) => {
      expect(refusalOf(deletable, record)).toMatchObject({ part: "key" });
    },
  );
});

describe("headers to be sent", () => {
  const headersOf = (headers: unknown) => encode(texts, { value: "a", headers }).headers;

  test("are one entry each, in order, an array once for each value", () => {
    expect(headersOf({ a: "1", b: ["2", Buffer.of(3), "4"], c: Buffer.of(5) })).toEqual([
      { a: "1" },
      { b: "2" },
      { b: Buffer.of(3) },
      { b: "4" },
      { c: Buffer.of(5) },
    ]);
  });

  test("are none where there is none", () => {
    expect(headersOf({})).toBeUndefined();
    expect(headersOf({ a: [] })).toBeUndefined();
  });

  test("count in the size, as bytes", () => {
    expect(encode(texts, { value: "a", headers: { é: "é", b: Buffer.of(1, 2) } }).size).toBe(1 + 4 + 3);
  });

  test("may have any name, __proto__ and numbers among them", () => {
    const headers = headersOf({ ["__proto__"]: "p", constructor: "c", "1": "n", "": "e" });
    expect(headers?.map((header) => Object.entries(header))).toEqual([
      [["1", "n"]],
      [["__proto__", "p"]],
      [["constructor", "c"]],
      [["", "e"]],
    ]);
  });

  test("keep what the native client would lose: a NUL in a string, and an empty buffer", () => {
    expect(headersOf({ a: "x\0y", b: Buffer.alloc(0) })).toEqual([{ a: Buffer.from("x\0y") }, { b: "" }]);
  });

  test.each([undefined, 1, true, {}, new Date(), ["a", undefined], [["a"]], new Uint8Array(1), "\uDC00"])(
    "are refused by name for the value %j",
    (value) => {
      const refusal = refusalOf(texts, { value: "a", headers: { fine: "1", trace: value } });
      expect(refusal.part).toBe("headers");
      expect(refusal.message).toContain("the value of trace");
    },
  );

  test.each([null, "a", 1, [], Buffer.of(1), new Map([["a", "1"]])])(
    "are refused where they are %s",
    (headers) => {
      expect(refusalOf(texts, { value: "a", headers })).toMatchObject({ part: "headers" });
    },
  );

  test("are refused for a name that the native client would cut off", () => {
    expect(refusalOf(texts, { value: "a", headers: { "a\0b": "1" } }).message).toContain("NUL");
  });
});

describe("headers with a schema", () => {
  const traced = defineTopic("traced", {
    value: string(),
    headers: z.object({
      trace: z.string(),
      attempt: z.codec(z.string(), z.number(), { decode: Number, encode: String }).optional(),
    }),
  });

  test("are encoded by it", () => {
    expect(encode(traced, { value: "a", headers: { trace: "t", attempt: 2, other: "x" } }).headers).toEqual([
      { trace: "t" },
      { attempt: "2" },
    ]);
    expect(encode(traced, { value: "a", headers: { trace: "t" } }).headers).toEqual([{ trace: "t" }]);
    expect(encode(traced, { value: "a", headers: { trace: "t", attempt: undefined } }).headers).toEqual([
      { trace: "t" },
    ]);
  });

  test("are refused with their path, and where they are missing", () => {
    expect(refusalOf(traced, { value: "a", headers: { trace: 1 } }).message).toMatch(
      /^traced: headers\.trace: /,
    );
    expect(refusalOf(traced, { value: "a" }).message).toMatch(/^traced: headers\.trace: /);
  });

  test("must come out as strings", () => {
    const loose = defineTopic("loose", {
      value: string(),
      headers: z.record(z.string(), z.unknown()) as never,
    });
    expect(refusalOf(loose, { value: "a", headers: { n: 1 } }).message).toBe(
      "loose: headers: the value of n is 1: a header is a string",
    );
  });
});

describe("a serde of the user's", () => {
  test("is given the value and one frozen context, as a method", () => {
    const seen: SerdeContext[] = [];
    class Reversed implements Serde<string> {
      readonly #suffix = "!";
      readonly serialize: Serde<string>["serialize"];
      readonly deserialize = (): string => "";
      constructor() {
        this.serialize = function (this: Reversed, value: string, context: SerdeContext) {
          seen.push(context);
          return Buffer.from(value.split("").reverse().join("") + this.#suffix);
        }.bind(this);
      }
    }
    const topic = defineTopic("t", { value: new Reversed(), key: new Reversed() });
    const encoder = createEncoder(topic);
    expect(encoder({ value: "ab", key: "cd" }, undefined)).toMatchObject({
      value: Buffer.from("ba!"),
      key: Buffer.from("dc!"),
    });
    void encoder({ value: "ab" }, undefined);
    expect(seen[0]).toEqual({ topic: "t", part: "value" });
    expect(seen[1]).toEqual({ topic: "t", part: "key" });
    expect(seen[2]).toBe(seen[0]);
    expect(Object.isFrozen(seen[0])).toBe(true);
  });

  test("may throw anything, which stays the cause", () => {
    for (const cause of [new Error("broken"), "broken", null, undefined]) {
      const serialize = (): never => {
        throw cause as Error;
      };
      const topic = defineTopic("t", { value: { serialize, deserialize: (): string => "" } });
      const refusal = refusalOf(topic, { value: "a" }, 0);
      expect(refusal.message).toMatch(/^t: record 0: value: /);
      expect("cause" in refusal).toBe(true);
      expect(refusal.cause).toBe(cause);
    }
  });

  test.each([undefined, null, "text", new Uint8Array(1), {}])("must give a Buffer, not %s", (given) => {
    const serde = { serialize: () => given, deserialize: () => "" } as unknown as Serde<string>;
    expect(refusalOf(defineTopic("t", { value: serde }), { value: "a" }).message).toContain(
      "serialize must give a Buffer",
    );
    const later = {
      serialize: async () => Promise.resolve(given),
      deserialize: () => "",
    } as unknown as Serde<string>;
    const encoded = createEncoder(defineTopic("t", { value: string(), key: later }))(
      { value: "a", key: "k" },
      undefined,
    );
    return expect(encoded).rejects.toThrow("t: key: the serde gave");
  });

  test("may be asynchronous, for the value, the key or both", async () => {
    const slow: Serde<string> = {
      serialize: async (value) => Promise.resolve(Buffer.from(value)),
      deserialize: async (given) => Promise.resolve(given.toString()),
    };
    for (const definition of [{ value: slow }, { value: string(), key: slow }, { value: slow, key: slow }]) {
      const encoded = createEncoder(defineTopic("t", { ...definition, keyOf: (text) => text }))(
        { value: "a" },
        undefined,
      );
      expect(encoded).toBeInstanceOf(Promise);
      expect(inBytes(await encoded)).toMatchObject({
        value: Buffer.from("a"),
        key: Buffer.from("a"),
        size: 2,
      });
    }
  });

  test("may be asynchronous while the caller changes the record: what was given is sent", async () => {
    const later = z.object({ id: z.number(), name: z.string() }).refine(async () => Promise.resolve(true));
    const topic = defineTopic("later", { value: later, keyOf: ({ id }) => String(id) });
    const record = {
      value: { id: 1, name: "Samwel" },
      headers: { from: "a" } as Record<string, string>,
      partition: 0,
      timestamp: 1_000,
    };
    const encoding = createEncoder(topic)(record, undefined);
    record.value.id = 2;
    record.headers["from"] = "b";
    record.partition = 1;
    record.timestamp = 2_000;
    expect(inBytes(await encoding)).toMatchObject({
      key: Buffer.from("1"),
      headers: [{ from: "a" }],
      partition: 0,
      timestamp: 1_000,
    });
  });

  test("that rejects gives the record's error, and no unhandled rejection", async () => {
    const failing = (what: string): Serde<string> => ({
      serialize: async () => Promise.reject(new Error(what)),
      deserialize: () => "",
    });
    const noHeaders: StandardSchemaV1<object> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async () => Promise.reject(new Error("no headers")),
      },
    };
    const encoder = createEncoder(
      defineTopic("t", {
        value: string(),
        key: failing("no key"),
        headers: noHeaders,
      }),
    );
    await expect(encoder({ value: "a", key: "k", headers: {} }, 2)).rejects.toMatchObject({
      name: "SerializationError",
      message: "t: record 2: key: no key",
      part: "key",
      index: 2,
    });
    const untyped = createEncoder(defineTopic("t", { value: string(), key: failing("no key") }));
    expect(() => untyped({ value: "a", key: "k", headers: { a: {} } }, undefined)).toThrow(
      "a header is a string, a Buffer, null or an array of them",
    );
    const both = createEncoder(defineTopic("t", { value: failing("no value"), key: failing("no key") }));
    await expect(both({ value: "a", key: "k" }, undefined)).rejects.toMatchObject({
      message: "t: value: no value",
    });
  });
});

describe("a header without a value", () => {
  test("is null where the topic has no schema of headers, alone or among others of its name", () => {
    const encoded = encode(defineTopic("t", { value: string() }), {
      value: "v",
      headers: { ab: null, c: ["1", null] },
    });
    expect(encoded.headers).toEqual([{ ab: null }, { c: "1" }, { c: null }]);
    expect(encoded.size).toBe(1 + 2 + 2 + 1);
  });

  test("is refused by a schema's topic, whose headers are strings", () => {
    const loose: StandardSchemaV1<object> = {
      "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as object }) },
    };
    const topic = defineTopic("t", { value: string(), headers: loose });
    expect(() => encode(topic, { value: "v", headers: { a: null } })).toThrow("a header is a string");
  });
});

describe("bytes as values", () => {
  test("are sent as they are", () => {
    const given = Buffer.from([0, 255]);
    expect(encode(defineTopic("t", { value: bytes() }), { value: given }).value).toBe(given);
  });
});
