import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TransactionClock } from "../../../src/processor/transaction-clock.js";
import { deferred } from "../../../src/waiting.js";

let clock: TransactionClock;

beforeEach(() => {
  vi.useFakeTimers();
  clock = new TransactionClock(100);
});
afterEach(() => {
  vi.useRealTimers();
});

test("a transaction is over when its interval has passed since its first record", async () => {
  clock.start();
  const over = clock.until(() => clock.isOver);
  await vi.advanceTimersByTimeAsync(99);
  expect(clock.isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await over;
  expect(clock.isOver).toBe(true);
});

test("the next transaction has an interval of its own", async () => {
  clock.start();
  await vi.advanceTimersByTimeAsync(60);
  clock.end();
  clock.start();
  await vi.advanceTimersByTimeAsync(60);
  expect(clock.isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(40);
  expect(clock.isOver).toBe(true);
  clock.end();
  expect(clock.isOver).toBe(false);
});

test("it is over at once while somebody cannot wait", async () => {
  const work = deferred();
  const hurried = clock.hurryDuring(() => work.promise);
  expect(clock.isOver).toBe(true);
  work.reject(new Error("it failed"));
  await expect(hurried).rejects.toThrow("it failed");
  expect(clock.isOver).toBe(false);
});

test("a condition is looked at again at each ring", async () => {
  let looks = 0;
  const done = clock.until(() => (looks += 1) === 3);
  for (const seen of [1, 2, 3]) {
    expect(looks).toBe(seen);
    clock.ring();
    await vi.advanceTimersByTimeAsync(0);
  }
  await done;
});

test("whoever waits for the end rings, and waits no longer than told", async () => {
  let rung = 0;
  void clock.until(() => (rung += 1) > 10);
  let ended = 0;
  void clock.untilEnd(1_000).then(() => (ended += 1));
  await vi.advanceTimersByTimeAsync(0);
  expect([rung, ended]).toEqual([2, 0]);
  clock.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toBe(1);
  void clock.untilEnd(1_000).then(() => (ended += 1));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ended).toBe(2);
});
