import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { askEnds, startOffsetsOf, type OffsetSource } from "../../../src/group/start-offsets.js";
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
      2: -1,
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
      1: -1,
      2: 12,
      3: -1,
    });
    expect(performance.now() - begin).toBeLessThan(5_000);
  });

  test("is asked for as long as the group's coordinator is away", async () => {
    const { source } = cluster();
    for (let time = 0; time < 20; time += 1) source.committed.mockRejectedValueOnce(new TimeoutError("away"));
    expect(offsets(await passing(startOffsetsOf(source, partitions, never, never)))[3]).toBe(13);
  });

  test("nobody is asked any more once it is over", async () => {
    const { source } = cluster();
    source.committed.mockRejectedValue(new TimeoutError("away"));
    let isOver = false;
    setTimeout(() => (isOver = true), 10_000);
    expect(await passing(startOffsetsOf(source, partitions, never, () => isOver))).toEqual([]);
    const { leaderless, source: other } = cluster();
    leaderless.add(0);
    isOver = false;
    other.ends.mockImplementationOnce((partitions) => {
      isOver = true;
      return Promise.resolve(partitions.map(() => new ConnectionError("leader not available")));
    });
    await passing(startOffsetsOf(other, partitions, never, () => isOver));
    expect(other.ends).toHaveBeenCalledOnce();
  });

  test.each(["committed", "ends"] as const)("a refusal of %s is told at once", async (name) => {
    const { source } = cluster();
    const refusal = new AuthorizationError("no");
    source[name].mockRejectedValue(refusal);
    await expect(startOffsetsOf(source, partitions, never, never)).rejects.toBe(refusal);
    expect(source[name]).toHaveBeenCalledOnce();
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
      askEnds(
        source,
        () => [...wanted],
        (partition, end) => {
          wanted.delete(partition);
          known.push([partition.partition, end]);
        },
      ),
    );
    expect(known).toEqual([
      [3, 13],
      [1, 11],
      [2, 12],
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
      askEnds(
        source,
        () => [...wanted],
        (partition) => void wanted.delete(partition),
      ),
    );
    expect(wanted.size).toBe(0);
  });
});
