import { describe, expect, test, vi } from "vitest";
import * as first from "../../src/index.js";
import { SerdeFailure } from "../../src/serde/failure.js";

/** The library loaded once more, as where a process has the ES modules and the CommonJS files. */
vi.resetModules();
const second = await import("../../src/index.js");
const { SerdeFailure: SecondFailure } = await import("../../src/serde/failure.js");

type ErrorClass = new (...args: never[]) => Error;
const isErrorClass = (value: unknown): value is ErrorClass =>
  typeof value === "function" && value.prototype instanceof Error;
const errorClasses = Object.entries(first).filter(([, value]) => isErrorClass(value)) as [
  keyof typeof first,
  ErrorClass,
][];

describe("instanceof over two copies of the library", () => {
  test("there are two copies", () => {
    expect(second.KafkaError).not.toBe(first.KafkaError);
    expect(errorClasses.length).toBeGreaterThan(10);
  });

  test.each(errorClasses)("%s of one copy is the same class of the other", (name, Class) => {
    const error: unknown = Object.create((second[name] as ErrorClass).prototype as object);
    expect(error).toBeInstanceOf(Class);
    expect(error instanceof first.KafkaError).toBe(
      Class.prototype instanceof first.KafkaError || Class === first.KafkaError,
    );
    for (const [otherName, Other] of errorClasses) {
      if (otherName === name || otherName === "KafkaError") continue;
      expect(error instanceof Other, `${name} is no ${otherName}`).toBe(false);
    }
  });

  test("what a serde of one copy throws is understood by the other", () => {
    expect(new SecondFailure("x")).toBeInstanceOf(SerdeFailure);
  });

  test("a subclass of the user's holds for its own instances alone", () => {
    class OutOfCredit extends first.KafkaError {}
    const error: unknown = new first.KafkaError("BROKER", "x");
    expect(error instanceof OutOfCredit).toBe(false);
    const own = new OutOfCredit("BROKER", "x");
    expect(own).toBeInstanceOf(OutOfCredit);
    expect(own).toBeInstanceOf(second.KafkaError);
  });

  test("nothing else is an error of the library", () => {
    for (const value of [new Error("x"), null, undefined, "KafkaError", {}, { name: "KafkaError" }]) {
      expect((value as unknown) instanceof first.KafkaError).toBe(false);
    }
  });

  test("that a schema takes null is known of a serde that another copy made", async () => {
    const { z } = await import("zod");
    const define = () =>
      first.defineTopic("t", {
        value: second.json(z.string().nullable()) as never,
        tombstones: true as never,
      });
    expect(define).toThrow(/tombstones/);
  });
});
