import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConnectionError, InvalidRecordError } from "../../../src/errors.js";
import type { RawRecord } from "../../../src/record.js";
import { createDecoder } from "../../../src/serde/decoder.js";
import { createEncoder } from "../../../src/serde/encoder.js";
import { integer } from "../../../src/serde/numbers.js";
import type { Serde } from "../../../src/serde/serde.js";
import { string } from "../../../src/serde/string.js";
import { type AnyTopic, defineTopic, type RecordOf } from "../../../src/topic.js";

const students = defineTopic("students", { value: z.object({ id: z.number().int(), name: z.string() }) });
const texts = defineTopic("texts", { value: string() });

function raw(parts: Partial<RawRecord> = {}): RawRecord {
  return {
    topic: "the name in the log",
    partition: 2,
    offset: 42,
    timestamp: 1_700_000_000_000,
    key: Buffer.from("k"),
    value: Buffer.from('{"id":1,"name":"Samwel"}'),
    size: 24,
    leaderEpoch: 0,
    ...parts,
  };
}

function decode<T extends AnyTopic>(topic: T, parts?: Partial<RawRecord>): RecordOf<T> {
  const record = createDecoder(topic)(raw(parts));
  if (record instanceof Promise) throw new Error("a promise");
  return record;
}

function refusalOf(topic: AnyTopic, parts?: Partial<RawRecord>): InvalidRecordError {
  try {
    decode(topic, parts);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidRecordError);
    return error as InvalidRecordError;
  }
  throw new Error("it was not refused");
}

describe("a record read", () => {
  test("has the topic's types and where it stands", () => {
    expect(decode(students)).toEqual({
      topic: "students",
      partition: 2,
      offset: 42,
      timestamp: 1_700_000_000_000,
      key: "k",
      value: { id: 1, name: "Samwel" },
      headers: {},
      rawHeaders: [],
    });
  });

  test("has the key null where there is none, and keeps an empty one", () => {
    expect(decode(students, { key: null }).key).toBeNull();
    expect(decode(students, { key: Buffer.alloc(0) }).key).toBe("");
    expect(
      decode(defineTopic("t", { value: string(), key: integer() }), { key: Buffer.of(0, 0, 1, 0) }).key,
    ).toBe(256);
  });

  test("has one frozen empty object for headers where there are none", () => {
    const first = decode(students);
    const second = decode(students, { headers: [] });
    expect(second.headers).toBe(first.headers);
    expect(second.rawHeaders).toBe(first.rawHeaders);
    expect(Object.isFrozen(first.headers)).toBe(true);
    expect(Object.isFrozen(first.rawHeaders)).toBe(true);
  });

  test("has null for a value without bytes where the topic allows tombstones, and keeps an empty one", () => {
    const deletable = defineTopic("t", { value: string(), tombstones: true });
    expect(decode(deletable, { value: null }).value).toBeNull();
    expect(decode(deletable, { value: Buffer.alloc(0) }).value).toBe("");
  });
});

describe("headers read", () => {
  test("are the last value of each name, beside all of them in order", () => {
    const headers = [
      { a: Buffer.from("1") },
      { b: Buffer.from("é") },
      { a: Buffer.from("2") },
      { c: Buffer.alloc(0) },
    ];
    const record = decode(students, { headers });
    expect(record.headers).toEqual({ a: "2", b: "é", c: "" });
    expect(record.rawHeaders).toEqual([
      ["a", Buffer.from("1")],
      ["b", Buffer.from("é")],
      ["a", Buffer.from("2")],
      ["c", Buffer.alloc(0)],
    ]);
  });

  test("may have the name __proto__, whose value the native client gives as a prototype", () => {
    const native = Object.setPrototypeOf({}, Buffer.from("p")) as Record<string, Buffer>;
    const record = decode(students, { headers: [native, { a: Buffer.from("1") }] });
    expect(Object.entries(record.headers)).toEqual([
      ["__proto__", "p"],
      ["a", "1"],
    ]);
    expect(record.rawHeaders).toEqual([
      ["__proto__", Buffer.from("p")],
      ["a", Buffer.from("1")],
    ]);
    expect(Object.getPrototypeOf(record.headers)).toBe(Object.prototype);
  });

  test("may be bytes that are not UTF-8, which are in rawHeaders", () => {
    const record = decode(students, { headers: [{ a: Buffer.of(0xff) }] });
    expect(record.headers).toEqual({ a: "\uFFFD" });
    expect(record.rawHeaders).toEqual([["a", Buffer.of(0xff)]]);
  });

  test("are what their schema gives", () => {
    const traced = defineTopic("traced", {
      value: string(),
      headers: z.object({ attempt: z.codec(z.string(), z.number(), { decode: Number, encode: String }) }),
    });
    const headers = [
      { attempt: Buffer.from("1") },
      { attempt: Buffer.from("2") },
      { other: Buffer.from("x") },
    ];
    expect(decode(traced, { headers }).headers).toEqual({ attempt: 2 });
    const refusal = refusalOf(traced, { headers: [{ attempt: Buffer.from("x") }] });
    expect(refusal.part).toBe("headers");
    expect(refusal.message).toContain("headers.attempt: ");
    expect(refusalOf(traced).part).toBe("headers");
  });
});

describe("a record that does not decode", () => {
  test("is refused with its partition and offset, its path and its bytes", () => {
    const parts = {
      value: Buffer.from('{"id":"x"}'),
      key: Buffer.of(0xff, 0x00),
      headers: [{ a: Buffer.from("1") }, { a: Buffer.of(0xff) }],
    };
    const refusal = refusalOf(students, parts);
    expect(refusal).toMatchObject({
      code: "INVALID_RECORD",
      topic: "students",
      partition: 2,
      offset: 42,
      part: "value",
      issues: [{ path: ["id"] }, { path: ["name"] }],
    });
    expect(refusal.raw.key).toBe(parts.key);
    expect(refusal.raw.value).toBe(parts.value);
    expect(refusal.raw.headers).toEqual([
      ["a", Buffer.from("1")],
      ["a", Buffer.of(0xff)],
    ]);
    expect(refusal.message).toMatch(
      /^students, partition 2, offset 42: value\.id: .*; value\.name: .*onInvalid/,
    );
  });

  test("keeps what a parser threw as the cause", () => {
    const refusal = refusalOf(students, { value: Buffer.from("{") });
    expect(refusal.message).toContain("value: not JSON: ");
    expect(refusal.cause).toBeInstanceOf(SyntaxError);
    expect(refusal.issues).toEqual([]);
  });

  test("has the first hundred of the issues, and says how many there were", () => {
    const lists = defineTopic("lists", { value: z.array(z.string()) });
    const refusal = refusalOf(lists, { value: Buffer.from(JSON.stringify(Array(2_000).fill(1))) });
    expect(refusal.issues).toHaveLength(100);
    expect(refusal.issues[99]).toMatchObject({ path: [99] });
    expect(refusal.message).toContain("and 1995 more");
  });

  test("is refused for a value without bytes on a topic without tombstones, and says what to do", () => {
    expect(refusalOf(texts, { value: null })).toMatchObject({ part: "value" });
    expect(refusalOf(texts, { value: null }).message).toContain("tombstones: true");
  });

  test("is refused for a JSON null that the schema does not take", () => {
    expect(refusalOf(students, { value: Buffer.from("null") }).part).toBe("value");
    const nullable = defineTopic("t", { value: z.string().nullable() });
    expect(decode(nullable, { value: Buffer.from("null") }).value).toBeNull();
    expect(refusalOf(nullable, { value: null }).part).toBe("value");
  });

  test("is refused for a key that is not UTF-8", () => {
    expect(refusalOf(students, { key: Buffer.of(0xff) })).toMatchObject({ part: "key" });
  });

  test("keeps what a serde of the user's threw as the cause", () => {
    for (const cause of [new Error("broken"), "broken", undefined]) {
      const serde: Serde<string> = {
        serialize: (value) => Buffer.from(value),
        deserialize: () => {
          throw cause as Error;
        },
      };
      const refusal = refusalOf(defineTopic("t", { value: string(), key: serde }));
      expect(refusal).toMatchObject({ part: "key" });
      expect(refusal.cause).toBe(cause);
    }
  });
});

describe("a record that is decoded later", () => {
  const slow: Serde<string> = {
    serialize: async (value) => Promise.resolve(Buffer.from(value)),
    deserialize: async (bytes) =>
      bytes.length > 0 ? Promise.resolve(bytes.toString()) : Promise.reject(new Error("empty")),
  };

  test("is the same record", async () => {
    const topic = defineTopic("t", {
      value: slow,
      key: slow,
      headers: z.object({ a: z.string() }).refine(async () => Promise.resolve(true)),
    });
    const record = createDecoder(topic)(raw({ value: Buffer.from("v"), headers: [{ a: Buffer.from("1") }] }));
    expect(record).toBeInstanceOf(Promise);
    await expect(record).resolves.toEqual({
      topic: "t",
      partition: 2,
      offset: 42,
      timestamp: 1_700_000_000_000,
      key: "k",
      value: "v",
      headers: { a: "1" },
      rawHeaders: [["a", Buffer.from("1")]],
    });
  });

  test("rejects for the first part that fails, and leaves no unhandled rejection", async () => {
    const decoder = createDecoder(defineTopic("t", { value: slow, key: slow }));
    await expect(decoder(raw({ value: Buffer.alloc(0), key: Buffer.alloc(0) }))).rejects.toMatchObject({
      name: "InvalidRecordError",
      part: "value",
    });
    await expect(decoder(raw({ key: Buffer.alloc(0) }))).rejects.toMatchObject({ part: "key" });
    const mixed = createDecoder(defineTopic("t", { value: slow, key: string() }));
    expect(() => mixed(raw({ value: Buffer.alloc(0), key: Buffer.of(0xff) }))).toThrow(
      "key: the bytes are not UTF-8",
    );
  });
});

describe("a serde that throws a KafkaError", () => {
  const away = new ConnectionError("nobody answers");
  const throwing: Serde<string> = {
    serialize: () => {
      throw away;
    },
    deserialize: () => {
      throw away;
    },
  };
  const rejecting: Serde<string> = {
    serialize: () => Promise.reject(away),
    deserialize: () => Promise.reject(away),
  };

  test.each([
    ["throws", throwing],
    ["rejects", rejecting],
  ])(
    "says nothing of the record: what reads and what sends get the error as it is (%s)",
    async (_, serde) => {
      const topic = defineTopic("texts", { value: serde, key: serde });
      const decoding = async () => createDecoder(topic)(raw());
      await expect(decoding()).rejects.toBe(away);
      const encoding = async () => createEncoder(topic)({ value: "text" }, undefined);
      await expect(encoding()).rejects.toBe(away);
    },
  );
});
