import type { NativeLogEvent } from "./native.js";

/** The id that a topic has. A topic with another one than before was deleted, and made again. */
export interface TopicIdKnown {
  readonly type: "topic-id";
  readonly topic: string;
  readonly id: string;
}

/** The log of a partition does not have the offset that was to be fetched, or not in its leader's history. */
export interface OffsetLost {
  readonly type: "offset-lost";
  readonly topic: string;
  readonly partition: number;
  /** The offset that was to be fetched. */
  readonly offset: number;
  /** Where the log was cut off, if that is why; from there on it has other records. */
  readonly truncatedAt: number | undefined;
}

/** The brokers do not know the group protocol `consumer`. */
interface ProtocolUnknown {
  readonly type: "protocol-unknown";
}

/** The group of the protocol `consumer` counts this client as a member, and has no partition for it. */
interface NoPartition {
  readonly type: "no-partition";
}

/** The member asks to join its group or takes part in a rebalance, or is through with it. */
interface Joining {
  readonly type: "joining";
  readonly isJoining: boolean;
}

export type LogFinding = TopicIdKnown | OffsetLost | ProtocolUnknown | NoPartition | Joining;

/** How librdkafka shows the id of a topic that has none. */
const noId = "AAAAAAAAAAAAAAAAAAAAAA";

/**
 * What a line of librdkafka's log says that it tells in no other way: ids of topics (`debug=topic`), offsets that a
 * log does not have (`topic` with `auto.offset.reset=error`), brokers without the group protocol `consumer`, its
 * members without partitions, and how far a member is with joining (`cgrp`). The binding's version is fixed, and the
 * words with it.
 */
export function findingOf({ fac, message }: NativeLogEvent): LogFinding | undefined {
  if (fac === "METADATA") return topicIdOf(/Topic (\S+) changed id from \S+ to (\S+)$/.exec(message));
  if (fac === "TOPIC") return topicIdOf(/New local topic: (\S+) \(id (\S+)\)$/.exec(message));
  if (fac === "OFFSET") return offsetLost(message);
  if (fac === "COORD" && message.includes("ConsumerGroupHeartbeatRequest not supported by broker"))
    return { type: "protocol-unknown" };
  if (fac === "HEARTBEAT") return heartbeat(message);
  if (fac === "CGRPJOINSTATE") return joinState(message);
  return undefined;
}

function topicIdOf(match: RegExpExecArray | null): TopicIdKnown | undefined {
  const [, topic, id] = match ?? [];
  if (topic === undefined || id === undefined || id === noId) return undefined;
  return { type: "topic-id", topic, id };
}

function heartbeat(message: string): NoPartition | Joining | undefined {
  if (message.endsWith('received target assignment ""')) return { type: "no-partition" };
  // The first of a member, which makes it one.
  if (/ConsumerGroupHeartbeat of member .*", generation id 0, /.test(message)) return joining(true);
  return message.includes("ConsumerGroupHeartbeat response received for member id")
    ? joining(false)
    : undefined;
}

function joinState(message: string): Joining | undefined {
  const [, from, to = ""] = /" changed join state (\S+) -> (\S+) \(state [^"]*\)$/.exec(message) ?? [];
  if (from === undefined) return undefined;
  // Before it asks for the first time it may wait for the topics' partitions, for as long as no broker answers.
  const isBefore = from === "init" && to === "wait-metadata";
  return joining(!["init", "steady"].includes(to) && !isBefore);
}

const joining = (isJoining: boolean): Joining => ({ type: "joining", isJoining });

function offsetLost(message: string): OffsetLost | undefined {
  const [, topic, partition, position = "", reason = ""] =
    /(\S+) \[(\d+)\]: offset reset \(at (.*?), broker -?\d+\) to (.*)$/.exec(message) ?? [];
  if (topic === undefined || !/offset out of range|truncation/i.test(reason)) return undefined;
  const truncated = /truncation detected at offset (\d+) .*broker end offset is (\d+)/.exec(reason);
  const offset = truncated?.[1] ?? /^offset (\d+)/.exec(position)?.[1];
  if (offset === undefined) return undefined;
  return {
    type: "offset-lost",
    topic,
    partition: Number(partition),
    offset: Number(offset),
    truncatedAt: truncated === null ? undefined : Number(truncated[2]),
  };
}

/** Why the group of the protocol `consumer` has ended a client for good, in the words of its error; from a line about a fatal error. */
export function groupErrorOf(message: string): string | undefined {
  return /ConsumerGroupHeartbeat fatal error: (.+?)\s*$/.exec(message)?.[1];
}
