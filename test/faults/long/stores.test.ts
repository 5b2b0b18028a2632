import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { expectExactlyOnce, run, type Run } from "../../support/processor-faults.js";

let kafka: KafkaCluster;

beforeAll(async () => {
  kafka = await startKafka({
    nodes: 3,
    properties: { "group.consumer.session.timeout.ms": 3_000, "broker.session.timeout.ms": 3_000 },
  });
});

afterAll(async () => {
  await kafka.close();
});

const sessionTimeoutMs = 3_000;
const pastSessionMs = 5_000;

/** One of each fault, inside transactions. */
async function everyFault(run: Run): Promise<void> {
  await sleep(4_000);
  await run.kill(0, "produced");
  await run.freeze(1, pastSessionMs, "produced");
  run.start(3);
  run.count("join");
  await run.kill(2, "committing");
  await run.leave(0);
  await run.freeze(2, pastSessionMs, "sending");
  await run.worker(3).stop();
  run.count("leave");
  await run.kill(1, "sending");
}

describe("a store counts every record once", () => {
  test("when its processor is killed twenty times in the middle of transactions", async () => {
    const verdict = await run({
      brokers: kafka.brokers,
      records: 30_000,
      rate: 600,
      counts: true,
      options: { sessionTimeoutMs },
      faults: async (run) => {
        await sleep(4_000);
        for (let kills = 0; kills < 20; kills += 1) await run.kill(kills % 3);
      },
    });
    expectExactlyOnce(verdict);
    expect(verdict.extras).toBeGreaterThan(0);
  }, 300_000);

  test.each([
    ["cooperative-sticky", { assignor: "cooperative-sticky", sessionTimeoutMs } as const],
    ["range", { assignor: "range", sessionTimeoutMs } as const],
    ["the protocol of Kafka 4", { groupProtocol: "consumer" } as const],
  ])(
    "through kills, stops past the session, joins and leaves: %s",
    async (_, options) => {
      const verdict = await run({
        brokers: kafka.brokers,
        records: 10_000,
        rate: 400,
        counts: true,
        options,
        faults: everyFault,
      });
      expectExactlyOnce(verdict);
    },
    300_000,
  );
});
