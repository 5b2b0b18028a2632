import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { expectExactlyOnce, run } from "../support/processor-faults.js";

const kills = Number(process.env["SOAK_KILLS"] ?? 100);
const records = Number(process.env["SOAK_RECORDS"] ?? 100_000);
const rounds = 3;

let kafka: KafkaCluster;

beforeAll(async () => {
  kafka = await startKafka({ nodes: 3 });
});

afterAll(async () => {
  await kafka.close();
});

test("100,000 records in transactions of 750, through 100 kills and three rounds of broker failures", async () => {
  const verdict = await run({
    brokers: kafka.brokers,
    records,
    rate: 300,
    options: { sessionTimeoutMs: 3_000, maxTransactionRecords: 750, commitIntervalMs: 5_000 },
    settleMs: 180_000,
    faults: async (run) => {
      await sleep(5_000);
      let killed = 0;
      for (let round = 1; round <= rounds; round += 1) {
        for (; killed < Math.round((kills * round) / rounds); killed += 1) await run.kill(killed % 3);
        for (const node of kafka.nodes) {
          await node.kill();
          run.count("broker SIGKILL");
          await sleep(4_000);
          await node.start();
          await sleep(8_000);
        }
        console.log(`round ${round}: ${killed} workers killed`);
      }
    },
  });
  expectExactlyOnce(verdict);
  expect(verdict.extras).toBeGreaterThan(0);
});
