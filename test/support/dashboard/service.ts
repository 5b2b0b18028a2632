/** A service of some minutes that meets what the dashboard shows: load, failures, rebalances, restarts, late records. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  bytes,
  defineTopic,
  defineWindowStore,
  Kafka,
  PermanentError,
  string,
  tumbling,
  type KafkaOptions,
} from "typed-kafka";
import { z } from "zod";

const order = z.object({ id: z.number().int(), customer: z.string(), cents: z.number().int() });
const orders = defineTopic("orders", { value: order, keyOf: ({ customer }) => customer, partitions: 6 });
const invoices = defineTopic("invoices", { value: order, partitions: 3 });
const refunds = defineTopic("refunds", { value: order, partitions: 1 });
const revenue = defineTopic("revenue", { value: order, partitions: 3 });

const perMinute = defineWindowStore("revenue-per-10-s", {
  value: z.number().int(),
  window: tumbling({ sizeMs: 10_000, graceMs: 2_000 }),
});

/** Resolves after `durationMs`, when everything is closed. */
export async function runService(options: KafkaOptions, durationMs: number): Promise<void> {
  const kafka = new Kafka(options);
  await kafka.admin().ensureTopics([orders, invoices, refunds, revenue]);
  const begun = Date.now();
  const isOver = (): boolean => Date.now() - begun > durationMs;
  const at = (part: number): Promise<void> => sleep(begun + part * durationMs - Date.now());
  const parts = [
    send(),
    bill(0.05, 1),
    bill(0.25, 0.65),
    sum(0, 0.25),
    sum(0.3, 0.5),
    sum(0.6, 1),
    transfer(),
    waitForPartitions(),
    loseOffsets(),
  ];
  try {
    await Promise.all(parts);
  } finally {
    await kafka.close();
  }

  /** More and more orders, some that do not decode, some that come late. */
  async function send(): Promise<void> {
    const producer = kafka.producer();
    const raw = defineTopic("orders", { value: bytes(), key: string() });
    for (let id = 1; !isOver(); id++) {
      const size = Math.round(20 + 15 * Math.sin((Date.now() - begun) / 20_000) + id / 60);
      const values = Array.from({ length: size }, (_, index) => ({
        id: id * 100 + index,
        customer: `customer-${(id * 7 + index) % 50}`,
        cents: 100 + ((id * index) % 9_900),
      }));
      await producer.send(
        orders,
        values.map((value) => ({ value })),
      );
      if (id % 40 === 0)
        await producer.send(raw, { key: "customer-1", value: Buffer.from("no JSON"), timestamp: Date.now() });
      if (id % 25 === 0) {
        const late = { id: id * 100, customer: "customer-1", cents: 5 };
        await producer.send(orders, { value: late, timestamp: Date.now() - 60_000 });
      }
      await sleep(100);
    }
  }

  /** A member of the group that bills orders; its invoices take long for a while. */
  async function bill(from: number, to: number): Promise<void> {
    await at(from);
    const member = kafka.consumer(orders, {
      groupId: "billing",
      retry: { attempts: 3, initialDelayMs: 50 },
      deadLetter: true,
      onInvalid: "dead-letter",
    });
    const closed = at(to).then(() => member.close());
    await member.run(async ({ value }, { attempt }) => {
      if (value.id % 997 === 0) throw new PermanentError("the customer has left");
      if (value.id % 211 === 0 && attempt === 1) throw new Error("the mail server did not answer");
      const elapsed = (Date.now() - begun) / durationMs;
      await sleep(elapsed > 0.4 && elapsed < 0.6 ? 25 : 3 + (value.id % 5));
      if (value.id % 5 === 0) await kafka.producer().send(invoices, { value });
    });
    await closed;
  }

  /** The processor with a window store; its second run reads the changelog. */
  async function sum(from: number, to: number): Promise<void> {
    await at(from);
    const processor = kafka.processor(orders, {
      groupId: "revenue",
      transactionalId: "revenue-1",
      stores: [perMinute],
      deadLetter: true,
      onInvalid: "dead-letter",
    });
    const closed = at(to).then(() => processor.close());
    await processor.run(
      ({ value, timestamp }, tx) =>
        void tx.store(perMinute).update(value.customer, timestamp, (sum = 0) => sum + value.cents),
      {
        onWindowClosed: async ({ key, start, value }, tx) => {
          await tx.send(revenue, { value: { id: start, customer: key, cents: value } });
        },
      },
    );
    await closed;
  }

  /** Transactions, one in fifteen of which is rolled back. */
  async function transfer(): Promise<void> {
    const producer = kafka.transactionalProducer({ transactionalId: "refunds-1" });
    for (let id = 1; !isOver(); id++) {
      const value = { id, customer: `customer-${id % 50}`, cents: 100 };
      await producer
        .transaction(async (tx) => {
          await tx.send(refunds, { value });
          await tx.send(invoices, { value });
          if (id % 15 === 0) throw new Error("this refund is not allowed");
        })
        .catch(() => {});
      await sleep(250);
    }
  }

  /** Two members of a group with one partition: one of them has none. */
  async function waitForPartitions(): Promise<void> {
    await at(0.1);
    const members = [0, 1].map(() => kafka.consumer(refunds, { groupId: "audit" }));
    const closed = at(0.9).then(() => Promise.all(members.map((member) => member.close())));
    await Promise.all(members.map((member) => member.run(() => sleep(1))));
    await closed;
  }

  /** A group that comes back, twice, after retention has removed its next record. */
  async function loseOffsets(): Promise<void> {
    for (const [from, to] of [
      [0.1, 0.2],
      [0.3, 0.5],
      [0.6, 0.85],
    ] as const) {
      await at(from);
      const archive = kafka.consumer(refunds, { groupId: "archive" });
      const closed = at(to).then(() => archive.close());
      await archive.run(() => {});
      await closed;
      await at(to + 0.09);
      await kafka.admin().deleteRecords(refunds, "latest");
    }
  }
}
