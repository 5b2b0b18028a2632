import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Fetched } from "../../../src/driver/consume-path.js";
import { KafkaError } from "../../../src/errors.js";
import { Assignment } from "../../../src/group/assignment.js";
import { FetchGate } from "../../../src/group/fetch-gate.js";
import { FetchLoop } from "../../../src/group/fetch-loop.js";
import { FlowControl } from "../../../src/group/flow-control.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { deferred, type Deferred } from "../../../src/waiting.js";
import { rawRecord, rawRecords } from "./records.js";

let asked: { readonly count: number; readonly answer: Deferred<Fetched> }[];
let assignment: Assignment<OwnedPartition>;
let gate: FetchGate;
let loop: FetchLoop;
let told: unknown[];
let offered: number[];
let running: Promise<void>;
/** The partitions of which the native client has gone back. */
let goneBack: number[];
/** What fetches are answered with at once; `undefined`: with `answer`. */
let prompt: (() => Fetched) | undefined;

beforeEach(() => {
  asked = [];
  prompt = undefined;
  told = [];
  offered = [];
  goneBack = [];
  assignment = new Assignment();
  gate = new FetchGate(() => {
    loop.wake();
  });
  loop = new FetchLoop({
    native: {
      fetch: (count) => {
        const answer = deferred<Fetched>();
        asked.push({ count, answer });
        if (prompt !== undefined) answer.resolve(prompt());
        return answer.promise;
      },
      knownEnd: () => 1_000_000,
      pause: () => undefined,
      resume: () => undefined,
    },
    assignment,
    flow: new FlowControl(2 ** 25),
    gate,
    onRecords: ({ partition }) => offered.push(partition),
    onGoneBack: ({ partition }) => goneBack.push(partition),
    onError: (error) => told.push(error),
    awaitsCommit: () => false,
  });
});

afterEach(async () => {
  loop.end();
  for (const { answer } of asked) answer.resolve(nothing);
  await running;
});

const nothing: Fetched = { records: [], ends: [] };

function own(partition: number): OwnedPartition {
  const owned = new OwnedPartition({ topic: "topic", partition });
  assignment.begin("topic", partition, owned);
  return owned;
}

async function answer(index: number, outcome: Fetched | KafkaError): Promise<void> {
  if (outcome instanceof KafkaError) asked[index]?.answer.reject(outcome);
  else asked[index]?.answer.resolve(outcome);
  // Others may have a turn before the records are taken.
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
}

/** How many turns that takes depends on the clock: one more after each 10 ms. */
const untilAsked = (times: number) => vi.waitFor(() => expect(asked).toHaveLength(times), 20_000);

test("puts each run of records into the queue of its partition, and asks for more before they are delivered", async () => {
  const [zero, one] = [own(0), own(1)];
  running = loop.run();
  await nextTurn();
  const records = [...rawRecords(2), rawRecord(7, { partition: 1 }), rawRecord(2)];
  await answer(0, { records, ends: [] });
  expect([zero.queue.length, zero.position]).toEqual([3, 3]);
  expect([one.queue.length, one.position]).toEqual([1, 8]);
  expect(offered).toEqual([0, 1, 0]);
  expect(asked).toHaveLength(2);
});

test("timers get their turns while records come that are there already", async () => {
  const owned = own(0);
  let rang = false;
  const timer = setTimeout(() => {
    rang = true;
  }, 20);
  prompt = () => {
    owned.queue.clear();
    if (rang || asked.length >= 100_000) loop.end();
    return { records: rawRecords(1, owned.position), ends: [] };
  };
  running = loop.run();
  await running;
  clearTimeout(timer);
  expect(rang).toBe(true);
});

test("drops records of partitions that were released or moved after the fetch began", async () => {
  const released = own(0);
  const moved = own(1);
  running = loop.run();
  await nextTurn();
  released.release();
  moved.beginSeek();
  await answer(0, { records: [rawRecord(0), rawRecord(0, { partition: 1 })], ends: [] });
  expect([released.queue.length, moved.queue.length]).toEqual([0, 0]);
  expect(told).toEqual([]);
});

test("drops records that a partition has passed since it moved, and has the native client go on behind them", async () => {
  const moved = own(0);
  moved.beginSeek();
  moved.moveTo(2);
  running = loop.run();
  await nextTurn();
  await answer(0, { records: rawRecords(3), ends: [] });
  expect(moved.queue.peek()?.offset).toBe(2);
  expect([moved.queue.length, moved.position, goneBack]).toEqual([1, 3, []]);
  await answer(1, { records: rawRecords(2), ends: [] });
  expect([moved.queue.length, moved.position, goneBack]).toEqual([1, 3, [0]]);
  await answer(2, { records: rawRecords(1, 3), ends: [] });
  expect([moved.queue.length, moved.position, goneBack]).toEqual([2, 4, [0]]);
});

test("records across a change of the assignment are no records of it: that is told", async () => {
  running = loop.run();
  await nextTurn();
  const late = own(0);
  await answer(0, { records: [rawRecord(0)], ends: [] });
  expect(late.queue.length).toBe(0);
  expect(told).toEqual([expect.objectContaining({ code: "FATAL" })]);
});

test("begins no fetch while the assignment changes, and goes on after it", async () => {
  own(0);
  running = loop.run();
  await nextTurn();
  const changing = deferred();
  const change = gate.exclusively(() => changing.promise);
  await answer(0, { records: rawRecords(1), ends: [] });
  loop.wake();
  await nextTurn();
  expect(asked).toHaveLength(1);
  changing.resolve();
  await change;
  await untilAsked(2);
});

test("tells every error, and asks again", async () => {
  own(0);
  running = loop.run();
  await nextTurn();
  const failures = [new KafkaError("BROKER", "one"), new KafkaError("BROKER", "another")];
  for (const [index, failure] of failures.entries()) {
    await answer(index, failure);
    // The second one upon the first is waited after: a wake-up ends that.
    loop.wake();
    await untilAsked(index + 2);
  }
  expect(told).toEqual(failures);
});
