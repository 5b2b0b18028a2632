import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { schemaCodec } from "../../../src/serde/schema.js";

const codecOf = (schema: z.ZodType) => schemaCodec(schema, "json", "value");

/** The next turn of the event loop, in which an unhandled rejection would have been told. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("an asynchronous zod schema", () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  let calls = 0;

  beforeEach(() => {
    unhandled.length = 0;
    calls = 0;
    process.on("unhandledRejection", note);
  });
  afterEach(() => process.off("unhandledRejection", note));

  const rejects = async (): Promise<never> => {
    calls += 1;
    await Promise.resolve();
    throw new Error("the database is down");
  };
  const isAsync = { decode: rejects, encode: rejects };
  const onlyReturns = { decode: () => rejects(), encode: () => rejects() };
  const text = z.string();

  test.each<[string, z.ZodType]>([
    ["a refinement", text.refine(rejects)],
    ["a refinement that only returns a promise", text.refine(() => rejects())],
    ["a refinement that zod hides", text.superRefine(() => rejects())],
    ["a check", text.check(rejects)],
    ["a codec", z.codec(text, text, isAsync)],
    ["a codec that only returns a promise", z.codec(text, text, onlyReturns)],
    ["a refinement beside a default", z.object({ a: text.default("x"), b: text.refine(rejects) })],
    ["a refinement of an object", z.object({ b: text }).refine(rejects)],
  ])("calls its functions once a record and leaves no rejection unhandled: %s", async (_, schema) => {
    const value = schema instanceof z.ZodObject ? { a: "a", b: "b" } : "b";
    for (const direction of ["encode", "decode"] as const) {
      const codec = codecOf(schema);
      calls = 0;
      for (let record = 1; record <= 3; record++) {
        await expect(codec[direction](value)).rejects.toThrow("the database is down");
        await nextTurn();
        expect(calls).toBe(record);
      }
    }
    expect(unhandled).toEqual([]);
  });

  test("may come to its functions late", async () => {
    const codec = codecOf(z.object({ ref: text.refine(rejects).optional() }));
    for (let record = 0; record < 2_000; record++) expect(codec.encode({})).toEqual({ value: {} });
    await expect(codec.encode({ ref: "a" })).rejects.toThrow("the database is down");
    await nextTurn();
    expect(calls).toBe(1);
    expect(unhandled).toEqual([]);
  });

  test("is found out in the end, also where nothing tells beforehand", async () => {
    const codec = codecOf(z.object({ ref: text.refine(() => Promise.resolve(false)).optional() }));
    for (let record = 0; record < 2_000; record++) expect(codec.encode({})).toEqual({ value: {} });
    await expect(codec.encode({ ref: "a" })).resolves.toMatchObject({ issues: [{ path: ["ref"] }] });
    await expect(codec.decode({ ref: "a" })).resolves.toMatchObject({ issues: [{ path: ["ref"] }] });
  });
});

describe("a synchronous zod schema", () => {
  test("never gives a promise, whether values pass or not, and throws what its functions throw", () => {
    const at = z.codec(z.iso.datetime(), z.date(), {
      decode: (given) => new Date(given),
      encode: (date) => date.toISOString(),
    });
    const even = z.number().refine((number) => {
      if (number === 13) throw new RangeError("unlucky");
      return number % 2 === 0;
    });
    const codec = codecOf(z.object({ at, even }));
    const date = new Date(0);
    for (let record = 0; record < 2_000; record++) {
      expect(codec.decode({ at: date.toISOString(), even: 2 })).toEqual({ value: { at: date, even: 2 } });
      expect(codec.encode({ at: date, even: 2 })).toEqual({ value: { at: date.toISOString(), even: 2 } });
      expect(codec.encode({ at: date, even: 3 })).toMatchObject({ issues: [{ path: ["even"] }] });
      expect(() => codec.decode({ at: date.toISOString(), even: 13 })).toThrow(RangeError);
    }
  });

  test("finds what validate finds", () => {
    const own = { error: "own" };
    const schema = z.object({
      plain: z.number(),
      ofSchema: z.string(own).min(5),
      ofCheck: z.string(own).min(5, { error: ({ input }) => `${input as string} is short` }),
      inner: z.array(z.string(), own).check(z.property("length", z.number().max(1))),
      format: z.email(),
      refined: z.string().refine(() => false, { error: "refined", path: ["x"] }),
      super: z.string().superRefine((_, context) => context.addIssue("found")),
      options: z.union([z.string(), z.number()]),
      rest: z.strictObject({}),
    });
    const value = {
      ofSchema: "a",
      ofCheck: "b",
      inner: ["", ""],
      format: "c",
      refined: "",
      super: "",
      rest: { d: 1 },
    };
    expect(codecOf(schema).decode(value)).toEqual(schema["~standard"].validate(value));
  });
});
