import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { nativeCodes } from "../../../src/driver/native-errors.js";
import { KafkaError } from "../../../src/errors.js";
import { JoinWatch } from "../../../src/group/join-watch.js";
import { silent } from "../../support/silent.js";

let warnings: string[];
let failures: KafkaError[];
let watch: JoinWatch;

beforeEach(() => {
  vi.useFakeTimers();
  warnings = [];
  failures = [];
  watch = new JoinWatch({
    options: { groupId: "orders", properties: { "session.timeout.ms": 3_000 } },
    logger: { ...silent, warn: (message) => void warnings.push(message) },
    onFailure: (error) => void failures.push(error),
  });
});

afterEach(() => {
  vi.useRealTimers();
});

const refusal = (nativeCode: number) => new KafkaError("BROKER", "refused", { nativeCode, retriable: true });

test.each([
  ["sessionTimeoutMs", nativeCodes.invalidSessionTimeout],
  ["groupId", nativeCodes.invalidGroupId],
])("what no waiting cures ends the member, with the option to change: %s", (field, code) => {
  expect(watch.refused(refusal(code))).toBe(true);
  expect(failures).toEqual([expect.objectContaining({ code: "CONFIG", field, groupId: "orders" })]);
  expect(warnings).toEqual([]);
});

test.each([nativeCodes.inconsistentGroupProtocol, nativeCodes.groupMaxSizeReached])(
  "what another member's leaving cures is told at once and every 30 s: %i",
  (code) => {
    for (let second = 0; second <= 60; second += 2) {
      expect(watch.refused(refusal(code))).toBe(true);
      vi.advanceTimersByTime(2_000);
    }
    expect(warnings).toHaveLength(3);
    expect(failures).toEqual([]);
  },
);

test("other errors are for others", () => {
  expect(watch.refused(refusal(nativeCodes.notLeader))).toBe(false);
  expect([warnings, failures]).toEqual([[], []]);
});

test("brokers without the protocol consumer end the member", () => {
  watch.protocolUnknown();
  expect(failures).toEqual([expect.objectContaining({ code: "CONFIG", field: "groupProtocol" })]);
});

test("a member without partitions is told after 30 s, once; more members than partitions is told apart", () => {
  watch.subscribed();
  vi.advanceTimersByTime(29_999);
  expect(warnings).toEqual([]);
  watch.rebalanced("assign", 0);
  vi.advanceTimersByTime(100_000);
  expect(warnings).toEqual([expect.stringContaining("more members than partitions")]);
});

test("a member that has partitions in time, or is closed, is told nothing", () => {
  watch.subscribed();
  watch.rebalanced("assign", 2);
  vi.advanceTimersByTime(100_000);
  watch.subscribed();
  watch.stop();
  vi.advanceTimersByTime(100_000);
  expect(warnings).toEqual([]);
});
