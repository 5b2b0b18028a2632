import fc from "fast-check";
import { expect, test } from "vitest";
import { retryDelay } from "../../../src/failure/retry-delays.js";

const backoffs = fc.record({
  initialDelayMs: fc.integer({ min: 1, max: 3_600_000 }),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  maxDelayMs: fc.integer({ min: 1, max: 86_400_000 }),
  jitter: fc.boolean(),
});
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("is a whole number from 1 to the cap, at any attempt", () => {
  fc.assert(
    fc.property(backoffs, fc.integer({ min: 1, max: 1_000 }), chance, (backoff, attempt, random) => {
      const delay = retryDelay(backoff, attempt, () => random);
      expect(Number.isInteger(delay)).toBe(true);
      expect(delay).toBeGreaterThanOrEqual(1);
      expect(delay).toBeLessThanOrEqual(backoff.maxDelayMs);
    }),
  );
});

test("grows with the attempts until the cap", () => {
  const backoff = { initialDelayMs: 200, factor: 2, maxDelayMs: 1_000, jitter: false };
  expect([1, 2, 3, 4, 5].map((attempt) => retryDelay(backoff, attempt, Math.random))).toEqual([
    200, 400, 800, 1_000, 1_000,
  ]);
});

test("with jitter spreads evenly from 1 to the delay", () => {
  const backoff = { initialDelayMs: 100, factor: 2, maxDelayMs: 1_000, jitter: true };
  expect(retryDelay(backoff, 2, () => 0)).toBe(1);
  expect(retryDelay(backoff, 2, () => 0.5)).toBe(101);
  expect(retryDelay(backoff, 2, () => 0.999999)).toBe(200);
});
