import { logEnd, logStart } from "../driver/log-times.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { isTransient } from "../driver/native-errors.js";
import { KafkaError } from "../errors.js";
import { backoff, limitConcurrency, sleep } from "../waiting.js";
import { topicPartitionOf, type TopicPartition } from "../offsets.js";

const committedTimeoutMs = 5_000;
const endTimeoutMs = 2_000;
/** How long the others wait for partitions whose ends are not told at once: just made, they have no leader yet. */
const patienceMs = 1_000;
/** What is written while a leader is back and not asked again yet is passed over. */
const pauseMs = backoff(100, 500);
/** Each question holds one of libuv's four threads until it is answered. */
const questionsAtATime = 2;

/** What of the native consumer is asked. */
export type OffsetSource = Pick<NativeConsumer, "committed" | "ends" | "leadersOf">;

/**
 * Where to begin in those of these partitions for which the group has committed nothing: at `logStart` those that
 * begin with their first record, and the others at their ends as of now, so that what comes from here on is not
 * passed over by whoever has them next; at `logEnd` where no broker tells the end, which is then for `askEnds`.
 * @throws `AuthorizationError` or `AuthenticationError`; everything else is asked again until `isOver`
 */
export async function startOffsetsOf(
  source: OffsetSource,
  partitions: readonly TopicPartition[],
  beginsAtFirst: (topic: string) => boolean,
  isOver: () => boolean,
): Promise<readonly NativeOffset[]> {
  if (partitions.length === 0) return [];
  const fresh = await uncommitted(source, partitions, isOver);
  const unknown = new Set(fresh.filter(({ topic }) => !beginsAtFirst(topic)));
  const startOffsets = at(
    fresh.filter(({ topic }) => beginsAtFirst(topic)),
    logStart,
  );
  if (unknown.size === 0) return startOffsets;
  await askEnds(
    source,
    () => (isOver() ? [] : [...unknown]),
    (partition, offset) => {
      unknown.delete(partition);
      startOffsets.push({ ...partition, offset });
    },
    patienceMs,
  );
  return [...startOffsets, ...at(unknown, logEnd)];
}

/**
 * Asks for the ends of what `wanted` gives, again and again, until it gives nothing more or `withinMs` are over.
 * A partition that cannot be asked, or whose leader says nothing, does not keep those of other leaders.
 */
export async function askEnds<Partition extends TopicPartition>(
  source: OffsetSource,
  wanted: () => readonly Partition[],
  onEnd: (partition: Partition, offset: number) => void,
  withinMs = Infinity,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  const ask = (partitions: readonly Partition[]): Promise<boolean> => askOnce(source, partitions, onEnd);
  for (let attempt = 0; ; attempt += 1) {
    if (!(await ask(wanted()))) {
      const limited = limitConcurrency(questionsAtATime);
      const groups = await byLeader(source, wanted);
      await Promise.all(
        groups.map((partitions) => limited(async () => wanted().length > 0 && ask(partitions))),
      );
    }
    if (wanted().length === 0 || performance.now() + pauseMs(attempt) > deadline) return;
    await sleep(pauseMs(attempt));
  }
}

/** Those of the partitions for which the group has committed nothing; none where it is over before anybody knows. */
async function uncommitted(
  source: OffsetSource,
  partitions: readonly TopicPartition[],
  isOver: () => boolean,
): Promise<readonly TopicPartition[]> {
  for (let attempt = 0; !isOver(); attempt += 1) {
    try {
      const committed = await source.committed(partitions.map(topicPartitionOf), committedTimeoutMs);
      return committed.filter(({ offset }) => offset < 0).map(topicPartitionOf);
    } catch (error) {
      if (!isTransient(error)) throw error;
      await sleep(pauseMs(attempt));
    }
  }
  return [];
}

/** One question for all: `false` where nobody knows more, because a single leader refused a partition or said nothing. */
async function askOnce<Partition extends TopicPartition>(
  source: OffsetSource,
  partitions: readonly Partition[],
  onEnd: (partition: Partition, offset: number) => void,
): Promise<boolean> {
  if (partitions.length === 0) return true;
  try {
    const ends = await source.ends(partitions.map(topicPartitionOf), endTimeoutMs);
    partitions.forEach((partition, index) => {
      const end = ends[index];
      if (end instanceof KafkaError) throwUnlessTransient(end);
      else if (end !== undefined && end >= 0) onEnd(partition, end);
    });
    return true;
  } catch (error) {
    if (!isTransient(error)) throw error;
    return false;
  }
}

async function byLeader<Partition extends TopicPartition>(
  source: OffsetSource,
  wanted: () => readonly Partition[],
): Promise<readonly (readonly Partition[])[]> {
  const groups = new Map<number | undefined, Partition[]>();
  for (const topic of new Set(wanted().map((partition) => partition.topic))) {
    const partitions = wanted().filter((partition) => partition.topic === topic);
    let leaders: ReadonlyMap<number, number> | undefined;
    try {
      if (partitions.length > 0) leaders = await source.leadersOf(topic, endTimeoutMs);
    } catch (error) {
      if (!isTransient(error)) throw error;
    }
    for (const partition of partitions) {
      const leader = leaders?.get(partition.partition);
      const group = groups.get(leader);
      if (group === undefined) groups.set(leader, [partition]);
      else group.push(partition);
    }
  }
  return [...groups.values()];
}

function at(partitions: Iterable<TopicPartition>, offset: number): NativeOffset[] {
  return Array.from(partitions, (partition) => ({ ...partition, offset }));
}

/** What is refused now is refused the next time too. */
function throwUnlessTransient(error: unknown): void {
  if (!isTransient(error)) throw error;
}
