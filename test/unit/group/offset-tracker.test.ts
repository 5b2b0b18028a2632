import fc from "fast-check";
import { expect, test } from "vitest";
import { OffsetTracker } from "../../../src/group/offset-tracker.js";

/** Offsets in the order of a log, with the gaps of compaction and transaction markers. */
const offsets = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3_000, size: "max" })
  .map((steps) =>
    steps.map(
      (
        (at) => (step) =>
          (at += step)
      )(0),
    ),
  );

test("commits the next offset, not the last one", () => {
  const tracker = new OffsetTracker();
  tracker.start(41);
  expect(tracker.committable).toBeUndefined();
  tracker.finish(41);
  expect(tracker.committable).toBe(42);
});

test("never commits past a record that is not finished, whatever the order of finishing", () => {
  fc.assert(
    fc.property(offsets, fc.infiniteStream(fc.nat()), (log, choices) => {
      const tracker = new OffsetTracker();
      // Records by their index in the log.
      const running: number[] = [];
      const unfinished = new Set<number>();
      let started = 0;
      while (started < log.length || running.length > 0) {
        const choice = choices.next().value ?? 0;
        if (started < log.length && (choice % 2 === 0 || running.length === 0)) {
          tracker.start(log[started] ?? 0);
          running.push(started);
          unfinished.add(started);
          started += 1;
        } else {
          const [index = 0] = running.splice(choice % running.length, 1);
          tracker.finish(log[index] ?? 0);
          unfinished.delete(index);
        }
        // The set is in the order of insertion, which is that of the log.
        const [below = started] = unfinished;
        const last = log[below - 1];
        if (tracker.committable !== (last === undefined ? undefined : last + 1)) return false;
        if (tracker.pending !== started - below) return false;
      }
      return true;
    }),
    // Looking for a smaller example among thousands of records takes minutes.
    { numRuns: 30, endOnFailure: true },
  );
});
