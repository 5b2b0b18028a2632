import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka } from "typed-kafka";
import type { KafkaCluster } from "./kafka-cluster.js";

/** The broker that coordinates the group. */
export async function coordinatorOf(cluster: KafkaCluster, groupId: string): Promise<number | undefined> {
  await using kafka = new Kafka({ brokers: cluster.brokers });
  const [group] = await kafka.admin().describeGroups([groupId]);
  return group?.coordinator;
}

/** Gives every partition of Kafka's own topics, and so every group and transactional id, to the next broker. */
export async function moveCoordinators(cluster: KafkaCluster): Promise<void> {
  await using kafka = new Kafka({ brokers: cluster.brokers });
  const topics = await kafka.admin().describeTopics(["__consumer_offsets", "__transaction_state"]);
  const partitions = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition, leader = 1 }) => ({
      topic: name,
      partition,
      replicas: [leader, leader + 1, leader + 2].map((id) => (id % 3) + 1),
    })),
  );
  await reassign(cluster, partitions);
  const elect = "org.apache.kafka.tools.LeaderElectionCommand";
  await cluster.tool(elect, ["--election-type", "preferred", "--all-topic-partitions"]);
}

/** Gives partitions these replicas, the first of them the preferred leader. The tool only starts the move. */
export async function reassign(
  cluster: KafkaCluster,
  partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly replicas: readonly number[];
  }[],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "typed-kafka-move-"));
  try {
    const file = join(folder, "move.json");
    writeFileSync(file, JSON.stringify({ version: 1, partitions }));
    const tool = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
    await cluster.tool(tool, ["--execute", "--reassignment-json-file", file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
