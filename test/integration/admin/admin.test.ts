import { afterAll, describe, expect, inject, test } from "vitest";
import { ConfigError, defineTopic, Kafka, KafkaError, string } from "typed-kafka";
import { joinGroup } from "../../support/joined-group.js";
import { silent } from "../../support/silent.js";
import { createTopic, uniqueName } from "../../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers") });
const admin = kafka.admin();
afterAll(() => kafka.close());

const define = (name: string, partitions?: number) => defineTopic(name, { value: string(), partitions });

async function fill(name: string, timestamps: readonly number[], partition = 0): Promise<void> {
  const producer = kafka.producer();
  await producer.send(
    define(name),
    timestamps.map((timestamp) => ({ value: String(timestamp), partition, timestamp })),
  );
  await producer.close();
}

describe("ensureTopics", () => {
  test("makes what is missing as defined, tells what differs, and changes nothing that exists", async () => {
    const existing = await createTopic({ partitions: 2 });
    const missing = uniqueName();
    const wanted = [
      defineTopic(missing, {
        value: string(),
        partitions: 3,
        replicationFactor: 1,
        config: { "cleanup.policy": "compact" },
      }),
      define(existing, 5),
    ];
    expect(await admin.ensureTopics(wanted)).toEqual([
      { topic: missing, status: "created", differences: [] },
      {
        topic: existing,
        status: "differs",
        differences: [expect.objectContaining({ what: "partitions", wanted: 5, actual: 2 })],
      },
    ]);
    const [made, left] = await admin.describeTopics([missing, existing]);
    expect(made).toMatchObject({ name: missing, internal: false, replicationFactor: 1 });
    expect(made?.partitions.map(({ partition }) => partition)).toEqual([0, 1, 2]);
    expect(made?.operations).toContain("WRITE");
    expect(left?.partitions).toHaveLength(2);
    expect(await admin.ensureTopics(define(existing))).toEqual([
      { topic: existing, status: "unchanged", differences: [] },
    ]);
  });

  test("two processes that start at once both succeed", async () => {
    const topic = define(uniqueName(), 1);
    const other = kafka.admin();
    const results = await Promise.all([admin.ensureTopics(topic), other.ensureTopics(topic)]);
    expect(results.flat().filter(({ status }) => status === "created")).toHaveLength(1);
    await other.close();
  });

  test("makes the others, and fails with the reason, where a broker refuses one", async () => {
    const good = define(uniqueName(), 1);
    const bad = defineTopic(uniqueName(), { value: string(), config: { "cleanup.policy": "burn" } });
    await expect(admin.ensureTopics([bad, good])).rejects.toThrow(/burn/);
    expect(await admin.ensureTopics(good)).toMatchObject([{ status: "unchanged" }]);
  });
});

describe("topics", () => {
  test("get more partitions, and never fewer", async () => {
    const name = await createTopic({ partitions: 2 });
    expect((await admin.createPartitions(name, 4)).partitions).toHaveLength(4);
    expect((await admin.createPartitions(name, 4)).partitions).toHaveLength(4);
    await expect(admin.createPartitions(name, 3)).rejects.toThrow(ConfigError);
  });

  test("are gone when deleteTopics resolves", async () => {
    const name = await createTopic();
    await admin.deleteTopics(name);
    await expect(admin.describeTopics(name)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", topic: name });
  });

  test("that do not exist are named, and the others are deleted all the same", async () => {
    const name = await createTopic();
    const [a, b] = [uniqueName(), uniqueName()];
    const failure: unknown = await admin.deleteTopics([a, name, b]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "UNKNOWN_TOPIC", cause: { errors: [{}, {}] } });
    expect((failure as Error).message).toMatch(new RegExp(`2 of 3 .*${a}.*${b}`));
    await expect(admin.describeTopics(name)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC" });
  });

  test("lose the records before an offset, before a time, or all", async () => {
    const name = await createTopic({ partitions: 2 });
    await fill(name, [1_000, 2_000, 3_000, 4_000]);
    expect(await admin.deleteRecords(name, { 0: 1 })).toEqual([{ topic: name, partition: 0, offset: 1 }]);
    expect(await admin.deleteRecords(name, new Date(3_000))).toContainEqual({
      topic: name,
      partition: 0,
      offset: 2,
    });
    expect(await admin.deleteRecords(name, "latest")).toContainEqual({
      topic: name,
      partition: 0,
      offset: 4,
    });
    await expect(admin.deleteRecords(name, { 0: 9 })).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
    await expect(admin.deleteRecords(name, { 7: 0 })).rejects.toMatchObject({ code: "UNKNOWN_PARTITION" });
  });

  test("lose all of their records while others are written", async () => {
    const name = await createTopic({ partitions: 1 });
    const producer = kafka.producer();
    const over = new AbortController();
    const writing = (async () => {
      while (!over.signal.aborted) await producer.send(define(name), { value: "more" });
    })();
    const last: number[] = [];
    try {
      for (let count = 0; count < 100; count++)
        last.push((await admin.deleteRecords(name, "latest"))[0]?.offset ?? -1);
    } finally {
      over.abort();
      await writing;
      await producer.close();
    }
    expect(last).toEqual(last.toSorted((a, b) => a - b));
    expect(last.at(-1)).toBeGreaterThan(0);
  });
});

test("all topics are listed, sorted", async () => {
  const names = [await createTopic({ partitions: 1 }), await createTopic({ partitions: 2 })];
  const listed = await admin.listTopics();
  expect(listed).toEqual(expect.arrayContaining(names));
  expect(listed).toEqual([...listed].sort());
  await admin.deleteTopics(names[0] ?? "");
  expect(await admin.listTopics()).not.toContain(names[0]);
});

describe("groups", () => {
  test("that do not exist are dead, and are not behind", async () => {
    const [group] = await admin.describeGroups(uniqueName());
    expect(group).toMatchObject({ state: "dead", members: [] });
    expect(await admin.groupLag(uniqueName())).toEqual([]);
  });

  test("are described with members and partitions, and their lag is told, while they live", async () => {
    const name = await createTopic({ partitions: 2 });
    await fill(name, [1_000, 2_000, 3_000]);
    const groupId = uniqueName();
    const consumer = kafka.consumer(define(name), { groupId, commitIntervalMs: 10 });
    let seen = 0;
    const running = consumer.run(() => {
      seen += 1;
    });
    await expect.poll(() => seen, { timeout: 15_000 }).toBe(3);
    await consumer.commit();
    const [group] = await admin.describeGroups([groupId]);
    expect(group).toMatchObject({ groupId, state: "stable", assignor: "cooperative-sticky" });
    expect(group?.members.flatMap(({ partitions }) => partitions)).toHaveLength(2);
    await fill(name, [4_000, 5_000], 1);
    await expect(admin.resetOffsets(groupId, name, "earliest")).rejects.toMatchObject({
      nativeCode: 68,
      groupId,
    });
    await consumer.close();
    await running;
    const lag = await admin.groupLag(groupId, name);
    expect(lag[0]).toEqual({ topic: name, partition: 0, committed: 3, end: 3, lag: 0 });
    expect(lag[1]).toMatchObject({ partition: 1, end: 2 });
  });

  test("of another kind are refused by name, and nothing crashes on them", async () => {
    const topic = await createTopic({ partitions: 1 });
    const [connect, ownAssignor] = [uniqueName(), uniqueName()];
    const members = [
      await joinGroup(inject("brokers"), {
        groupId: connect,
        protocolType: "connect",
        protocol: "sessioned",
        assignment: Buffer.from("what a worker of Kafka Connect is to do"),
      }),
      await joinGroup(inject("brokers"), {
        groupId: ownAssignor,
        protocolType: "consumer",
        protocol: "our-own",
        assignment: Buffer.from([0]),
      }),
    ];
    const groups = [
      [connect, 'is not one of consumers but of the protocol type "connect"'],
      [ownAssignor, "its members share out by an assignor of their own"],
    ] as const;
    for (const [groupId, why] of groups) {
      const refused = { code: "BROKER", groupId, message: expect.stringContaining(why) };
      await expect(admin.describeGroups(groupId)).rejects.toMatchObject(refused);
      await expect(admin.resetOffsets(groupId, topic, "earliest")).rejects.toMatchObject(refused);
      await expect(admin.deleteGroups(groupId)).rejects.toMatchObject({ nativeCode: 68 });
      expect(await admin.groupLag(groupId, topic)).toMatchObject([{ committed: undefined }]);
      const { findings } = await kafka.check(define(topic), { groupId });
      expect(findings).toContainEqual(
        expect.objectContaining({ level: "error", message: expect.stringContaining(why) }),
      );
    }
    expect((await admin.listGroups()).map(({ groupId }) => groupId)).not.toContain(connect);
    for (const member of members) member.close();
  });

  test("of the protocol consumer are described", async () => {
    const groupId = uniqueName();
    const consumer = kafka.consumer(define(await createTopic({ partitions: 1 })), {
      groupId,
      groupProtocol: "consumer",
    });
    const running = consumer.run(() => undefined);
    await expect.poll(() => consumer.assignment.length, { timeout: 15_000 }).toBe(1);
    expect(await admin.describeGroups(groupId)).toMatchObject([
      { groupId, state: "stable", protocol: "consumer", members: [{ partitions: [{ partition: 0 }] }] },
    ]);
    await consumer.close();
    await running;
  });

  test("are listed and deleted with their offsets, but not while they have members", async () => {
    const name = await createTopic({ partitions: 1 });
    await fill(name, [1_000]);
    const groupId = uniqueName();
    const listed = async () => (await admin.listGroups()).filter((group) => group.groupId === groupId);
    expect(await listed()).toEqual([]);
    const consumer = kafka.consumer(define(name), { groupId });
    let seen = 0;
    const running = consumer.run(() => {
      seen += 1;
    });
    await expect.poll(() => seen, { timeout: 15_000 }).toBe(1);
    expect(await listed()).toEqual([
      { groupId, state: "stable", protocol: "classic", protocolType: "consumer" },
    ]);
    await expect(admin.deleteGroups(groupId)).rejects.toMatchObject({
      nativeCode: 68,
      groupId,
      message: expect.stringContaining("stop its members before it is deleted"),
    });
    await consumer.close();
    await running;
    expect(await listed()).toMatchObject([{ state: "empty" }]);
    expect(await admin.groupLag(groupId)).toMatchObject([{ committed: 1 }]);
    await admin.deleteGroups([groupId]);
    expect(await listed()).toEqual([]);
    expect(await admin.groupLag(groupId)).toEqual([]);
  });

  test("that do not exist cannot be deleted, and those beside them are all the same", async () => {
    const name = await createTopic({ partitions: 1 });
    const [groupId, missing] = [uniqueName(), uniqueName()];
    await admin.resetOffsets(groupId, name, "latest");
    expect(await admin.listGroups()).toContainEqual({
      groupId,
      state: "empty",
      protocol: "classic",
      protocolType: "",
    });
    await expect(admin.deleteGroups([missing, groupId])).rejects.toMatchObject({
      code: "BROKER",
      nativeCode: 69,
      groupId: missing,
    });
    expect((await admin.listGroups()).map((group) => group.groupId)).not.toContain(groupId);
    await expect(admin.deleteGroups("a\0b")).rejects.toMatchObject({ code: "CONFIG", field: "groupIds" });
  });

  test("go back to the start, a time or an offset, and forward to the end", async () => {
    const name = await createTopic({ partitions: 2 });
    await fill(name, [1_000, 2_000, 3_000, 4_000]);
    const groupId = uniqueName();
    const at = async () => (await admin.groupLag(groupId, name)).map(({ committed }) => committed);
    expect(await at()).toEqual([undefined, undefined]);
    expect(await admin.resetOffsets(groupId, name, "latest")).toEqual([
      { topic: name, partition: 0, offset: 4, before: undefined },
      { topic: name, partition: 1, offset: 0, before: undefined },
    ]);
    expect(await at()).toEqual([4, 0]);
    await admin.resetOffsets(groupId, name, new Date(2_500));
    expect(await at()).toEqual([2, 0]);
    expect(await admin.resetOffsets(groupId, name, { 0: 1 })).toEqual([
      { topic: name, partition: 0, offset: 1, before: 2 },
    ]);
    await admin.resetOffsets(groupId, name, "earliest");
    expect(await at()).toEqual([0, 0]);
    await expect(admin.resetOffsets(groupId, name, { 0: 99 })).rejects.toMatchObject({
      code: "OFFSET_OUT_OF_RANGE",
      offset: 99,
    });
    // A group of that id really goes on there.
    await admin.resetOffsets(groupId, name, { 0: 3 });
    for await (const record of kafka.consumer(define(name), { groupId })) {
      expect(record.offset).toBe(3);
      break;
    }
  });
});

describe("an admin client", () => {
  test("fails with the reason where nobody answers, and may be closed meanwhile", async () => {
    const nobody = new Kafka({
      brokers: "127.0.0.1:1",
      connectTimeoutMs: 1_500,
      logger: silent,
    });
    await expect(nobody.admin().describeGroups("x")).rejects.toMatchObject({ code: "CONNECTION" });
    const pending = nobody.admin().describeTopics("x");
    await Promise.all([nobody.close(), expect(pending).rejects.toThrow(KafkaError)]);
  });

  test("refuses options that are none", () => {
    expect(() => kafka.admin({ timeoutMs: 10 })).toThrow(/^timeoutMs: /);
    expect(() => kafka.admin({ timeout: 10_000 } as object)).toThrow(/timeout/);
  });
});
