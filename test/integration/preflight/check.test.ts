import { afterAll, describe, expect, inject, test } from "vitest";
import { type CheckOptions, type ConsumerOptions, defineTopic, Kafka, string } from "typed-kafka";
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
    const long = { assignor: "range", sessionTimeoutMs: 3_600_000, maxPollIntervalMs: 3_600_000 } as const;
    expect(await found(long)).toEqual([expect.objectContaining({ level: "error", subject: "time limits" })]);
    await member.close();
    await ended;
  });

  test("runs from the command line", async () => {
    const topic = await createTopic();
    const program = runProgram("test/support/programs/cli.ts", {
      KAFKA_BROKERS: inject("brokers"),
      CLI_ARGS: `check --topic ${topic} --group ${uniqueName()}`,
    });
    expect(await program.ended).toBe(0);
    expect(program.output()).toMatch(new RegExp(`ok +topic ${topic} +1 partition, .*\n(.*\n)*ready\n$`));
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
