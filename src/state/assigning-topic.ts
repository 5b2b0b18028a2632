import type { ClientConfig } from "../driver/client-config.js";
import { assignedTopics } from "../driver/consumers-assignment.js";
import { NativeAdmin } from "../driver/native-admin.js";
import { type NativeConsumer, outsider } from "../driver/native-consumer.js";
import { type SizeSource, sizeOfTopic } from "../driver/topic-maker.js";
import { ConfigError, KafkaError } from "../errors.js";
import type { TopicPartition } from "../offsets.js";
import { sleep } from "../waiting.js";
import { parseMetadata } from "./offset-metadata.js";

const askTimeoutMs = 2_000;
const attempts = 3;
/** For how long members are asked for that begin at the same time, in milliseconds: a rebalance may hide them. */
const askOthersMs = 15_000;
const pauseMs = 250;

/** Which topic to subscribe to for the tasks of a group, and which the group had before that are no more. */
export interface AssigningTopic {
  readonly name: string;
  readonly former: ReadonlySet<string>;
  /** Nothing that the group has committed names one: another member may begin now with another. */
  readonly isNew: boolean;
}

/** What tasks are made of: partition p of all these topics is one. */
interface TaskTopics {
  readonly topics: readonly string[];
  readonly partitions: number;
}

/**
 * The topic whose partitions the group assigns, each of which brings its task: one for all members, or a task would have
 * two owners. It is the one that members before this one had, which is beside the offsets they committed, even where this
 * member does not read it; for a new group the first of `topics`.
 */
export async function assigningTopic(
  config: ClientConfig,
  groupId: string,
  tasks: TaskTopics,
  sizes: SizeSource,
  signal: AbortSignal,
): Promise<AssigningTopic> {
  const former = new Set<string>();
  for (const name of await committedNames(config, groupId, tasks, signal)) {
    if ((await sizeOfTopic(name, sizes)).partitions === tasks.partitions)
      return { name, former, isNew: false };
    former.add(name);
  }
  return { name: tasks.topics[0] ?? "", former, isNew: true };
}

/** The topics that are named beside committed offsets: of the topics of this member, or else of any other. */
async function committedNames(
  config: ClientConfig,
  groupId: string,
  tasks: TaskTopics,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const native = outsider(config, groupId, `tasks of group ${groupId}`);
  try {
    await native.connect(signal);
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      signal.throwIfAborted();
      try {
        const names = await namesBeside(native, partitionsOf(tasks));
        return names.size > 0 ? names : await namesBeside(native, await otherTopics(config, tasks, signal));
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        // A member that subscribes to another topic than the others notices it before it does anything.
        config.logger.debug(`which topic the group assigns is not known: ${error.message}`, { groupId });
      }
    }
    return new Set();
  } finally {
    void native.disconnect();
  }
}

async function namesBeside(
  native: NativeConsumer,
  partitions: readonly TopicPartition[],
): Promise<ReadonlySet<string>> {
  if (partitions.length === 0) return new Set();
  const committed = await native.committed(partitions, askTimeoutMs);
  return new Set(committed.flatMap(({ metadata }) => parseMetadata(metadata).assignedBy ?? []));
}

function partitionsOf({ topics, partitions }: TaskTopics): readonly TopicPartition[] {
  return topics.flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  );
}

/** The first partition of every other topic that could have such tasks: a deployment before this one may have read it. */
async function otherTopics(
  config: ClientConfig,
  { topics, partitions }: TaskTopics,
  signal: AbortSignal,
): Promise<readonly TopicPartition[]> {
  const admin = new NativeAdmin(config, () => undefined);
  try {
    await admin.connect(signal);
    const sizes = new Map<string, number>();
    for (const { topic } of await admin.allPartitions(askTimeoutMs))
      sizes.set(topic, (sizes.get(topic) ?? 0) + 1);
    return [...sizes]
      .filter(([topic, size]) => size === partitions && !topics.includes(topic))
      .map(([topic]) => ({ topic, partition: 0 }));
  } finally {
    await admin.disconnect();
  }
}

/**
 * Looks whether another member of a new group, which began at the same time, has tasks by another topic. To be asked once
 * this member has partitions: a group knows what it assigns before its members do, so that of two members one at least
 * sees the other.
 *
 * @returns `false` where the group did not tell what it has assigned: it is in a rebalance, or brokers do not answer
 * @throws `ConfigError` where there is one: both would own a task
 */
export async function checkOthers(
  admin: NativeAdmin,
  groupId: string,
  { name }: AssigningTopic,
  sizes: SizeSource,
  isOver: () => boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + askOthersMs;
  while (!isOver() && performance.now() < deadline) {
    try {
      const assigned = await topicsOfGroup(admin, groupId);
      const other = await withTasks(assigned, name, sizes);
      if (other !== undefined)
        throw new ConfigError(
          "topics",
          `another member of group ${groupId} began at the same time with ${other}, and this one with ${name}, so that their tasks would have two owners: start this one again once the other has committed, or give both a topic in common, in front`,
        );
      if (assigned.has(name)) return true;
    } catch (error) {
      // What may not be asked, or not now, is no reason to stop.
      if (error instanceof ConfigError || !(error instanceof KafkaError)) throw error;
    }
    await sleep(pauseMs, signal);
  }
  return false;
}

/** Another topic with as many partitions as this one, so that its members could have these tasks; `undefined`: none. */
async function withTasks(
  assigned: ReadonlySet<string>,
  name: string,
  sizes: SizeSource,
): Promise<string | undefined> {
  const { partitions } = await sizeOfTopic(name, sizes);
  for (const other of assigned)
    if (other !== name && (await sizeOfTopic(other, sizes)).partitions === partitions) return other;
  return undefined;
}

/** The topics of which members have partitions; none where the group does not tell it now. */
async function topicsOfGroup(admin: NativeAdmin, groupId: string): Promise<ReadonlySet<string>> {
  const kind = await admin.kindOfGroup(groupId, askTimeoutMs);
  // To describe a group ends the process where its coordinator refuses, so it has to have answered just now.
  if (kind === undefined || (kind === "unknown" && admin.asksGroups)) return new Set();
  if (kind !== "unknown" && kind.protocolType !== "")
    return new Set(kind.assignments.flatMap((bytes) => assignedTopics(bytes) ?? []));
  // It speaks the newer protocol. Without the addon the coordinator has told this member's offsets.
  const [group] = await admin.describeGroups([groupId], askTimeoutMs);
  return new Set(
    group?.members.flatMap(({ assignment }) => assignment.topicPartitions.map(({ topic }) => topic)),
  );
}
