import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { backoff, deferred, unlessAborted } from "../../src/waiting.js";

test("a backoff doubles from the first pause to the longest, however often it is asked", () => {
  const pauseMs = backoff(100, 1_000);
  expect([0, 1, 2, 3, 4, 5].map(pauseMs)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(pauseMs(100_000)).toBe(1_000);
});

test("a race against a signal settles as the promise does where that is first", async () => {
  const { signal } = new AbortController();
  await expect(unlessAborted(Promise.resolve(1), signal)).resolves.toBe(1);
  await expect(unlessAborted(Promise.reject(new Error("its own")), signal)).rejects.toThrow("its own");
  await expect(unlessAborted(Promise.resolve(2), undefined)).resolves.toBe(2);
});

test("a race against a signal rejects with its reason, and what the promise comes to later is no unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => {
    unhandled.push(reason);
  };
  process.on("unhandledRejection", note);
  const { promise, reject } = deferred<never>();
  const controller = new AbortController();
  const reason = new Error("closed");
  const race = unlessAborted(promise, controller.signal);
  controller.abort(reason);
  await expect(race).rejects.toBe(reason);
  await expect(unlessAborted(new Promise(() => {}), controller.signal)).rejects.toBe(reason);
  reject(new Error("too late"));
  await nextTurn();
  await nextTurn();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
