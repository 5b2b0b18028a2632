import { Kafka } from "typed-kafka";
import { afterAll, expect, inject, onTestFinished, test, vi } from "vitest";
import { until } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { newTopic } from "../support/string-topics.js";
import { uniqueName } from "../support/topics.js";
import { openOffsets } from "../support/transactions.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

const partitions = [0, 1, 2, 3];
const perPartition = 5;

test.each([
  ["range", { assignor: "range" }],
  ["cooperative-sticky", { assignor: "cooperative-sticky" }],
  ["the protocol of Kafka 4", { groupProtocol: "consumer" }],
] as const)(
  "rebalances while a transaction with the group's offsets is open begin nowhere anew: %s",
  async (_, options) => {
    const [topic, output] = [await newTopic(partitions.length), await newTopic(1)];
    const groupId = uniqueName("group");
    const send = (values: readonly string[]): Promise<unknown> =>
      producer.send(
        topic,
        values.flatMap((value) => partitions.map((partition) => ({ value, partition }))),
      );
    // A handler may be called again for a record; what it sends counts once.
    const sent = async (): Promise<string[]> => {
      const values: string[] = [];
      for await (const { value } of kafka.read(output)) if (value.endsWith("after")) values.push(value);
      return values.sort();
    };
    const start = (transactionalId: string) => {
      const processor = kafka.processor(topic, { groupId, transactionalId, ...options });
      const running = processor.run(async ({ partition, value }, tx) => {
        await tx.send(output, { value: `${partition}: ${value}` });
        seen += 1;
      });
      running.catch(() => undefined);
      onTestFinished(() => processor.close());
      return { processor, running };
    };

    let seen = 0;
    await send(Array.from({ length: perPartition }, () => "before"));
    const first = start(uniqueName("tx"));
    await until("everything is processed", () => seen >= partitions.length * perPartition);
    await first.processor.close();
    await first.running;
    const abort = await openOffsets(
      brokers,
      groupId,
      [0, 1].map((partition) => ({ topic: topic.name, partition, offset: perPartition })),
    );

    const members: ReturnType<typeof start>[] = [];
    for (const size of [4, 2, 1]) {
      members.push(start(uniqueName("tx")));
      if (size === 1) members.push(start(uniqueName("tx")));
      await until(`each member has ${size} partitions`, () =>
        members.every(({ processor }) => processor.assignment.length === size),
      );
    }
    await send(["after"]);
    // Those of which no offset is pending go on.
    await vi.waitFor(async () => expect(await sent()).toEqual(["2: after", "3: after"]), 20_000);
    await abort();
    await vi.waitFor(async () => expect(await sent()).toHaveLength(partitions.length), 20_000);
    for (const { processor, running } of members) {
      await processor.close();
      await running;
    }
    expect(await sent()).toEqual(partitions.map((partition) => `${partition}: after`));
  },
);
