import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, defineStore, defineTopic, integer, Kafka, string } from "typed-kafka";
import { type EmbeddedKafka, startEmbeddedKafka } from "typed-kafka/testing";
import { z } from "zod";
import { until } from "../support/consuming.js";

const students = defineTopic("students", {
  value: z.object({ id: z.number().int(), name: z.string() }),
  keyOf: ({ id }) => String(id),
});

const deadLetters = defineTopic("readme.etl-group.dead-letter", { value: string() });

describe("the embedded cluster", () => {
  let embedded: EmbeddedKafka;
  let kafka: Kafka;

  beforeAll(async () => {
    embedded = await startEmbeddedKafka({ brokers: 3 });
    kafka = new Kafka({ brokers: embedded.brokers });
  });

  afterAll(async () => {
    await kafka.close();
    await embedded.close();
  });

  test("has as many brokers as asked for", () => {
    expect(embedded.brokers.split(",")).toHaveLength(3);
  });

  test.each(["classic", "consumer"] as const)(
    "carries records to a group of the %s protocol",
    async (groupProtocol) => {
      const sent = [1, 2, 3].map((id) => ({ id, name: `student ${id}` }));
      await kafka.producer().send(
        students,
        sent.map((value) => ({ value })),
      );
      const received = new Map<number, string>();
      const consumer = kafka.consumer(students, { groupId: groupProtocol, groupProtocol });
      await consumer.run(({ value }) => {
        received.set(value.id, value.name);
        if (received.size === 3) void consumer.close();
      });
      expect([...received].sort()).toEqual(sent.map(({ id, name }) => [id, name]));
    },
  );

  test("has the topics that it is started with and those of ensureTopics, with their partitions", async () => {
    const two = defineTopic("two", { value: string(), partitions: 2, replicationFactor: 3 });
    const seven = defineTopic("seven", { value: string(), partitions: 7 });
    await using other = await startEmbeddedKafka({ brokers: 3, topics: [two] });
    await using clients = new Kafka({ brokers: other.brokers });
    const admin = clients.admin();
    expect(await admin.ensureTopics([two, seven])).toMatchObject([
      { topic: "two", status: "unchanged" },
      { topic: "seven", status: "created" },
    ]);
    const described = await admin.describeTopics([two, seven]);
    expect(described.map(({ partitions }) => partitions.length)).toEqual([2, 7]);
    expect(described[0]).toMatchObject({ replicationFactor: 3 });
    const sent = await clients.producer().send(
      seven,
      Array.from({ length: 7 }, (_, partition) => ({ value: "a", partition })),
    );
    expect(sent.map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("consumes a topic to which nothing was sent yet", async () => {
    const empty = defineTopic("empty", { value: string() });
    const consumer = kafka.consumer(empty, { groupId: "empty", groupProtocol: "consumer" });
    const values: string[] = [];
    const running = consumer.run(({ value }) => {
      values.push(value);
      void consumer.close();
    });
    await until("it is assigned", () => consumer.assignment.length === 4);
    await kafka.producer().send(empty, { value: "a" });
    await running;
    expect(values).toEqual(["a"]);
  });

  test("README's own sample: what fails and what does not decode go to dead letters", async () => {
    const source = defineTopic("readme", { value: z.object({ id: z.number() }), partitions: 1 });
    const consumer = kafka.consumer(source, {
      groupId: "etl-group",
      groupProtocol: "consumer",
      retry: { attempts: 2, initialDelayMs: 10 },
      deadLetter: true,
      onInvalid: "dead-letter",
    });
    const raw = defineTopic("readme", { value: string() });
    await kafka.producer().send(raw, [{ value: '{"id":1}' }, { value: "no JSON" }, { value: '{"id":2}' }]);
    const running = consumer.run(({ value }) => {
      if (value.id === 1) throw new Error("refused");
    });
    const dead: (string | null)[] = [];
    for await (const { headers } of kafka.read(deadLetters, { follow: true })) {
      dead.push(headers["dead-letter.reason"] ?? null);
      if (dead.length === 2) break;
    }
    expect(dead.toSorted()).toEqual(["handler", "invalid"]);
    await consumer.close();
    await running;
  });

  test("changelogs, dead-letter and retry topics have the partitions of their topic, and are there again", async () => {
    const source = defineTopic("three", { value: string(), partitions: 3 });
    await kafka.admin().ensureTopics(source);
    await kafka.producer().send(source, { key: "a", value: "x" });
    const options = {
      groupId: "own",
      transactionalId: "own",
      groupProtocol: "consumer",
      stores: [defineStore("counts", { value: integer() })],
      deadLetter: true,
      retryTopics: { delaysMs: [100] },
    } as const;
    for (const _ of ["made", "found"]) {
      const processor = kafka.processor(source, options);
      await processor.run(() => void processor.close());
    }
    const names = ["own.counts.changelog", "three.own.dead-letter", "three.own.retry-1"];
    const described = await kafka.admin().describeTopics(names);
    expect(described.map(({ partitions }) => partitions.length)).toEqual([3, 3, 3]);
  });

  const topic = defineTopic("refusals", { value: string() });
  const refusals: readonly [string, () => Promise<unknown>][] = [
    ["deleteTopics", () => kafka.admin().deleteTopics(topic)],
    ["createPartitions", () => kafka.admin().createPartitions(topic, 9)],
    ["listGroups", () => kafka.admin().listGroups()],
    ["describe group g", () => kafka.admin().describeGroups("g")],
    ["deleteGroups", () => kafka.admin().deleteGroups("g")],
    ["resetOffsets", () => kafka.admin().resetOffsets("g", topic, "earliest")],
    ["deleteRecords", () => kafka.admin().deleteRecords(topic, "latest")],
    ["reading from a time", () => readFrom(new Date(0))],
  ];
  async function readFrom(from: Date): Promise<void> {
    for await (const record of kafka.read(topic, { from })) expect(record).toBeUndefined();
  }
  test.each(refusals)("%s is refused at once, and says where it works", async (_, call) => {
    await kafka.admin().ensureTopics(topic);
    const begin = performance.now();
    await expect(call()).rejects.toMatchObject({
      code: "NOT_EMBEDDED",
      message: expect.stringContaining("not on the embedded cluster. Use a broker") as string,
    });
    expect(performance.now() - begin).toBeLessThan(20_000);
  });

  test("the fast path of this clone is in use", async () => {
    expect((await kafka.health()).fastPath).toEqual({ used: true });
  });

  test("refuses options that do not exist", async () => {
    await expect(startEmbeddedKafka({ brokers: 0 })).rejects.toThrow(ConfigError);
    await expect(startEmbeddedKafka({ topics: ["students"] } as never)).rejects.toThrow(/^topics\[0\]/);
    const replicated = defineTopic("replicated", { value: string(), replicationFactor: 3 });
    await expect(startEmbeddedKafka({ topics: [replicated] })).rejects.toThrow(
      /startEmbeddedKafka\(\{ brokers/,
    );
    await expect(startEmbeddedKafka({ nodes: 3 } as never)).rejects.toThrow("EmbeddedKafkaOptions.nodes");
  });
});
