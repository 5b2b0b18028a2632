import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import {
  everyFault,
  expectExactlyOnce,
  memberships,
  run,
  sessionTimeoutMs,
  shortSessions,
} from "../../support/processor-faults.js";

let kafka: KafkaCluster;

beforeAll(async () => {
  kafka = await startKafka(shortSessions);
});

afterAll(async () => {
  await kafka.close();
});

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

  test("kept on disk, when its processor is killed twenty times, some of them while a commit goes to disk", async () => {
    const stateDirectory = await mkdtemp(join(tmpdir(), "typed-kafka-state-"));
    const verdict = await run({
      brokers: kafka.brokers,
      records: 30_000,
      rate: 600,
      counts: true,
      stateDirectory,
      options: { sessionTimeoutMs },
      faults: async (run) => {
        await sleep(4_000);
        for (let kills = 0; kills < 20; kills += 1)
          await run.kill(kills % 3, kills % 2 === 0 ? "committed" : undefined);
      },
    });
    await rm(stateDirectory, { recursive: true });
    expectExactlyOnce(verdict);
  }, 300_000);

  test.each(memberships)(
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
