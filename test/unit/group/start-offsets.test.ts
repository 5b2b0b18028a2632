import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { askStartOffsets, startOffsetsOf, type OffsetSource } from "../../../src/group/start-offsets.js";
import { logStart } from "../../../src/driver/log-times.js";
import { AuthorizationError, ConnectionError, TimeoutError } from "../../../src/errors.js";

const partitions = [0, 1, 2, 3].map((partition) => ({ topic: "topic", partition }));
const never = (): boolean => false;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A cluster of two brokers, which lead the even and the odd partitions; each log has ten records more than its number. */
function cluster() {
  const leaderless = new Set<number>();
  let silent: number | undefined;
  const source = {
    committed: vi.fn<OffsetSource["committed"]>((partitions) =>
      Promise.resolve(partitions.map((partition) => ({ ...partition, offset: -1 }))),
    ),
    ends: vi.fn<OffsetSource["ends"]>(async (partitions, timeoutMs) => {
      if (partitions.some(({ partition }) => partition % 2 === silent)) {
        await vi.advanceTimersByTimeAsync(timeoutMs);
        throw new TimeoutError("ends of logs: timed out");
      }
      return partitions.map(({ partition }) =>
        leaderless.has(partition) ? new ConnectionError("leader not available") : 10 + partition,
      );
    }),
    watermarks: vi.fn<OffsetSource["watermarks"]>(({ partition }) =>
      Promise.resolve({ low: partition, high: 10 + partition }),
    ),
    leadersOf: vi.fn<OffsetSource["leadersOf"]>(() =>
      Promise.resolve(new Map(partitions.map(({ partition }) => [partition, partition % 2]))),
    ),
  };
  return { source, leaderless, silence: (broker?: number) => void (silent = broker) };
}

/** What the promise resolves to, while time passes. */
async function passing<Result>(promise: Promise<Result>): Promise<Result> {
  const outcome = Promise.allSettled([promise]);
  await vi.runAllTimersAsync();
  await outcome;
  return promise;
}

const offsets = (begins: readonly { readonly partition: number; readonly offset: number }[]) =>
  Object.fromEntries(begins.map(({ partition, offset }) => [partition, offset]));

describe("where a group begins that has committed nothing", () => {
  test("is the end of each log", async () => {
    const { source } = cluster();
    const begins = startOffsetsOf(source, partitions, never, never);
    expect(offsets(await begins)).toEqual({ 0: 10, 1: 11, 2: 12, 3: 13 });
    expect(source.ends).toHaveBeenCalledOnce();
  });

  test("a partition without a leader keeps the others for a moment only", async () => {
    const { source, leaderless } = cluster();
    leaderless.add(2);
    const begin = performance.now();
    expect(offsets(await passing(startOffsetsOf(source, partitions, never, never)))).toEqual({
      0: 10,
      1: 11,
      2: 0,
      3: 13,
    });
    expect(performance.now() - begin).toBeLessThan(1_000);
  });

  test("a leader that comes in that moment tells the end", async () => {
    const { source, leaderless } = cluster();
    leaderless.add(2);
    setTimeout(() => {
      leaderless.clear();
    }, 250);
    expect(offsets(await passing(startOffsetsOf(source, partitions, never, never)))[2]).toBe(12);
  });

  test("a leader that says nothing does not keep the others from telling", async () => {
    const { source, silence } = cluster();
    silence(1);
    const begin = performance.now();
    expect(offsets(await startOffsetsOf(source, partitions, never, never))).toEqual({
      0: 10,
      1: 0,
      2: 12,
      3: 0,
    });
    expect(performance.now() - begin).toBeLessThan(5_000);
  });

  test("nobody is asked any more once it is over", async () => {
    const { leaderless, source } = cluster();
    leaderless.add(0);
    let isOver = false;
    source.ends.mockImplementationOnce((asked) => {
      isOver = true;
      return Promise.resolve(asked.map(() => new ConnectionError("leader not available")));
    });
    await passing(startOffsetsOf(source, partitions, never, () => isOver));
    expect(source.ends).toHaveBeenCalledOnce();
  });

  test.each(["committed", "ends"] as const)("a refusal of %s is told at once", async (name) => {
    const { source } = cluster();
    const refusal = new AuthorizationError("no");
    source[name].mockRejectedValue(refusal);
    await expect(startOffsetsOf(source, partitions, never, never)).rejects.toBe(refusal);
    expect(source[name]).toHaveBeenCalledOnce();
  });

  test("is the first record where the topic begins at it", async () => {
    const { source } = cluster();
    const starts = await startOffsetsOf(source, partitions, () => true, never);
    expect(new Set(starts.map(({ offset, at }) => `${at} ${String(offset)}`))).toEqual(
      new Set([`first ${String(logStart)}`]),
    );
    expect(source.ends).not.toHaveBeenCalled();
  });

  test("is the committed offset where there is one", async () => {
    const { source } = cluster();
    source.committed.mockResolvedValueOnce(
      partitions.map((each) => ({ ...each, offset: each.partition - 1 })),
    );
    const starts = await startOffsetsOf(source, partitions, () => true, never);
    expect(starts.map(({ at, offset }) => [at, offset])).toEqual([
      ["first", logStart],
      ["committed", 0],
      ["committed", 1],
      ["committed", 2],
    ]);
  });

  test("is not known while the committed offsets are not told, whatever a topic begins at", async () => {
    for (const beginsAtFirst of [() => true, never]) {
      const { source } = cluster();
      source.committed.mockRejectedValueOnce(new TimeoutError("a transaction is open"));
      const starts = await startOffsetsOf(source, partitions, beginsAtFirst, never);
      // A number: for a place that has to be asked for, the native client would go there later.
      for (const { at, offset } of starts) expect([at, offset]).toEqual(["unknown", 0]);
      expect(source.ends).not.toHaveBeenCalled();
    }
  });

  test("a refusal of one partition is told at once", async () => {
    const { source } = cluster();
    const refusal = new AuthorizationError("no");
    source.ends.mockImplementation((partitions) => Promise.resolve(partitions.map(() => refusal)));
    await expect(startOffsetsOf(source, partitions, never, never)).rejects.toBe(refusal);
  });
});

describe("what could not be asked at first", () => {
  test("is asked until it is known or not wanted any more", async () => {
    const { source, leaderless } = cluster();
    for (const partition of [0, 1, 2]) leaderless.add(partition);
    const wanted = new Set(partitions);
    setTimeout(() => leaderless.delete(1), 60_000);
    setTimeout(() => leaderless.delete(2), 120_000);
    setTimeout(() => wanted.clear(), 600_000);
    const known: [number, number][] = [];
    await passing(
      askStartOffsets(
        source,
        () => [...wanted],
        never,
        (partition, { offset, at }) => {
          wanted.delete(partition);
          known.push([partition.partition, offset]);
          expect(at).toBe("end");
        },
      ),
    );
    expect(known).toEqual([
      [3, 13],
      [1, 11],
      [2, 12],
    ]);
  });

  test("is asked partition by partition: an open transaction with the offsets of one does not keep the others", async () => {
    const { source } = cluster();
    let isOpen = true;
    source.committed.mockImplementation(async (asked, timeoutMs) => {
      if (isOpen && asked.some(({ partition }) => partition === 2)) {
        await vi.advanceTimersByTimeAsync(timeoutMs);
        throw new TimeoutError("committed offsets: timed out");
      }
      return asked.map((each) => ({ ...each, offset: [-1, 5, 7, -1][each.partition] ?? -1 }));
    });
    setTimeout(() => (isOpen = false), 30_000);
    const wanted = new Set(partitions);
    const known: unknown[] = [];
    await passing(
      askStartOffsets(
        source,
        () => [...wanted],
        (topic) => topic === "topic",
        (partition, { offset, at }) => {
          wanted.delete(partition);
          known.push([partition.partition, at, offset, isOpen]);
        },
      ),
    );
    expect(known).toEqual([
      [1, "committed", 5, true],
      [0, "first", 0, true],
      [3, "first", 3, true],
      [2, "committed", 7, false],
    ]);
  });

  test("is asked together where nobody tells who leads", async () => {
    const { source, silence } = cluster();
    source.leadersOf.mockRejectedValue(new TimeoutError("metadata: timed out"));
    silence(1);
    const wanted = new Set(partitions);
    setTimeout(() => {
      silence();
    }, 10_000);
    await passing(
      askStartOffsets(
        source,
        () => [...wanted],
        never,
        (partition) => void wanted.delete(partition),
      ),
    );
    expect(wanted.size).toBe(0);
  });
});
