import { logStart } from "../driver/log-times.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { isTransient } from "../driver/native-errors.js";
import { KafkaError } from "../errors.js";
import { backoff, limitConcurrency, sleep } from "../waiting.js";
import { topicPartitionOf, type TopicPartition } from "../offsets.js";

/** How long partitions wait for those whose start is not told at once: a transaction with their offsets is open, or they have no leader yet. */
const patienceMs = 1_000;
const committedTimeoutMs = 2_000;
const endTimeoutMs = 2_000;
/** What is written while a leader is back and not asked again yet is passed over. */
const pauseMs = backoff(100, 500);
/** Each question holds one of libuv's four threads until it is answered. */
const questionsAtATime = 2;

/** What of the native consumer is asked. */
export type OffsetSource = Pick<NativeConsumer, "committed" | "ends" | "leadersOf" | "watermarks">;

/**
 * Where a partition begins: where the user says, at the group's committed offset, or where it has none, at its first record or
 * its end. Nothing is to be fetched of one that is `unknown`.
 */
export interface StartOffset extends NativeOffset {
  readonly at: "given" | "committed" | "first" | "end" | "unknown";
}

/** Whether a topic's partitions begin at their first record where the group has committed nothing, and else at their end. */
type BeginsAtFirst = (topic: string) => boolean;

/**
 * Where to begin in each of these partitions: at the group's committed offset; where it has none, at the first record
 * or at the end as of now, so that what comes from here on is not passed over by whoever has the partition next.
 * What is not told within a second is `unknown`, which is then for `askStartOffsets`. Its offset is a number, so that the
 * native client does not ask for one: if it did while it is sent to another, it would take the late answer for a reason to
 * ask again, and go there (BINDING; from the end, records were passed over).
 *
 * The native client would find this out by itself, but where a transaction with offsets of the group is open while the
 * assignment changes, it takes the missing answer for "nothing was committed", and begins at the first record.
 * @throws `AuthorizationError` or `AuthenticationError`
 */
export async function startOffsetsOf(
  source: OffsetSource,
  partitions: readonly TopicPartition[],
  beginsAtFirst: BeginsAtFirst,
  isOver: () => boolean,
): Promise<readonly StartOffset[]> {
  if (partitions.length === 0) return [];
  const known = new Map<TopicPartition, StartOffset>();
  const committed = await committedOf(source, partitions, patienceMs);
  const atEnd: TopicPartition[] = [];
  partitions.forEach((partition, index) => {
    const offset = committed?.[index];
    if (offset === undefined) return;
    if (offset >= 0) known.set(partition, { ...topicPartitionOf(partition), offset, at: "committed" });
    else if (beginsAtFirst(partition.topic))
      known.set(partition, { ...topicPartitionOf(partition), offset: logStart, at: "first" });
    else atEnd.push(partition);
  });
  await askEnds(
    source,
    () => (isOver() ? [] : atEnd.filter((partition) => !known.has(partition))),
    (partition, offset) => {
      known.set(partition, { ...topicPartitionOf(partition), offset, at: "end" });
    },
    patienceMs,
  );
  return partitions.map(
    (partition) => known.get(partition) ?? { ...topicPartitionOf(partition), offset: 0, at: "unknown" },
  );
}

/**
 * Asks where to begin in what `wanted` gives, again and again, until it gives nothing more. No partition keeps the
 * others: neither one whose committed offset is not told while a transaction is open, nor one without a leader.
 * @throws as `startOffsetsOf`
 */
export async function askStartOffsets<Partition extends TopicPartition>(
  source: OffsetSource,
  wanted: () => readonly Partition[],
  beginsAtFirst: BeginsAtFirst,
  onStart: (partition: Partition, start: StartOffset) => void,
): Promise<void> {
  const atEnd = new Set<Partition>();
  const limited = limitConcurrency(questionsAtATime);
  const ask = async (partition: Partition): Promise<void> => {
    if (!wanted().includes(partition)) return;
    const asked = topicPartitionOf(partition);
    const [offset] = (await committedOf(source, [partition], committedTimeoutMs)) ?? [];
    if (offset === undefined) return;
    if (offset >= 0) onStart(partition, { ...asked, offset, at: "committed" });
    else if (!beginsAtFirst(partition.topic)) atEnd.add(partition);
    else {
      const first = await firstOf(source, partition);
      if (first !== undefined) onStart(partition, { ...asked, offset: first, at: "first" });
    }
  };
  for (let attempt = 0; ; attempt += 1) {
    const unknown = wanted().filter((partition) => !atEnd.has(partition));
    await Promise.all(unknown.map((partition) => limited(() => ask(partition))));
    const isCommittedKnown = wanted().every((partition) => atEnd.has(partition));
    await askEnds(
      source,
      () => wanted().filter((partition) => atEnd.has(partition)),
      (partition, offset) => {
        onStart(partition, { ...topicPartitionOf(partition), offset, at: "end" });
      },
      isCommittedKnown ? Infinity : patienceMs,
    );
    if (wanted().length === 0) return;
    await sleep(pauseMs(attempt));
  }
}

/**
 * Asks for the ends of what `wanted` gives, again and again, until it gives nothing more or `withinMs` are over.
 * A partition that cannot be asked, or whose leader says nothing, does not keep those of other leaders.
 */
async function askEnds<Partition extends TopicPartition>(
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

/** The group's committed offset of each partition, -1 where there is none; `undefined` where nobody tells them now. */
async function committedOf(
  source: OffsetSource,
  partitions: readonly TopicPartition[],
  timeoutMs: number,
): Promise<readonly number[] | undefined> {
  try {
    const committed = await source.committed(partitions.map(topicPartitionOf), timeoutMs);
    return partitions.map(
      ({ topic, partition }) =>
        committed.find((each) => each.topic === topic && each.partition === partition)?.offset ?? -1,
    );
  } catch (error) {
    throwUnlessTransient(error);
    return undefined;
  }
}

/** The first offset of the log; `undefined` where nobody tells it now. */
async function firstOf(source: OffsetSource, partition: TopicPartition): Promise<number | undefined> {
  try {
    return (await source.watermarks(topicPartitionOf(partition), endTimeoutMs)).low;
  } catch (error) {
    throwUnlessTransient(error);
    return undefined;
  }
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

/** What is refused now is refused the next time too. */
function throwUnlessTransient(error: unknown): void {
  if (!isTransient(error)) throw error;
}
