import { describe, expect, test } from "vitest";
import { ClientTelemetry } from "../../../src/telemetry/client-telemetry.js";
import type { Telemetry } from "../../../src/telemetry/telemetry.js";
import { silent } from "../../support/silent.js";

const commit = { groupId: "g", topics: ["t"] };
const processed = { groupId: "g", records: [], isBatch: false, attempt: 1 };
const send = { topic: "t", batch: undefined, isTombstone: false, isTransactional: false };

function setUp(telemetry: Telemetry) {
  const warnings: unknown[] = [];
  const logger = {
    ...silent,
    warn: (message: string, fields?: unknown) => warnings.push([message, fields]),
  };
  return { watched: new ClientTelemetry(telemetry, { clientId: "c" }, logger), warnings };
}

describe("what runs as a part of an operation", () => {
  const broken = new Error("broken");
  test.each<[string, (work: () => void) => void]>([
    ["calls it", (work) => work()],
    ["does not call it", () => undefined],
    [
      "calls it twice",
      (work) => {
        work();
        work();
      },
    ],
    [
      "throws before",
      () => {
        throw broken;
      },
    ],
    [
      "throws after",
      (work) => {
        work();
        throw broken;
      },
    ],
  ])("runs once and gives its result, where telemetry %s", (_, run) => {
    const { watched } = setUp({ onProcess: () => ({ run, end: () => undefined }) });
    let calls = 0;
    expect(watched.onProcess(processed).run(() => ++calls)).toBe(1);
    const mine = new Error("mine");
    let thrown: unknown;
    try {
      watched.onProcess(processed).run(() => {
        throw mine;
      });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBe(mine);
  });
});

test("what telemetry throws is logged once for each of its functions", () => {
  const broken = new Error("broken");
  const fail = (): never => {
    throw broken;
  };
  const { watched, warnings } = setUp({ onCommit: () => ({ end: fail }), onTransaction: fail });
  for (let call = 0; call < 3; call += 1) {
    watched.onCommit(commit).end({});
    watched.onTransaction({ transactionalId: "x" }).end({});
  }
  expect(warnings).toEqual(
    ["end of onCommit", "onTransaction"].map((what) => [
      `telemetry: ${what} threw. It changes nothing, and is not logged again`,
      { error: broken },
    ]),
  );
});

test("headers that are no texts are not sent", () => {
  const headers = { a: 1 } as unknown as Record<string, string>;
  const { watched, warnings } = setUp({ onSend: () => ({ headers, end: () => undefined }) });
  expect(watched.onSend(send).headers).toBeUndefined();
  expect(warnings).toHaveLength(1);
});

test("functions may be missing, and keep their object", () => {
  expect(
    setUp({})
      .watched.onProcess(processed)
      .run(() => 1),
  ).toBe(1);
  class Counting implements Telemetry {
    failures = 0;
    clientId: string | undefined;
    onFailure: Telemetry["onFailure"] = function (this: Counting, _, client) {
      this.failures += 1;
      this.clientId = client.clientId;
    };
  }
  const counting = new Counting();
  const { watched, warnings } = setUp(counting);
  watched.onFailure({ groupId: "g", topic: "t", reason: "handler", action: "retry" });
  expect(counting).toMatchObject({ failures: 1, clientId: "c" });
  expect(warnings).toEqual([]);
});
