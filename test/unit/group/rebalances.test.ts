import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { logStart } from "../../../src/driver/log-times.js";
import type { NativeOffset, NativePartition } from "../../../src/driver/native.js";
import { AuthorizationError, ConnectionError, TimeoutError } from "../../../src/errors.js";
import { Assignment } from "../../../src/group/assignment.js";
import { ChangeQueue } from "../../../src/group/change-queue.js";
import { FetchGate } from "../../../src/group/fetch-gate.js";
import { FlowControl } from "../../../src/group/flow-control.js";
import { Moves } from "../../../src/group/moves.js";
import type { ConsumerOptions } from "../../../src/group/options.js";
import type { OwnedPartition } from "../../../src/group/owned-partition.js";
import { Rebalances } from "../../../src/group/rebalances.js";
import { deferred } from "../../../src/waiting.js";
import { silent } from "../../support/silent.js";
import { rawRecords } from "./records.js";

const zero = { topic: "topic", partition: 0 };
const one = { topic: "topic", partition: 1 };
const two = { topic: "topic", partition: 2 };
const three = { topic: "topic", partition: 3 };

/** What happened, in order. */
let order: string[];
let errors: unknown[];
/** Whether the group has given the partitions to others already. */
let isLost: boolean;
let isLeaving: boolean;
/** What brokers say of committed offsets and ends, by partition. */
let committed: Map<number, number | Error>;
let ends: Map<number, number | ConnectionError>;
let onRelease: () => Promise<void>;
let given: readonly (NativePartition | NativeOffset)[];
let startOffsets: ConsumerOptions["startOffsets"];

beforeEach(() => {
  order = [];
  errors = [];
  isLost = false;
  isLeaving = false;
  committed = new Map();
  ends = new Map();
  onRelease = () => Promise.resolve();
  given = [];
  startOffsets = undefined;
});

const namesOf = (partitions: readonly NativePartition[]): string =>
  partitions.map(({ partition }) => partition).join(",");

function member(from: "earliest" | "latest" = "earliest", recreated: readonly string[] = []) {
  const assignment = new Assignment<OwnedPartition>();
  const gate = new FetchGate(() => undefined);
  const onError = (error: unknown): void => void errors.push(error);
  const changes = new ChangeQueue(onError);
  const native = {
    assign: (partitions: readonly (NativePartition | NativeOffset)[]) => {
      order.push(`assign ${namesOf(partitions)}`);
      given = partitions;
    },
    unassign: (partitions: readonly NativePartition[]) => void order.push(`unassign ${namesOf(partitions)}`),
    assignmentLost: () => isLost,
    knownEnd: () => undefined,
    pause: (partitions: readonly NativePartition[]) => {
      if (partitions.length > 0) order.push(`pause ${namesOf(partitions)}`);
    },
    resume: (partitions: readonly NativePartition[]) => {
      if (partitions.length > 0) order.push(`resume ${namesOf(partitions)}`);
    },
    committed: (partitions: readonly NativePartition[]) =>
      Promise.all(
        partitions.map(async (each) => {
          const offset = committed.get(each.partition) ?? -1;
          if (offset instanceof Error) throw offset;
          return Promise.resolve({ ...each, offset });
        }),
      ),
    watermarks: () => Promise.resolve({ low: 3, high: 12 }),
    ends: (partitions: readonly NativePartition[]) =>
      Promise.resolve(partitions.map(({ partition }) => ends.get(partition) ?? 0)),
    leadersOf: () => Promise.resolve(new Map<number, number>()),
    seek: ({ partition, offset }: NativeOffset) => {
      order.push(`seek ${partition} to ${offset}`);
      return Promise.resolve();
    },
  };
  const rebalances = new Rebalances({
    native,
    options: { groupId: "group", drainTimeoutMs: 50, from, startOffsets },
    assignment,
    flow: new FlowControl(2 ** 25),
    gate,
    changes,
    moves: new Moves({ native, assignment, gate, changes, onMoved: () => undefined }),
    listener: {
      tell: ({ type, partitions }) => {
        order.push(`tell ${type} ${namesOf(partitions)}`);
        return Promise.resolve();
      },
    },
    logger: silent,
    delayOf: () => undefined,
    isRecreated: (topic) => recreated.includes(topic),
    isLeaving: () => isLeaving,
    onAssigned: (partitions) => void order.push(`assigned ${namesOf(partitions)}`),
    onRelease: (partitions) => {
      order.push(`release ${namesOf(partitions)}`);
      return onRelease();
    },
    onGone: (partitions) => void order.push(`gone ${namesOf(partitions)}`),
    onError,
  });
  return { assignment, changes, gate, rebalances };
}

test("takes what the group gives, and tells of it", async () => {
  const { assignment, changes, rebalances } = member();
  rebalances.begin("assign", [zero, one]);
  await changes.idle;
  expect(order).toEqual(["assign 0,1", "assigned 0,1", "tell assigned 0,1"]);
  expect(namesOf([...assignment])).toBe("0,1");
});

test("an assignment waits for the fetch under way", async () => {
  const { assignment, changes, gate, rebalances } = member();
  gate.enter();
  rebalances.begin("assign", [zero]);
  await nextTurn();
  expect(assignment.size).toBe(0);
  gate.leave();
  await changes.idle;
  expect(assignment.size).toBe(1);
});

test("a revoked partition delivers nothing more, is finished and committed, and is released after that", async () => {
  const { assignment, changes, rebalances } = member();
  rebalances.begin("assign", [zero, one]);
  await changes.idle;
  const partition = assignment.get("topic", 0);
  partition?.receive(rawRecords(1), 0, 1);
  const finishing = deferred();
  onRelease = () => finishing.promise;
  order = [];
  rebalances.begin("revoke", [zero]);
  await nextTurn();
  expect(order).toEqual(["release 0"]);
  expect(partition?.take()).toBeUndefined();
  expect(partition?.gone).toBe(false);
  finishing.resolve();
  await changes.idle;
  expect(order).toEqual(["release 0", "tell revoked 0", "resume 0", "unassign 0", "resume 1", "gone 0"]);
  expect(partition?.gone).toBe(true);
  expect(namesOf([...assignment])).toBe("1");
});

test("what is lost is not waited for, and its handlers hear of it at once", async () => {
  const { assignment, changes, rebalances } = member();
  rebalances.begin("assign", [zero]);
  await changes.idle;
  const partition = assignment.get("topic", 0);
  partition?.enter();
  order = [];
  isLost = true;
  rebalances.begin("revoke", [zero]);
  expect(partition?.gone).toBe(true);
  expect(partition?.signal.aborted).toBe(true);
  await changes.idle;
  expect(order).toEqual(["tell lost 0", "resume 0", "unassign 0", "gone 0"]);
  expect(rebalances.late).toBe(1);
  partition?.leave();
  await nextTurn();
  expect(rebalances.late).toBe(0);
});

test("a pause ends with the assignment, or nobody would end it when the partition comes back", async () => {
  const { assignment, changes, rebalances } = member();
  rebalances.begin("assign", [zero, one]);
  await changes.idle;
  assignment.get("topic", 0)?.pause();
  assignment.get("topic", 1)?.pauseFetching();
  rebalances.begin("revoke", [zero, one]);
  await changes.idle;
  expect(order).toContain("resume 0,1");
});

test("partitions that stay are paused or not as before, whatever the native client made of it meanwhile", async () => {
  const { assignment, changes, rebalances } = member();
  rebalances.begin("assign", [zero, one, two, three]);
  await changes.idle;
  assignment.get("topic", 0)?.pause();
  assignment.get("topic", 1)?.pauseFetching();
  order = [];
  rebalances.begin("revoke", [three]);
  await changes.idle;
  expect(order).toContainEqual("unassign 3");
  expect(order.slice(order.indexOf("unassign 3") + 1)).toEqual(["pause 0,1", "resume 2", "gone 3"]);
  order = [];
  rebalances.begin("assign", [three]);
  await changes.idle;
  expect(order.slice(0, 3)).toEqual(["assign 3", "pause 0,1", "resume 2"]);
  order = [];
  isLeaving = true;
  rebalances.begin("revoke", [three]);
  await changes.idle;
  expect(order).toEqual(["release 3", "tell revoked 3", "resume 3", "unassign 3", "gone 3"]);
});

test("begins at the committed offset, and else at the end or at the first record", async () => {
  committed.set(1, 5);
  ends.set(0, 30);
  const latest = member("latest");
  latest.rebalances.begin("assign", [zero, one]);
  await latest.changes.idle;
  expect(given).toEqual([
    { ...zero, offset: 30 },
    { ...one, offset: 5 },
  ]);
  expect(latest.assignment.get("topic", 0)?.committable).toBe(30);
  expect(latest.assignment.get("topic", 1)?.committable).toBeUndefined();
  expect(latest.assignment.get("topic", 1)?.committed).toBe(5);
  for (const first of [member("earliest"), member("latest", ["topic"])]) {
    first.rebalances.begin("assign", [zero, one]);
    await first.changes.idle;
    expect(given).toEqual([
      { ...zero, offset: logStart },
      { ...one, offset: 5 },
    ]);
    expect(first.assignment.get("topic", 0)?.committable).toBeUndefined();
  }
});

test.each([
  ["committed", 7],
  ["first", 3],
])("a partition whose committed offset nobody tells waits, and begins at the %s one", async (_, start) => {
  const { assignment, changes, rebalances } = member("earliest");
  committed.set(0, new TimeoutError("committed offsets: timed out"));
  rebalances.begin("assign", [zero]);
  await changes.idle;
  const partition = assignment.get("topic", 0);
  expect(given).toEqual([{ ...zero, offset: 0 }]);
  expect(partition?.seeking).toBe(true);
  if (start === 7) committed.set(0, 7);
  else committed.delete(0);
  await expect.poll(() => partition?.position).toBe(start);
  expect(order).toContain(`seek 0 to ${String(start)}`);
  expect(partition?.seeking).toBe(false);
  expect(partition?.committed).toBe(start === 7 ? 7 : undefined);
});

test("with latest, a partition whose end nobody tells begins there as soon as someone does", async () => {
  const { assignment, changes, rebalances } = member("latest");
  ends.set(0, new ConnectionError("leader not available"));
  rebalances.begin("assign", [zero]);
  await changes.idle;
  const partition = assignment.get("topic", 0);
  expect(given).toEqual([{ ...zero, offset: 0 }]);
  expect(partition?.seeking).toBe(true);
  ends.set(0, 12);
  await expect.poll(() => partition?.position).toBe(12);
  // Nothing is fetched from an offset that says nothing.
  expect(order.slice(0, 2)).toEqual(["assign 0", "pause 0"]);
  await expect.poll(() => order.slice(-3)).toEqual(["seek 0 to 12", "resume 0", "assigned 0"]);
  expect(partition?.committable).toBe(12);
  expect(partition?.seeking).toBe(false);
});

test("while leaving, what is assigned is taken and released at once", async () => {
  const { assignment, changes, rebalances } = member();
  isLeaving = true;
  rebalances.begin("assign", [zero]);
  await changes.idle;
  expect(order).toContain("assign 0");
  expect(assignment.get("topic", 0)?.releasing).toBe(true);
});

test("a refusal to tell where to begin is told, and nothing is delivered", async () => {
  const { assignment, changes, rebalances } = member("latest");
  const denied = new AuthorizationError("committed offsets: group authorization failed");
  committed.set(0, denied);
  rebalances.begin("assign", [zero]);
  await changes.idle;
  expect(errors).toEqual([denied]);
  expect(assignment.get("topic", 0)?.releasing).toBe(true);
});

describe("startOffsets", () => {
  test("is asked for what is new, and what it leaves out begins at the committed offset", async () => {
    committed = new Map([
      [0, 7],
      [1, 8],
      [2, 9],
    ]);
    const asked: string[] = [];
    startOffsets = (partitions) => {
      asked.push(namesOf(partitions));
      return Promise.resolve({ 0: 40, 2: 60, 9: 5 });
    };
    const { changes, rebalances } = member();
    rebalances.begin("assign", [zero, one]);
    await changes.idle;
    expect(given).toEqual([
      { ...zero, offset: 40 },
      { ...one, offset: 8 },
    ]);
    rebalances.begin("assign", [{ topic: "topic", partition: 2 }]);
    await changes.idle;
    expect(given).toEqual([{ topic: "topic", partition: 2, offset: 60 }]);
    expect(asked).toEqual(["0,1", "2"]);
  });

  test("what it gives is committed, so that the group is where its owner is", async () => {
    startOffsets = () => [{ ...zero, offset: 40 }];
    const { assignment, changes, rebalances } = member();
    rebalances.begin("assign", [zero]);
    await changes.idle;
    expect(assignment.get("topic", 0)?.committable).toBe(40);
  });

  const failures: readonly [string, ConsumerOptions["startOffsets"], object][] = [
    [
      "throws",
      () => {
        throw new Error("no database");
      },
      { code: "START_OFFSETS", message: "startOffsets failed: no database", groupId: "group" },
    ],
    [
      "rejects",
      () => Promise.reject(new Error("no database")),
      { code: "START_OFFSETS", cause: new Error("no database") },
    ],
    ["does not answer", () => new Promise(() => {}), { code: "TIMEOUT" }],
    ["gives nothing", () => undefined as never, { code: "CONFIG", field: "startOffsets" }],
    ["gives texts", () => [{ ...zero, offset: "4" as never }], { code: "CONFIG" }],
    ["gives what is negative", () => ({ 0: -1 }), { code: "CONFIG" }],
    ["gives no objects", () => [null] as never, { code: "CONFIG" }],
  ];
  test.each(failures)(
    "that %s ends the session, and nothing of the partitions is delivered",
    async (_, given, error) => {
      startOffsets = given;
      const { assignment, changes, rebalances } = member();
      rebalances.begin("assign", [zero]);
      await changes.idle;
      expect(errors).toEqual([expect.objectContaining(error)]);
      expect(assignment.get("topic", 0)?.releasing).toBe(true);
    },
  );
});
