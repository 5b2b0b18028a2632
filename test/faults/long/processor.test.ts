import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { coordinatorOf, moveCoordinators } from "../../support/reassignment.js";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import {
  everyFault,
  expectExactlyOnce,
  memberships,
  pastSessionMs,
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

describe("a processor delivers exactly once", () => {
  test("when it is killed twenty times in the middle of transactions", async () => {
    const verdict = await run({
      brokers: kafka.brokers,
      records: 30_000,
      rate: 600,
      options: { sessionTimeoutMs },
      faults: async (run) => {
        await sleep(4_000);
        for (let kills = 0; kills < 20; kills += 1) await run.kill(kills % 3);
      },
    });
    expectExactlyOnce(verdict);
    expect(verdict.extras).toBeGreaterThan(0);
  });

  test.each([...memberships, ["static members", { groupInstanceId: "member", sessionTimeoutMs }] as const])(
    "through kills, stops past the session, joins and leaves: %s",
    async (_, options) => {
      const verdict = await run({
        brokers: kafka.brokers,
        records: 12_000,
        rate: 400,
        options,
        faults: everyFault,
      });
      expectExactlyOnce(verdict);
      expect(verdict.extras).toBeGreaterThan(0);
    },
  );

  test("and the same stops past the session double records without the guard", async () => {
    const verdict = await run({
      brokers: kafka.brokers,
      records: 8_000,
      rate: 400,
      options: { sessionTimeoutMs },
      worker: "unguarded-worker.ts",
      faults: async (run) => {
        await sleep(4_000);
        for (const index of [0, 1, 2]) await run.freeze(index, pastSessionMs, "produced");
      },
    });
    // It may lose records too: after an abort it goes on with the next ones.
    expect(verdict.doubled).toBeGreaterThan(0);
  });

  test("while every broker is killed in turn, and goes on by itself", async () => {
    const verdict = await run({
      brokers: kafka.brokers,
      records: 15_000,
      rate: 300,
      options: { sessionTimeoutMs: 6_000 },
      faults: async (run) => {
        await sleep(4_000);
        for (const node of kafka.nodes) {
          await node.kill();
          run.count("broker SIGKILL");
          await sleep(4_000);
          await node.start();
          await sleep(8_000);
        }
      },
    });
    expectExactlyOnce(verdict);
    expect(verdict.longestGapMs).toBeLessThan(30_000);
  });

  test("while the coordinators of its group and its transactions move to other brokers", async () => {
    const verdict = await run({
      brokers: kafka.brokers,
      records: 6_000,
      rate: 300,
      options: { sessionTimeoutMs: 6_000 },
      faults: async (run) => {
        await run.underWay();
        for (let moves = 1; moves <= 3; moves += 1) {
          const before = await coordinatorOf(kafka, run.groupId);
          await moveCoordinators(kafka);
          run.count("coordinator move");
          await expect
            .poll(() => coordinatorOf(kafka, run.groupId).catch(() => before), { timeout: 20_000 })
            .not.toBe(before);
          await sleep(1_000);
        }
      },
    });
    expectExactlyOnce(verdict);
    expect(verdict.longestGapMs).toBeLessThan(30_000);
  });
});
