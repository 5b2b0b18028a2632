import { beforeEach, describe, expect, test } from "vitest";
import type { OwnedPartition } from "../../../src/group/owned-partition.js";
import { AuthorizationError, KafkaError } from "../../../src/errors.js";
import type { EnteredCalls, Finished } from "../../../src/processor/finished.js";
import { Intake } from "../../../src/processor/intake.js";
import { RefusedOutputs } from "../../../src/processor/refused-outputs.js";
import { Rewinds } from "../../../src/processor/rewinds.js";
import { TransactionClock } from "../../../src/processor/transaction-clock.js";
import { silent } from "../../support/silent.js";
import { handled, partitionWith } from "./partitions.js";

const error = new KafkaError("RECORD_REFUSED", "its timestamp", { nativeCode: 32 });
let partition: OwnedPartition;
let outputs: RefusedOutputs;

beforeEach(() => {
  partition = partitionWith(100);
  outputs = new RefusedOutputs();
});

const calls = (count: number): EnteredCalls => ({ count, first: handled(partition, "out") });

describe("a transaction that is refused for good", () => {
  test("is tried with half as many calls, down to one, which is the one", () => {
    const one = calls(1);
    expect(outputs.callLimit).toBe(Infinity);
    expect(outputs.refused(calls(10), error)).toBe(true);
    expect(outputs.callLimit).toBe(5);
    expect(outputs.refused(calls(5), error)).toBe(true);
    expect(outputs.refused(calls(2), error)).toBe(true);
    expect(outputs.callLimit).toBe(1);
    expect(outputs.at(partition, 0)).toBeUndefined();
    expect(outputs.refused(one, error)).toBe(true);
    expect(outputs.at(partition, 0)).toEqual({ error, calls: 1 });
    outputs.refused(one, error);
    expect(outputs.at(partition, 0)).toEqual({ error, calls: 2 });
    expect(outputs.at(partition, 1)).toBeUndefined();
  });

  test("lets more calls into those after it, twice as many after each that is committed", () => {
    outputs.refused(calls(2), error);
    for (const limit of [2, 4, 8]) {
      outputs.committed([partition]);
      expect(outputs.callLimit).toBe(limit);
    }
    for (let times = 0; times < 20; times += 1) outputs.committed([partition]);
    expect(outputs.callLimit).toBe(Infinity);
  });

  test("is forgotten once the offset of its record is committed", () => {
    outputs.refused(calls(1), error);
    outputs.committed([partition]);
    expect(outputs.at(partition, 0)).toBeDefined();
    partition.finish(0);
    outputs.committed([partition]);
    expect(outputs.at(partition, 0)).toBeUndefined();
  });

  test.each([
    ["nothing was sent", () => ({ count: 0, first: undefined }), error],
    ["the one call was for a batch", () => ({ count: 1, first: handled(partition, "out", 2) }), error],
    [
      "the call was for no record",
      () => ({ count: 1, first: { parts: [{ partition, offsets: [] }], sends: [] } }),
      error,
    ],
    ["the principal may not use the group", () => calls(1), new AuthorizationError("no", { nativeCode: 30 })],
  ])("is nothing for the policy of a record where %s", (_, made, cause) => {
    expect(outputs.refused(made(), cause)).toBe(false);
  });

  test("may be refused for want of a permission on the output topic", () => {
    expect(outputs.refused(calls(1), new AuthorizationError("no", { nativeCode: 29 }))).toBe(true);
  });
});

test("while calls are counted, those that finish out of order enter one by one, in the order of the log", () => {
  const sent: string[] = [];
  let callLimit = 1;
  const runner = {
    send: (topic: string) => void sent.push(topic),
    isFull: false,
    drained: () => Promise.resolve(),
  };
  const intake = new Intake(runner, new Rewinds(silent), new TransactionClock(60_000), 1_000, {
    partitions: () => [partition],
    onReady: () => {},
    onReadAgain: () => [],
    callLimit: () => callLimit,
  });
  const [first, second, third] = ["first", "second", "third"].map((topic) => handled(partition, topic)) as [
    Finished,
    Finished,
    Finished,
  ];
  const next = (): void => {
    intake.close();
    intake.transaction.take();
    intake.open();
  };
  intake.open();
  intake.take(third);
  intake.take(second);
  expect(sent).toEqual([]);
  intake.take(first);
  expect(sent).toEqual(["first"]);
  expect(intake.calls).toEqual({ count: 1, first });
  expect(intake.isFull).toBe(true);
  next();
  expect(sent).toEqual(["first", "second"]);
  callLimit = Infinity;
  next();
  expect(sent).toEqual(["first", "second", "third"]);
});
