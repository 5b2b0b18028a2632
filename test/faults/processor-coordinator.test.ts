/** What becomes of processors when the broker that coordinates their group goes, or another one has their transactional id. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { coordinatorOf } from "../support/reassignment.js";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { expectExactlyOnce, run } from "../support/processor-faults.js";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka({ nodes: 3, properties: { "broker.session.timeout.ms": 3_000 } });
});

afterAll(async () => {
  await cluster.close();
});

describe("processors go on by themselves, exactly once", () => {
  test("when the broker that coordinates their group dies and stays away", async () => {
    const verdict = await run({
      brokers: cluster.brokers,
      records: 6_000,
      rate: 300,
      options: { sessionTimeoutMs: 6_000 },
      faults: async (run) => {
        await run.underWay();
        const id = await coordinatorOf(cluster, run.groupId);
        const coordinator = cluster.nodes.find((node) => node.id === id);
        expect(coordinator).toBeDefined();
        await coordinator?.kill();
        run.count("broker SIGKILL");
        await sleep(16_000);
      },
    });
    await Promise.all(cluster.nodes.filter(({ running }) => !running).map((node) => node.start()));
    expectExactlyOnce(verdict);
    // Without looking for the new coordinator they would wait until the old one comes back.
    expect(verdict.longestGapMs).toBeLessThan(30_000);
  });

  test("when a second one is started with the transactional id of the first: the first stops and says why", async () => {
    const verdict = await run({
      brokers: cluster.brokers,
      records: 5_000,
      rate: 400,
      options: { sessionTimeoutMs: 6_000 },
      faults: async (run) => {
        await run.underWay();
        run.start(3, 0);
        run.count("second instance");
        await run.worker(0).ended();
        await sleep(3_000);
      },
    });
    expectExactlyOnce(verdict, ["ProducerFencedError"]);
  });
});
