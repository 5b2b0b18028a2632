import { Kafka } from "typed-kafka";
import { afterAll, expect, inject, onTestFinished, test } from "vitest";
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
    const topic = await newTopic(partitions.length);
    const groupId = uniqueName("group");
    const send = (values: readonly string[]): Promise<unknown> =>
      producer.send(
        topic,
        values.flatMap((value) => partitions.map((partition) => ({ value, partition }))),
      );
    const seen: string[] = [];
    const start = (transactionalId: string) => {
      const processor = kafka.processor(topic, { groupId, transactionalId, ...options });
      const running = processor.run(({ partition, value }) => {
        seen.push(`${partition}: ${value}`);
      });
      running.catch(() => undefined);
      onTestFinished(() => processor.close());
      return { processor, running };
    };

    await send(Array.from({ length: perPartition }, () => "before"));
    const first = start(uniqueName("tx"));
    await until("everything is processed", () => seen.length === partitions.length * perPartition);
    await first.processor.close();
    await first.running;
    seen.length = 0;
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
    await until("two partitions go on", () => seen.length >= 2);
    expect(seen.toSorted()).toEqual(["2: after", "3: after"]);
    await abort();
    await until("the others go on", () => seen.length >= partitions.length);
    for (const { processor, running } of members) {
      await processor.close();
      await running;
    }
    expect(seen.toSorted()).toEqual(partitions.map((partition) => `${partition}: after`));
  },
);
