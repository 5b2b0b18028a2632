import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { nativeCodes } from "../../../src/driver/native-errors.js";
import { KafkaError } from "../../../src/errors.js";
import { JoinWatch } from "../../../src/group/join-watch.js";
import { silent } from "../../support/silent.js";

let warnings: string[];
let waits: string[];
let failures: KafkaError[];
let watch: JoinWatch;
let trouble = "";

beforeEach(() => {
  vi.useFakeTimers();
  trouble = "";
  watch = newWatch();
});

afterEach(() => {
  vi.useRealTimers();
});

function newWatch({ protocol = "classic", topics = ["orders"] } = {}): JoinWatch {
  warnings = [];
  waits = [];
  failures = [];
  return new JoinWatch({
    options: { groupId: "orders", properties: { "session.timeout.ms": 3_000, "group.protocol": protocol } },
    topics,
    logger: { ...silent, warn: (message) => void warnings.push(message) },
    trouble: () => trouble,
    onWait: ({ code }) => void waits.push(code),
    onFailure: (error) => void failures.push(error),
  });
}

const refusal = (nativeCode: number) => new KafkaError("BROKER", "refused", { nativeCode, retriable: true });

test.each([
  ["sessionTimeoutMs", nativeCodes.invalidSessionTimeout],
  ["groupId", nativeCodes.invalidGroupId],
])("what no waiting cures ends the member, with the option to change: %s", (field, code) => {
  expect(watch.refused(refusal(code))).toBe("fails");
  expect(watch.refused(refusal(code))).toBe("fails");
  expect(failures).toEqual([expect.objectContaining({ code: "CONFIG", field, groupId: "orders" })]);
  expect([warnings, watch.waiting]).toEqual([[], undefined]);
});

test.each([
  ["INCONSISTENT_GROUP_PROTOCOL", 23],
  ["GROUP_ID_NOT_FOUND", 69],
  ["GROUP_MAX_SIZE_REACHED", 81],
  ["UNRELEASED_INSTANCE_ID", 111],
])("what another member's leaving cures is told at once and every 30 s: %s", (code, nativeCode) => {
  const since = Date.now();
  watch.subscribed();
  for (let second = 0; second <= 60; second += 2) {
    expect(watch.refused(refusal(nativeCode))).toBe("waits");
    expect(watch.waiting).toMatchObject({ code, since });
    vi.advanceTimersByTime(2_000);
  }
  expect(warnings).toHaveLength(3);
  expect(waits).toEqual([code, code, code]);
  expect(failures).toEqual([]);
  watch.rebalanced("assign", 1);
  expect(watch.waiting).toBeUndefined();
  watch.refused(refusal(nativeCode));
  expect(warnings).toHaveLength(4);
});

test("another reason is told at once, whenever the one before was told", () => {
  watch.refused(refusal(nativeCodes.groupMaxSizeReached));
  watch.refused(refusal(nativeCodes.inconsistentGroupProtocol));
  expect(waits).toEqual(["GROUP_MAX_SIZE_REACHED", "INCONSISTENT_GROUP_PROTOCOL"]);
});

test("other errors are for others", () => {
  expect(watch.refused(refusal(nativeCodes.notLeader))).toBeUndefined();
  expect([warnings, failures]).toEqual([[], []]);
});

test("brokers without the protocol consumer end the member", () => {
  watch.protocolUnknown();
  expect(failures).toEqual([expect.objectContaining({ code: "CONFIG", field: "groupProtocol" })]);
});

describe("a member without partitions", () => {
  test("is told after 30 s; where it has joined, nothing is left for it, and that is told once", () => {
    watch.subscribed();
    vi.advanceTimersByTime(29_999);
    expect([warnings, watch.waiting]).toEqual([[], undefined]);
    watch.rebalanced("assign", 0);
    vi.advanceTimersByTime(100_000);
    expect(warnings).toEqual([expect.stringContaining("more members than partitions")]);
    expect(waits).toEqual(["NO_PARTITIONS"]);
    expect(watch.waiting).toMatchObject({ code: "NO_PARTITIONS" });
  });

  test("is told every 30 s where the group does not answer", () => {
    watch.subscribed();
    vi.advanceTimersByTime(90_000);
    expect(waits).toEqual(["NOT_JOINED", "NOT_JOINED", "NOT_JOINED"]);
    expect(warnings.at(-1)).toContain("no partition for 90 s: the group is still rebalancing");
    trouble = ". The last connection that failed: 127.0.0.1:9/1";
    expect(watch.waiting?.reason).toMatch(
      /does not answer\. The last connection that failed: 127\.0\.0\.1:9/,
    );
  });

  test("of a pattern may be one because no topic fits", () => {
    watch = newWatch({ topics: ["^orders-.*"] });
    watch.subscribed();
    watch.rebalanced("assign", 0);
    vi.advanceTimersByTime(30_000);
    expect(warnings).toEqual([expect.stringContaining("or no topic fits the pattern")]);
  });

  test("counts from when it lost the last one", () => {
    watch.subscribed();
    watch.rebalanced("assign", 2);
    vi.advanceTimersByTime(100_000);
    expect([warnings, watch.waiting]).toEqual([[], undefined]);
    watch.rebalanced("revoke", 1);
    vi.advanceTimersByTime(100_000);
    expect(warnings).toEqual([]);
    watch.rebalanced("revoke", 1);
    vi.advanceTimersByTime(30_000);
    expect(waits).toEqual(["NOT_JOINED"]);
  });

  test("of the protocol consumer stays a member when its partitions go to others", () => {
    watch = newWatch({ protocol: "consumer" });
    watch.subscribed();
    watch.rebalanced("assign", 1);
    watch.rebalanced("revoke", 1);
    vi.advanceTimersByTime(30_000);
    expect(waits).toEqual(["NO_PARTITIONS"]);
    watch.lost();
    expect(watch.waiting).toMatchObject({ code: "NOT_JOINED" });
  });

  test("is told nothing once it is closed", () => {
    watch.subscribed();
    watch.rebalanced("assign", 1);
    watch.stop();
    watch.rebalanced("revoke", 1);
    vi.advanceTimersByTime(100_000);
    expect([warnings, watch.waiting]).toEqual([[], undefined]);
  });
});

test("a clock that is set back, or lags behind the timer by a millisecond, delays nothing", () => {
  watch.subscribed();
  watch.joined();
  vi.setSystemTime(Date.now() - 3_600_000);
  vi.advanceTimersByTime(30_000);
  expect(waits).toEqual(["NO_PARTITIONS"]);
  expect(watch.waiting?.code).toBe("NO_PARTITIONS");
});
