import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KafkaError, TimeoutError } from "../../../src/errors.js";
import type { PartitionerFunction } from "../../../src/producer/options.js";
import { Partitions } from "../../../src/producer/partitions.js";
import type { EncodedRecord } from "../../../src/record.js";

const recordTo = (partition?: number, key = "k"): EncodedRecord => ({
  key: Buffer.from(key),
  value: null,
  headers: undefined,
  partition,
  timestamp: undefined,
  size: 1,
});

function partitionsOf(
  answers: (number | undefined | Error)[],
  partitioner?: PartitionerFunction,
): { partitions: Partitions; asked: () => number } {
  let asked = 0;
  const ask = async (): Promise<number | undefined> => {
    await Promise.resolve();
    const answer = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return {
    partitions: new Partitions({ ask, partitioner, maxAgeMs: 30_000, timeoutMs: 60_000 }),
    asked: () => asked,
  };
}

const codeOf = (error: unknown): unknown => (error as KafkaError).code;

describe("the partitions that records name", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("need no look at the topic for one record, which the native client can refuse by itself", () => {
    const { partitions } = partitionsOf([3]);
    expect(partitions.areNeededFor([recordTo(9)])).toBe(false);
    expect(partitions.areNeededFor([recordTo(), recordTo()])).toBe(false);
    expect(partitions.areNeededFor([recordTo(), recordTo(0)])).toBe(true);
  });

  test("are checked against the topic before anything is sent", async () => {
    const { partitions } = partitionsOf([3]);
    await expect(partitions.choose("t", [recordTo(2), recordTo()])).resolves.toHaveLength(2);
    expect(() => partitions.choose("t", [recordTo(0), recordTo(3)])).toThrow(
      "there is no partition 3, the topic has 3",
    );
  });

  test("are asked for once, by all who need them at the same time", async () => {
    const { partitions, asked } = partitionsOf([3]);
    await Promise.all([partitions.choose("t", [recordTo(0)]), partitions.choose("t", [recordTo(1)])]);
    expect(partitions.choose("t", [recordTo(2)])).not.toBeInstanceOf(Promise);
    expect(asked()).toBe(1);
  });

  test("that are new are found, though not by asking for every record", async () => {
    const { partitions, asked } = partitionsOf([3, 3, 6]);
    await partitions.choose("t", [recordTo(0)]);
    expect(() => partitions.choose("t", [recordTo(5)])).toThrow(KafkaError);
    await vi.advanceTimersByTimeAsync(1_500);
    await expect(partitions.choose("t", [recordTo(5)])).rejects.toThrow("no partition 5");
    await vi.advanceTimersByTimeAsync(1_500);
    await expect(partitions.choose("t", [recordTo(5)])).resolves.toHaveLength(1);
    expect(asked()).toBe(3);
  });

  test("of a topic that is just being made are waited for", async () => {
    const { partitions } = partitionsOf([undefined, undefined, 4]);
    const chosen = partitions.choose("t", [recordTo(3)]);
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(chosen).resolves.toHaveLength(1);
  });

  test("are asked for again while no broker answers", async () => {
    const { partitions } = partitionsOf([new TimeoutError("nobody"), 4]);
    const chosen = partitions.choose("t", [recordTo(3)]);
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(chosen).resolves.toHaveLength(1);
  });
});

describe("a partitioner of the user's", () => {
  test("chooses for records that name no partition, by key, count and topic", async () => {
    const partitioner = vi.fn<PartitionerFunction>(() => 2);
    const { partitions } = partitionsOf([5], partitioner);
    const chosen = await partitions.choose("t", [recordTo(undefined, "a"), recordTo(4, "b")]);
    expect(chosen.map(({ partition }) => partition)).toEqual([2, 4]);
    expect(partitioner.mock.calls).toEqual([[Buffer.from("a"), 5, "t"]]);
  });

  test.each([5, -1, 1.5, undefined, "1"])("that gives %s fails the call", async (answer) => {
    const { partitions } = partitionsOf([5], () => answer as number);
    const error: unknown = await Promise.resolve(partitions.choose("t", [recordTo()])).catch(
      (reason: unknown) => reason,
    );
    expect(codeOf(error)).toBe("UNKNOWN_PARTITION");
  });

  test("that throws fails the call with its own error", async () => {
    const mine = new Error("mine");
    const { partitions } = partitionsOf([5], () => {
      throw mine;
    });
    await expect(partitions.choose("t", [recordTo()])).rejects.toBe(mine);
  });

  test("cannot choose for a topic that does not exist", async () => {
    vi.useFakeTimers();
    try {
      const { partitions } = partitionsOf([undefined], () => 0);
      const chosen = Promise.resolve(partitions.choose("t", [recordTo()])).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(6_000);
      expect(codeOf(await chosen)).toBe("UNKNOWN_TOPIC");
    } finally {
      vi.useRealTimers();
    }
  });
});
