import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, InvalidRecordError, misuse, RetriesExhaustedError } from "../../../src/errors.js";
import { decide, decideInvalid, type FailedCall } from "../../../src/failure/decide.js";
import { PermanentError, RetryAfterError } from "../../../src/failure/handler-errors.js";
import { type FailureOptions, resolveFailureOptions } from "../../../src/failure/options.js";

const policyOf = (options: FailureOptions) => {
  const policy = resolveFailureOptions(options, "g", { topics: ["orders"] });
  if (policy === undefined) throw new Error("no policy");
  return policy;
};
const boom = new Error("boom");
const call = (fields: Partial<FailedCall> = {}): FailedCall => ({
  topic: "orders",
  partition: 1,
  offset: 7,
  error: boom,
  attempt: 1,
  stage: 0,
  ...fields,
});
const retry = { attempts: 3, initialDelayMs: 100, jitter: false };

test("calls again as often as `attempts` says, then no more", () => {
  const policy = policyOf({ retry, deadLetter: true });
  expect(decide(policy, call({ attempt: 1 }))).toEqual({ action: "retry", delayMs: 100 });
  expect(decide(policy, call({ attempt: 2 }))).toEqual({ action: "retry", delayMs: 200 });
  expect(decide(policy, call({ attempt: 3 }))).toEqual({ action: "dead-letter" });
});

test("then goes through the retry topics, one call each", () => {
  const policy = policyOf({ retry, retryTopics: { delaysMs: [5_000, 60_000] }, deadLetter: true });
  expect(decide(policy, call({ attempt: 3 }))).toEqual({
    action: "retry-topic",
    stage: 1,
    delayMs: 5_000,
  });
  expect(decide(policy, call({ attempt: 4, stage: 1 }))).toEqual({
    action: "retry-topic",
    stage: 2,
    delayMs: 60_000,
  });
  expect(decide(policy, call({ attempt: 5, stage: 2 }))).toEqual({ action: "dead-letter" });
});

test("a PermanentError, and what retryIf refuses, skip the retries", () => {
  const policy = policyOf({
    retry: { ...retry, retryIf: (error) => error !== boom },
    retryTopics: { delaysMs: [5] },
    deadLetter: true,
  });
  expect(decide(policy, call({ error: new PermanentError("no") }))).toEqual({ action: "dead-letter" });
  expect(decide(policy, call())).toEqual({ action: "dead-letter" });
});

test("a call that is wrong whatever the record is stops the client: neither tried again nor moved away", () => {
  const wrong = misuse(new ConfigError("stores", "list it"));
  const policy = policyOf({ retry, retryTopics: { delaysMs: [5] }, deadLetter: true });
  for (const [attempt, stage] of [[1, 0] as const, [2, 0] as const, [4, 1] as const])
    expect(decide(policy, call({ error: wrong, attempt, stage }))).toEqual({ action: "fail", error: wrong });
  const ofUser = new ConfigError("course", "no such course");
  expect(decide(policyOf({ deadLetter: true }), call({ error: ofUser }))).toEqual({ action: "dead-letter" });
});

test("what retryIf throws stops the consumer", () => {
  const wrong = new TypeError("wrong");
  const policy = policyOf({
    retry: {
      retryIf: () => {
        throw wrong;
      },
    },
    deadLetter: true,
  });
  expect(decide(policy, call())).toEqual({ action: "fail", error: wrong });
});

test("a RetryAfterError sets the delay, and skips retry topics that are too soon", () => {
  expect(new RetryAfterError(6_999.2).retryAfterMs).toBe(7_000);
  const error = new RetryAfterError(7_000);
  expect(decide(policyOf({ retry }), call({ error }))).toEqual({ action: "retry", delayMs: 7_000 });
  const topics = policyOf({ retryTopics: { delaysMs: [5_000, 60_000] } });
  expect(decide(topics, call({ error }))).toEqual({ action: "retry-topic", stage: 2, delayMs: 60_000 });
  expect(decide(topics, call({ error: new RetryAfterError(70_000) }))).toEqual({
    action: "retry-topic",
    stage: 2,
    delayMs: 70_000,
  });
});

test("a RetryAfterError takes 0 milliseconds to a day", () => {
  expect(new RetryAfterError(0).retryAfterMs).toBe(0);
  for (const wrong of [-1, NaN, Infinity, 86_400_001])
    expect(() => new RetryAfterError(wrong)).toThrow(RangeError);
});

test("without dead letters the consumer stops: with the handler's error in a RetriesExhaustedError", () => {
  const decision = decide(policyOf({ retry }), call({ attempt: 3 }));
  expect(decision).toMatchObject({
    action: "fail",
    error: {
      name: "RetriesExhaustedError",
      attempts: 3,
      topic: "orders",
      partition: 1,
      offset: 7,
      groupId: "g",
    },
  });
  if (decision.action !== "fail") throw new Error("not reached");
  expect(decision.error).toBeInstanceOf(RetriesExhaustedError);
  expect((decision.error as RetriesExhaustedError).cause).toBe(boom);
});

test("an error that was not retried stays what it is", () => {
  const permanent = new PermanentError("no");
  expect(decide(policyOf({ retry }), call({ error: permanent, attempt: 2 }))).toEqual({
    action: "fail",
    error: permanent,
  });
  expect(decide(policyOf({ onInvalid: "skip" }), call())).toEqual({ action: "fail", error: boom });
});

test("every record comes to an end, whatever the policy and the errors", () => {
  fc.assert(
    fc.property(
      fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
      fc.array(fc.integer({ min: 1, max: 86_400_000 }), { maxLength: 10 }),
      fc.boolean(),
      fc.array(fc.option(fc.integer({ min: 0, max: 86_400_000 }), { nil: undefined }), { minLength: 1 }),
      (attempts, delaysMs, deadLetter, asked) => {
        const policy = resolveFailureOptions(
          {
            ...(attempts === undefined ? {} : { retry: { attempts } }),
            ...(delaysMs.length === 0 ? {} : { retryTopics: { delaysMs } }),
            deadLetter,
          },
          "g",
          { topics: ["orders"] },
        );
        if (policy === undefined) return;
        let stage = 0;
        for (let attempt = 1; attempt <= (attempts ?? 1) + delaysMs.length; attempt += 1) {
          const ms = asked[attempt % asked.length];
          const error = ms === undefined ? boom : new RetryAfterError(ms);
          const decision = decide(policy, call({ attempt, stage, error }));
          if (decision.action === "retry-topic") {
            expect(decision.stage).toBeGreaterThan(stage);
            expect(decision.delayMs).toBeGreaterThanOrEqual(ms ?? 0);
            stage = decision.stage;
          } else if (decision.action !== "retry") {
            expect(decision.action).toBe(deadLetter ? "dead-letter" : "fail");
            return;
          } else if (ms !== undefined) expect(decision.delayMs).toBe(ms);
        }
        throw new Error("it never came to an end");
      },
    ),
  );
});

test("an invalid record goes where onInvalid says", () => {
  const error = new InvalidRecordError("wrong", {
    topic: "orders",
    partition: 0,
    offset: 0,
    part: "value",
    raw: { key: null, value: null, headers: [] },
  });
  expect(decideInvalid(policyOf({ retry }), error)).toEqual({ action: "fail", error });
  expect(decideInvalid(policyOf({ onInvalid: "skip" }), error)).toEqual({ action: "skip" });
  expect(decideInvalid(policyOf({ onInvalid: "dead-letter", deadLetter: true }), error)).toEqual({
    action: "dead-letter",
  });
});

test("a policy that ran out says so whatever was thrown", () => {
  const policy = policyOf({ retry });
  for (const error of [
    Object.assign(new Error(), { message: Symbol("s") }),
    Object.create(null),
    Symbol("s"),
    undefined,
  ]) {
    const decision = decide(policy, call({ error, attempt: 3 }));
    expect(decision).toMatchObject({
      action: "fail",
      error: { name: "RetriesExhaustedError", cause: error },
    });
  }
});
