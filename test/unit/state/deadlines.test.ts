import fc from "fast-check";
import { expect, test } from "vitest";
import { Deadlines } from "../../../src/state/deadlines.js";

test("what is due comes in the order of its time, and `first` is the earliest that is left", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 20 }).map(String)), {
        maxLength: 100,
        size: "max",
      }),
      fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 5 }),
      (added, asked) => {
        const deadlines = new Deadlines();
        const model = new Map<string, number>();
        for (const [time, id] of added) {
          deadlines.add(time, id);
          model.set(`${time} ${id}`, time);
        }
        for (const now of asked) {
          const due = [...deadlines.due(now)];
          const expected = [...model.values()].filter((time) => time <= now);
          expect(due.map(([time]) => time)).toEqual(expected.sort((a, b) => a - b));
          for (const [time, id] of due) {
            deadlines.delete(time, id);
            model.delete(`${time} ${id}`);
          }
          const left = [...model.values()];
          expect(deadlines.first).toBe(left.length === 0 ? undefined : Math.min(...left));
        }
      },
    ),
  );
});
