import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { defineTopic, string } from "typed-kafka";
import { within } from "../support/consuming.js";
import { startProxiedKafka } from "../support/proxied-kafka.js";
import { settled } from "../support/settled.js";
import { createTopic, uniqueName } from "../support/topics.js";

const { cluster, proxy, kafka, close } = await startProxiedKafka();
afterAll(close);

// librdkafka gives the numbers of records that it drops to the next ones. A broker that has those under their numbers,
// because only its answer was lost, takes the next ones for repeated: it answers that they are written, and they are not.
test.each([1, 3])(
  "what is sent after a rollback of %i records that the broker had, and nobody knew of, is written",
  async (count) => {
    const topic = defineTopic(await createTopic({ brokers: cluster.brokers }), { value: string() });
    const producer = kafka.transactionalProducer({ transactionalId: uniqueName("tx") });
    const valuesOf = (name: string) =>
      Array.from({ length: count }, (_, index) => ({ value: `${name}${index}` }));
    const send = (name: string) =>
      producer.transaction(async (tx) => {
        await tx.send(topic, valuesOf(name));
      });
    await within(30_000, "the first transaction", send("before"));

    const hit = proxy.fail("produce", "lost answer");
    const rolledBack = producer.transaction(async (tx) => {
      await tx.send(topic, valuesOf("rolled back"));
      await within(10_000, "the lost answer", hit);
      // The records wait to be sent again while no broker answers.
      proxy.refuse(true);
      await sleep(500);
      throw new Error("no");
    });
    rolledBack.catch(() => undefined);
    await hit;
    await sleep(2_000);
    proxy.refuse(false);
    await expect(within(60_000, "the rollback", rolledBack)).rejects.toThrow("no");

    await within(60_000, "the next transaction", send("after"));
    await settled(cluster.brokers, [topic.name]);
    const values: string[] = [];
    for await (const { value } of kafka.read(topic)) values.push(value);
    expect(values).toEqual([...valuesOf("before"), ...valuesOf("after")].map(({ value }) => value));
    await producer.close();
  },
);
