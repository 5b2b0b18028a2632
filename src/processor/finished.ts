import type { TaskChanges } from "../state/task.js";
import type { BatchPart } from "../delivery/delivery.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { TransactionRecord } from "../transactions/transaction-records.js";

/** What one call of a handler came to: what it sent, and what it changed of its task's stores. */
export interface CallResult {
  readonly sends: readonly TransactionRecord[];
  readonly changes?: TaskChanges | undefined;
}

/** What one call of a handler came to, and the records it was called for; none where it was other work of a task. */
export interface Finished extends CallResult {
  readonly parts: readonly BatchPart[];
}

/**
 * The calls whose sends, or changes of stores, are in a transaction. The first stands for itself alone: all that the
 * others made is garbage as soon as the native client has their records, and a transaction may be of many.
 */
export interface EnteredCalls {
  readonly count: number;
  readonly first: Finished | undefined;
}

/**
 * Holds back what handlers sent and changed for records that finished before an earlier one of their partition has
 * (`order: "key"` and `"none"`, and an invalid record amid a batch): the group's offset does not cover them yet, so their sends belong to a
 * later transaction. Gives them out in the order of the log.
 */
export class HeldResults<Result extends CallResult = CallResult> {
  readonly #byPartition = new Map<OwnedPartition, Map<number, Result>>();

  /** Of how many records of the partition sends are held back. */
  sizeOf(partition: OwnedPartition): number {
    return this.#byPartition.get(partition)?.size ?? 0;
  }

  hold(partition: OwnedPartition, offset: number, result: Result): void {
    let held = this.#byPartition.get(partition);
    if (held === undefined) {
      held = new Map();
      this.#byPartition.set(partition, held);
    }
    held.set(offset, result);
  }

  /** The results of records below the partition's committable offset, which are held no longer. */
  release(partition: OwnedPartition): readonly Result[] {
    const held = this.#byPartition.get(partition);
    const end = partition.committable;
    if (held === undefined || held.size === 0 || end === undefined) return [];
    const covered = [...held.keys()].filter((offset) => offset < end);
    if (covered.length > 1) covered.sort((a, b) => a - b);
    const results = covered.flatMap((offset) => held.get(offset) ?? []);
    for (const offset of covered) held.delete(offset);
    return results;
  }

  /** Drops what is held for a partition whose records are redelivered. */
  drop(partition: OwnedPartition): void {
    this.#byPartition.delete(partition);
  }
}
