import type { BatchPart, Delivery } from "../delivery/delivery.js";
import { drainHandlers } from "../delivery/drain-handlers.js";
import { GroupSession } from "../group/group-session.js";
import { topicPartitionOf } from "../offsets.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { ClientConfig } from "../driver/client-config.js";
import {
  AuthenticationError,
  AuthorizationError,
  ClosedError,
  KafkaError,
  ProducerFencedError,
} from "../errors.js";
import type { Logger } from "../logger.js";
import {
  TransactionFailure,
  type TransactionRecord,
  TransactionRunner,
} from "../transactions/transaction-runner.js";
import type { CommitActivity } from "../telemetry/activities.js";
import { deferred, type Deferred, settlesWithin, sleep } from "../waiting.js";
import { TransactionPartitions } from "./transaction-partitions.js";
import { type Finished, HeldSends } from "./finished.js";
import { observedCommit } from "./observed-commit.js";
import type { ResolvedProcessorOptions } from "./options.js";
import type { ProcessorFailures } from "./processor-failures.js";

const committedTimeoutMs = 5_000;
/** How long an aborted call may take to notice. */
const graceMs = 250;
const longestPauseMs = 1_000;
/** How many records may be finished ahead of the transaction that they will be in. */
const maxWaiting = 5_000;
/** How many records of a partition may be finished ahead of one in front of them, with what was sent for them. */
const maxHeld = 5_000;
const rewindAttempts = 10;
const stuckTimeoutMs = 30_000;
const producerCloseMs = 5_000;
const startTimeoutMs = 60_000;
/** More consumers than this lost within the time below are no accident: another one has our name. */
const maxReplacements = 5;
const replacementsWithinMs = 60_000;

/**
 * The exactly-once loop: one transaction after the other, each with what handlers sent and the offsets of
 * the records they were called for. Handlers go on while a transaction is being committed; what they
 * finish meanwhile belongs to the next one.
 *
 * A transaction is committed only if, just before and after its offsets were added, every partition in it
 * is still ours. If anything fails it is rolled back, what was fetched of its partitions is dropped, and
 * they are read again from the group's committed offsets. See docs/exactly-once.md.
 */
export class ExactlyOnceLoop {
  readonly #config: ClientConfig;
  readonly #logger: Logger;
  readonly #options: ResolvedProcessorOptions;
  readonly #topics: readonly string[];
  readonly #failurePolicy: ProcessorFailures | undefined;
  readonly #onFailure: (error: unknown) => void;
  readonly #runner: TransactionRunner;
  readonly #giveUp = new AbortController();
  #session: GroupSession;
  #delivery: Delivery | undefined;

  /** Records may enter the transaction. */
  #isOpen = false;
  readonly #inTransaction = new TransactionPartitions();
  readonly #held = new HeldSends();
  #count = 0;
  #isIntervalOver = false;
  #timer: NodeJS.Timeout | undefined;
  /** What finished while no transaction was open. */
  #waiting: Finished[] = [];
  #waitingRecords = 0;
  /** Partitions to move back to their committed offsets once the transaction has ended. */
  readonly #toRewind = new Set<OwnedPartition>();
  /** Partitions of which no record counts until they have moved, or been given up. */
  readonly #stale = new WeakSet<OwnedPartition>();
  /** The first offset seen of each partition, where the group may have committed none yet. */
  readonly #firstOffsets = new WeakMap<OwnedPartition, number>();
  /** No more records of any partition are taken because too much is waiting. */
  #isThrottled = false;

  #due: Deferred<void> | undefined;
  #transactionEnd = deferred();
  /** How many rebalances wait for the transaction to end. */
  #releasing = 0;
  #sessionFailure: KafkaError | undefined;
  #failures = 0;
  #replacedAt: number[] = [];
  #prepared: number | undefined;
  #isEnding = false;
  #isDead = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    config: ClientConfig,
    options: ResolvedProcessorOptions,
    topics: readonly string[],
    failures: ProcessorFailures | undefined,
    onFailure: (error: unknown) => void,
  ) {
    this.#config = config;
    this.#logger = config.logger;
    this.#options = options;
    this.#topics = topics;
    this.#failurePolicy = failures;
    this.#onFailure = onFailure;
    this.#runner = new TransactionRunner(config, options.transaction);
    this.#session = this.#newSession();
  }

  /** The partitions assigned now. */
  get partitions(): readonly OwnedPartition[] {
    return this.#session.partitions;
  }

  /** How many handlers may run unless the user says. */
  get concurrency(): number {
    return this.#session.concurrency;
  }

  /** Takes over the transactional id, joins the group and works until `stop`, or until `onFailure` was called. */
  start(delivery: Delivery): void {
    this.#delivery = delivery;
    this.#running = this.#work();
  }

  /** A record was taken from its queue. */
  taken(partition: OwnedPartition): void {
    this.#session.madeRoom(partition);
  }

  /** A handler has finished with these records and sent this. Never waits. */
  finished(parts: readonly BatchPart[], sends: readonly TransactionRecord[]): void {
    const finished = { parts, sends };
    if (!this.#stillCounts(finished)) return;
    if (this.#isOpen && this.#waiting.length === 0 && this.#takesMore()) this.#enter(finished);
    else this.#wait(finished);
    this.#throttle();
    for (const { partition } of parts) this.#throttleOne(partition);
  }

  /** Nothing more of the partition is handed over, and nothing of it counts, until it is back at its committed offset. */
  readAgain(partition: OwnedPartition): void {
    this.#held.drop(partition);
    if (partition.gone || this.#stale.has(partition)) return;
    this.#stale.add(partition);
    partition.hold();
    partition.queue.clear();
    this.#toRewind.add(partition);
    this.#dropStale();
    this.#ring();
  }

  /** Commits what is finished and leaves the group; no handler may be in flight. Takes about `budgetMs` at most, and never rejects. */
  async stop(budgetMs: number): Promise<void> {
    this.#isEnding = true;
    this.#ring();
    if (!(await settlesWithin(this.#running, budgetMs))) {
      this.#logger.warn("the last transaction could not be committed in time; its records will come again", {
        groupId: this.#options.consumer.groupId,
      });
      this.#isDead = true;
      this.#giveUp.abort(new ClosedError("the processor was closed"));
      this.#ring();
      await settlesWithin(this.#running, graceMs);
    }
    // A call that hangs now has read what it needs of the consumer long ago; closing is not held up for it.
    await this.#runner.whenUnstuck(producerCloseMs);
    await this.#session.stop();
    await this.#runner.close(producerCloseMs);
  }

  /** Whether as much of the partition is waiting as may be. */
  isFull(partition: OwnedPartition): boolean {
    return this.#session.isFull(partition);
  }

  /** So many records of one partition are wanted at a time. */
  prepareFor(maxRecords: number): void {
    this.#prepared = maxRecords;
    this.#session.prepareFor(maxRecords);
  }

  /** Takes no more records, while what is in flight goes on. */
  quiesce(): void {
    this.#session.quiesce();
  }

  /** Stops connecting. */
  giveUp(): void {
    this.#giveUp.abort(new ClosedError("the processor was closed"));
  }

  /** Waits for the handlers in flight of these partitions, within `drainTimeoutMs`. */
  async drain(partitions: readonly OwnedPartition[]): Promise<void> {
    await drainHandlers(partitions, this.#options.consumer, this.#logger);
  }

  async #work(): Promise<void> {
    const { signal } = this.#giveUp;
    try {
      await this.#runner.open(signal, { deadline: Date.now() + startTimeoutMs, isPatient: false });
      await this.#session.start(signal);
      while (!this.#isOver()) await this.#transact();
    } catch (error) {
      this.#die(error instanceof TransactionFailure ? error.error : error);
    } finally {
      this.#isOpen = false;
      clearTimeout(this.#timer);
      this.#inTransaction.take();
      this.#endTransaction();
    }
  }

  /** One transaction, from its beginning until what it left behind is mended. */
  async #transact(): Promise<void> {
    try {
      if (!this.#runner.isOpen) await this.#runner.open(this.#giveUp.signal, patiently);
      await this.#runner.begin();
      this.#openUp();
      while (this.#inTransaction.isEmpty() && !this.#isOver()) {
        await this.#untilDue();
        // Without records in the transaction these can be mended while it stays open.
        if (this.#inTransaction.isEmpty()) await this.#mend();
      }
      if (this.#inTransaction.isEmpty()) return;
      await this.#untilDue();
      this.#isOpen = false;
      await this.#commit();
    } catch (error) {
      if (!(error instanceof TransactionFailure)) throw error;
      await this.#recover(error);
    }
    this.#isOpen = false;
    this.#endTransaction();
    await this.#mend();
  }

  #openUp(): void {
    this.#isOpen = true;
    this.#count = 0;
    this.#isIntervalOver = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingRecords = 0;
    for (const finished of waiting) {
      if (!this.#stillCounts(finished)) continue;
      if (this.#waiting.length === 0 && this.#takesMore()) this.#enter(finished);
      else this.#wait(finished);
    }
    this.#throttle();
    for (const partition of this.#session.partitions) this.#throttleOne(partition);
  }

  #wait(finished: Finished): void {
    this.#waiting.push(finished);
    for (const { offsets } of finished.parts) this.#waitingRecords += offsets.length;
  }

  /** Of what waits, drops what comes again: once its partition is back at its committed offset nothing would show it. */
  #dropStale(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingRecords = 0;
    for (const finished of waiting) if (this.#stillCounts(finished)) this.#wait(finished);
  }

  /** A transaction without a claim takes whatever comes: only that can bring the offset which it waits for. */
  #takesMore(): boolean {
    return this.#inTransaction.isEmpty() || this.#count < this.#options.maxTransactionRecords;
  }

  /** Puts finished records into the open transaction: the offsets that the group may go on from, and the sends that belong below them. */
  #enter({ parts, sends }: Finished): void {
    const [only] = parts;
    if (only !== undefined && parts.length === 1 && only.offsets.length === 1) {
      const { partition, offsets } = only;
      const offset = offsets[0] ?? 0;
      partition.finish(offset);
      if (sends.length > 0) this.#held.hold(partition, offset, sends);
      this.#count += 1;
    } else {
      for (const { partition, offsets } of parts) {
        for (const offset of offsets) partition.finish(offset);
        this.#count += offsets.length;
        if ((partition.committable ?? 0) <= (offsets.at(-1) ?? -1)) throw unordered(partition);
      }
      this.#sendAll(sends);
    }
    for (const { partition } of parts) {
      this.#sendAll(this.#held.release(partition));
      this.#claim(partition);
    }
    if (this.#count >= this.#options.maxTransactionRecords) this.#ring();
  }

  #claim(partition: OwnedPartition): void {
    if (partition.committable === undefined || partition.committable === partition.committed) return;
    if (this.#inTransaction.isEmpty()) {
      this.#timer = setTimeout(() => {
        this.#isIntervalOver = true;
        this.#ring();
      }, this.#options.commitIntervalMs);
      this.#ring();
    }
    this.#inTransaction.add(partition);
  }

  /** Where a partition begins is in the next transaction, if the group has committed nothing. */
  #claimBeginning(partition: OwnedPartition): void {
    if (partition.committable !== undefined && !partition.releasing)
      this.finished([{ partition, offsets: [] }], []);
  }

  #sendAll(sends: readonly TransactionRecord[]): void {
    for (const { topic, record } of sends) this.#runner.send(topic, record);
  }

  /**
   * Whether none of the records will come again. If some of them will, the others of the same call must
   * come again too: what it sent cannot be taken apart.
   */
  #stillCounts({ parts }: Finished): boolean {
    if (parts.every(({ partition }) => this.#counts(partition))) return true;
    for (const { partition } of parts) if (this.#counts(partition)) this.readAgain(partition);
    return false;
  }

  /** Whether the partition is ours, and its records are not to be read again. */
  #counts(partition: OwnedPartition): boolean {
    return !partition.gone && !partition.seeking && !this.#stale.has(partition);
  }

  async #commit(): Promise<void> {
    const offsets = this.#inTransaction.offsets();
    const activity = (): CommitActivity => ({
      groupId: this.#options.consumer.groupId,
      topics: [...new Set(offsets.map(({ topic }) => topic))],
      transactionalId: this.#options.transaction.transactionalId,
    });
    await observedCommit(this.#config.telemetry, activity, () =>
      this.#runner.commitWith(offsets, this.#session.native, this.#lost),
    );
    this.#failures = 0;
    for (const partition of this.#inTransaction.take()) partition.committedAt(partition.committable);
  }

  /** What of the transaction may not be ours any more, if there is anything. */
  readonly #lost = (): string | undefined => {
    const lost = this.#inTransaction.broken();
    if (lost !== undefined) return `${lost.topic}[${lost.partition}]`;
    const isOurs =
      this.#sessionFailure === undefined && !this.#isDead && !this.#session.native.assignmentLost();
    return isOurs ? undefined : "the assignment";
  };

  /** Rolls back, or prepares for a new producer; records of the transaction will be read again. */
  async #recover(failure: TransactionFailure): Promise<void> {
    this.#isOpen = false;
    this.#failures += 1;
    this.#logger.info(`a transaction is rolled back: ${failure.message}`, {
      transactionalId: this.#options.transaction.transactionalId,
      remedy: failure.remedy,
    });
    for (const partition of this.#inTransaction.take()) this.readAgain(partition);
    this.#dropStale();
    const { remedy, error, cause, isLasting } = await this.#runner.rollBack(failure);
    if (remedy === "fenced")
      throw new ProducerFencedError(
        `${this.#options.transaction.transactionalId}: another live instance uses this transactional id; give every instance its own`,
        { cause: error, nativeCode: error.nativeCode, groupId: this.#options.consumer.groupId },
      );
    if (remedy === "stop") throw error;
    if (isLasting) throw cause;
  }

  /** After a transaction: whatever must be new or moved before the next one makes sense. */
  async #mend(): Promise<void> {
    if (this.#isOver()) return;
    if (this.#failures > 1)
      await sleep(Math.min(25 * 2 ** Math.min(this.#failures, 6), longestPauseMs), this.#giveUp.signal);
    // A new producer first: its start ends the transaction that the committed offsets may depend on.
    if (!this.#runner.isOpen) await this.#runner.open(this.#giveUp.signal, patiently);
    if (this.#sessionFailure !== undefined) await this.#replaceSession(this.#sessionFailure);
    else if (this.#toRewind.size > 0) await this.#rewind();
  }

  async #rewind(): Promise<void> {
    const wanted = [...this.#toRewind];
    this.#toRewind.clear();
    for (let attempt = 1; ; attempt += 1) {
      // What is being given up, or is lost, begins at its committed offset wherever it goes.
      if (this.#isOver() || this.#hasFailedSession() || this.#session.native.assignmentLost()) return;
      const ours = wanted.filter(
        (partition) =>
          !partition.gone &&
          !partition.releasing &&
          this.#session.get(partition.topic, partition.partition) === partition,
      );
      if (ours.length === 0) return;
      try {
        const committed = await this.#session.native.committed(
          ours.map(topicPartitionOf),
          committedTimeoutMs,
        );
        for (const partition of ours) {
          const found = committed.find(
            (each) => each.topic === partition.topic && each.partition === partition.partition,
          );
          if (found !== undefined && found.offset >= 0) partition.committedAt(found.offset);
          const offset = partition.committed ?? this.#firstOffsets.get(partition);
          this.#stale.delete(partition);
          partition.unhold();
          const moved =
            offset === undefined ? Promise.resolve() : this.#session.seek(partition, offset, true);
          void moved.then(() => {
            this.#claimBeginning(partition);
          });
        }
        return;
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        this.#logger.info(`the committed offsets are not known yet: ${error.message}`);
        if (attempt >= rewindAttempts) {
          this.#onSessionFailure(error);
          return;
        }
        await sleep(Math.min(100 * 2 ** Math.min(attempt, 6), longestPauseMs), this.#giveUp.signal);
      }
    }
  }

  async #replaceSession(reason: KafkaError): Promise<void> {
    const now = Date.now();
    this.#replacedAt = [...this.#replacedAt.filter((at) => now - at < replacementsWithinMs), now];
    if (this.#replacedAt.length > maxReplacements) throw reason;
    this.#logger.warn(`the consumer is replaced: ${reason.message}`, {
      groupId: this.#options.consumer.groupId,
    });
    for (const partition of this.#session.partitions) {
      this.#held.drop(partition);
      partition.lose("the partition was lost with its consumer");
    }
    this.#dropStale();
    this.#toRewind.clear();
    await this.#runner.whenUnstuck(stuckTimeoutMs);
    await this.#session.stop();
    for (let attempt = 0; !this.#isOver(); attempt += 1) {
      this.#session = this.#newSession();
      try {
        await this.#session.start(this.#giveUp.signal);
        return;
      } catch (error) {
        await this.#session.stop();
        if (!(error instanceof KafkaError) || !error.retriable) throw error;
        this.#logger.info(`the new consumer has not started: ${error.message}`);
        await sleep(Math.min(200 * 2 ** Math.min(attempt, 6), 2_000), this.#giveUp.signal);
      }
    }
  }

  #newSession(): GroupSession {
    this.#sessionFailure = undefined;
    const session: GroupSession = new GroupSession(this.#config, this.#options.consumer, this.#topics, {
      onRecords: (partition) => {
        this.#offer(partition);
      },
      onRelease: (partitions) => this.#release(partitions),
      onAssigned: (partitions) => {
        for (const partition of partitions) this.#claimBeginning(partition);
      },
      onGone: (partitions) => {
        // What was sent for them belongs to whoever has them now.
        for (const partition of partitions) this.#held.drop(partition);
        this.#throttle();
      },
      beforeSubscribing: this.#failurePolicy?.prepare,
      dueAt: this.#failurePolicy?.policy.dueAtOf,
      isBusy: () => this.#delivery?.isBusy() ?? false,
      onCommit: () => undefined,
      onFailure: (error) => {
        if (session === this.#session) this.#onSessionFailure(error);
      },
    });
    if (this.#prepared !== undefined) session.prepareFor(this.#prepared);
    return session;
  }

  #onSessionFailure(error: KafkaError): void {
    if (
      error instanceof AuthorizationError ||
      error instanceof AuthenticationError ||
      error.code === "UNKNOWN_TOPIC" ||
      error.code === "CONFIG"
    ) {
      this.#die(error);
      return;
    }
    this.#sessionFailure ??= error;
    this.#ring();
  }

  #offer(partition: OwnedPartition): void {
    const first = partition.queue.peek();
    if (first !== undefined && !this.#firstOffsets.has(partition))
      this.#firstOffsets.set(partition, first.offset);
    this.#setThrottle(partition, this.#isTooFull(partition));
    this.#delivery?.offer(partition);
  }

  /** A rebalance takes these partitions: what they have in a transaction is committed first, if it can be within the time for it. */
  async #release(partitions: readonly OwnedPartition[]): Promise<void> {
    const deadline = Date.now() + this.#options.consumer.drainTimeoutMs;
    this.#releasing += 1;
    try {
      await this.drain(partitions);
      const isUnfinished = (): boolean =>
        partitions.some((partition) => this.#inTransaction.has(partition)) ||
        this.#waiting.some(({ parts }) => parts.some(({ partition }) => partitions.includes(partition)));
      while (isUnfinished() && !this.#isDead && Date.now() < deadline) {
        this.#ring();
        await settlesWithin(this.#transactionEnd.promise, deadline - Date.now());
      }
    } finally {
      this.#releasing -= 1;
    }
  }

  #throttle(): void {
    const isFull = this.#waitingRecords >= maxWaiting || this.#runner.isFull;
    if (isFull === this.#isThrottled) return;
    this.#isThrottled = isFull;
    for (const partition of this.#session.partitions) this.#throttleOne(partition);
    if (this.#runner.isFull)
      void this.#runner.drained().then(() => {
        this.#throttle();
      });
  }

  /** Of a partition that has one slow record no more are taken once enough wait behind it; the others go on. */
  #throttleOne(partition: OwnedPartition): void {
    const isFull = this.#isTooFull(partition);
    if (isFull === partition.throttled) return;
    this.#setThrottle(partition, isFull);
    if (!isFull) this.#delivery?.offer(partition);
  }

  #setThrottle(partition: OwnedPartition, isFull: boolean): void {
    if (isFull) partition.throttle();
    else partition.unthrottle();
  }

  #isTooFull(partition: OwnedPartition): boolean {
    return this.#isThrottled || this.#held.sizeOf(partition) >= maxHeld;
  }

  #isDue(): boolean {
    if (this.#isOver() || this.#isDead || this.#sessionFailure !== undefined || this.#toRewind.size > 0)
      return true;
    if (this.#inTransaction.isEmpty()) return false;
    return (
      this.#isIntervalOver ||
      this.#isEnding ||
      this.#releasing > 0 ||
      this.#count >= this.#options.maxTransactionRecords
    );
  }

  /** Resolves when the transaction is to be ended, or when it has got its first record. */
  async #untilDue(): Promise<void> {
    const wasEmpty = this.#inTransaction.isEmpty();
    while (!this.#isDue() && !(wasEmpty && !this.#inTransaction.isEmpty())) {
      this.#due = deferred();
      await this.#due.promise;
    }
  }

  #ring(): void {
    this.#due?.resolve();
  }

  #endTransaction(): void {
    clearTimeout(this.#timer);
    this.#transactionEnd.resolve();
    this.#transactionEnd = deferred();
  }

  #isOver(): boolean {
    return this.#isDead || (this.#isEnding && this.#inTransaction.isEmpty() && this.#waiting.length === 0);
  }

  /** As a call, because it changes while others are awaited. */
  #hasFailedSession(): boolean {
    return this.#sessionFailure !== undefined;
  }

  #die(error: unknown): void {
    this.#isDead = true;
    this.#onFailure(error);
    this.#ring();
  }
}

/** What was sent for records that the offset does not cover would be sent again: better to stop. */
function unordered({ topic, partition }: OwnedPartition): KafkaError {
  return new KafkaError("FATAL", `${topic}[${partition}]: a batch finished before records in front of it`);
}

const patiently = { deadline: Infinity, isPatient: true } as const;
