import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Kafka, type Producer } from "typed-kafka";
import { textTopic } from "../../support/consuming.js";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { type LoggedRecord, readLog } from "../../support/read-log.js";
import { silent } from "../../support/silent.js";
import { createTopic } from "../../support/topics.js";

const partitions = 6;
const total = 100_000;
const keys = 1_000;

let cluster: KafkaCluster;
let kafka: Kafka;
beforeAll(async () => {
  cluster = await startKafka({ nodes: 3 });
  kafka = new Kafka({ brokers: cluster.brokers, logger: silent });
});
afterAll(async () => {
  await kafka.close();
  await cluster.close();
});

const records = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({
    key: `k${(from + index) % keys}`,
    value: String(from + index),
  }));

/** Every record once, and those of a key in the order they were sent. */
function expectExactlyOnceInOrder(log: readonly LoggedRecord[]): void {
  expect(log).toHaveLength(total);
  expect(new Set(log.map(({ value }) => value)).size).toBe(total);
  const last = new Map<string | null, number>();
  const disordered = log.filter(({ key, value }) => {
    const isLate = Number(value) < (last.get(key) ?? -1);
    last.set(key, Number(value));
    return isLate;
  });
  expect(disordered).toEqual([]);
}

const killAt = [20_000, 50_000, 80_000];

/** Kills one broker after the other (each leads some of the partitions) as the sending goes on. */
class Kills {
  count = 0;
  #last: Promise<void> = Promise.resolve();

  /** Kills the next one where it is time to; not before the last one is back. */
  async at(sent: number): Promise<void> {
    const node = cluster.nodes[this.count];
    const from = killAt[this.count];
    if (node === undefined || from === undefined || sent < from) return;
    await this.#last;
    this.count += 1;
    this.#last = (async () => {
      await node.kill();
      await sleep(3_000);
      await node.start();
      // Until its replicas are in sync again the other two are all there is.
      await sleep(2_000);
    })();
    this.#last.catch(() => undefined);
  }

  /** All are up again. */
  async over(): Promise<void> {
    await this.#last;
  }
}

/** 100,000 records under the kills, by whichever way of sending; more slowly than it could be, so that they hit. */
async function underKills(
  send: (producer: Producer, topic: ReturnType<typeof textTopic>, kills: Kills) => Promise<unknown>,
) {
  const topic = textTopic(await createTopic({ brokers: cluster.brokers, partitions }));
  const producer = kafka.producer();
  const kills = new Kills();
  await send(producer, topic, kills);
  await kills.over();
  expect(kills.count).toBe(3);
  await producer.close();
  expectExactlyOnceInOrder(await readLog(cluster.brokers, topic.name, { partitions }));
}

describe("leaders killed under load", () => {
  test("cost no record and double none, sent in calls of 500", async () => {
    await underKills(async (producer, topic, kills) => {
      for (let from = 0; from < total; from += 2_500) {
        await kills.at(from);
        const calls = [0, 500, 1_000, 1_500, 2_000].map((more) =>
          producer.send(topic, records(from + more, from + more + 500)),
        );
        await Promise.all([...calls, sleep(100)]);
      }
    });
  });

  test("cost no record and double none, sent one by one, a thousand at a time", async () => {
    await underKills(async (producer, topic, kills) => {
      for (let from = 0; from < total; from += 1_000) {
        await kills.at(from);
        const calls = records(from, from + 1_000).map((record) => producer.send(topic, record));
        await Promise.all([...calls, sleep(40)]);
      }
    });
  });

  test("cost no record and double none in a sendAll", async () => {
    await underKills(async (producer, topic, kills) => {
      async function* source() {
        for (let from = 0; from < total; from += 1_000) {
          await kills.at(from);
          yield* records(from, from + 1_000);
          await sleep(40);
        }
      }
      expect(await producer.sendAll(topic, source())).toEqual({ records: total });
    });
  });
});
