/** Judges whether a measured series grows: pure, for `steady.ts`. */

/** One measurement: when, in seconds since the start, and each value by its name. */
export interface Sample {
  readonly seconds: number;
  readonly values: Readonly<Record<string, number>>;
}

/** How much a series may differ between the begin and the end of what is judged. */
export interface Allowance {
  readonly absolute: number;
  /** As a part of the series' median, such as 0.05. */
  readonly relative: number;
}

/** What became of one series after the warm-up. */
export interface Trend {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly slopePerHour: number;
  /** The slope times the time that was judged. */
  readonly growth: number;
  readonly allowed: number;
  readonly grows: boolean;
}

/** The trend of each series that has an allowance, over the samples after the warm-up. */
export function trends(
  samples: readonly Sample[],
  warmUpSeconds: number,
  allowances: Readonly<Record<string, Allowance>>,
): Trend[] {
  const judged = samples.filter(({ seconds }) => seconds >= warmUpSeconds);
  const [first] = judged;
  const last = judged.at(-1);
  if (first === undefined || last === undefined || first === last)
    throw new Error("too few samples after the warm-up");
  const hours = (last.seconds - first.seconds) / 3_600;
  return Object.entries(allowances).map(([name, { absolute, relative }]) => {
    const points = judged.map(
      ({ seconds, values }) => [seconds / 3_600, values[name] ?? Number.NaN] as const,
    );
    const values = points.map(([, value]) => value);
    const slopePerHour = theilSen(points);
    const growth = slopePerHour * hours;
    const allowed = Math.max(absolute, relative * median(values));
    return {
      name,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      slopePerHour,
      growth,
      allowed,
      grows: !(growth <= allowed),
    };
  });
}

/** The median of the slopes between pairs of points: a few outliers, such as a broker's restart, do not move it. */
function theilSen(points: readonly (readonly [number, number])[]): number {
  // All pairs of some hundred points are enough.
  const step = Math.max(1, Math.floor(points.length / 500));
  const some = points.filter((_, index) => index % step === 0);
  const slopes: number[] = [];
  for (const [index, [x, y]] of some.entries())
    for (const [laterX, laterY] of some.slice(index + 1))
      if (laterX > x) slopes.push((laterY - y) / (laterX - x));
  return median(slopes);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
