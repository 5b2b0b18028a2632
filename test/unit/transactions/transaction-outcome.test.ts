import { describe, expect, test } from "vitest";
import {
  type CallFailure,
  isPermanent,
  remedyOf,
  remedyWhenLate,
  type TransactionCall,
} from "../../../src/transactions/transaction-outcome.js";

const failure = (given: Partial<CallFailure>): CallFailure => ({
  code: -1,
  isFatal: false,
  isRetriable: false,
  isTxnRequiresAbort: false,
  isStuck: false,
  isOutlived: false,
  ...given,
});
const retriable = { isRetriable: true };
const abortable = { isTxnRequiresAbort: true };
const fatal = { isFatal: true };

describe("what is done about a call that failed", () => {
  test.each<[TransactionCall, string, Partial<CallFailure>, string]>([
    ["init", "retriable", { code: -185, ...retriable }, "repeat"],
    ["init", "no permission for the transactional id", { code: 53, ...fatal }, "stop"],
    ["init", "a timeout that the broker does not allow", { code: 50, ...fatal }, "stop"],
    ["init", "a broker that knows no transactions", { code: 35 }, "stop"],
    ["init", "anything else", { code: 48 }, "renew"],
    ["init", "another producer was quicker", { code: 90 }, "renew"],
    ["init", "fatal though retriable", { code: -150, ...fatal, ...retriable }, "renew"],
    ["begin", "any, it carries no flags", { code: -172 }, "renew"],
    ["begin", "the producer was fenced", { code: -144 }, "fenced"],
    ["sendOffsets", "not the coordinator", { code: 16, ...retriable }, "repeat"],
    ["sendOffsets", "the connection broke", { code: -195, ...retriable }, "repeat"],
    ["sendOffsets", "no answer in time", { code: -185, ...retriable }, "repeat"],
    ["sendOffsets", "another transaction is ending", { code: 51, ...retriable }, "repeat"],
    ["sendOffsets", "an old generation", { code: 22, ...abortable }, "abort"],
    ["sendOffsets", "an unknown member", { code: 25, ...abortable }, "abort"],
    ["sendOffsets", "abort wins over retriable", { code: 27, ...abortable, ...retriable }, "abort"],
    ["sendOffsets", "it does not return", { code: 0, isStuck: true }, "renew"],
    ["commit", "no answer in time", { code: -185, ...retriable }, "repeat"],
    ["commit", "a delivery failed", { code: -102, ...abortable }, "abort"],
    ["commit", "fatal", { code: -150, ...fatal }, "renew"],
    ["commit", "no flag", { code: 42 }, "renew"],
    ["commit", "fenced by another live instance", { code: -144, ...fatal }, "fenced"],
    ["commit", "fenced, because it took too long", { code: -144, ...fatal, isOutlived: true }, "renew"],
    ["abort", "no answer in time", { code: -185 }, "repeat"],
    ["abort", "an invalid transaction state", { code: 48, ...fatal }, "renew"],
    ["abort", "fenced, because it took too long", { code: -144, isOutlived: true }, "renew"],
    ["abort", "anything else", { code: 42 }, "renew"],
  ])("%s: %s", (call, _, given, remedy) => {
    expect(remedyOf(call, failure(given))).toBe(remedy);
  });

  test.each(["init", "begin", "sendOffsets", "commit", "abort"] as const)(
    "%s that hangs makes the producer useless, whatever else is known",
    (call) => {
      const given = { isStuck: true, ...retriable, ...abortable, ...fatal, code: -144 };
      expect(remedyOf(call, failure(given))).toBe("renew");
    },
  );

  test("a commit is never aborted when its time is over, offsets are", () => {
    expect(remedyWhenLate("commit")).toBe("renew");
    expect(remedyWhenLate("abort")).toBe("renew");
    expect(remedyWhenLate("sendOffsets")).toBe("abort");
  });

  test("a missing permission does not go away by repeating", () => {
    expect([29, 30, 53].map(isPermanent)).toEqual([true, true, true]);
    expect([-185, 16, 22, undefined].map(isPermanent)).toEqual([false, false, false, false]);
  });

  test("a broker that has just started does not know its topics yet: offsets of one may be taken later", () => {
    expect(isPermanent(3)).toBe(false);
  });
});
