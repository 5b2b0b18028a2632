import { beforeEach, describe, expect, test, vi } from "vitest";
import type { OwnedPartition } from "../../../src/group/owned-partition.js";
import { AuthorizationError, ConnectionError, KafkaError } from "../../../src/errors.js";
import {
  failsAgain,
  type Replaceable,
  ReplaceableSession,
} from "../../../src/processor/replaceable-session.js";
import { silent } from "../../support/silent.js";
import { partitionWith } from "./partitions.js";

/** What happened, in order. */
let steps: string[];
/** How often a session was made. */
let made: number;
/** What the next sessions fail to start with. */
let refusals: Error[];
let lost: OwnedPartition[];
let failed: KafkaError[];
let fails: ((error: KafkaError) => void)[];
let partitions: OwnedPartition[];
let isOver: boolean;
let sessions: ReplaceableSession<Replaceable>;

const { signal } = new AbortController();
const reason = new KafkaError("FATAL", "it failed");

function makeSession(onFailure: (error: KafkaError) => void): Replaceable {
  made += 1;
  const name = `session ${made}`;
  fails.push(onFailure);
  return {
    partitions: made === 1 ? partitions : [],
    start: () => {
      steps.push(`start ${name}`);
      const refusal = refusals.shift();
      return refusal === undefined ? Promise.resolve() : Promise.reject(refusal);
    },
    stop: () => {
      steps.push(`stop ${name}`);
      return Promise.resolve();
    },
    prepareFor: (maxRecords) => {
      steps.push(`prepare ${name} for ${maxRecords}`);
    },
  };
}

beforeEach(() => {
  steps = [];
  made = 0;
  refusals = [];
  lost = [];
  failed = [];
  fails = [];
  isOver = false;
  partitions = [partitionWith(1)];
  sessions = new ReplaceableSession(silent, "g", {
    make: makeSession,
    onFailure: (error) => failed.push(error),
    onLost: (ended) => lost.push(...ended),
    isOver: () => isOver,
    whenUnused: () => {
      steps.push("unused");
      return Promise.resolve();
    },
  });
});

describe("a session that failed", () => {
  test("loses its partitions, ends when no call uses its consumer, and another one starts", async () => {
    const first = sessions.current;
    sessions.fail(reason);
    expect(sessions.failure).toBe(reason);
    await sessions.replace(reason, signal);
    expect(lost).toEqual(partitions);
    expect(partitions[0]?.gone).toBe(true);
    expect(steps).toEqual(["unused", "stop session 1", "start session 2"]);
    expect(sessions.current).not.toBe(first);
    expect(sessions.failure).toBeUndefined();
  });

  test("is followed by one after the other until one starts", async () => {
    refusals = [new ConnectionError("nobody there")];
    await sessions.replace(reason, AbortSignal.abort());
    expect(steps.slice(1)).toEqual([
      "stop session 1",
      "start session 2",
      "stop session 2",
      "start session 3",
    ]);
  });

  test("is followed by none where the next one cannot start for good", async () => {
    const refusal = new AuthorizationError("no right to read");
    refusals = [refusal];
    await expect(sessions.replace(reason, signal)).rejects.toBe(refusal);
  });

  test("is followed by none where nobody needs it any more", async () => {
    isOver = true;
    await sessions.replace(reason, signal);
    expect(made).toBe(1);
  });

  test("keeps the first reason, and is listened to no more once it was replaced", async () => {
    sessions.fail(reason);
    sessions.fail(new KafkaError("BROKER", "and again"));
    expect(sessions.failure).toBe(reason);
    await sessions.replace(reason, signal);
    const late = new KafkaError("BROKER", "too late");
    fails[0]?.(late);
    expect(failed).toEqual([]);
    fails[1]?.(late);
    expect(failed).toEqual([late]);
  });

  test("is replaced five times within a minute, and then its reason stops the processor", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      for (let time = 0; time < 5; time += 1) await sessions.replace(reason, signal);
      await expect(sessions.replace(reason, signal)).rejects.toBe(reason);
      vi.advanceTimersByTime(60_000);
      await sessions.replace(reason, signal);
    } finally {
      vi.useRealTimers();
    }
    expect(made).toBe(7);
  });
});

test("every session is prepared for batches of the same size", async () => {
  sessions.prepareFor(500);
  await sessions.replace(reason, signal);
  expect(steps.filter((step) => step.startsWith("prepare"))).toEqual([
    "prepare session 1 for 500",
    "prepare session 2 for 500",
  ]);
});

test.each([
  [new AuthorizationError("no"), true],
  [new KafkaError("UNKNOWN_TOPIC", "no such topic"), true],
  [new KafkaError("CONFIG", "no such assignor"), true],
  [new KafkaError("CONSUMER_FENCED", "its id was taken"), false],
  [new KafkaError("FATAL", "it failed"), false],
])("%s fails again: %s", (error, expected) => {
  expect(failsAgain(error)).toBe(expected);
});
