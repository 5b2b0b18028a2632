import { expect, test } from "vitest";
import { type ConsumerOptions, resolveConsumerOptions } from "../../../src/group/options.js";

test("the defaults: earliest, cooperative-sticky, read_committed, a commit each second", () => {
  expect(resolveConsumerOptions({ groupId: "g" })).toMatchObject({
    commitIntervalMs: 1_000,
    drainTimeoutMs: 30_000,
    maxPollIntervalMs: 300_000,
    order: "partition",
    properties: {
      "group.id": "g",
      "auto.offset.reset": "earliest",
      "isolation.level": "read_committed",
      "partition.assignment.strategy": "cooperative-sticky",
      "session.timeout.ms": 45_000,
    },
  });
});

test('groupProtocol "consumer" sets nothing that the broker decides', () => {
  const { properties } = resolveConsumerOptions({
    groupId: "g",
    groupProtocol: "consumer",
    groupInstanceId: "i",
  });
  expect(properties).toMatchObject({ "group.protocol": "consumer", "group.instance.id": "i" });
  for (const name of ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"])
    expect(properties).not.toHaveProperty([name]);
});

test.each<[string, object]>([
  ["groupId", {}],
  ["groupId", { groupId: "" }],
  ["ConsumerOptions.groupID", { groupId: "g", groupID: "g" }],
  ["from", { groupId: "g", from: "newest" }],
  ["order", { groupId: "g", order: "topic" }],
  ["concurrency", { groupId: "g", concurrency: 0 }],
  ["commitIntervalMs", { groupId: "g", commitIntervalMs: 1.5 }],
  ["drainTimeoutMs", { groupId: "g", drainTimeoutMs: 10_000, maxPollIntervalMs: 10_000 }],
  ["maxPollIntervalMs", { groupId: "g", sessionTimeoutMs: 20_000, maxPollIntervalMs: 10_000 }],
  ["sessionTimeoutMs", { groupId: "g", groupProtocol: "consumer", sessionTimeoutMs: 10_000 }],
  ["assignor", { groupId: "g", groupProtocol: "consumer", assignor: "range" }],
  ["assignor", { groupId: "g", assignor: "RoundRobinAssigner" }],
  ["assignor", { groupId: "g", assignor: [] }],
  ["assignor", { groupId: "g", assignor: ["range", "range"] }],
  ["assignor", { groupId: "g", assignor: ["cooperative-sticky", "range"] }],
  ["assignor", { groupId: "g", assignor: ["range", 1] }],
  ["maxBufferBytes", { groupId: "g", maxBufferBytes: 1 }],
  ["onRebalance", { groupId: "g", onRebalance: true }],
])("names the wrong field: %s of %o", (field, options) => {
  expect(() => resolveConsumerOptions(options as ConsumerOptions)).toThrow(
    expect.objectContaining({ code: "CONFIG", field }),
  );
});

test.each([
  [undefined, "cooperative-sticky"],
  ["range", "range"],
  [["cooperative-sticky"], "cooperative-sticky"],
  [["roundrobin", "range"], "roundrobin,range"],
] as const)("the assignor %o is the property %s", (assignor, property) => {
  expect(resolveConsumerOptions({ groupId: "g", assignor }).properties).toMatchObject({
    "partition.assignment.strategy": property,
  });
});
