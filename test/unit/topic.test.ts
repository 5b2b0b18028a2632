import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../src/errors.js";
import { json } from "../../src/serde/json.js";
import { string } from "../../src/serde/string.js";
import { defineTopic } from "../../src/topic.js";

const student = z.object({ id: z.number().int(), name: z.string() });

/** What a caller without types may give. */
const define = defineTopic as unknown as (name: unknown, definition: unknown) => unknown;

function fieldOf(name: unknown, definition: unknown): string {
  try {
    define(name, definition);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).field;
  }
  throw new Error("it was not refused");
}

describe("a topic", () => {
  test("is frozen data with its defaults filled in", () => {
    const topic = defineTopic("students", { value: student });
    expect(topic).toMatchObject({
      name: "students",
      headers: undefined,
      keyOf: undefined,
      tombstones: false,
      partitions: undefined,
      replicationFactor: undefined,
      config: {},
    });
    expect(topic.key).toBe(string());
    expect(Object.isFrozen(topic)).toBe(true);
    expect(Object.isFrozen(topic.value)).toBe(true);
    expect(Object.isFrozen(topic.config)).toBe(true);
  });

  test("copies its definition and leaves it as it was", () => {
    const config: Record<string, string> = { "cleanup.policy": "compact" };
    const serde = json(student);
    const definition = Object.freeze({ value: serde, config, partitions: 3, replicationFactor: 2 });
    const topic = defineTopic("students", definition);
    config["cleanup.policy"] = "delete";
    expect(topic.config).toEqual({ "cleanup.policy": "compact" });
    expect(topic.value).toBe(serde);
    expect(topic.partitions).toBe(3);
    expect(Object.isFrozen(config)).toBe(false);
  });

  test("does not freeze a serde of the user's", () => {
    const serde = { ...string() };
    expect(defineTopic("t", { value: serde }).value).toBe(serde);
    expect(Object.isFrozen(serde)).toBe(false);
  });
});

describe("a topic's name", () => {
  test.each(["a", "students", "A.b_c-1", "x".repeat(249), "..."])("may be %s", (name) => {
    expect(defineTopic(name, { value: student }).name).toBe(name);
  });

  test.each(["", ".", "..", "x".repeat(250), "a b", "a/b", "a\n", "é", "💥", null, undefined, 1])(
    "may not be %j",
    (name) => {
      expect(fieldOf(name, { value: student })).toBe("name");
    },
  );
});

describe("a definition that is wrong", () => {
  test.each([
    ["definition", undefined],
    ["definition", null],
    ["definition", "students"],
    ["value", {}],
    ["value", { value: {} }],
    ["value", { value: null }],
    ["value", { value: { serialize: () => Buffer.of() } }],
    ["vaule", { vaule: student }],
    ["key", { value: student, key: "string" }],
    ["headers", { value: student, headers: { trace: "string" } }],
    ["headers", { value: student, headers: string() }],
    ["keyOf", { value: student, keyOf: "id" }],
    ["tombstones", { value: student, tombstones: "yes" }],
    ["partitions", { value: student, partitions: 0 }],
    ["partitions", { value: student, partitions: 1.5 }],
    ["partitions", { value: student, partitions: "3" }],
    ["replicationFactor", { value: student, replicationFactor: -1 }],
    ["replicationFactor", { value: student, replicationFactor: NaN }],
    ["config", { value: student, config: [] }],
    ["config.retention.ms", { value: student, config: { "retention.ms": 1000 } }],
  ])("names the field %s", (field, definition) => {
    expect(fieldOf("t", definition)).toBe(field);
  });

  test("names the field of the schema that is wrong", () => {
    expect(fieldOf("t", { value: z.object({ at: z.date() }) })).toBe("value.at");
    expect(fieldOf("t", { value: student, key: z.bigint() })).toBe("key");
    expect(fieldOf("t", { value: student, headers: z.object({ n: z.number() }) })).toBe("headers.n");
  });
});

describe("tombstones", () => {
  test.each([
    ["a nullable schema", student.nullable()],
    ["z.unknown()", z.unknown()],
    ["a union with null", z.union([z.string(), z.null()])],
    ["json() of a nullable schema", json(student.nullable())],
    [
      "a codec whose application side takes null",
      z.codec(z.string(), z.null(), { decode: () => null, encode: () => "" }),
    ],
    ["an asynchronous nullable schema", student.nullable().refine(async () => Promise.resolve(true))],
  ])("are refused for %s", (_, value) => {
    expect(fieldOf("t", { value, tombstones: true })).toBe("tombstones");
  });

  test("are fine for an asynchronous schema that takes no null", () => {
    const value = student.refine(async () => Promise.resolve(true));
    expect(defineTopic("t", { value, tombstones: true }).tombstones).toBe(true);
  });
});
