import type { GroupSession } from "../group/group-session.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import { KafkaError } from "../errors.js";
import type { Logger } from "../logger.js";
import { topicPartitionOf } from "../offsets.js";
import { backoff, sleep } from "../waiting.js";

const committedTimeoutMs = 5_000;
const pauseMs = backoff(100, 1_000);
const maxAttempts = 10;

/** The session whose partitions are moved. */
export interface RewoundSession extends Pick<GroupSession, "get" | "seek"> {
  readonly native: Pick<NativeConsumer, "committed" | "assignmentLost">;
}

/**
 * The partitions that are to be read again from the group's committed offsets. Of such a partition nothing is
 * delivered, and nothing that finishes counts, until it has moved or its assignment has ended.
 */
export class Rewinds {
  readonly #logger: Logger;
  readonly #wanted = new Set<OwnedPartition>();
  readonly #stale = new WeakSet<OwnedPartition>();
  /** The first offset seen of each partition, where the group may have committed none yet. */
  readonly #firstOffsets = new WeakMap<OwnedPartition, number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Whether partitions wait to be moved. */
  get areWanted(): boolean {
    return this.#wanted.size > 0;
  }

  /** Whether the partition is assigned to this member, and its records are not to be read again. */
  counts(partition: OwnedPartition): boolean {
    return !partition.gone && !partition.seeking && !this.#stale.has(partition);
  }

  /** Has the partition moved back by the next `run`; `false` where its assignment has ended, or it is to move already. */
  want(partition: OwnedPartition): boolean {
    if (partition.gone || this.#stale.has(partition)) return false;
    this.#stale.add(partition);
    partition.hold();
    partition.queue.clear();
    this.#wanted.add(partition);
    return true;
  }

  /** Records of the partition were fetched: remembers where it starts. */
  fetched(partition: OwnedPartition): void {
    const first = partition.queue.peek();
    if (first !== undefined && !this.#firstOffsets.has(partition))
      this.#firstOffsets.set(partition, first.offset);
  }

  /** The assignment of the partition has ended: it need not move any more. */
  forget(partition: OwnedPartition): void {
    this.#wanted.delete(partition);
  }

  /**
   * Moves the partitions to their committed offsets, and calls `onMoved` for each that has moved. Gives the error
   * where the committed offsets cannot be found out.
   */
  async run(
    session: RewoundSession,
    signal: AbortSignal,
    isOver: () => boolean,
    onMoved: (partition: OwnedPartition) => void,
  ): Promise<KafkaError | undefined> {
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    for (let attempt = 1; ; attempt += 1) {
      if (isOver() || session.native.assignmentLost()) return undefined;
      const assigned = wanted.filter((partition) => isAssigned(session, partition));
      if (assigned.length === 0) return undefined;
      try {
        const committed = await session.native.committed(assigned.map(topicPartitionOf), committedTimeoutMs);
        for (const partition of assigned) {
          const found = committed.find(
            (each) => each.topic === partition.topic && each.partition === partition.partition,
          );
          void this.#move(session, partition, found?.offset).then(() => {
            onMoved(partition);
          });
        }
        return undefined;
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        this.#logger.info(`the committed offsets are not known yet: ${error.message}`);
        if (attempt >= maxAttempts) return error;
        await sleep(pauseMs(attempt), signal);
      }
    }
  }

  async #move(
    session: RewoundSession,
    partition: OwnedPartition,
    committed: number | undefined,
  ): Promise<void> {
    // A coordinator that the other brokers are cut off from tells what was committed before that: this member may know more.
    if (committed !== undefined && committed > (partition.committed ?? -1)) partition.committedAt(committed);
    const offset = partition.committed ?? partition.begin ?? this.#firstOffsets.get(partition);
    this.#stale.delete(partition);
    partition.unhold();
    if (offset !== undefined) await session.seek(partition, offset, true);
  }
}

/** Whether the partition is still the one of the session. One that is released or lost starts at its committed offset wherever it goes. */
function isAssigned(session: RewoundSession, partition: OwnedPartition): boolean {
  return (
    !partition.gone && !partition.releasing && session.get(partition.topic, partition.partition) === partition
  );
}
