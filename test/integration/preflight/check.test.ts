import { afterAll, describe, expect, inject, test } from "vitest";
import {
  type CheckOptions,
  type ConsumerOptions,
  defineStore,
  defineTopic,
  integer,
  Kafka,
  type ProcessorOptions,
  string,
} from "typed-kafka";
import { textTopic, until } from "../../support/consuming.js";
import { runProgram } from "../../support/run-example.js";
import { accessOf, startSecureKafka } from "../../support/secure-kafka.js";
import { silent } from "../../support/silent.js";
import { createTopic, uniqueName } from "../../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers") });
afterAll(() => kafka.close());

describe("kafka.check", () => {
  test("is ok where everything is there, and says what it looked at", async () => {
    const topic = defineTopic(await createTopic({ partitions: 2 }), { value: string(), partitions: 2 });
    const groupId = uniqueName();
    const options: ConsumerOptions = { groupId, order: "key", concurrency: 10, deadLetter: true };
    const report = await kafka.check(topic, { ...options, transactionalId: "any" });
    expect(report.ok).toBe(true);
    expect(report.findings.map(({ level, subject }) => `${level} ${subject}`)).toEqual([
      "ok brokers",
      "ok time limits",
      `ok topic ${topic.name}`,
      `warning topic ${topic.name}.${groupId}.dead-letter`,
      `ok group ${groupId}`,
      "unknown transactional id any",
    ]);
  });

  test("names everything that is missing", async () => {
    const topic = defineTopic(uniqueName(), { value: string() });
    const report = await kafka.check([topic], {
      groupId: "g",
      sessionTimeoutMs: 9_000,
      maxPollIntervalMs: 5_000,
    });
    expect(report.ok).toBe(false);
    expect(String(report)).toMatch(
      /ERROR +time limits +maxPollIntervalMs.*\n.*\n?ERROR +topic .*does not exist/,
    );
  });

  test("compares how a member joins with its group and the brokers", async () => {
    const topic = textTopic(await createTopic());
    const groupId = uniqueName();
    const member = kafka.consumer(topic, { groupId, assignor: "range" });
    const ended = member.run(() => {});
    await until("it has its partition", () => member.assignment.length > 0);
    const found = async (options: CheckOptions) =>
      (await kafka.check(topic, { groupId, ...options })).findings.filter(({ level }) => level !== "ok");
    expect(await found({ assignor: "range" })).toEqual([]);
    expect(await found({ groupProtocol: "consumer" })).toEqual([]);
    expect(await found({})).toEqual([
      expect.objectContaining({
        subject: `group ${groupId}`,
        message: expect.stringContaining("its members use assignor range, and this one cooperative-sticky"),
      }),
    ]);
    const long = { assignor: "range", sessionTimeoutMs: 1_900_000, maxPollIntervalMs: 1_900_000 } as const;
    expect(await found(long)).toEqual([expect.objectContaining({ level: "error", subject: "time limits" })]);
    await member.close();
    await ended;
  });

  describe("of a processor with stores", () => {
    const totals = defineStore("totals", { value: integer(), retentionMs: 60_000 });
    const optionsOf = (groupId: string): ProcessorOptions => ({
      ...{ groupId, transactionalId: groupId, stores: [totals], stateDirectory: "/nowhere" },
      ...{ maxTaskIdleMs: 100, onRestore: () => {} },
    });
    const foundIn = async (topics: Parameters<Kafka["check"]>[0], groupId: string) =>
      (await kafka.check(topics, optionsOf(groupId))).findings.filter(
        ({ subject }) => subject.includes(groupId) || subject === "stores",
      );

    test("says that a changelog is missing, and is ok with the one that the start makes", async () => {
      const topic = textTopic(await createTopic({ partitions: 2 }));
      const groupId = uniqueName();
      const changelog = `topic ${groupId}.totals.changelog`;
      const stateDirectory = undefined;
      expect(await foundIn(topic, groupId)).toContainEqual({
        level: "warning",
        subject: changelog,
        message: expect.stringContaining("does not exist; it is made at the start"),
        remedy: expect.stringMatching(
          new RegExp(`as many partitions as ${topic.name}: .* ${groupId}.totals.changelog .*=compact$`),
        ),
      });
      const processor = kafka.processor(topic, { ...optionsOf(groupId), stateDirectory });
      const running = processor.run(() => {});
      await until("it has its partitions", () => processor.assignment.length === 2);
      await processor.close();
      await running;
      const found = await foundIn(topic, groupId);
      expect(found).toContainEqual(expect.objectContaining({ level: "ok", subject: changelog }));
      expect(found.filter(({ subject }) => subject === changelog)).toHaveLength(1);
    });

    test("says what is wrong with a changelog, and with topics that are no tasks", async () => {
      const [two, three] = await Promise.all([2, 3].map((partitions) => createTopic({ partitions })));
      const groupId = uniqueName();
      const name = `${groupId}.totals.changelog`;
      await createTopic({ name, partitions: 1, config: { "cleanup.policy": "delete" } });
      expect(await foundIn([textTopic(two ?? ""), textTopic(three ?? "")], groupId)).toMatchObject([
        {
          level: "error",
          subject: `topic ${name}`,
          message:
            "has 1 partitions, and the topics have 3: with another number keys are in other partitions",
          remedy: expect.stringContaining("Use a new store name"),
        },
        {
          level: "error",
          subject: "stores",
          message: expect.stringContaining(`${two ?? ""} has 2, ${three ?? ""} has 3`),
        },
        {
          level: "error",
          subject: `topic ${name}`,
          message: expect.stringContaining("has cleanup.policy=delete, so brokers delete"),
          remedy: expect.stringContaining(`--alter --topic ${name} --add-config cleanup.policy=compact`),
        },
        { subject: `group ${groupId}` },
        { subject: `transactional id ${groupId}` },
      ]);
    });

    test.each([
      ["delete.retention.ms", "3600000", "86400000"],
      ["message.timestamp.type", "LogAppendTime", "CreateTime"],
    ])(
      "says that a changelog has %s=%s, and its processor does not start with it",
      async (key, is, wanted) => {
        const topic = textTopic(await createTopic());
        const groupId = uniqueName();
        const name = `${groupId}.totals.changelog`;
        await createTopic({ name, config: { "cleanup.policy": "compact", [key]: is } });
        expect(await foundIn(topic, groupId)).toContainEqual(
          expect.objectContaining({
            level: "error",
            subject: `topic ${name}`,
            remedy: expect.stringContaining(`--add-config ${key}=${wanted}`),
          }),
        );
        await expect(kafka.processor(topic, optionsOf(groupId)).run(() => {})).rejects.toMatchObject({
          name: "ConfigError",
          field: "stores",
          message: expect.stringContaining(`the changelog ${name} has ${key}=${is}`),
        });
      },
    );

    test("needs the group that changelogs are named after", async () => {
      await expect(kafka.check([], { stores: [totals] })).rejects.toMatchObject({ field: "groupId" });
    });
  });

  test("runs from the command line, with stores too", async () => {
    const topic = await createTopic();
    const group = uniqueName();
    const program = runProgram("test/support/programs/cli.ts", {
      KAFKA_BROKERS: inject("brokers"),
      CLI_ARGS: `check --topic ${topic} --group ${group} --store totals`,
    });
    expect(await program.ended).toBe(0);
    expect(program.output()).toMatch(
      new RegExp(
        `ok +topic ${topic} +1 partition, .*\nwarning +topic ${group}.totals.changelog +does not exist.*\n(.*\n)*ready: 1 warning\n$`,
      ),
    );
  });
});

describe("on a cluster with authorization", () => {
  test("the check finds what may not be done, and read and admin fail with it at once", async () => {
    await using cluster = await secure();
    const own = new Kafka({
      ...accessOf(cluster, "alice", "secret"),
      logger: silent,
    });
    const define = (name: string) => defineTopic(name, { value: string() });
    const [readable, seen, hidden] = ["readable", "seen", "hidden"].map(define) as [
      ReturnType<typeof define>,
      ReturnType<typeof define>,
      ReturnType<typeof define>,
    ];
    for (const { name } of [readable, seen, hidden]) await cluster.createTopic(name);
    await cluster.grant("alice", ["--operation", "Read", "--topic", "readable"]);
    await cluster.grant("alice", ["--operation", "Describe", "--topic", "seen"]);

    const report = await own.check([readable, seen, hidden], { groupId: "g" });
    expect(report.findings.map(({ level, subject }) => `${level} ${subject}`)).toEqual([
      "ok brokers",
      "ok time limits",
      "ok topic readable",
      "error topic seen",
      "error topic hidden",
      "error group g",
      "unknown settings of the brokers",
    ]);

    // A read needs no right on any group.
    const values = [];
    for await (const { value } of own.read(readable)) values.push(value);
    expect(values).toEqual([]);
    const admin = own.admin();
    await expect(admin.ensureTopics(define("new"))).rejects.toMatchObject({ code: "AUTHORIZATION" });
    await expect(admin.deleteTopics("readable")).rejects.toMatchObject({ code: "AUTHORIZATION" });
    await expect(admin.groupLag("g")).rejects.toMatchObject({ code: "AUTHORIZATION" });
    const follow = own.read(seen, { follow: true, stallTimeoutMs: 10_000 });
    await expect(follow.next()).rejects.toMatchObject({ code: "AUTHORIZATION" });
    await expect(own.read(hidden).next()).rejects.toMatchObject({
      code: expect.stringMatching(/AUTHORIZATION|UNKNOWN_TOPIC/),
    });
    await own.close();
  }, 120_000);
});

async function secure() {
  const cluster = await startSecureKafka({ users: { alice: "secret" } });
  return { ...cluster, [Symbol.asyncDispose]: () => cluster.close() };
}
