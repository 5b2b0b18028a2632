import { expect, test } from "vitest";
import { observedBatchHandler, observedHandler, observedIterator } from "../../../src/delivery/observed.js";
import type { Ended, ProcessActivity } from "../../../src/telemetry/activities.js";
import { ClientTelemetry } from "../../../src/telemetry/client-telemetry.js";
import { silent } from "../../support/silent.js";

const context = { signal: new AbortController().signal, attempt: 2 };

async function* lettersFrom(onLeft: () => void): AsyncGenerator<string> {
  try {
    for (const letter of ["a", "b", "c"]) yield await Promise.resolve(letter);
  } finally {
    onLeft();
  }
}

/** Telemetry that notes what begins and how it ends. */
function noting() {
  const begun: ProcessActivity[] = [];
  const ended: Ended[] = [];
  const telemetry = new ClientTelemetry(
    {
      onProcess: (activity) => {
        begun.push(activity);
        return { end: (end) => ended.push(end) };
      },
    },
    { clientId: "c" },
    silent,
  );
  return { telemetry, begun, ended };
}

test("without telemetry the handler and the iterator are the user's own", () => {
  const handler = (): void => undefined;
  const iterator = lettersFrom(() => undefined);
  expect(observedHandler(undefined, "g", handler)).toBe(handler);
  expect(observedBatchHandler(undefined, "g", handler)).toBe(handler);
  expect(observedIterator(undefined, "g", iterator)).toBe(iterator);
});

test("a handler that finishes at once costs no promise", () => {
  const { telemetry, begun, ended } = noting();
  expect(observedHandler(telemetry, "g", () => 7)("record" as never, context)).toBe(7);
  expect(begun).toEqual([{ groupId: "g", records: ["record"], isBatch: false, attempt: 2 }]);
  expect(ended).toEqual([{}]);
});

test("a handler that takes time has ended when its promise has", async () => {
  const { telemetry, begun, ended } = noting();
  const calling = observedBatchHandler(telemetry, "g", async () => {
    await Promise.resolve();
    return 7;
  })(["a", "b"] as never, context);
  expect(begun).toEqual([{ groupId: "g", records: ["a", "b"], isBatch: true, attempt: 2 }]);
  expect(ended).toEqual([]);
  expect(await calling).toBe(7);
  expect(ended).toEqual([{}]);
});

test("what a handler throws is told and thrown, whatever it is", async () => {
  const { telemetry, ended } = noting();
  for (const error of [new Error("mine"), undefined]) {
    const throwing = observedHandler(telemetry, "g", () => {
      throw error;
    });
    const rejecting = observedHandler(telemetry, "g", () => Promise.reject(error));
    for (const handler of [throwing, rejecting]) {
      const calling = Promise.resolve().then(() => handler("record" as never, context));
      const outcome = await calling.then(
        () => "resolved",
        (thrown: unknown) => ({ thrown }),
      );
      expect(outcome).toEqual({ thrown: error });
    }
  }
  expect(ended).toHaveLength(4);
  for (const end of ended) expect(end).toHaveProperty("error");
});

test("a loop has each record until it asks for the next one, or is left", async () => {
  const { telemetry, begun, ended } = noting();
  let left = false;
  const source = lettersFrom(() => {
    left = true;
  });
  for await (const record of observedIterator(telemetry, "g", source)) {
    expect([begun.length, ended.length]).toEqual(record === "a" ? [1, 0] : [2, 1]);
    if (record === "b") break;
  }
  expect(left).toBe(true);
  expect(ended).toEqual([{}, {}]);
});

test("a record is no longer in hand once the next one is asked for, however long that takes to come", async () => {
  const { telemetry, begun, ended } = noting();
  const iterator = observedIterator(
    telemetry,
    "g",
    lettersFrom(() => undefined),
  );
  await iterator.next();
  const next = iterator.next();
  expect([begun.length, ended.length]).toEqual([1, 1]);
  await next;
  // Calls that overlap: whoever has the later record has the one before, too.
  await Promise.all([iterator.next(), iterator.next()]);
  expect([begun.length, ended.length]).toEqual([3, 3]);
});
