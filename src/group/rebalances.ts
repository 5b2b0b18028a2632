import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativePartition } from "../driver/native.js";
import type { Logger } from "../logger.js";
import { topicPartitionOf } from "../offsets.js";
import { settlesWithin } from "../waiting.js";
import type { Assignment } from "./assignment.js";
import type { ChangeQueue } from "./change-queue.js";
import type { FetchGate } from "./fetch-gate.js";
import type { FlowControl } from "./flow-control.js";
import type { Moves } from "./moves.js";
import { givenStartOffsets } from "./given-start-offsets.js";
import type { ResolvedConsumerOptions } from "./options.js";
import { type Delay, OwnedPartition } from "./owned-partition.js";
import type { RebalanceListener } from "./rebalance-listener.js";
import { askStartOffsets, type StartOffset, startOffsetsOf } from "./start-offsets.js";

/** What rebalances need of their session. */
export interface RebalanceHost {
  readonly native: Pick<
    NativeConsumer,
    | "assign"
    | "assignmentLost"
    | "committed"
    | "ends"
    | "knownEnd"
    | "leadersOf"
    | "pause"
    | "resume"
    | "unassign"
    | "watermarks"
  >;
  readonly options: Pick<ResolvedConsumerOptions, "groupId" | "drainTimeoutMs" | "from" | "startOffsets">;
  readonly assignment: Assignment<OwnedPartition>;
  readonly flow: FlowControl;
  readonly gate: FetchGate;
  readonly changes: ChangeQueue;
  readonly moves: Moves;
  readonly listener: Pick<RebalanceListener, "tell">;
  readonly logger: Logger;
  /** How long the records of this topic are kept back; `undefined` where they are not. */
  readonly delayOf: (topic: string) => Delay | undefined;
  /** Whether the topic was made again since this member joined: then all of it has come since. */
  readonly isRecreated: (topic: string) => boolean;
  /** The member is leaving: what is assigned now is released at once. */
  readonly isLeaving: () => boolean;
  /** New partitions, of which nothing was delivered yet. */
  readonly onAssigned: (partitions: readonly OwnedPartition[]) => void;
  /** The partitions are about to be released. Resolves once what is in flight is finished and committed, within the time for draining. */
  readonly onRelease: (partitions: readonly OwnedPartition[]) => Promise<void>;
  /** The partitions are no longer assigned: nothing that finishes of them counts. */
  readonly onGone: (partitions: readonly OwnedPartition[]) => void;
  readonly onError: (error: unknown) => void;
}

/** Takes and releases partitions as the group says. */
export class Rebalances {
  readonly #host: RebalanceHost;
  /** Topics whose partitions come and go with those of the one that is subscribed to. */
  #together: readonly string[] | undefined;
  #late = 0;

  constructor(host: RebalanceHost) {
    this.#host = host;
  }

  /** How many handlers are in flight of partitions that are gone. */
  get late(): number {
    return this.#late;
  }

  /** Partition p of the subscribed topic brings partition p of these. */
  together(topics: readonly string[]): void {
    this.#together = topics;
  }

  /** The group gives partitions, or revokes them. librdkafka waits until they are taken or released. */
  begin(kind: "assign" | "revoke", subscribed: readonly NativePartition[]): void {
    const together = this.#together;
    const partitions =
      together === undefined
        ? subscribed
        : subscribed.flatMap(({ partition }) => together.map((topic) => ({ topic, partition })));
    const { changes, native } = this.#host;
    // Handlers are to know it now, whatever else is being done.
    if (kind === "revoke" && native.assignmentLost()) this.#lose(partitions);
    void changes.run(() => (kind === "assign" ? this.#assign(partitions) : this.#revoke(partitions)));
  }

  /** The group has ended this member: all its partitions are lost. */
  lose(): void {
    const partitions = [...this.#host.assignment].map(topicPartitionOf);
    if (partitions.length === 0) return;
    this.#lose(partitions);
    void this.#host.changes.run(() => this.#revoke(partitions));
  }

  async #assign(partitions: readonly NativePartition[]): Promise<void> {
    const { assignment, flow, gate, listener, native, onAssigned, onError } = this.#host;
    const startOffsets = await this.#startOffsets(partitions);
    const taken: OwnedPartition[] = [];
    const late: OwnedPartition[] = [];
    await gate.exclusively(() => {
      native.assign(
        partitions.map(({ topic, partition }) => {
          const start = startOf({ topic, partition }, startOffsets);
          return start === undefined ? { topic, partition } : { topic, partition, offset: start.offset };
        }),
      );
      for (const partition of partitions) {
        const start = startOf(partition, startOffsets);
        const owned = this.#take(partition, start);
        // Too late to begin: they are taken, because the group waits for it, and released at once.
        if (this.#host.isLeaving() || startOffsets === undefined) owned.release();
        if (start?.at === "unknown") {
          // What the native client gives until then is not from where it begins.
          owned.beginSeek();
          late.push(owned);
        }
        taken.push(owned);
      }
      flow.watch(taken, performance.now());
      flow.share(assignment.size);
      flow.pause(late, native);
      this.#restatePauses(taken);
    });
    onAssigned(taken);
    void listener.tell({ type: "assigned", partitions: partitions.map(topicPartitionOf) });
    if (late.length > 0) void this.#beginLate(late).catch(onError);
  }

  #take(partition: NativePartition, start: StartOffset | undefined): OwnedPartition {
    const known = start?.at === "end" || start?.at === "given" ? start.offset : undefined;
    const owned = new OwnedPartition(partition, this.#host.delayOf(partition.topic), known);
    if (start?.at === "committed") owned.committedAt(start.offset);
    this.#host.assignment.begin(partition.topic, partition.partition, owned);
    return owned;
  }

  /** Where to begin in new partitions; `undefined` where none of them is to begin. */
  async #startOffsets(partitions: readonly NativePartition[]): Promise<readonly StartOffset[] | undefined> {
    const { delayOf, isLeaving, native, onError, options } = this.#host;
    const isOver = (): boolean => isLeaving() || native.assignmentLost();
    if (isOver()) return undefined;
    try {
      const asked = partitions.filter(({ topic }) => delayOf(topic) === undefined);
      const given = await givenStartOffsets(asked, options);
      const others = partitions.filter((partition) => startOf(partition, given) === undefined);
      const startOffsets = await startOffsetsOf(native, others, this.#beginsAtFirst, isOver);
      return isOver() ? undefined : [...given, ...startOffsets];
    } catch (error) {
      if (!isOver()) onError(error);
      return undefined;
    }
  }

  /** Where the group has committed nothing. In a retry topic, a record that was forwarded before would be passed over. */
  readonly #beginsAtFirst = (topic: string): boolean => {
    const { delayOf, isRecreated, options } = this.#host;
    return options.from === "earliest" || delayOf(topic) !== undefined || isRecreated(topic);
  };

  /** These begin as soon as brokers tell where; nothing of them is delivered before. */
  async #beginLate(partitions: readonly OwnedPartition[]): Promise<void> {
    const { changes, flow, logger, moves, native, onAssigned, options } = this.#host;
    logger.warn(
      "partitions wait until brokers tell where they begin: a transaction with their offsets is open, or nobody leads them",
      { groupId: options.groupId, partitions: partitions.map(topicPartitionOf) },
    );
    const unknown = new Set(partitions);
    await askStartOffsets(
      native,
      () => [...unknown].filter(({ releasing }) => !releasing),
      this.#beginsAtFirst,
      (partition, { offset, at }) => {
        unknown.delete(partition);
        void changes.run(async () => {
          if (at === "end") partition.beginAt(offset);
          else if (at === "committed") partition.committedAt(offset);
          // If the user has moved it meanwhile, it stays there.
          const moved = partition.moves > 0 ? partition.position : undefined;
          await moves.apply(partition, moved ?? offset, "seek");
          flow.resume(partition, native);
          if (!partition.releasing) onAssigned([partition]);
        });
      },
    );
  }

  async #revoke(partitions: readonly NativePartition[]): Promise<void> {
    const { assignment, flow, gate, listener, native, onGone, onRelease, options } = this.#host;
    const owned = this.#ownedOf(partitions);
    for (const partition of owned) partition.release();
    if (native.assignmentLost()) {
      this.#lose(partitions);
      void listener.tell({ type: "lost", partitions: owned.map(topicPartitionOf) });
    } else {
      await onRelease(owned);
      await settlesWithin(
        listener.tell({ type: "revoked", partitions: owned.map(topicPartitionOf) }),
        options.drainTimeoutMs,
      );
    }
    await gate.exclusively(() => {
      for (const partition of owned) {
        partition.end();
        this.#countLate(partition);
        assignment.end(partition.topic, partition.partition);
      }
      flow.share(assignment.size);
      // The native client remembers a pause beyond the assignment, and nobody would end it when one comes back. All of
      // them: it may not know of a `resume` (see `#restatePauses`).
      native.resume(owned.map(topicPartitionOf));
      native.unassign(partitions);
      this.#restatePauses([]);
    });
    onGone(owned);
  }

  /**
   * Tells the native client once more which of the other partitions are paused. It pauses all of them itself while a
   * rebalance goes on, on a thread of its own, and of a `pause` or `resume` at that moment one may be dropped: each takes a
   * number first and is queued then, and those with a lower number than the last do not count. To tell it what it knows
   * changes nothing.
   */
  #restatePauses(taken: readonly OwnedPartition[]): void {
    const { assignment, isLeaving, native } = this.#host;
    // Then all are paused.
    if (isLeaving()) return;
    const others = [...assignment].filter((partition) => !taken.includes(partition));
    const isPaused = ({ paused, pausedNatively }: OwnedPartition): boolean => paused || pausedNatively;
    native.pause(others.filter(isPaused).map(topicPartitionOf));
    native.resume(others.filter((partition) => !isPaused(partition)).map(topicPartitionOf));
  }

  /** Others have these partitions: nothing that finishes of them counts. */
  #lose(partitions: readonly NativePartition[]): void {
    for (const partition of this.#ownedOf(partitions))
      partition.lose("the partition was lost to another member");
  }

  #ownedOf(partitions: readonly NativePartition[]): readonly OwnedPartition[] {
    return partitions.flatMap(({ topic, partition }) => this.#host.assignment.get(topic, partition) ?? []);
  }

  /** Handlers in flight of a partition that is gone take no capacity away from the others. */
  #countLate(partition: OwnedPartition): void {
    const { active } = partition;
    if (active === 0) return;
    this.#late += active;
    void partition.idle().then(() => {
      this.#late -= active;
    });
  }
}

function startOf(
  { topic, partition }: NativePartition,
  startOffsets: readonly StartOffset[] | undefined,
): StartOffset | undefined {
  return startOffsets?.find((start) => start.topic === topic && start.partition === partition);
}
