import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError } from "../../../src/errors.js";
import { integer } from "../../../src/serde/numbers.js";
import { defineWindowStore } from "../../../src/state/window-definition.js";
import {
  closesAt,
  hopping,
  isClosed,
  mergeSessions,
  session,
  timeWindowsOf,
  tumbling,
  type WindowSpan,
} from "../../../src/state/windows.js";

const startsOf = (windows: ReturnType<typeof tumbling>, timestamp: number): number[] =>
  timeWindowsOf(windows, timestamp).map(({ start }) => start);

test("windows are aligned to the epoch and none begins before it, as in Kafka Streams", () => {
  const windows = hopping({ sizeMs: 10, advanceMs: 4 });
  expect(startsOf(windows, 0)).toEqual([0]);
  expect(startsOf(windows, 3)).toEqual([0]);
  expect(startsOf(windows, 7)).toEqual([0, 4]);
  expect(startsOf(windows, 13)).toEqual([4, 8, 12]);
  expect(startsOf(tumbling({ sizeMs: 10 }), 10)).toEqual([10]);
  expect(startsOf(tumbling({ sizeMs: 10 }), 9)).toEqual([0]);
});

test("a timestamp is in exactly the windows that begin at or before it and end after it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 0, max: 1_000 }),
      (size, advance, timestamp) => {
        fc.pre(advance <= size);
        const expected: number[] = [];
        for (let start = 0; start <= timestamp; start += advance)
          if (timestamp < start + size) expected.push(start);
        expect(startsOf(hopping({ sizeMs: size, advanceMs: advance }), timestamp)).toEqual(expected);
      },
    ),
  );
});

test("a window of time closes when stream time reaches its end and the grace", () => {
  const windows = tumbling({ sizeMs: 10, graceMs: 5 });
  const span = { start: 0, end: 10 };
  expect(isClosed(windows, span, 14)).toBe(false);
  expect(isClosed(windows, span, 15)).toBe(true);
  expect(closesAt(windows, span)).toBe(15);
});

test("a session closes when its last timestamp is before stream time less gap and grace", () => {
  const windows = session({ gapMs: 10, graceMs: 5 });
  const span = { start: 0, end: 100 };
  expect(isClosed(windows, span, 115)).toBe(false);
  expect(isClosed(windows, span, 116)).toBe(true);
  expect(closesAt(windows, span)).toBe(116);
});

test("a session takes a record that is exactly a gap away, and no further", () => {
  const windows = session({ gapMs: 10 });
  const span = { start: 100, end: 120 };
  expect(mergeSessions(windows, [span], 130).merged).toEqual({ start: 100, end: 130 });
  expect(mergeSessions(windows, [span], 90).merged).toEqual({ start: 90, end: 120 });
  expect(mergeSessions(windows, [span], 131)).toEqual({ merged: { start: 131, end: 131 }, joined: [] });
});

test("sessions merged record by record are the gaps of the sorted timestamps, in whatever order they come", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 40, size: "max" }),
      fc.integer({ min: 1, max: 20 }),
      (timestamps, gapMs) => {
        let sessions: WindowSpan[] = [];
        for (const timestamp of timestamps) {
          const { merged, joined } = mergeSessions(session({ gapMs }), sessions, timestamp);
          sessions = [...sessions.filter((each) => !joined.includes(each)), merged];
        }
        const expected: { start: number; end: number }[] = [];
        for (const timestamp of [...timestamps].sort((a, b) => a - b)) {
          const last = expected.at(-1);
          if (last !== undefined && timestamp - last.end <= gapMs) last.end = timestamp;
          else expected.push({ start: timestamp, end: timestamp });
        }
        expect(sessions.sort((a, b) => a.start - b.start)).toEqual(expected);
      },
    ),
  );
});

test.each([
  ["a size of 0", () => tumbling({ sizeMs: 0 }), /sizeMs/],
  ["no size", () => tumbling({} as never), /sizeMs.*missing/],
  ["an advance of 0", () => hopping({ sizeMs: 10, advanceMs: 0 }), /advanceMs/],
  ["an advance larger than the size", () => hopping({ sizeMs: 10, advanceMs: 11 }), /advanceMs.*larger/],
  [
    "a record in a billion windows",
    () => hopping({ sizeMs: 1e9, advanceMs: 1 }),
    /advanceMs.*10000 is the most/,
  ],
  [
    "windows that somebody made",
    () =>
      defineWindowStore("w", {
        value: integer(),
        window: { ...tumbling({ sizeMs: 10 }), sizeMs: 0, advanceMs: 0 },
      }),
    /sizeMs/,
  ],
  ["a gap of 0", () => session({ gapMs: 0 }), /gapMs/],
  ["a grace below 0", () => tumbling({ sizeMs: 10, graceMs: -1 }), /graceMs/],
  ["a word for a number", () => tumbling({ sizeMs: "10" as never }), /sizeMs/],
  ["an unknown option", () => tumbling({ sizeMs: 1, grace: 1 } as never), /grace.*no such option/],
])("%s is refused by name", (_what, make, message) => {
  expect(make).toThrow(ConfigError);
  expect(make).toThrow(message);
});
