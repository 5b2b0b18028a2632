import type { PartitionOffset } from "../offsets.js";
import type {
  NativeGroupDescription,
  NativeGroupListing,
  NativeTopicDescription,
} from "../driver/native-admin.js";

/** What a principal can be allowed to do (an ACL operation), by Kafka's names. */
export type AclOperation =
  | "READ"
  | "WRITE"
  | "CREATE"
  | "DELETE"
  | "ALTER"
  | "DESCRIBE"
  | "CLUSTER_ACTION"
  | "DESCRIBE_CONFIGS"
  | "ALTER_CONFIGS"
  | "IDEMPOTENT_WRITE";

/** Where a partition is. */
export interface PartitionDescription {
  /** The partition's number, from 0. */
  readonly partition: number;
  /** The broker that takes its writes; `undefined` while there is none. */
  readonly leader: number | undefined;
  /** The brokers that hold it. */
  readonly replicas: readonly number[];
  /** Those of them that have everything. */
  readonly inSync: readonly number[];
}

/** A topic as it is in the cluster. */
export interface TopicDescription {
  /** The topic's name. */
  readonly name: string;
  /** Whether it is one of Kafka's own, such as `__consumer_offsets`. */
  readonly internal: boolean;
  /** Its partitions, by number. */
  readonly partitions: readonly PartitionDescription[];
  /** How many brokers hold each partition. */
  readonly replicationFactor: number;
  /** What this principal may do with it; everything on a cluster without authorization. */
  readonly operations: readonly AclOperation[];
}

/**
 * What a group is doing. `dead` is also one that does not exist. `unknown`, without a coordinator, is one that does not
 * exist or is of another kind, such as one of Kafka Connect: only the addon of the fast path could tell which.
 */
export type GroupState =
  "unknown" | "preparing-rebalance" | "completing-rebalance" | "stable" | "dead" | "empty";

/** A member of a consumer group. */
export interface GroupMember {
  /** Its id in the group. */
  readonly memberId: string;
  /** Its `clientId`. */
  readonly clientId: string;
  /** Where it connects from. */
  readonly host: string;
  /** Its `groupInstanceId`, where it has one. */
  readonly groupInstanceId: string | undefined;
  /** The partitions assigned to it. */
  readonly partitions: readonly Pick<PartitionOffset, "topic" | "partition">[];
}

/** A consumer group as it is in the cluster. */
export interface GroupDescription {
  /** The group's id. */
  readonly groupId: string;
  /** What it is doing. */
  readonly state: GroupState;
  /** The protocol its members speak. */
  readonly protocol: "classic" | "consumer" | "unknown";
  /** How partitions are shared out; empty for a group without members. */
  readonly assignor: string;
  /** The broker that coordinates it. */
  readonly coordinator: number | undefined;
  /** Its members. */
  readonly members: readonly GroupMember[];
  /** What this principal may do with it; everything on a cluster without authorization. */
  readonly operations: readonly AclOperation[];
}

/** A group as {@link Admin.listGroups} tells it. */
export interface GroupListing {
  /** The group's id. */
  readonly groupId: string;
  /** What it is doing. */
  readonly state: GroupState;
  /** The protocol its members speak. */
  readonly protocol: "classic" | "consumer" | "unknown";
  /** By Kafka's word: `consumer`; empty for one that has committed offsets and never had a member. */
  readonly protocolType: "consumer" | "";
}

/** The native description in the library's words. */
export function topicDescriptionOf(native: NativeTopicDescription): TopicDescription {
  const partitions = native.partitions
    .map(({ partition, leader, replicas, isr }) => ({
      partition,
      leader: leader === undefined || leader.id < 0 ? undefined : leader.id,
      replicas: replicas.map(({ id }) => id),
      inSync: isr.map(({ id }) => id),
    }))
    .sort((a, b) => a.partition - b.partition);
  return {
    name: native.name,
    internal: native.isInternal,
    partitions,
    replicationFactor: partitions[0]?.replicas.length ?? 0,
    operations: operationsOf(native.authorizedOperations),
  };
}

/** Whether every partition has a leader. */
export function hasLeaders(topic: TopicDescription | undefined): boolean {
  return (
    topic !== undefined &&
    topic.partitions.length > 0 &&
    topic.partitions.every(({ leader }) => leader !== undefined)
  );
}

/** The native description in the library's words. */
export function groupDescriptionOf(native: NativeGroupDescription): GroupDescription {
  return {
    groupId: native.groupId,
    ...statusOf(native),
    assignor: native.partitionAssignor,
    coordinator: native.coordinator?.id,
    members: native.members.map(({ memberId, clientId, clientHost, groupInstanceId, assignment }) => ({
      memberId,
      clientId,
      host: clientHost,
      groupInstanceId,
      partitions: assignment.topicPartitions.map(({ topic, partition }) => ({ topic, partition })),
    })),
    operations: operationsOf(native.authorizedOperations),
  };
}

/** The native listing in the library's words. */
export function groupListingOf(native: NativeGroupListing): GroupListing {
  const protocolType = native.isSimpleConsumerGroup ? "" : "consumer";
  return { groupId: native.groupId, ...statusOf(native), protocolType };
}

function statusOf({
  state,
  type,
}: Pick<NativeGroupListing, "state" | "type">): Pick<GroupListing, "state" | "protocol"> {
  return {
    state: states[state] ?? "unknown",
    protocol: type === 1 ? "consumer" : type === 2 ? "classic" : "unknown",
  };
}

/** rdkafka.h, `rd_kafka_consumer_group_state_t`. */
const states: readonly GroupState[] = [
  "unknown",
  "preparing-rebalance",
  "completing-rebalance",
  "stable",
  "dead",
  "empty",
];

/** rdkafka.h, `rd_kafka_AclOperation_t`. */
const operationNames: readonly (AclOperation | undefined)[] = [
  undefined,
  undefined,
  undefined,
  "READ",
  "WRITE",
  "CREATE",
  "DELETE",
  "ALTER",
  "DESCRIBE",
  "CLUSTER_ACTION",
  "DESCRIBE_CONFIGS",
  "ALTER_CONFIGS",
  "IDEMPOTENT_WRITE",
];

function operationsOf(numbers: readonly number[] = []): readonly AclOperation[] {
  return numbers.flatMap((number) => operationNames[number] ?? []);
}
