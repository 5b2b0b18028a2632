import { describe, expect, test } from "vitest";
import type { NativeProducer } from "../../../src/driver/native-producer.js";
import { KafkaError } from "../../../src/errors.js";
import type { PartitionerFunction } from "../../../src/producer/options.js";
import { SendCall } from "../../../src/producer/send-call.js";
import { TopicGate } from "../../../src/producer/topic-gate.js";
import { deferred } from "../../../src/waiting.js";
import { encodedRecord } from "./records.js";
import { settled } from "../../support/turns.js";

const unknownTopic = -188;

/** A gate in front of a native client whose answers are the test's, and what has left it. */
function gateOf(partitioner?: PartitionerFunction) {
  const left: string[] = [];
  const errors = new Map<SendCall, unknown>();
  const names = new Map<SendCall, string>();
  /** Answers to how many partitions a topic has, in the order asked for. */
  const asked: ReturnType<typeof deferred<number | undefined>>[] = [];
  const native = {
    partitionCount: () => {
      const answer = deferred<number | undefined>();
      asked.push(answer);
      return answer.promise;
    },
    untilLeadersAnswer: () => Promise.resolve(),
  };
  const gate = new TopicGate({
    connect: () => Promise.resolve(native as unknown as NativeProducer),
    partitioner,
    maxAgeMs: 60_000,
    timeoutMs: 60_000,
    onReady: (call, records) => left.push(`${names.get(call) ?? ""}:${records[0]?.partition ?? "any"}`),
    onLookedUp: (calls) => left.push(...calls.map((call) => `again ${names.get(call) ?? ""}`)),
  });
  const callOf = (name: string, topic = "t"): SendCall => {
    const call: SendCall = new SendCall(
      topic,
      1,
      0,
      () => undefined,
      (error) => errors.set(call, error),
    );
    names.set(call, name);
    return call;
  };
  const enter = (name: string, partition?: number): SendCall => {
    const call = callOf(name);
    gate.enter(call, [{ ...encodedRecord(), partition }]);
    return call;
  };
  return { gate, left, errors, asked, callOf, enter };
}

describe("a topic's gate", () => {
  test("holds the first calls until the leaders have begun, and lets them go in their order", async () => {
    const { gate, left, asked, enter } = gateOf();
    enter("first");
    enter("second");
    expect([left, gate.records]).toEqual([[], 2]);
    await settled();
    asked[0]?.resolve(3);
    await settled();
    expect([left, gate.records, [...gate.calls]]).toEqual([["first:any", "second:any"], 0, []]);
    enter("later");
    expect(left.at(-1)).toBe("later:any");
    expect(asked).toHaveLength(1);
  });

  test("lets no call overtake one that waits for the number of partitions", async () => {
    const { gate, left, asked, enter } = gateOf((_, count) => count - 1);
    enter("to know the leaders");
    await settled();
    asked[0]?.resolve(3);
    await settled();
    enter("chosen");
    enter("behind");
    await settled();
    expect(gate.records).toBe(3);
    asked[1]?.resolve(4);
    await settled();
    expect(left).toEqual(["to know the leaders:3", "chosen:3", "behind:3"]);
    expect(gate.records).toBe(0);
  });

  test("looks a topic up once for all calls that come meanwhile, and lets those go first that came first", async () => {
    const { gate, left, asked, callOf } = gateOf();
    const [a, b, elsewhere] = [callOf("a"), callOf("b"), callOf("c", "other")];
    expect(gate.joins(a)).toBe(false);
    expect(gate.lookUp(a, unknownTopic)).toBe("held");
    expect(gate.joins(b)).toBe(true);
    expect(gate.joins(elsewhere)).toBe(false);
    expect(gate.records).toBe(2);
    await settled();
    asked[0]?.resolve(1);
    await settled();
    expect([left, gate.records, asked.length]).toEqual([["again a", "again b"], 0, 1]);
    // What is missing still is told, not looked for again.
    expect(gate.lookUp(a, unknownTopic)).toBeUndefined();
    expect(gate.joins(b)).toBe(false);
  });

  test("tells why a topic could not be looked up", async () => {
    const { gate, asked, callOf } = gateOf();
    const call = callOf("a");
    gate.lookUp(call, unknownTopic);
    await settled();
    const reason = new KafkaError("AUTHORIZATION", "not yours");
    asked[0]?.reject(reason);
    await settled();
    expect(gate.lookUp(call, unknownTopic)).toBe(reason);
  });

  test("looks nothing up for a record that was refused for another reason", () => {
    const { gate, callOf } = gateOf();
    expect(gate.lookUp(callOf("a"), -184)).toBeUndefined();
    expect(gate.records).toBe(0);
  });

  test("forgets calls that were given up while it was looked up", async () => {
    const { gate, left, asked, callOf } = gateOf();
    const call = callOf("a");
    gate.lookUp(call, unknownTopic);
    call.giveUp(new Error("the caller's signal"));
    await settled();
    asked[0]?.resolve(1);
    await settled();
    expect([left, gate.records]).toEqual([[], 0]);
  });

  test("gives a call up whose records cannot be serialized", async () => {
    const { gate, errors, callOf } = gateOf();
    const call = callOf("a");
    const reason = new Error("no schema");
    gate.hold(call, Promise.reject(reason), () => expect.fail("there is nothing to go on with"));
    expect(gate.records).toBe(1);
    await settled();
    expect([errors.get(call), gate.records]).toEqual([reason, 0]);
  });
});
