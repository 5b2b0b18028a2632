import type { GroupWait } from "../health.js";
import type { ConsumerRecord, RecordMetadata } from "../record.js";

/** How something ended. */
export interface Ended {
  /** Why it failed, or what a handler threw. Where it succeeded there is no such property. */
  readonly error?: unknown;
}

/** A call of `send` or `sendAll`. */
export interface SendActivity {
  /** The topic's name. */
  readonly topic: string;
  /** How many records it is for: `undefined` for one that is no array, `"all"` for a `sendAll`. */
  readonly batch: number | "all" | undefined;
  /** The key that was given with the one record; absent where none was, and for several. */
  readonly key?: unknown;
  /** Whether it is one record whose value is null. */
  readonly isTombstone: boolean;
  /** Whether it is a transaction's: then it ends when its records are buffered. */
  readonly isTransactional: boolean;
}

/** How a call of `send` or `sendAll` ended. */
export interface SendEnded extends Ended {
  /** How many records were written; in a transaction, how many are buffered. */
  readonly sent: number;
  /** How many records of a `send` were not written, or may not have been; 0 where the call was refused before any was sent. */
  readonly failed: number;
  /** Where the one record was written; absent for several, and in a transaction. */
  readonly metadata?: RecordMetadata | undefined;
}

/** What is told of a record that was read. */
export type ProcessedRecord = Pick<
  ConsumerRecord<unknown, unknown>,
  "topic" | "partition" | "offset" | "key" | "value" | "rawHeaders"
>;

/** A call of a handler, or a record in the hand of a loop. A loop that is left does not say why: it never ends with an error. */
export interface ProcessActivity {
  /** The consumer group's id. */
  readonly groupId: string;
  /** At least one record. One that came through a retry topic is as it was in the source topic. */
  readonly records: readonly ProcessedRecord[];
  /** Whether they are delivered as a batch, however many they are. */
  readonly isBatch: boolean;
  /** Which call for these records it is, from 1. */
  readonly attempt: number;
}

/** A commit of offsets. */
export interface CommitActivity {
  /** The consumer group's id. */
  readonly groupId: string;
  /** The topics of which offsets are committed. */
  readonly topics: readonly string[];
  /** Whose transaction the offsets are committed in: a processor's. Absent for a consumer. */
  readonly transactionalId?: string | undefined;
}

/** A transaction, from its turn until it is committed or rolled back. */
export interface TransactionActivity {
  /** The producer's `transactionalId`. */
  readonly transactionalId: string;
}

/** How a transaction ended. */
export interface TransactionEnded extends Ended {
  /** What is visible of it: everything (`committed`), nothing (`aborted`), or nobody knows. Absent for a commit without a transaction. */
  readonly outcome?: "committed" | "aborted" | "unknown" | undefined;
}

/** What the failure policy has decided about a call of a handler that failed, or a record that does not decode. */
export interface FailureEvent {
  /** The consumer group's id. */
  readonly groupId: string;
  /** The source topic's name, also where the record comes from one of its retry topics. */
  readonly topic: string;
  /** `handler`: it threw. `invalid`: the record does not decode, or does not fit its topic. */
  readonly reason: "handler" | "invalid";
  /**
   * `retry`: the handler is called again in place, for a batch too; `retry-topic`: later, from there;
   * `dead-letter`: the record is put aside; `skip`: it is passed over; `fail`: the consumer stops.
   */
  readonly action: "retry" | "retry-topic" | "dead-letter" | "skip" | "fail";
}

/** Partitions were assigned to a member of a group, or it has lost some. */
export interface AssignmentChange {
  /** The consumer group's id. */
  readonly groupId: string;
  /** What happened. */
  readonly type: "assigned" | "revoked" | "lost";
  /** How many partitions it happened to; a rebalance may leave a member none. */
  readonly partitions: number;
}

/** A member goes on elsewhere in a partition, because the log does not have the group's next offset. */
export interface OffsetResetEvent {
  /** The consumer group's id. */
  readonly groupId: string;
  /** The topic's name. */
  readonly topic: string;
  /** The partition's number, from 0. */
  readonly partition: number;
  /**
   * `retention`: the log begins after the offset; `beyond-end`: it ends before it; `truncation`: it was cut off before
   * it when another broker took over, and goes on with other records; `topic-recreated`: the topic was deleted and made
   * again.
   */
  readonly reason: "retention" | "beyond-end" | "truncation" | "topic-recreated";
  /** The offset that was next; `undefined` where this member does not know it. */
  readonly expected: number | undefined;
  /** The offset that it goes on at. */
  readonly offset: number;
  /** How many offsets are gone that were never read: those that retention removed. */
  readonly gone: number;
}

/**
 * A member of a group waits for partitions: the group refuses it, or has given it none for 30 s. Told when it begins and
 * every 30 s while it lasts; once where the group has more members than partitions.
 */
export interface GroupWaitEvent extends GroupWait {
  /** The consumer group's id. */
  readonly groupId: string;
}

/** The changelog of a store is read for one task, before its first record is delivered. */
export interface RestoreActivity {
  /** The consumer group's id. */
  readonly groupId: string;
  /** The store's name. */
  readonly store: string;
  /** The task: the partition's number, from 0. */
  readonly partition: number;
  /** How much there is to read, in offsets. */
  readonly total: number;
}

/** How the reading of a changelog ended. */
export interface RestoreEnded extends Ended {
  /** How many entries and deletions were read. */
  readonly entries: number;
  /**
   * `restored`: it is read to its end; `stopped`: the task was revoked, or the processor closes; `failed`: with an
   * `error`. Where waiting helps, what is left is read in another restore.
   */
  readonly outcome: "restored" | "stopped" | "failed";
}

/** A record was late for a window store: every window that its timestamp is in has closed. */
export interface LateRecordEvent {
  /** The consumer group's id. */
  readonly groupId: string;
  /** The window store's name. */
  readonly store: string;
  /** The task: the partition's number, from 0. */
  readonly partition: number;
}

/** Windows of a task have closed, in one transaction. */
export interface WindowsClosedEvent {
  /** The consumer group's id. */
  readonly groupId: string;
  /** The window store's name. */
  readonly store: string;
  /** The task: the partition's number, from 0. */
  readonly partition: number;
  /** How many windows; at least one. */
  readonly windows: number;
}

/** A member of a consumer group: a consumer or processor that runs. */
export interface MemberActivity {
  /** The consumer group's id. */
  readonly groupId: string;
  /** How far behind it is, as of the last fetch. Asks no broker, and leaves out partitions of which it is not known yet. */
  readonly lag: () => readonly KnownLag[];
  /** Why it has no partitions, where its group refuses it or has given it none for 30 s. */
  readonly waiting: () => GroupWait | undefined;
}

/** How far behind a member is in a partition. */
export interface KnownLag {
  /** The topic's name. */
  readonly topic: string;
  /** The partition's number, from 0. */
  readonly partition: number;
  /** Records in the log that are not finished yet; markers of transactions count as records. */
  readonly lag: number;
}
