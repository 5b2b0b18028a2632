import { expect } from "vitest";
import type { Verdict } from "../processor-faults.js";

/** What goes on while the network is bad: a producer, two consumers, and three processors that count in a store. */
export const load = {
  records: 4_000,
  rate: 150,
  counts: true,
  options: { sessionTimeoutMs: 6_000 },
  settleMs: 120_000,
} as const;

/**
 * Nothing lost, doubled or out of order in the log, and the counts right. The consumer that watches on the way delivers
 * at least once: it may have lost its session like any other, so it is asked only whether it has seen everything.
 */
export function expectExactlyOnceInTheLog(verdict: Verdict): void {
  expect(verdict).toMatchObject({ lost: 0, doubled: 0, disordered: 0, stopped: [] });
  expect(verdict.wrongCounts).toEqual({ changelog: 0, sent: 0 });
  expect(verdict.live.seen).toBe(verdict.records);
}
