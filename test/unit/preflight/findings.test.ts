import { describe, expect, test } from "vitest";
import { defineTopic, string } from "typed-kafka";
import type { GroupDescription } from "../../../src/admin/descriptions.js";
import type { NativeTopicDescription } from "../../../src/driver/native-admin.js";
import { membershipFindings } from "../../../src/preflight/group-findings.js";
import type { CheckOptions } from "../../../src/preflight/options.js";
import { CheckReport, remedyOf } from "../../../src/preflight/report.js";
import { checkTimeLimits } from "../../../src/preflight/time-limits.js";
import { topicFindings, type TopicUse } from "../../../src/preflight/topic-findings.js";

const limits = (options: CheckOptions, settings?: ReadonlyMap<string, string>) =>
  checkTimeLimits(options, settings).map(({ level, message }) => `${level}: ${message}`);

const brokerSettings = new Map([
  ["group.min.session.timeout.ms", "50000"],
  ["group.max.session.timeout.ms", "60000"],
  ["group.max.size", "2"],
  ["group.consumer.max.size", "3"],
  ["group.coordinator.rebalance.protocols", "classic"],
]);

describe("what the brokers are configured with", () => {
  test("bounds the session timeout, the default too", () => {
    const group = { groupId: "g" };
    expect(limits(group, brokerSettings)).toEqual([
      "error: sessionTimeoutMs (45000) is outside 50000 to 60000, which is what these brokers take",
    ]);
    expect(limits({ ...group, sessionTimeoutMs: 50_000 }, brokerSettings)).toEqual([
      "ok: do not contradict each other",
    ]);
    expect(limits({ ...group, sessionTimeoutMs: 60_001 }, brokerSettings)).toHaveLength(1);
    expect(limits({ ...group, groupProtocol: "consumer" }, brokerSettings)).toEqual([
      "ok: do not contradict each other",
    ]);
    expect(limits(group, new Map())).toEqual(["ok: do not contradict each other"]);
  });
});

describe("a member that is going to join a group", () => {
  const groupOf = (protocol: "classic" | "consumer", assignor: string, count: number): GroupDescription => ({
    groupId: "g",
    state: count === 0 ? "empty" : "stable",
    protocol,
    assignor,
    coordinator: 1,
    members: Array.from({ length: count }, (_, index) => ({
      memberId: String(index),
      clientId: "c",
      host: "h",
      groupInstanceId: undefined,
      partitions: [],
    })),
    operations: ["READ"],
  });
  const classic = (...assignors: string[]) => ({ groupProtocol: "classic" as const, assignors });
  const next = { groupProtocol: "consumer" as const, assignors: ["cooperative-sticky"] };

  test.each([
    [groupOf("classic", "range", 1), classic("range")],
    [groupOf("classic", "range", 1), classic("roundrobin", "range")],
    [groupOf("classic", "", 0), classic("range")],
    [groupOf("classic", "range", 1), next],
    [groupOf("classic", "RoundRobinAssigner", 1), next],
    [groupOf("consumer", "uniform", 2), classic("range")],
    [groupOf("consumer", "uniform", 2), next],
  ])("is taken: %o by %o", (group, membership) => {
    expect(membershipFindings(group, membership, undefined)).toEqual([]);
  });

  test.each([
    [
      groupOf("classic", "range", 1),
      classic("cooperative-sticky"),
      "warning",
      /unless they all know that too/,
    ],
    [groupOf("classic", "RoundRobinAssigner", 1), classic("roundrobin"), "error", /the group refuses it$/],
    [groupOf("classic", "sessioned", 1), classic("range"), "error", /the group refuses it$/],
    [groupOf("classic", "cooperative-sticky", 1), next, "warning", /beside those of librdkafka/],
    [groupOf("classic", "range", 2), classic("range"), "warning", /is full: it has 2 members/],
    [groupOf("consumer", "uniform", 3), classic("range"), "warning", /group.consumer.max.size is 3/],
    [groupOf("classic", "range", 1), next, "error", /is not known to these brokers/],
  ])("is refused, or may be: %o by %o", (group, membership, level, message) => {
    const settings = /known to these|is full|max.size/.test(message.source) ? brokerSettings : undefined;
    const [finding, ...others] = membershipFindings(group, membership, settings);
    expect(finding).toMatchObject({ level, subject: "group g", message: expect.stringMatching(message) });
    expect(others).toEqual([]);
  });
});

describe("time limits that contradict each other", () => {
  const group = { groupId: "g" };
  const processor = { groupId: "g", transactionalId: "x" };

  test("are none by default, and not looked at where none are used", () => {
    expect(limits(group)).toEqual(["ok: do not contradict each other"]);
    expect(limits(processor)).toEqual(["ok: do not contradict each other"]);
    expect(limits({})).toEqual([]);
    // A processor's commits may be more frequent than a consumer's.
    expect(limits({ ...processor, commitIntervalMs: 5 })).toEqual(["ok: do not contradict each other"]);
  });

  test.each<[string, CheckOptions, RegExp]>([
    [
      "a session longer than the poll interval",
      { ...group, sessionTimeoutMs: 60_000, maxPollIntervalMs: 30_000 },
      /^error: maxPollIntervalMs/,
    ],
    [
      "draining longer than the poll interval",
      { ...group, maxPollIntervalMs: 10_000, drainTimeoutMs: 20_000 },
      /^error: drainTimeoutMs/,
    ],
    [
      "a session that brokers refuse by default",
      { ...group, sessionTimeoutMs: 2_000 },
      /^warning: sessionTimeoutMs \(2000\)/,
    ],
    [
      "commits rarer than transactions may take",
      { ...processor, commitIntervalMs: 60_000 },
      /^error: commitIntervalMs/,
    ],
    [
      "commits more often than a consumer makes them",
      { ...group, commitIntervalMs: 5 },
      /^error: commitIntervalMs/,
    ],
    [
      "commits at no interval",
      { ...processor, commitIntervalMs: NaN },
      /^error: commitIntervalMs: .* got NaN/,
    ],
    [
      "transactions too short",
      { transactionalId: "x", transactionTimeoutMs: 5 },
      /^error: transactionTimeoutMs/,
    ],
    [
      "transactions too short for a processor",
      { ...processor, transactionTimeoutMs: 5 },
      /^error: transactionTimeoutMs/,
    ],
    [
      "a time that is a text",
      { ...processor, transactionTimeoutMs: "9" as never },
      /^error: transactionTimeoutMs: .* got "9"/,
    ],
  ])("%s", (_, options, message) => {
    expect(limits(options)).toEqual([expect.stringMatching(message)]);
  });
});

describe("what is said of a topic", () => {
  const node = (id: number) => ({ id });
  const describeTopic = (
    name: string,
    partitions: number,
    {
      leader = 1,
      isr = [1, 2],
      operations = [3, 4, 8],
    }: { leader?: number; isr?: number[]; operations?: number[] } = {},
  ): NativeTopicDescription => ({
    name,
    isInternal: false,
    authorizedOperations: operations,
    partitions: Array.from({ length: partitions }, (_, partition) => ({
      partition,
      leader: node(leader),
      isr: isr.map(node),
      replicas: [1, 2].map(node),
    })),
  });
  const missing = (name: string, code: number): NativeTopicDescription => ({
    name,
    isInternal: false,
    partitions: [],
    error: { code, message: "Broker: no" },
  });
  const use = (more: Partial<TopicUse> = {}): TopicUse => ({
    name: "t",
    definition: undefined,
    needs: ["READ"],
    madeFrom: undefined,
    ...more,
  });
  const said = (of: TopicUse, ...topics: NativeTopicDescription[]) =>
    topicFindings(of, new Map(topics.map((topic) => [topic.name, topic]))).map(
      ({ level, message }) => `${level}: ${message}`,
    );

  test("is how it is, and what may be done with it", () => {
    expect(said(use(), describeTopic("t", 3))).toEqual([
      "ok: 3 partitions, replication factor 2; this principal may READ and WRITE it",
    ]);
  });

  test("is that it is missing, or cannot be seen", () => {
    expect(said(use(), missing("t", 3))).toEqual(["error: does not exist"]);
    expect(said(use(), missing("t", 29))[0]).toMatch(/^error: this principal may not even see it/);
    expect(said(use({ madeFrom: ["s"] }), missing("t", 3))[0]).toMatch(
      /^warning: does not exist; it is made/,
    );
  });

  test("is what may not be done with it", () => {
    expect(said(use({ needs: ["READ", "WRITE"] }), describeTopic("t", 1, { operations: [8, 4] }))).toEqual([
      "error: this principal may not READ it",
    ]);
    expect(said(use({ needs: [] }), describeTopic("t", 1, { operations: [8] }))).toEqual([
      "error: this principal may neither READ nor WRITE it",
    ]);
  });

  test("is how it differs from its definition", () => {
    const definition = defineTopic("t", { value: string(), partitions: 6, replicationFactor: 3 });
    expect(said(use({ definition }), describeTopic("t", 3)).slice(1)).toEqual([
      "warning: has partitions 3, its definition says 6",
      "warning: has replicationFactor 2, its definition says 3",
    ]);
  });

  test("is that nothing can be written where too few brokers hold it", () => {
    const definition = defineTopic("t", { value: string(), config: { "min.insync.replicas": "3" } });
    expect(said(use({ definition, needs: ["WRITE"] }), describeTopic("t", 1))[0]).toMatch(
      /^error: .*min\.insync/,
    );
    expect(said(use({ definition, needs: ["READ"] }), describeTopic("t", 1))).toHaveLength(1);
  });

  test("is which partitions nobody leads, and which are behind", () => {
    expect(said(use(), describeTopic("t", 2, { leader: -1, isr: [] }))).toEqual([
      "error: no broker leads partition 0, 1: it can be neither read nor written",
      "warning: not all replicas of partition 0, 1 are in sync",
    ]);
  });

  test("is that it has fewer partitions than its source", () => {
    expect(said(use({ madeFrom: ["s"] }), describeTopic("t", 1), describeTopic("s", 4))[1]).toBe(
      "warning: has 1 partitions, its source has 4",
    );
  });
});

describe("a report", () => {
  test("is not ok with an error, and ok with anything else", () => {
    const finding = { subject: "s", message: "m" } as const;
    expect(new CheckReport([{ ...finding, level: "error" }]).ok).toBe(false);
    expect(
      new CheckReport([
        { ...finding, level: "warning" },
        { ...finding, level: "unknown" },
      ]).ok,
    ).toBe(true);
  });

  test("is a table for people, with remedies and the outcome, and an object for programs", () => {
    const report = new CheckReport([
      { level: "ok", subject: "brokers", message: "answered" },
      { level: "error", subject: "topic t", message: "does not exist", remedy: "make it" },
    ]);
    expect(String(report)).toBe(
      [
        "ok       brokers  answered",
        "ERROR    topic t  does not exist",
        "                  -> make it",
        "not ready: 1 error",
      ].join("\n"),
    );
    expect(JSON.parse(JSON.stringify(report))).toMatchObject({
      ok: false,
      findings: [{ level: "ok" }, { remedy: "make it" }],
    });
  });
});

test("what would help is told as the reader gives it: options, calls and Kafka's own tools", () => {
  const report = new CheckReport([
    {
      level: "warning",
      subject: "group g",
      message: "its members use assignor range",
      option: { name: "assignor", value: "range" },
      remedy: "stop them",
    },
    {
      level: "error",
      subject: "topic t",
      message: "does not exist",
      call: "kafka.admin().ensureTopics(…)",
      remedy: "kafka-topics.sh --create --topic t",
    },
    { level: "error", subject: "topic u", message: "cannot be led" },
  ]);
  expect(report.format().split("\n")).toEqual([
    "warning  group g  its members use assignor range",
    '                  -> set assignor: "range"; or stop them',
    "ERROR    topic t  does not exist",
    "                  -> kafka.admin().ensureTopics(…); or kafka-topics.sh --create --topic t",
    "ERROR    topic u  cannot be led",
    "not ready: 2 errors, 1 warning",
  ]);
  const [first, second] = report.findings.map((finding) =>
    remedyOf(finding, ({ option }) => [option && `set --${option.name} ${option.value}`]),
  );
  expect(first).toBe("set --assignor range; or stop them");
  expect(second).toBe("kafka-topics.sh --create --topic t");
});
