import { describe } from "../check.js";
import { ConfigError, KafkaError } from "../errors.js";
import type { GroupSession } from "../group/group-session.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import { topicPartitionOf, type TopicPartition } from "../offsets.js";

/** How far a consumer or processor is behind in a partition. */
export interface PartitionLag extends TopicPartition {
  /** Records in the log that are not finished yet; markers of transactions count as records. */
  readonly lag: number;
  /** The offset that the partition's next record will get. */
  readonly end: number;
  /** The offset of the first record that is not finished. */
  readonly next: number;
}

const queryTimeoutMs = 5_000;

/** What the user of a client can ask about the partitions assigned to it, and do with them. */
export class AssignedPartitions {
  readonly #groupId: string;
  readonly #session: () => Pick<GroupSession, "partitions" | "get" | "pause" | "resume" | "native">;

  constructor(
    groupId: string,
    session: () => Pick<GroupSession, "partitions" | "get" | "pause" | "resume" | "native">,
  ) {
    this.#groupId = groupId;
    this.#session = session;
  }

  list(): readonly TopicPartition[] {
    return this.#session().partitions.map(topicPartitionOf);
  }

  /** @throws `KafkaError` with code `UNKNOWN_PARTITION` where it is not assigned to this member */
  get(topicPartition: TopicPartition): OwnedPartition {
    const { topic, partition } = topicPartition;
    if (typeof topic !== "string" || !Number.isInteger(partition))
      throw new ConfigError(
        "partitions",
        `expected { topic, partition } with one number, got ${describe(topicPartition)} with ${Object.keys(topicPartition).join(", ")}`,
      );
    const assigned = this.#session().get(topic, partition);
    if (assigned === undefined) throw this.notAssigned({ topic, partition });
    return assigned;
  }

  /** Absent: all that are assigned now. */
  pause(partitions: readonly TopicPartition[] | undefined): void {
    this.#session().pause(this.#assigned(partitions));
  }

  /** Absent: all that are assigned now. */
  resume(partitions: readonly TopicPartition[] | undefined): void {
    this.#session().resume(this.#assigned(partitions));
  }

  async lag(): Promise<readonly PartitionLag[]> {
    const { partitions, native } = this.#session();
    const lags: PartitionLag[] = [];
    for (const partition of partitions) {
      const { low, high } = await native.watermarks(partition, queryTimeoutMs);
      let { next } = partition;
      if (next === undefined) {
        const [committed] = await native.committed([topicPartitionOf(partition)], queryTimeoutMs);
        next =
          committed !== undefined && committed.offset >= 0
            ? committed.offset
            : (partition.queue.peek()?.offset ?? low);
      }
      lags.push({ ...topicPartitionOf(partition), lag: Math.max(0, high - next), end: high, next });
    }
    return lags;
  }

  notAssigned({ topic, partition }: TopicPartition): KafkaError {
    const message = `${topic}[${partition}] is not assigned to this member of the group`;
    return new KafkaError("UNKNOWN_PARTITION", message, { topic, partition, groupId: this.#groupId });
  }

  #assigned(partitions: readonly TopicPartition[] | undefined): readonly OwnedPartition[] {
    const given: unknown = partitions;
    if (given !== undefined && !Array.isArray(given))
      throw new ConfigError(
        "partitions",
        `expected an array of { topic, partition }, got ${describe(given)}`,
      );
    return partitions?.map((each) => this.get(each)) ?? this.#session().partitions;
  }
}
