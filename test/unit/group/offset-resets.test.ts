import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { AuthorizationError, ConnectionError, KafkaError } from "../../../src/errors.js";
import { Assignment } from "../../../src/group/assignment.js";
import type { OutOfRangePolicy } from "../../../src/group/offset-reset.js";
import { OffsetResets } from "../../../src/group/offset-resets.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import type { OffsetResetEvent } from "../../../src/telemetry/activities.js";
import { silent } from "../../support/silent.js";
import { rawRecords } from "./records.js";

let partition: OwnedPartition;
let told: OffsetResetEvent[];
let moved: string[];
let restarted: number;
let errors: unknown[];
let answers: (KafkaError | { readonly low: number; readonly high: number })[];

beforeEach(() => {
  partition = new OwnedPartition({ topic: "topic", partition: 0 });
  told = [];
  moved = [];
  restarted = 0;
  errors = [];
  answers = [];
});

/** Resets of a group whose log has the offsets 60 to 109. */
function resets(onOffsetOutOfRange: OutOfRangePolicy = "earliest"): OffsetResets {
  const assignment = new Assignment<OwnedPartition>();
  assignment.begin("topic", 0, partition);
  return new OffsetResets({
    native: {
      watermarks: () => {
        const answer = answers.shift() ?? { low: 60, high: 110 };
        return answer instanceof KafkaError ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
    options: { groupId: "group", onOffsetOutOfRange },
    assignment,
    moves: {
      move: (of, offset, kind) => {
        moved.push(`${kind} to ${offset}`);
        of.beginSeek();
        if (kind === "restart") of.restartAt(offset);
        else of.moveTo(offset, kind === "rollback");
        return Promise.resolve();
      },
    },
    logger: silent,
    telemetry: { onOffsetReset: (event) => told.push(event) },
    onRestarted: () => (restarted += 1),
    onRecords: () => undefined,
    onError: (error) => errors.push(error),
  });
}

const lost = (offset: number) =>
  ({ type: "offset-lost", topic: "topic", partition: 0, offset, truncatedAt: undefined }) as const;

const ended = () => expect.poll(() => partition.held).toBe(false);

test("retention with earliest is told, and what was fetched before the gap is delivered", async () => {
  partition.receive(rawRecords(2, 8), 0, 2);
  resets().lost(lost(10));
  expect(partition.take()).toBeUndefined();
  await ended();
  expect(moved).toEqual([]);
  expect(told).toMatchObject([{ groupId: "group", reason: "retention", expected: 10, offset: 60, gone: 50 }]);
  expect(partition.take()?.offset).toBe(8);
});

test("with latest it moves to the end once what was taken is finished and committed", async () => {
  partition.receive(rawRecords(2, 8), 0, 2);
  partition.take();
  resets("latest").lost(lost(10));
  await nextTurn();
  expect(partition.take()).toBeUndefined();
  partition.finish(8);
  await nextTurn();
  expect(moved).toEqual([]);
  partition.committedAt(9);
  await ended();
  expect(moved).toEqual(["restart to 110"]);
  expect([partition.committable, partition.committed]).toEqual([110, undefined]);
  expect(restarted).toBe(1);
  expect(told).toMatchObject([{ offset: 110, gone: 50 }]);
});

test("with fail the member ends with an error, and nothing is delivered or moved", async () => {
  resets("fail").lost(lost(10));
  await expect
    .poll(() => errors)
    .toEqual([expect.objectContaining({ code: "OFFSET_OUT_OF_RANGE", offset: 10, groupId: "group" })]);
  expect([moved, told]).toEqual([[], []]);
});

test("an offset that is in the log again is read on from there", async () => {
  resets().lost(lost(85));
  await ended();
  expect(moved).toEqual(["seek to 85"]);
  expect(told).toEqual([]);
});

test("what a move has overtaken is let be: what is amiss after it is told anew", async () => {
  answers = [new ConnectionError("no leader")];
  resets().lost(lost(10));
  await nextTurn();
  partition.beginSeek();
  partition.moveTo(70);
  await ended();
  expect([moved, told, errors]).toEqual([[], [], []]);
});

test("a refusal of the broker's is told", async () => {
  answers = [new AuthorizationError("no DESCRIBE")];
  resets().lost(lost(10));
  await expect.poll(() => errors).toEqual([expect.any(AuthorizationError)]);
});

test("a topic that was made again begins with its first record, and nothing of the old one counts", async () => {
  partition.receive(rawRecords(3, 17), 0, 3);
  partition.take();
  partition.take();
  partition.finish(17);
  answers = [new ConnectionError("no leader"), { low: 0, high: 30 }];
  const all = resets();
  all.recreated("topic");
  expect(partition.take()).toBeUndefined();
  await ended();
  expect(moved).toEqual(["restart to 0"]);
  expect([partition.committable, partition.position, partition.queue.length]).toEqual([0, 0, 0]);
  expect(restarted).toBe(1);
  expect(told).toMatchObject([{ reason: "topic-recreated", expected: 20, offset: 0, gone: 0 }]);
  expect([all.isRecreated("topic"), all.isRecreated("other")]).toEqual([true, false]);
});

test("an offset of the old topic that is lost in the new one does not move it to the end", async () => {
  const later = { low: 0, high: 5 };
  answers = [later, later, later];
  const all = resets("latest");
  all.lost(lost(20));
  all.recreated("topic");
  all.lost(lost(20));
  await ended();
  expect(moved).toEqual(["restart to 0"]);
  expect(told).toMatchObject([{ reason: "topic-recreated" }]);
});

test("nor one that is told when it has begun already", async () => {
  const reset = resets();
  answers = [
    { low: 0, high: 3 },
    { low: 0, high: 3 },
  ];
  reset.recreated("topic");
  await ended();
  reset.lost(lost(20));
  await ended();
  expect(moved).toEqual(["restart to 0"]);
  expect(told).toMatchObject([{ reason: "topic-recreated" }]);
});

test("a topic that was made again while nothing of it was assigned is told when it is", async () => {
  const all = resets();
  const other = new OwnedPartition({ topic: "other", partition: 0 });
  all.recreated("other");
  expect(told).toEqual([]);
  all.assigned([other]);
  await expect.poll(() => told).toMatchObject([{ topic: "other", reason: "topic-recreated", offset: 60 }]);
  all.assigned([other]);
  await nextTurn();
  expect(told).toHaveLength(1);
});
