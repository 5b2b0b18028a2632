import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DeliveryError, KafkaError } from "../../../src/errors.js";
import { SendCall } from "../../../src/producer/send-call.js";
import { type Hindrance, SendQueue, type SendTarget } from "../../../src/producer/send-queue.js";
import type { EncodedRecord, RecordMetadata } from "../../../src/record.js";

/** A record of which the test sees in the log whose it was. */
const recordOf = (name: string, size = 1): EncodedRecord => ({
  key: null,
  value: Buffer.from(name),
  headers: undefined,
  partition: undefined,
  timestamp: undefined,
  size,
});

interface Outcome {
  metadata?: RecordMetadata[];
  error?: unknown;
  times: number;
}

function callOf(name: string, count: number, size = 1, since = 0): { call: SendCall; outcome: Outcome } {
  const outcome: Outcome = { times: 0 };
  const call = new SendCall(
    name,
    count,
    since,
    (metadata) => {
      outcome.times += 1;
      outcome.metadata = metadata;
    },
    (error) => {
      outcome.times += 1;
      outcome.error = error;
    },
  );
  call.ready(Array.from({ length: count }, (_, index) => recordOf(`${name}/${index}`, size)));
  return { call, outcome };
}

/** Stands for the native client: takes records, or not, and remembers them by their tags. */
class Native implements SendTarget {
  readonly taken: { readonly tag: number; readonly name: string; readonly size: number }[] = [];
  /** How many records each call was given. */
  readonly given: number[] = [];
  /** How many records it takes, and what then becomes of one. */
  next: { readonly after: number; readonly answer: Hindrance } | undefined;
  /** What keeps the calls to a topic from being sent. */
  readonly hindrances = new Map<string, "held" | KafkaError>();

  readonly hindrance = ({ topic }: SendCall) => this.hindrances.get(topic);

  readonly produce: SendTarget["produce"] = (_topic, records, tags) => {
    this.given.push(records.length);
    const queued = Math.min(this.next?.after ?? Infinity, records.length);
    for (const [index, record] of records.slice(0, queued).entries())
      this.taken.push({ tag: tags[index] ?? -1, name: String(record.value), size: record.size });
    return queued === records.length ? undefined : { queued, code: 1 };
  };

  readonly refused = (): Hindrance => {
    const answer = this.next?.answer ?? "full";
    this.next = undefined;
    return answer;
  };

  get names(): string[] {
    return this.taken.map(({ name }) => name);
  }
}

function queueOf(limits: { maxRecords?: number; maxBytes?: number } = {}): {
  queue: SendQueue;
  native: Native;
} {
  const native = new Native();
  const queue = new SendQueue({ maxRecords: 1_000_000, maxBytes: 1_000_000_000, ...limits }, native);
  return { queue, native };
}

describe("the window of a producer", () => {
  test("keeps records and bytes in flight within its limits", () => {
    const { queue, native } = queueOf({ maxRecords: 3, maxBytes: 100 });
    queue.add(callOf("small", 5, 10).call);
    queue.pump();
    expect(queue.inFlight).toBe(3);
    expect(queue.waiting).toBe(2);
    for (const { tag } of native.taken.splice(0)) queue.written(tag, 0, 0, 0);
    queue.add(callOf("large", 2, 70).call);
    queue.pump();
    expect(native.names).toEqual(["small/3", "small/4", "large/0"]);
  });

  test("sends a record that is larger than the window alone", () => {
    const { queue, native } = queueOf({ maxBytes: 100 });
    queue.add(callOf("a", 1, 10).call);
    queue.add(callOf("huge", 1, 5_000).call);
    queue.pump();
    expect(native.names).toEqual(["a/0"]);
    queue.written(native.taken[0]?.tag, 0, 0, 0);
    queue.pump();
    expect(native.names).toEqual(["a/0", "huge/0"]);
  });

  test("hands calls over in the order they came", () => {
    const { queue, native } = queueOf();
    queue.add(callOf("a", 2).call);
    queue.add(callOf("b", 1).call);
    queue.add(callOf("c", 2).call);
    queue.pump();
    expect(native.names).toEqual(["a/0", "a/1", "b/0", "c/0", "c/1"]);
  });

  test("lets a single record wait for a turn of a large call, not for its end", () => {
    const { queue, native } = queueOf({ maxRecords: 100 });
    queue.add(callOf("large", 100_000).call);
    queue.pump();
    queue.add(callOf("single", 1).call);
    let acknowledged = 0;
    while (!native.names.includes("single/0")) {
      for (const { tag } of native.taken.splice(0, 30)) {
        queue.written(tag, 0, acknowledged, 0);
        acknowledged += 1;
      }
      queue.pump();
    }
    expect(acknowledged).toBeLessThan(1_100);
  });

  test("waits where the native queue is full, and loses nothing by it", () => {
    const { queue, native } = queueOf();
    const { call, outcome } = callOf("a", 2);
    queue.add(call);
    native.next = { after: 1, answer: "full" };
    expect(queue.pump()).toBe(false);
    expect([queue.inFlight, queue.waiting]).toEqual([1, 1]);
    expect(queue.pump()).toBe(true);
    expect(native.names).toEqual(["a/0", "a/1"]);
    expect([queue.inFlight, queue.waiting]).toEqual([2, 0]);
    expect(outcome.times).toBe(0);
  });

  test("passes the records of calls to one topic on together, up to a thousand", () => {
    const { queue, native } = queueOf();
    for (let count = 0; count < 1_500; count += 1) queue.add(callOf("a", 1).call);
    queue.add(callOf("b", 2).call);
    queue.add(callOf("a", 1_200).call);
    queue.pump();
    expect(native.given).toEqual([1_000, 500, 2, 1_000, 200]);
    expect(queue.waiting).toBe(0);
  });

  test("goes on behind a call of which a record is refused, in order, and does not give all the others in vain", () => {
    const { queue, native } = queueOf();
    const calls = Array.from({ length: 10 }, (_, index) => callOf("a", index === 2 ? 3 : 1));
    for (const { call } of calls) queue.add(call);
    native.next = { after: 3, answer: new KafkaError("UNKNOWN_PARTITION", "there is none") };
    queue.pump();
    // The third call's second record is refused: its third is not sent.
    expect(native.names).toEqual(["a/0", "a/0", "a/0", ...Array.from({ length: 7 }, () => "a/0")]);
    expect(native.given).toEqual([12, 1, 2, 4]);
    for (const { tag } of native.taken) queue.written(tag, 0, 1, 1);
    expect(calls.map(({ outcome }) => outcome.error === undefined)).toEqual(
      calls.map((_, index) => index !== 2),
    );
    expect((calls[2]?.outcome.error as DeliveryError).results.map(({ status }) => status)).toEqual([
      "written",
      "failed",
      "failed",
    ]);
    expect([queue.inFlight, queue.waiting]).toEqual([0, 0]);
  });

  test("lets the calls to a topic that is held out, and takes them back in front", () => {
    const { queue, native } = queueOf();
    const [first, other, second] = [callOf("a", 1), callOf("b", 1), callOf("a", 2)];
    for (const { call } of [first, other, second]) queue.add(call);
    native.hindrances.set("a", "held");
    queue.pump();
    expect(native.names).toEqual(["b/0"]);
    expect(queue.waiting).toBe(0);
    native.hindrances.clear();
    queue.addFirst([first.call, second.call]);
    expect(queue.waiting).toBe(3);
    queue.pump();
    expect(native.names).toEqual(["b/0", "a/0", "a/0", "a/1"]);
  });

  test("finds the calls that have waited too long, but not those that have begun", () => {
    const { queue } = queueOf({ maxRecords: 1 });
    const [begun, old, young] = [
      callOf("begun", 2, 1, 0),
      callOf("old", 1, 1, 10),
      callOf("young", 1, 1, 50),
    ];
    for (const { call } of [begun, old, young]) queue.add(call);
    queue.pump();
    expect(queue.waitingSince(50)).toEqual([old.call]);
  });

  test("forgets calls that were given up while they waited", () => {
    const { queue, native } = queueOf({ maxRecords: 1 });
    const [first, second, third] = [callOf("first", 1), callOf("second", 9), callOf("third", 1)];
    for (const { call } of [first, second, third]) queue.add(call);
    queue.pump();
    second.call.giveUp(new Error("no more"));
    queue.sweep();
    expect(queue.waiting).toBe(1);
    queue.written(native.taken[0]?.tag, 0, 0, 0);
    queue.pump();
    expect(native.names).toEqual(["first/0", "third/0"]);
  });
});

describe("a call", () => {
  test("resolves with where each record was written, in the order given", () => {
    const { queue, native } = queueOf();
    const { call, outcome } = callOf("a", 3);
    queue.add(call);
    queue.pump();
    for (const [index, { tag }] of [...native.taken].reverse().entries())
      queue.written(tag, 7, 100 + index, 1);
    expect(outcome.metadata?.map(({ offset }) => offset)).toEqual([102, 101, 100]);
    expect(outcome.metadata?.[0]).toEqual({ topic: "a", partition: 7, offset: 102, timestamp: 1 });
  });

  test("rejects with what it was given up for where nothing of it was sent", () => {
    const { call, outcome } = callOf("a", 3);
    const reason = new Error("stop");
    call.giveUp(reason);
    expect(outcome.error).toBe(reason);
  });

  test("keeps the records behind one that failed from being sent", () => {
    const { queue, native } = queueOf({ maxRecords: 2 });
    const { call, outcome } = callOf("a", 4);
    queue.add(call);
    queue.pump();
    const [first, second] = native.taken;
    queue.lost(first?.tag, "failed", () => new KafkaError("RECORD_TOO_LARGE", "too large", { partition: 1 }));
    queue.pump();
    expect(outcome.times).toBe(0);
    queue.written(second?.tag, 1, 5, 1);
    expect(native.taken).toHaveLength(2);
    const error = outcome.error as DeliveryError;
    expect(error).toBeInstanceOf(DeliveryError);
    expect(error).toMatchObject({ code: "RECORD_TOO_LARGE", topic: "a", partition: 1, acknowledged: 1 });
    expect(error.results.map(({ status }) => status)).toEqual(["failed", "written", "failed", "failed"]);
    expect(queue.waiting).toBe(0);
  });

  test.each([
    ["refused", ["failed", "failed"] as const, true],
    ["in part written", ["written", "failed"] as const, false],
    ["in part unknown", ["unknown", "failed"] as const, false],
  ])("%s for a reason that passes may be made again only where that doubles nothing", (_, ends, again) => {
    const { queue, native } = queueOf();
    const { call, outcome } = callOf("a", 2);
    queue.add(call);
    queue.pump();
    for (const [index, end] of ends.entries()) {
      const tag = native.taken[index]?.tag;
      if (end === "written") queue.written(tag, 0, 5, 1);
      else queue.lost(tag, end, () => new KafkaError("TIMEOUT", "too late", { retriable: true }));
    }
    const error = outcome.error as DeliveryError;
    expect(error.results.map(({ status }) => status)).toEqual(ends);
    expect(error.retriable).toBe(again);
  });

  test("given up while records are on their way says which are unknown, and ignores later reports", () => {
    const { queue, native } = queueOf({ maxRecords: 2 });
    const { call, outcome } = callOf("a", 3);
    queue.add(call);
    queue.pump();
    queue.written(native.taken[0]?.tag, 0, 1, 1);
    call.giveUp(new KafkaError("CLOSED", "closed"));
    const error = outcome.error as DeliveryError;
    expect(error.code).toBe("CLOSED");
    expect(error.message).toBe("closed (of 3 records 1 were written, 1 were not, and 1 may have been)");
    expect(error.results.map(({ status }) => status)).toEqual(["written", "unknown", "failed"]);
    queue.written(native.taken[1]?.tag, 0, 2, 1);
    expect(outcome.times).toBe(1);
    expect(queue.inFlight).toBe(0);
  });
});

type Step =
  | { readonly do: "send"; readonly count: number; readonly size: number }
  | { readonly do: "pump"; readonly answer: "queued" | "full" | "refuse"; readonly after: number }
  | { readonly do: "written" | "failed" | "unknown"; readonly which: number }
  | { readonly do: "give up"; readonly which: number }
  | { readonly do: "report again"; readonly which: number }
  | { readonly do: "sweep" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("send" as const), count: fc.integer({ min: 1, max: 8 }), size: fc.nat(20) }),
    fc.record({
      do: fc.constant("pump" as const),
      answer: fc.constantFrom("queued" as const, "queued" as const, "full" as const, "refuse" as const),
      after: fc.nat(6),
    }),
    fc.record({ do: fc.constantFrom("written" as const, "written" as const), which: fc.nat() }),
    fc.record({ do: fc.constantFrom("failed" as const, "unknown" as const), which: fc.nat() }),
    fc.record({ do: fc.constant("give up" as const), which: fc.nat() }),
    fc.record({ do: fc.constant("report again" as const), which: fc.nat() }),
    fc.record({ do: fc.constant("sweep" as const) }),
  ),
  { maxLength: 200, size: "max" },
);

/** What the reports said, kept apart from the code under test. */
class Model {
  readonly calls: { name: string; count: number; outcome: Outcome; call: SendCall }[] = [];
  /** By record: what it was reported as. */
  readonly reported = new Map<string, "written" | "failed" | "unknown">();
  readonly sent = new Set<string>();
  readonly givenUp = new Set<string>();
  /** Calls of which nothing more may be sent. */
  readonly stopped = new Set<string>();
}

const callNameOf = (record: string): string => record.split("/")[0] ?? "";

describe("for any interleaving of acknowledgements, failures, purges and aborts", () => {
  test("every call settles exactly once, with what became of each of its records", () => {
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 10, max: 60 }),
        (list, maxRecords, maxBytes) => {
          const model = new Model();
          const { queue, native } = queueOf({ maxRecords, maxBytes });
          const settledTags: number[] = [];
          const refusal = new KafkaError("UNKNOWN_TOPIC", "refused");

          const pump = (next?: Native["next"]): void => {
            native.next = next;
            const before = native.taken.length;
            queue.pump();
            for (const { name } of native.taken.slice(before)) {
              expect(model.sent.has(name), `${name} was sent once`).toBe(false);
              expect(model.stopped.has(callNameOf(name)), `${name} comes after a failure`).toBe(false);
              model.sent.add(name);
            }
            native.next = undefined;
          };
          const report = (which: number, status: "written" | "failed" | "unknown"): void => {
            const [entry] = native.taken.splice(which % Math.max(1, native.taken.length), 1);
            if (entry === undefined) return;
            model.reported.set(entry.name, status);
            if (status !== "written") model.stopped.add(callNameOf(entry.name));
            settledTags.push(entry.tag);
            if (status === "written") queue.written(entry.tag, 0, 1, 2);
            else queue.lost(entry.tag, status, () => new KafkaError("BROKER", status));
          };

          for (const step of list) {
            switch (step.do) {
              case "send": {
                const name = `call${model.calls.length}`;
                const { call, outcome } = callOf(name, step.count, step.size);
                model.calls.push({ name, count: step.count, outcome, call });
                queue.add(call);
                break;
              }
              case "pump":
                pump(
                  step.answer === "queued"
                    ? undefined
                    : { after: step.after, answer: step.answer === "refuse" ? refusal : "full" },
                );
                break;
              case "give up": {
                const entry = model.calls[step.which % Math.max(1, model.calls.length)];
                if (entry !== undefined && !entry.call.isSettled) {
                  model.givenUp.add(entry.name);
                  model.stopped.add(entry.name);
                  entry.call.giveUp(new KafkaError("CLOSED", "given up"));
                }
                break;
              }
              case "report again": {
                const tag = settledTags[step.which % Math.max(1, settledTags.length)];
                // A tag may be in use again; then this would be another record's report.
                if (tag !== undefined && !native.taken.some((entry) => entry.tag === tag))
                  queue.written(tag, 9, 9, 9);
                break;
              }
              case "sweep":
                queue.sweep();
                break;
              default:
                report(step.which, step.do);
            }
            const records = native.taken.length;
            expect(queue.inFlight).toBe(records);
            expect(records).toBeLessThanOrEqual(maxRecords);
            const bytes = native.taken.reduce((sum, { size }) => sum + size, 0);
            if (records > 1) expect(bytes).toBeLessThanOrEqual(maxBytes);
            expect(model.calls.filter(({ outcome }) => outcome.times > 1)).toEqual([]);
          }

          // The rest arrives, as it does unless the client is closed.
          for (let rounds = 0; queue.waiting + queue.inFlight > 0; rounds += 1) {
            expect(rounds).toBeLessThan(10_000);
            pump();
            while (native.taken.length > 0) report(0, "written");
          }

          for (const { name, count, outcome } of model.calls) {
            expect(outcome.times, `${name} settles once`).toBe(1);
            const names = Array.from({ length: count }, (_, index) => `${name}/${index}`);
            if (outcome.metadata !== undefined) {
              expect(outcome.metadata).toHaveLength(count);
              for (const record of names) expect(model.reported.get(record)).toBe("written");
              continue;
            }
            if (!(outcome.error instanceof DeliveryError)) {
              expect(
                names.some((record) => model.sent.has(record)),
                "nothing of it was sent",
              ).toBe(false);
              continue;
            }
            expect(outcome.error.results).toHaveLength(count);
            let written = 0;
            for (const [index, result] of outcome.error.results.entries()) {
              const record = names[index] ?? "";
              const reported = model.reported.get(record);
              if (result.status === "written") {
                written += 1;
                expect(reported).toBe("written");
              } else if (result.status === "failed") {
                // Refused by the broker, or never sent.
                expect(reported === "failed" || !model.sent.has(record)).toBe(true);
              } else {
                // The report said so, or had not come when the call was given up.
                expect(reported === "unknown" || model.givenUp.has(name)).toBe(true);
                expect(model.sent.has(record)).toBe(true);
              }
            }
            expect(outcome.error.acknowledged).toBe(written);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
