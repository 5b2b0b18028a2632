import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import kafka from "@confluentinc/kafka-javascript";
import { inject } from "vitest";

export interface TopicOptions {
  /** Default: a name of its own. */
  readonly name?: string;
  /** Default 1. */
  readonly partitions?: number;
  /** Default: the broker's, which is 1 for one node and 3 for three. */
  readonly replicationFactor?: number;
  /** Kafka's topic settings, by Kafka's names. Default: records are kept however old they are. */
  readonly config?: Readonly<Record<string, string>>;
  /** Default: the broker of the integration tests. */
  readonly brokers?: string;
}

/** Tests write records with timestamps long ago, which brokers would delete whenever they look next. */
const keepsOldRecords = { "retention.ms": "-1" };

/** A name that no other test has: for topics, groups and transactional ids. */
export const uniqueName = (prefix = "test"): string => `${prefix}-${randomBytes(6).toString("hex")}`;

/** Makes a topic with the raw client, waits until each partition has a leader, and returns the topic's name. */
export async function createTopic(options: TopicOptions = {}): Promise<string> {
  const name = options.name ?? uniqueName();
  const admin = kafka.AdminClient.create({ "bootstrap.servers": options.brokers ?? inject("brokers") });
  try {
    await new Promise<void>((resolve, reject) => {
      const topic = {
        topic: name,
        num_partitions: options.partitions ?? 1,
        replication_factor: options.replicationFactor ?? -1,
        config: { ...keepsOldRecords, ...options.config },
      };
      admin.createTopic(topic, 20_000, (error) => {
        // The binding passes nothing on success, whatever its types say, and no `Error` on failure.
        if (error as unknown) reject(new Error(`topic ${name} could not be made: ${error.message}`));
        else resolve();
      });
    });
    const deadline = Date.now() + 20_000;
    while (!(await hasLeaders(admin, name))) {
      if (Date.now() > deadline) throw new Error(`topic ${name} has partitions without a leader`);
      await sleep(50);
    }
    return name;
  } finally {
    admin.disconnect();
  }
}

type Admin = ReturnType<typeof kafka.AdminClient.create>;

function hasLeaders(admin: Admin, topic: string): Promise<boolean> {
  return new Promise((resolve) => {
    admin.describeTopics([topic], { timeout: 5000 }, (error, [description]) => {
      const partitions = (error as unknown) ? [] : (description?.partitions ?? []);
      resolve(partitions.length > 0 && partitions.every(({ leader }) => (leader?.id ?? -1) >= 0));
    });
  });
}

/** The groups that the broker of the integration tests knows. */
export async function groupIds(): Promise<readonly string[]> {
  const admin = kafka.AdminClient.create({ "bootstrap.servers": inject("brokers") });
  try {
    return await new Promise((resolve, reject) => {
      admin.listGroups({ timeout: 10_000 }, (error, { groups }) => {
        if (error as unknown) reject(new Error(error.message));
        else resolve(groups.map(({ groupId }) => groupId));
      });
    });
  } finally {
    admin.disconnect();
  }
}
