import { describe, expect, test } from "vitest";
import { describeReset, resetAfter, resetOf } from "../../../src/group/offset-reset.js";

const range = { low: 60, high: 110 };

describe("where to go on", () => {
  test.each([60, 85, 110])("an offset that the log has, or is about to get, is none to reset: %i", (next) => {
    expect(resetOf(next, range, "earliest")).toBeUndefined();
    expect(resetOf(next, range, "latest")).toBeUndefined();
  });

  test("before the log: at its first record, or its end, with the number of offsets that are gone", () => {
    const reason = "retention";
    expect(resetOf(10, range, "earliest")).toEqual({ reason, expected: 10, offset: 60, gone: 50 });
    expect(resetOf(59, range, "latest")).toEqual({ reason, expected: 59, offset: 110, gone: 1 });
  });

  test("behind the log: nothing is known to be gone", () => {
    const reason = "beyond-end";
    expect(resetOf(111, range, "earliest")).toEqual({ reason, expected: 111, offset: 60, gone: 0 });
    expect(resetOf(500, range, "latest")).toEqual({ reason, expected: 500, offset: 110, gone: 0 });
  });
});

describe("why a broker has refused an offset", () => {
  test("retention, before all else", () => {
    expect(resetAfter(10, range, 5)).toMatchObject({ reason: "retention", gone: 50 });
  });

  test("a log that was cut off, whatever has come since", () => {
    expect(resetAfter(100, range, 90)).toEqual({ reason: "truncation", expected: 100, offset: 90, gone: 0 });
  });

  test("a log that ended before it, though it may have it by now", () => {
    expect(resetAfter(100, range, undefined)).toMatchObject({ reason: "beyond-end", expected: 100 });
  });
});

test("is described with the partition, the group and the numbers", () => {
  const reset = resetAfter(10, range, undefined);
  expect(describeReset(reset, { topic: "orders", partition: 3 }, "billing")).toBe(
    "orders[3], group billing: 50 offsets, from 10 on, are gone from the log and were never read",
  );
});
