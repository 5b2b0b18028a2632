import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, defineTopic, Kafka } from "typed-kafka";
import { type EmbeddedKafka, startEmbeddedKafka } from "typed-kafka/testing";
import { z } from "zod";

const students = defineTopic("students", {
  value: z.object({ id: z.number().int(), name: z.string() }),
  keyOf: ({ id }) => String(id),
});

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

  test("refuses options that do not exist", async () => {
    await expect(startEmbeddedKafka({ brokers: 0 })).rejects.toThrow(ConfigError);
    await expect(startEmbeddedKafka({ nodes: 3 } as never)).rejects.toThrow("EmbeddedKafkaOptions.nodes");
  });
});
