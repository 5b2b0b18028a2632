import { describe, expect, test } from "vitest";
import { findingOf, groupErrorOf } from "../../../src/driver/log-findings.js";

const line = (fac: string, message: string) => ({ severity: 7, fac, message, name: "rdkafka#consumer-1" });

describe("ids of topics", () => {
  const changed = (from: string, to: string) =>
    line("METADATA", `[thrd:main]: Topic my.topic-1 changed id from ${from} to ${to}`);

  test("the first id and every other", () => {
    const finding = { type: "topic-id", topic: "my.topic-1", id: "Dgy6C/RJTZmZo/S6TgFPig" };
    expect(findingOf(changed("AAAAAAAAAAAAAAAAAAAAAA", "Dgy6C/RJTZmZo/S6TgFPig"))).toEqual(finding);
    expect(findingOf(changed("pPsa48EdR1C5HOlGmd/tgw", "Dgy6C/RJTZmZo/S6TgFPig"))).toEqual(finding);
  });

  test("the id of a topic that is new to the client", () => {
    const known = line("TOPIC", "[thrd:main]: New local topic: my.topic-1 (id Dgy6C/RJTZmZo/S6TgFPig)");
    expect(findingOf(known)).toMatchObject({ topic: "my.topic-1", id: "Dgy6C/RJTZmZo/S6TgFPig" });
    expect(findingOf(line("TOPIC", "[thrd:app]: New local topic: my.topic-1"))).toBeUndefined();
  });

  test("brokers that tell none, and other lines of metadata", () => {
    expect(findingOf(changed("pPsa48EdR1C5HOlGmd/tgw", "AAAAAAAAAAAAAAAAAAAAAA"))).toBeUndefined();
    expect(findingOf(line("METADATA", "[thrd:main]: Topic t [0] Leader 1 Epoch 0"))).toBeUndefined();
  });
});

describe("offsets that a log does not have", () => {
  const why = "fetch failed due to requested offset not available on the broker: Broker: Offset out of range";

  test.each([
    `[thrd:main]: t [7]: offset reset (at offset 20 (leader epoch 0), broker 1) to offset INVALID (leader epoch -1): ${why}`,
    `[thrd:main]: t [7]: offset reset (at offset 20 (leader epoch 0), broker 1) to offset BEGINNING (leader epoch -1): ${why}`,
    `[thrd:main]: t [7]: offset reset (at offset 20 (leader epoch 0), broker 1) to cached BEGINNING offset offset 60 (leader epoch -1): ${why}`,
  ])("%s", (message) => {
    expect(findingOf(line("OFFSET", message))).toEqual({
      type: "offset-lost",
      topic: "t",
      partition: 7,
      offset: 20,
      truncatedAt: undefined,
    });
  });

  test("a log that was cut off, and where", () => {
    const message =
      "[thrd:main]: t [7]: offset reset (at offset INVALID (leader epoch 4), broker 1) to offset INVALID (leader epoch -1): " +
      "Partition log truncation detected at offset 100 (leader epoch 3): broker end offset is 90 (offset leader epoch 2). " +
      "Reset to INVALID.: Local: Partition log truncation detected";
    expect(findingOf(line("OFFSET", message))).toMatchObject({ offset: 100, truncatedAt: 90 });
  });

  test.each([
    "[thrd:main]: t [0]: offset reset (at offset BEGINNING (leader epoch -1), broker -1) to offset BEGINNING (leader epoch -1): update: Success",
    "[thrd:main]: t [0]: offset reset (at offset INVALID (leader epoch -1), broker -1) to offset BEGINNING (leader epoch -1): no previously committed offset available: Local: No offset stored",
    "[thrd:main]: GroupCoordinator/1: Enqueue OffsetCommitRequest(v9, 1/1 partition(s))): manual",
  ])("beginning is no loss: %s", (message) => {
    expect(findingOf(line("OFFSET", message))).toBeUndefined();
  });
});

test("brokers that do not know the group protocol consumer", () => {
  const message =
    '[thrd:main]: Group "g": marking the coordinator (1) dead: Local: Required feature not supported by broker: ' +
    "ConsumerGroupHeartbeatRequest not supported by broker";
  expect(findingOf(line("COORD", message))).toEqual({ type: "protocol-unknown" });
});

describe("what a group of the protocol consumer says", () => {
  test("it has no partition for a member", () => {
    const target = (list: string) =>
      line("HEARTBEAT", `[thrd:main]: ConsumerGroupHeartbeat received target assignment "${list}"`);
    expect(findingOf(target(""))).toEqual({ type: "no-partition" });
    expect(findingOf(target("t((null))[0]"))).toBeUndefined();
  });

  test("why it ended the client for good", () => {
    const full = "Broker: Consumer group has reached maximum size";
    expect(groupErrorOf(`Fatal error: ${full}: ConsumerGroupHeartbeat fatal error: ${full} `)).toBe(full);
    expect(groupErrorOf("Fatal error: Local: Fatal error: out of memory")).toBeUndefined();
  });
});

describe("a member that joins its group", () => {
  const changed = (from: string, to: string) =>
    line("CGRPJOINSTATE", `[thrd:main]: Group "g \"1" changed join state ${from} -> ${to} (state up)`);

  test.each([
    ["init", "wait-join", true],
    ["wait-join", "wait-metadata", true],
    ["wait-metadata", "wait-sync", true],
    ["wait-sync", "wait-assign-call", true],
    ["steady", "wait-unassign-call", true],
    ["wait-assign-call", "steady", false],
    ["wait-join", "init", false],
    ["init", "wait-metadata", false],
  ])("%s -> %s", (from, to, isJoining) => {
    expect(findingOf(changed(from, to))).toEqual({ type: "joining", isJoining });
  });

  const heartbeat = (epoch: number) =>
    line(
      "HEARTBEAT",
      `[thrd:main]: GroupCoordinator/1: ConsumerGroupHeartbeat of member id "m", group id "g", generation id ${epoch}, group instance id "(null)", current assignment ""`,
    );
  const answer = line(
    "HEARTBEAT",
    '[thrd:main]: ConsumerGroupHeartbeat response received for member id "m" with epoch 1',
  );

  test("by heartbeats: from the first to its answer", () => {
    expect(findingOf(heartbeat(0))).toEqual({ type: "joining", isJoining: true });
    expect(findingOf(heartbeat(12))).toBeUndefined();
    expect(findingOf(answer)).toEqual({ type: "joining", isJoining: false });
  });
});
