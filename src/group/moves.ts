import type { NativeConsumer } from "../driver/native-consumer.js";
import { topicPartitionOf } from "../offsets.js";
import { sleep } from "../waiting.js";
import type { Assignment } from "./assignment.js";
import type { ChangeQueue } from "./change-queue.js";
import type { FetchGate } from "./fetch-gate.js";
import type { OwnedPartition } from "./owned-partition.js";

const seekTimeoutMs = 5_000;
/** Right after an assignment the native client is still asking for offsets, and refuses to seek for a while. */
const attempts = 20;
const firstPauseMs = 100;
const longestPauseMs = 1_000;

/**
 * What becomes of what was finished before a move: it may be committed until something has finished after it
 * (`seek`), it has not happened (`rollback`), or it is over and the group goes on from the new offset (`restart`).
 */
export type MoveKind = "seek" | "rollback" | "restart";

/** What a move needs of its session. */
export interface MovesHost {
  readonly native: Pick<NativeConsumer, "seek">;
  readonly assignment: Assignment<OwnedPartition>;
  readonly gate: FetchGate;
  readonly changes: ChangeQueue;
  /** The partition has moved: its records may be delivered. */
  readonly onMoved: (partition: OwnedPartition) => void;
}

/** Moves partitions to other offsets, between fetches and one change at a time. */
export class Moves {
  readonly #host: MovesHost;
  readonly #returning = new Set<OwnedPartition>();

  constructor(host: MovesHost) {
    this.#host = host;
  }

  /**
   * Moves the partition once its handlers in flight have finished; until then nothing more of it is delivered.
   * Resolves when it has moved or is assigned no longer.
   */
  async move(partition: OwnedPartition, offset: number, kind: MoveKind): Promise<void> {
    partition.beginSeek();
    await partition.idle();
    await this.#host.changes.run(() => this.apply(partition, offset, kind));
  }

  /** Moves the partition now, of which `beginSeek` was called. To be called within a change. */
  async apply(partition: OwnedPartition, offset: number, kind: MoveKind): Promise<void> {
    const hasMoved = await this.#seek(
      partition,
      () => offset,
      () => {
        if (kind === "restart") partition.restartAt(offset);
        else partition.moveTo(offset, kind === "rollback");
      },
    );
    if (hasMoved) this.#host.onMoved(partition);
  }

  /** The native client has gone back by itself, to records that the partition has passed: it is to go on behind them. */
  async returnToPosition(partition: OwnedPartition): Promise<void> {
    if (this.#returning.has(partition)) return;
    this.#returning.add(partition);
    await this.#host.changes.run(async () => {
      this.#returning.delete(partition);
      // One that moves goes elsewhere anyway.
      if (!partition.seeking)
        await this.#seek(
          partition,
          () => partition.position ?? 0,
          () => undefined,
        );
    });
  }

  /** Whether it has moved: one that is assigned no longer does not. */
  async #seek(partition: OwnedPartition, offsetNow: () => number, then: () => void): Promise<boolean> {
    const { native, assignment, gate } = this.#host;
    for (let attempt = 1; ; attempt += 1) {
      if (partition.releasing || assignment.get(partition.topic, partition.partition) !== partition)
        return false;
      try {
        await gate.exclusively(async () => {
          await native.seek({ ...topicPartitionOf(partition), offset: offsetNow() }, seekTimeoutMs);
          then();
          assignment.begin(partition.topic, partition.partition, partition);
        });
        return true;
      } catch (error) {
        if (attempt > attempts) throw error;
        await sleep(Math.min(firstPauseMs * attempt, longestPauseMs));
      }
    }
  }
}
