import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FailedRecord } from "../../../src/delivery/failed-record.js";
import type { RecordFailures } from "../../../src/delivery/record-failures.js";
import { ConfigError, ConnectionError } from "../../../src/errors.js";
import type { Failure, Outcome } from "../../../src/failure/failure-policy.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { rawRecord } from "../group/records.js";
import { deliveryHost } from "./host.js";

/** A record that failed; the policy, where there is one, decides for `outcome`. */
function setUp(outcome?: Outcome) {
  const partition = new OwnedPartition({ topic: "topic", partition: 0 });
  const asked: Failure[] = [];
  const waiting: unknown[] = [];
  const settledBy: string[] = [];
  const failures = {
    policy: {
      onFailure: (failure: Failure) => {
        asked.push(failure);
        return outcome;
      },
    },
    skip: () => {
      settledBy.push("skip");
      return { result: "skipped" };
    },
    move: () => {
      settledBy.push("move");
      return Promise.resolve(undefined);
    },
  } as unknown as RecordFailures;
  const host = deliveryHost({
    failures: outcome && failures,
    waiting: (_, error) => waiting.push(error),
  });
  const failed = new FailedRecord(host, partition, rawRecord(7));
  return { failed, partition, asked, waiting, settledBy };
}

const error = new Error("it failed");
const move: Outcome = { action: "move", to: "dead-letter", move: { topic: "letters", record: {} as never } };

describe("a record that failed", () => {
  beforeEach(() => {
    // The longest waits that jitter leaves.
    vi.spyOn(Math, "random").mockReturnValue(1 - Number.EPSILON);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("stops the client with its own error where there is no policy", () => {
    const { failed } = setUp();
    expect(() => failed.decide(error, 1, true)).toThrow(error);
    expect(() => failed.decide(error, 0, false)).toThrow(error);
  });

  test("stops the client with the policy's error where nothing is left to do", () => {
    const exhausted = new Error("all attempts failed");
    const { failed } = setUp({ action: "fail", error: exhausted });
    expect(() => failed.decide(error, 3, true)).toThrow(exhausted);
  });

  test("goes on as the policy decides, which is told the record and the call", () => {
    const { failed, asked } = setUp({ action: "retry", delayMs: 5 });
    expect(failed.decide(error, 2, true)).toEqual({ action: "retry", delayMs: 5 });
    expect(asked).toMatchObject([{ raw: { offset: 7 }, error, attempt: 2 }]);
  });

  test("waits longer and longer while what its serde needs is unavailable, and the policy is not asked", () => {
    const { failed, asked, waiting } = setUp({ action: "skip" });
    const outage = new ConnectionError("nobody answers");
    const delays = [1, 2, 3].map(() => {
      const verdict = failed.decide(outage, 0, false);
      return verdict?.action === "retry" ? Math.round(verdict.delayMs) : undefined;
    });
    expect(delays).toEqual([200, 400, 800]);
    expect(waiting).toEqual([outage, outage, outage]);
    expect(asked).toEqual([]);
    expect(failed.decide(new ConfigError("schema", "is not for this"), 0, false)).toEqual({ action: "skip" });
  });

  test("whose handler threw an error of the kind of an outage is the policy's to decide", () => {
    const { failed, asked } = setUp({ action: "skip" });
    expect(failed.decide(new ConnectionError("the handler's own"), 1, true)).toEqual({ action: "skip" });
    expect(asked).toHaveLength(1);
  });

  test.each([
    ["was lost", (partition: OwnedPartition) => partition.lose("to another member"), true],
    ["was lost while it was decoded", (partition: OwnedPartition) => partition.lose("to another"), false],
    ["moves while it is decoded", (partition: OwnedPartition) => partition.beginSeek(), false],
  ])("is left to whoever reads it next where its partition %s", (_, happen, isDecoded) => {
    const { failed, partition, asked } = setUp(move);
    happen(partition);
    expect(failed.decide(error, isDecoded ? 1 : 0, isDecoded)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test("whose handler threw while the partition moves is told all the same", () => {
    const { failed, partition } = setUp();
    partition.beginSeek();
    expect(() => failed.decide(error, 1, true)).toThrow(error);
  });

  test("is finished by skipping it or by writing it elsewhere", async () => {
    const { failed, settledBy } = setUp(move);
    expect(failed.settle({ action: "skip" }, error)).toEqual({ result: "skipped" });
    expect(await failed.settle(move, error)).toBeUndefined();
    expect(settledBy).toEqual(["skip", "move"]);
  });
});
