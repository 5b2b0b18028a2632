import { afterAll, describe, expect, test } from "vitest";
import { defineTopic, Kafka } from "typed-kafka";
import { z } from "zod";
import { committedOffsets, textTopic, until, within } from "../../support/consuming.js";
import { startKafka } from "../../support/kafka-cluster.js";
import { errorOf } from "../../support/outcomes.js";
import { accessOf, startSecureKafka } from "../../support/secure-kafka.js";
import { silent } from "../../support/silent.js";
import { createTopic, uniqueName } from "../../support/topics.js";

describe("a broker that is away", async () => {
  const cluster = await startKafka();
  const { brokers } = cluster;
  const kafka = new Kafka({ brokers, logger: silent });
  const producer = kafka.producer();
  afterAll(async () => {
    await kafka.close();
    await cluster.close();
  });

  test("JSON that Java's console producer writes is read as typed records, and its console consumer reads ours", async () => {
    const students = defineTopic(await createTopic({ brokers }), {
      value: z.object({ id: z.number().int(), name: z.string() }),
      keyOf: ({ id }) => String(id),
    });
    const lines = ['1={ "name": "Zoë", "id": 1 }', '2={"id":2,"name":"Ada"}'].join("\n");
    const keyed = ["--property", "parse.key=true", "--property", "key.separator=="];
    await cluster.tool("org.apache.kafka.tools.ConsoleProducer", ["--topic", students.name, ...keyed], lines);
    const read: unknown[] = [];
    for await (const { key, value } of kafka.consumer(students, { groupId: uniqueName() })) {
      read.push([key, value.id, value.name]);
      if (read.length === 2) break;
    }
    expect(read).toEqual([
      ["1", 1, "Zoë"],
      ["2", 2, "Ada"],
    ]);
    await producer.send(students, { value: { id: 3, name: "Grace" } });
    const output = await cluster.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", [
      ...["--topic", students.name, "--offset", "2", "--partition", "0", "--max-messages", "1"],
      ...["--property", "print.key=true"],
    ]);
    expect(output).toContain('3\t{"id":3,"name":"Grace"}');
  });

  test("killed and started again: the consumer goes on by itself, and nothing is missing or out of order", async () => {
    const topic = textTopic(await createTopic({ brokers, partitions: 2 }));
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, commitIntervalMs: 100 });
    const seen: number[][] = [[], []];
    const running = consumer.run(({ partition, offset }) => void seen[partition]?.push(offset));
    const send = (count: number) =>
      producer.send(
        topic,
        Array.from({ length: count * 2 }, (_, index) => ({ value: "x", partition: index % 2 })),
      );
    await send(50);
    await until("the first", () => seen.every(({ length }) => length === 50));
    await cluster.nodes[0].kill();
    const sending = send(50);
    await cluster.nodes[0].start();
    await sending;
    await until("the rest", () => seen.every(({ length }) => length >= 100), 60_000);
    for (const offsets of seen)
      expect([...new Set(offsets)]).toEqual(Array.from({ length: 100 }, (_, index) => index));
    await consumer.close();
    await running;
    expect(await committedOffsets(brokers, groupId, topic.name, 2)).toEqual([100, 100]);
  });

  test("close ends while no broker is there, and run resolves", async () => {
    const topic = textTopic(await createTopic({ brokers }));
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    await producer.send(topic, { value: "x" });
    let handled = 0;
    const running = consumer.run(() => void (handled += 1));
    await until("one record", () => handled === 1);
    await cluster.nodes[0].kill();
    const begin = performance.now();
    await consumer.close();
    await running;
    expect(performance.now() - begin).toBeLessThan(60_000);
    await cluster.nodes[0].start();
  });
});

describe("a cluster that asks for credentials and permissions", async () => {
  const users = { alice: "her password", admin: "all rights" };
  const secure = await startSecureKafka({ users });
  const kafkaOf = (username: string, password: string) =>
    new Kafka({
      ...accessOf(secure, username, password),
      logger: silent,
    });
  const open: Kafka[] = [];
  const as = (username: keyof typeof users, password = users[username]): Kafka => {
    const kafka = kafkaOf(username, password);
    open.push(kafka);
    return kafka;
  };
  afterAll(async () => {
    await Promise.all(open.map((kafka) => kafka.close()));
    await secure.close();
  });

  test("a wrong password is an AuthenticationError at once", async () => {
    const begin = performance.now();
    const consumer = as("alice", "wrong").consumer(textTopic("any"), { groupId: "any" });
    const error = await errorOf(consumer.run(() => {}));
    expect(error).toMatchObject({
      code: "AUTHENTICATION",
      message: expect.stringMatching(/sasl/i) as string,
    });
    expect(performance.now() - begin).toBeLessThan(9_000);
  });

  test.each(["classic", "consumer"] as const)(
    "protocol %s: each missing permission surfaces",
    async (groupProtocol) => {
      const name = uniqueName();
      const groupId = uniqueName();
      await secure.createTopic(name);
      const topic = textTopic(name);
      await as("admin").producer().send(topic, { value: "secret" });
      const run = () => {
        const consumer = as("alice").consumer(topic, { groupId, groupProtocol });
        return within(30_000, "an error", errorOf(consumer.run(() => {})));
      };

      // A topic that may not be seen looks as if it were not there.
      expect(await run()).toMatchObject({ code: "UNKNOWN_TOPIC", topic: name });

      await secure.grant("alice", ["--operation", "Describe", "--topic", name]);
      expect(await run()).toMatchObject({
        code: "AUTHORIZATION",
        message: expect.stringMatching(/group/i) as string,
      });

      await secure.grant("alice", ["--operation", "Read", "--group", groupId]);
      expect(await run()).toMatchObject({
        code: "AUTHORIZATION",
        message: expect.stringMatching(/topic/i) as string,
      });

      await secure.grant("alice", ["--operation", "Read", "--topic", name]);
      const consumer = as("alice").consumer(topic, { groupId, groupProtocol });
      const first = consumer[Symbol.asyncIterator]().next();
      expect(await within(30_000, "a record", first)).toMatchObject({ value: { value: "secret" } });
    },
  );

  test("a group that is not theirs is told to each of many consumers that start together", async () => {
    const name = uniqueName();
    await secure.createTopic(name);
    await secure.grant("alice", ["--operation", "Describe", "--topic", name]);
    const failures = Array.from({ length: 20 }, () =>
      errorOf(
        as("alice")
          .consumer(textTopic(name), { groupId: uniqueName() })
          .run(() => {}),
      ),
    );
    for (const failure of await within(60_000, "every error", Promise.all(failures)))
      expect(failure).toMatchObject({ code: "AUTHORIZATION" });
  });

  test("one topic of two that may not be read surfaces, although the other one has a backlog", async () => {
    const [allowed, denied] = [uniqueName(), uniqueName()];
    const groupId = uniqueName();
    await secure.createTopic(allowed);
    await secure.createTopic(denied);
    await as("admin")
      .producer()
      .send(
        textTopic(allowed),
        Array.from({ length: 5_000 }, () => ({ value: "x" })),
      );
    await secure.grant("alice", ["--consumer", "--topic", allowed, "--group", groupId]);
    await secure.grant("alice", ["--operation", "Describe", "--topic", denied]);
    const consumer = as("alice").consumer([textTopic(allowed), textTopic(denied)], { groupId });
    expect(await errorOf(consumer.run(() => {}))).toMatchObject({ code: "AUTHORIZATION" });
  });

  test("the permission taken away while it runs: a consumer that has nothing left to read stops with the reason", async () => {
    const name = uniqueName();
    const groupId = uniqueName();
    await secure.createTopic(name);
    const topic = textTopic(name);
    const producer = as("admin").producer();
    await producer.send(topic, { value: "x" });
    const flags = ["--operation", "Read", "--group", groupId];
    await secure.grant("alice", flags);
    await secure.grant("alice", ["--operation", "Read", "--topic", name]);
    let handled = 0;
    const running = errorOf(
      as("alice")
        .consumer(topic, { groupId, commitIntervalMs: 100 })
        .run(() => void (handled += 1)),
    );
    await until("one record", () => handled === 1);
    await secure.revoke("alice", flags);
    await producer.send(topic, { value: "y" });
    expect(await running).toMatchObject({ code: "AUTHORIZATION" });
  });
});
