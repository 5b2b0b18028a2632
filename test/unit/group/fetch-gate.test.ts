import { setImmediate as settled } from "node:timers/promises";
import { expect, test } from "vitest";
import { FetchGate } from "../../../src/group/fetch-gate.js";

test("a change waits for all fetches under way, and none may begin meanwhile", async () => {
  const order: string[] = [];
  const gate = new FetchGate(() => order.push(gate.isClosed ? "still closed" : "open"));
  gate.enter();
  gate.enter();
  const change = gate.exclusively(() => void order.push("change"));
  expect(gate.isClosed).toBe(true);
  gate.leave();
  await settled();
  expect(order).toEqual([]);
  gate.leave();
  await change;
  expect(order).toEqual(["change", "open"]);
  expect(gate.isClosed).toBe(false);
});

test("a change waits for a single fetch too", async () => {
  const order: string[] = [];
  const gate = new FetchGate(() => undefined);
  gate.enter();
  const change = gate.exclusively(() => void order.push("change"));
  await settled();
  expect(order).toEqual([]);
  gate.leave();
  await change;
  expect(order).toEqual(["change"]);
});

test("a change with no fetch under way runs at once, and the gate stays closed until it has ended", async () => {
  const gate = new FetchGate(() => undefined);
  let end = (): void => undefined;
  const change = gate.exclusively(() => new Promise((resolve) => (end = resolve)));
  expect(gate.isClosed).toBe(true);
  await settled();
  expect(gate.isClosed).toBe(true);
  end();
  await change;
  expect(gate.isClosed).toBe(false);
});

test("opens after a change that fails too, and passes its error on", async () => {
  let opened = 0;
  const gate = new FetchGate(() => (opened += 1));
  const failing = gate.exclusively(() => Promise.reject(new Error("no seek")));
  await expect(failing).rejects.toThrow("no seek");
  expect(gate.isClosed).toBe(false);
  expect(opened).toBe(1);
});
