import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Kafka } from "typed-kafka";
import { textTopic } from "../support/consuming.js";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { readLog } from "../support/read-log.js";
import { silent } from "../support/silent.js";
import { createTopic } from "../support/topics.js";

let cluster: KafkaCluster;
let kafka: Kafka;
beforeAll(async () => {
  cluster = await startKafka();
  kafka = new Kafka({ brokers: cluster.brokers, logger: silent });
}, 120_000);
afterAll(async () => {
  await kafka.close();
  await cluster.close();
});

describe("a broker that is down for 40 s", () => {
  test(
    "costs nothing but time by default: every record is written once, in order",
    { timeout: 180_000 },
    async () => {
      const texts = textTopic(await createTopic({ brokers: cluster.brokers }));
      const producer = kafka.producer();
      await producer.send(texts, { value: "first" });
      await cluster.nodes[0].kill();
      const sent = Array.from({ length: 30_000 }, (_, index) =>
        producer.send(texts, { value: String(index) }),
      );
      await sleep(40_000);
      await cluster.nodes[0].start();
      const begin = performance.now();
      await Promise.all(sent);
      expect(performance.now() - begin).toBeLessThan(20_000);
      const log = await readLog(cluster.brokers, texts.name, { partitions: 1 });
      expect(log.map(({ value }) => value)).toEqual(["first", ...sent.map((_, index) => String(index))]);
      await producer.close();
    },
  );
});

describe("ten million records in one sendAll", () => {
  test("take no more memory than the first million", { timeout: 900_000 }, async () => {
    const config = { "retention.bytes": "50000000", "segment.bytes": "20000000" };
    const texts = textTopic(await createTopic({ brokers: cluster.brokers, partitions: 3, config }));
    const producer = kafka.producer();
    const megabytes: number[] = [];
    function* source() {
      for (let index = 0; index < 10_000_000; index += 1) {
        if (index % 1_000_000 === 999_999) megabytes.push(Math.round(process.memoryUsage.rss() / 1e6));
        yield {
          key: `k${index % 1_000}`,
          value: `a record of about a hundred bytes, as most are; this one is number ${index}`.padEnd(100),
        };
      }
    }
    expect(await producer.sendAll(texts, source())).toEqual({ records: 10_000_000 });
    const [first = 0] = megabytes;
    console.log(`MB after each million: ${megabytes.join(", ")}`);
    expect(Math.max(...megabytes)).toBeLessThan(first + 60);
    await producer.close();
  });
});
