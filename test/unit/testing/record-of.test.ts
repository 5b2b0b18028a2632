import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../../src/errors.js";
import { string } from "../../../src/serde/string.js";
import { recordOf } from "../../../src/testing/record-of.js";
import { defineTopic } from "../../../src/topic.js";

const students = defineTopic("students", {
  value: z.object({ id: z.number().int(), name: z.string() }),
  keyOf: ({ id }) => String(id),
});
const value = { id: 1, name: "Samwel" };

describe("recordOf", () => {
  test("gives a record with the topic's name and key, and the rest as of a first record of now", () => {
    const begin = Date.now();
    const { timestamp, ...record } = recordOf(students, { value });
    expect(record).toEqual({
      topic: "students",
      partition: 0,
      offset: 0,
      key: "1",
      value,
      headers: {},
      rawHeaders: [],
    });
    expect(timestamp).toBeGreaterThanOrEqual(begin);
    expect(timestamp).toBeLessThanOrEqual(Date.now());
  });

  test("takes what the test is about", () => {
    const given = { value, key: "other", partition: 3, offset: 17, timestamp: 1 };
    expect(recordOf(students, { ...given, headers: { trace: "é" } })).toEqual({
      ...given,
      topic: "students",
      headers: { trace: "é" },
      rawHeaders: [["trace", Buffer.from("é")]],
    });
  });

  test("has no key where none is given: by null, without keyOf, and for a tombstone", () => {
    expect(recordOf(students, { value, key: null }).key).toBeNull();
    expect(recordOf(defineTopic("t", { value: string() }), { value: "a" }).key).toBeNull();
    const deletable = defineTopic("t", { value: string(), keyOf: (text) => text, tombstones: true });
    expect(recordOf(deletable, { value: null })).toMatchObject({ key: null, value: null });
    expect(recordOf(deletable, { key: "a", value: null }).key).toBe("a");
  });

  test("has typed headers as a handler sees them, and their text where they are one", () => {
    const at = z.codec(z.iso.datetime(), z.date(), {
      decode: (text) => new Date(text),
      encode: (date) => date.toISOString(),
    });
    const traced = defineTopic("t", { value: string(), headers: z.object({ trace: z.string(), at }) });
    const headers = { trace: "1", at: new Date(0) };
    const record = recordOf(traced, { value: "a", headers });
    expect(record.headers).toBe(headers);
    expect(record.rawHeaders).toEqual([["trace", Buffer.from("1")]]);
  });

  test.each([
    ["RecordFields.vaule", { vaule: value }],
    ["offset", { value, offset: -1 }],
    ["partition", { value, partition: 0.5 }],
  ])("refuses a wrong %s", (field, fields) => {
    expect(() => recordOf(students, fields as never)).toThrow(ConfigError);
    expect(() => recordOf(students, fields as never)).toThrow(field);
  });
});
