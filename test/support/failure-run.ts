import { z } from "zod";

/** The records of test/faults/long/failure.test.ts. */
export const numbered = z.object({ id: z.number().int() });

/** Where the record of this number ends: see failure-worker.ts for the ways in which they fail. */
export function endOf(id: number): "output" | "handler" | "invalid" {
  const way = id % 50;
  if (way === 40) return "invalid";
  return way === 0 || way === 10 ? "handler" : "output";
}
