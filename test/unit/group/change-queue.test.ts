import { setImmediate as settled } from "node:timers/promises";
import { expect, test } from "vitest";
import { ChangeQueue } from "../../../src/group/change-queue.js";
import { deferred } from "../../../src/waiting.js";

test("runs changes one after the other, in the order asked for", async () => {
  const order: string[] = [];
  const queue = new ChangeQueue(() => undefined);
  const first = deferred();
  const change = (name: string, until?: Promise<void>) => async () => {
    order.push(`${name} begins`);
    await until;
    order.push(`${name} ends`);
  };
  void queue.run(change("first", first.promise));
  const second = queue.run(change("second"));
  await settled();
  expect(order).toEqual(["first begins"]);
  first.resolve();
  await second;
  expect(order).toEqual(["first begins", "first ends", "second begins", "second ends"]);
});

test("a change that fails is told, and those behind it run", async () => {
  const errors: unknown[] = [];
  const queue = new ChangeQueue((error) => errors.push(error));
  const failure = new Error("rebalance");
  await queue.run(() => Promise.reject(failure));
  let hasRun = false;
  await queue.run(() => Promise.resolve(void (hasRun = true)));
  expect(errors).toEqual([failure]);
  expect(hasRun).toBe(true);
  await queue.idle;
});
