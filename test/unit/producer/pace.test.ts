import { describe, expect, test } from "vitest";
import { Pace } from "../../../src/producer/pace.js";

describe("the pace of a producer", () => {
  test("lets records leave at once while few are on their way", () => {
    const pace = new Pace();
    for (let now = 0; now < 1_000; now += 10) expect(pace.gathers(100, now)).toBe(false);
  });

  test("gathers once many have been on their way for a while", () => {
    const pace = new Pace();
    expect(pace.gathers(1_000, 0)).toBe(false);
    expect(pace.gathers(1_000, 40)).toBe(false);
    expect(pace.gathers(1_000, 60)).toBe(true);
  });

  test("does not gather for bursts: what comes all at once and is awaited gains nothing by waiting", () => {
    const pace = new Pace();
    for (let now = 0; now < 1_000; now += 20) {
      expect(pace.gathers(10_000, now)).toBe(false);
      expect(pace.gathers(0, now + 10)).toBe(false);
    }
  });

  test("goes on gathering through small dips, and stops when few are left", () => {
    const pace = new Pace();
    pace.gathers(1_000, 0);
    expect(pace.gathers(1_000, 100)).toBe(true);
    expect(pace.gathers(300, 110)).toBe(true);
    expect(pace.gathers(200, 120)).toBe(false);
    expect(pace.gathers(1_000, 130)).toBe(false);
  });
});
