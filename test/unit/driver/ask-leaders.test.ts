import { expect, test } from "vitest";
import { askLeaders } from "../../../src/driver/ask-leaders.js";
import { nativeCodes } from "../../../src/driver/native-errors.js";
import { KafkaError } from "../../../src/errors.js";

const told = { offset: 7 };
const silent = { error: new KafkaError("TIMEOUT", "silent", { nativeCode: nativeCodes.timedOut }) };
const moved = { error: new KafkaError("BROKER", "moved", { nativeCode: 6 }) };

/** Asks a leader that answers in turn with these, or throws an error. */
async function ask(answers: readonly (object | KafkaError)[], timeoutMs = 10_000) {
  const calls: string[] = [];
  const left = [...answers];
  const outcomes = askLeaders(
    (withinMs) => {
      calls.push(`ask ${withinMs}`);
      const answer = left.length > 1 ? left.shift() : left[0];
      return answer instanceof KafkaError ? Promise.reject(answer) : Promise.resolve([told, answer ?? told]);
    },
    () => {
      calls.push("look up");
      return Promise.reject(new KafkaError("TIMEOUT", "nobody knows"));
    },
    timeoutMs,
  );
  return { calls, outcome: await outcomes.catch((error: unknown) => error) };
}

test("leaders that answer are asked once", async () => {
  expect(await ask([told])).toEqual({ calls: ["ask 2000"], outcome: [told, told] });
});

test("a leader that is silent is looked up before it is asked again, and then has longer", async () => {
  expect(await ask([silent, told])).toEqual({
    calls: ["ask 2000", "look up", "ask 4000"],
    outcome: [told, told],
  });
  expect(await ask([silent.error, told])).toEqual({
    calls: ["ask 2000", "look up", "ask 4000"],
    outcome: [told, told],
  });
});

test("what a leader answers is its answer, errors too", async () => {
  expect(await ask([moved])).toEqual({ calls: ["ask 2000"], outcome: [told, moved] });
  expect(await ask([moved.error])).toEqual({ calls: ["ask 2000"], outcome: moved.error });
});

test("when the time is over, silence is the answer", async () => {
  const { calls, outcome } = await ask([silent], 250);
  expect(outcome).toEqual([told, silent]);
  expect(calls.length).toBeGreaterThan(1);
  expect((await ask([silent.error], 250)).outcome).toBe(silent.error);
});
