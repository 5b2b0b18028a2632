import { nativeCodes } from "../driver/native-errors.js";
import { AuthenticationError, AuthorizationError, type KafkaError } from "../errors.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { EnteredCalls } from "./finished.js";

/** A record whose handler sent what brokers refuse for good. */
export interface RefusedOutput {
  /** Why, and which topic and partition refused it. */
  readonly error: KafkaError;
  /** How many calls of the handler came to this, from 1. */
  readonly calls: number;
}

/**
 * Finds the record whose handler sent what brokers refuse for good, and remembers it until its offset is committed, so
 * that it goes the way of its failure policy. Where several calls share the transaction that was refused, the next one
 * takes half as many, until it is one alone; after each that is committed the next takes twice as many again.
 */
export class RefusedOutputs {
  readonly #byPartition = new WeakMap<OwnedPartition, Map<number, RefusedOutput>>();
  #callLimit = Infinity;

  /** How many calls that sent something a transaction may take. */
  get callLimit(): number {
    return this.#callLimit;
  }

  /**
   * A transaction with these calls was refused for good. `false` where no policy of a record can do anything about it:
   * the error is not a record's, or the call was for more than one record, or for none.
   */
  refused({ count, first }: EnteredCalls, error: KafkaError): boolean {
    if (first === undefined || !isOfRecord(error)) return false;
    if (count > 1) {
      this.#callLimit = Math.floor(count / 2);
      return true;
    }
    this.#callLimit = 1;
    const [part] = first.parts;
    const offset = part?.offsets[0];
    if (part === undefined || offset === undefined || first.parts.length > 1 || part.offsets.length > 1)
      return false;
    this.#mark(part.partition, offset, error);
    return true;
  }

  /** What is known of the record at this offset, if anything. */
  at(partition: OwnedPartition, offset: number): RefusedOutput | undefined {
    return this.#byPartition.get(partition)?.get(offset);
  }

  /** A transaction with these partitions was committed. */
  committed(partitions: Iterable<OwnedPartition>): void {
    // No transaction may have more records than this.
    if (this.#callLimit < Infinity)
      this.#callLimit = this.#callLimit > 1_000_000 ? Infinity : this.#callLimit * 2;
    for (const partition of partitions) {
      const marked = this.#byPartition.get(partition);
      if (marked === undefined) continue;
      for (const offset of marked.keys()) if (offset < (partition.committable ?? 0)) marked.delete(offset);
      if (marked.size === 0) this.#byPartition.delete(partition);
    }
  }

  #mark(partition: OwnedPartition, offset: number, error: KafkaError): void {
    let marked = this.#byPartition.get(partition);
    if (marked === undefined) {
      marked = new Map();
      this.#byPartition.set(partition, marked);
    }
    marked.set(offset, { error, calls: (marked.get(offset)?.calls ?? 0) + 1 });
  }
}

/** Whether it may be one record that is refused, and not the transaction, the group or this client. */
function isOfRecord(error: KafkaError): boolean {
  if (error instanceof AuthorizationError) return error.nativeCode === nativeCodes.topicAuthorization;
  return !(error instanceof AuthenticationError) && error.code !== "CONFIG";
}
