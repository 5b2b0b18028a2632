import { describe, expect, test } from "vitest";
import type { NativeProducerClient } from "../../../src/driver/native.js";
import { plainProducePath } from "../../../src/driver/produce-path.js";
import type { NativeHeader } from "../../../src/record.js";
import { encodedRecord } from "../producer/records.js";

/** The headers that the binding is given for these. */
function headersGivenFor(headers: NativeHeader[] | undefined): unknown {
  const given: unknown[] = [];
  const native = { produce: (...parameters: unknown[]) => given.push(parameters[6]) - given.length };
  const path = plainProducePath(
    () => native as unknown as NativeProducerClient,
    () => undefined,
  );
  expect(path.produce("t", [{ ...encodedRecord(), headers }], undefined, false)).toBeUndefined();
  return given[0];
}

describe("the binding's own way to produce", () => {
  test("gets a null header as a buffer without memory, which is null on the wire: it throws for null itself", () => {
    const headers = headersGivenFor([{ a: null }, { b: "" }, { ["__proto__"]: null }]) as object[];
    expect(headers.map((header) => Object.entries(header))).toEqual([
      [["a", Buffer.alloc(0)]],
      [["b", ""]],
      [["__proto__", Buffer.alloc(0)]],
    ]);
  });

  test("gets headers without a null as they are", () => {
    const headers: NativeHeader[] = [{ a: "1" }, { a: Buffer.from("2") }];
    expect(headersGivenFor(headers)).toBe(headers);
    expect(headersGivenFor(undefined)).toBeUndefined();
  });
});
