/** What becomes of processors when the brokers that coordinate their group and their transactions go or change. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka } from "typed-kafka";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { run, type Verdict } from "../support/processor-faults.js";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka({ nodes: 3, properties: { "broker.session.timeout.ms": 3_000 } });
});

afterAll(async () => {
  await cluster.close();
});

function expectExactlyOnce(verdict: Verdict, stopped: readonly string[] = []): void {
  expect(verdict).toMatchObject({
    lost: 0,
    doubled: 0,
    disordered: 0,
    live: { doubled: 0, disordered: 0, seen: verdict.records },
    stopped,
  });
}

describe("processors go on by themselves, exactly once", () => {
  test("when the broker that coordinates their group dies and stays away", async () => {
    const verdict = await run({
      brokers: cluster.brokers,
      records: 6_000,
      rate: 300,
      options: { sessionTimeoutMs: 6_000 },
      faults: async (run) => {
        await run.underWay();
        const id = await coordinatorOf(run.groupId);
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
    expect(verdict.longestGapMs).toBeLessThan(15_000);
  });

  test("when the coordinators of their group and their transactions move to other brokers", async () => {
    const verdict = await run({
      brokers: cluster.brokers,
      records: 6_000,
      rate: 300,
      options: { sessionTimeoutMs: 6_000 },
      faults: async (run) => {
        await run.underWay();
        for (let moves = 1; moves <= 3; moves += 1) {
          const before = await coordinatorOf(run.groupId);
          await moveCoordinators();
          run.count("coordinator move");
          await expect
            .poll(() => coordinatorOf(run.groupId).catch(() => before), { timeout: 20_000 })
            .not.toBe(before);
          await sleep(1_000);
        }
      },
    });
    expectExactlyOnce(verdict);
    expect(verdict.longestGapMs).toBeLessThan(15_000);
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

async function coordinatorOf(groupId: string): Promise<number | undefined> {
  await using kafka = new Kafka({ brokers: cluster.brokers });
  const [group] = await kafka.admin().describeGroups([groupId]);
  return group?.coordinator;
}

/** Gives every partition of Kafka's own topics, and so every group and transactional id, to the next broker. */
async function moveCoordinators(): Promise<void> {
  await using kafka = new Kafka({ brokers: cluster.brokers });
  const topics = await kafka.admin().describeTopics(["__consumer_offsets", "__transaction_state"]);
  const partitions = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition, leader = 1 }) => {
      const [first, ...rest] = [leader % 3, (leader + 1) % 3, (leader + 2) % 3].map((id) => id + 1);
      return { topic: name, partition, replicas: [first, ...rest] };
    }),
  );
  const folder = mkdtempSync(join(tmpdir(), "typed-kafka-move-"));
  const file = join(folder, "move.json");
  writeFileSync(file, JSON.stringify({ version: 1, partitions }));
  const reassign = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
  await cluster.tool(reassign, ["--execute", "--reassignment-json-file", file]);
  rmSync(folder, { recursive: true });
  const elect = "org.apache.kafka.tools.LeaderElectionCommand";
  await cluster.tool(elect, ["--election-type", "preferred", "--all-topic-partitions"]);
}
