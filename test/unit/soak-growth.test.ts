import { describe, expect, test } from "vitest";
import { type Sample, trends } from "../soak/growth.js";

const every10s = (valueAt: (seconds: number) => number): Sample[] =>
  Array.from({ length: 361 }, (_, index) => ({
    seconds: index * 10,
    values: { rssMb: valueAt(index * 10) },
  }));
const judge = (samples: readonly Sample[]) =>
  trends(samples, 600, { rssMb: { absolute: 15, relative: 0.08 } })[0];

describe("the verdict on a series of the steady soak", () => {
  test("a leak of 30 MB an hour grows, however much the values waver", () => {
    const leak = judge(every10s((seconds) => 150 + (seconds / 3_600) * 30 + ((seconds * 7) % 40)));
    expect(leak).toMatchObject({ grows: true });
    expect(leak?.slopePerHour).toBeCloseTo(30, 0);
  });

  test("growth before the warm-up is over, and single outliers, are none", () => {
    expect(
      judge(every10s((seconds) => Math.min(150, seconds) + (seconds % 600 === 0 ? 200 : 0))),
    ).toMatchObject({ grows: false, growth: 0, median: 150 });
  });

  test("a series that shrinks does not grow, one that was not measured does", () => {
    expect(judge(every10s((seconds) => 400 - seconds / 60))).toMatchObject({ grows: false });
    expect(judge(every10s(() => Number.NaN))).toMatchObject({ grows: true });
  });
});
