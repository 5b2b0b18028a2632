import type { BatchPart, Delivery } from "../delivery/delivery.js";
import { drainHandlers } from "../delivery/drain-handlers.js";
import type { GroupSession } from "../group/group-session.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { ClientConfig } from "../driver/client-config.js";
import { ClosedError, type KafkaError } from "../errors.js";
import { partitionId } from "../offsets.js";
import type { NativeOffset } from "../driver/native.js";
import type { TransactionRecord } from "../transactions/transaction-records.js";
import { TransactionFailure } from "../transactions/transaction-failure.js";
import { TransactionRunner } from "../transactions/transaction-runner.js";
import { backoff, settlesWithin, sleep, Turns } from "../waiting.js";
import type { Tasks } from "../state/tasks.js";
import type { CallResult } from "./finished.js";
import { Intake } from "./intake.js";
import { commitActivity, observedCommit } from "./observed-commit.js";
import type { ResolvedProcessorOptions } from "./options.js";
import type { ProcessorFailures } from "./processor-failures.js";
import { processorSession, type ProcessorSessionEvents } from "./processor-session.js";
import { reasonToStop } from "./reason-to-stop.js";
import { failsAgain, ReplaceableSession } from "./replaceable-session.js";
import { Rewinds } from "./rewinds.js";
import { TransactionClock } from "./transaction-clock.js";

/** The least time for the last transaction, however long the handlers took to finish, in milliseconds. */
const minStopMs = 1_000;
/** How long an aborted call may take to notice. */
const graceMs = 250;
const pauseMs = backoff(25, 1_000);
const stuckTimeoutMs = 30_000;
const producerCloseMs = 5_000;
/** How long after a failure to prove ends it is tried again. */
const proofPauseMs = 5_000;
const startTimeoutMs = 60_000;
/** How long what changed in stores is sent without a break, in milliseconds. */
const turnMs = 20;

/**
 * The exactly-once loop: one transaction after the other, each with what handlers sent and the offsets of the records
 * they were called for. Handlers go on during a commit; what they finish then belongs to the next transaction.
 *
 * A transaction is committed only if, just before and after its offsets were added, every partition in it
 * is still assigned to this member. If anything fails it is rolled back, what was fetched of its partitions is
 * dropped, and they are read again from the group's committed offsets. See docs/exactly-once.md.
 *
 * Whatever belongs to a transaction comes by one way and leaves by one way: it enters with its record in
 * {@link Intake}, is complete in `#commit` before the offsets are added, and is taken back by `Intake.rollBack`. A
 * partition comes by `#assigned`, before any record of it is delivered, and leaves by `Intake.end`.
 */
export class ExactlyOnceLoop {
  /** The membership in the group. */
  readonly sessions: ReplaceableSession<GroupSession>;
  readonly #config: ClientConfig;
  readonly #options: ResolvedProcessorOptions;
  readonly #onFailure: (error: unknown) => void;
  readonly #runner: TransactionRunner;
  readonly #intake: Intake;
  readonly #clock: TransactionClock;
  readonly #tasks: Tasks | undefined;
  readonly #policy: ProcessorFailures | undefined;
  readonly #giveUp = new AbortController();
  #delivery: Delivery | undefined;
  readonly #turns = new Turns(turnMs);
  /** How many transactions have failed since the last that was committed. */
  #failures = 0;
  /** It has failed to prove ends just now. */
  #isProofPaused = false;
  #state: "running" | "ending" | "dead" = "running";
  #running: Promise<void> = Promise.resolve();

  constructor(
    config: ClientConfig,
    options: ResolvedProcessorOptions,
    topics: readonly string[],
    failures: ProcessorFailures | undefined,
    onFailure: (error: unknown) => void,
    tasks?: Tasks,
  ) {
    this.#tasks = tasks;
    this.#policy = failures;
    this.#config = config;
    this.#options = options;
    this.#onFailure = onFailure;
    this.#runner = new TransactionRunner(config, options.transaction);
    this.#clock = new TransactionClock(options.commitIntervalMs);
    const rewinds = new Rewinds(config.logger);
    this.#intake = new Intake(this.#runner, rewinds, this.#clock, options.maxTransactionRecords, {
      partitions: () => this.sessions.current.partitions,
      onReady: (partition) => this.#delivery?.offer(partition),
      onReadAgain: (partition) => tasks?.readAgain(partition) ?? [],
      callLimit: failures && (() => failures.outputs.callLimit),
    });
    const events: ProcessorSessionEvents = {
      onRecords: (partition) => {
        this.#intake.fetched(partition);
        tasks?.look(partition);
        this.#delivery?.offer(partition);
      },
      onRelease: (partitions) => this.#release(partitions),
      onAssigned: (partitions) => this.#assigned(partitions),
      onGone: this.#gone,
      isBusy: () => this.#delivery?.isBusy() ?? false,
    };
    this.sessions = new ReplaceableSession(config.logger, options.consumer.groupId, {
      make: (onFailure) =>
        processorSession(config, options.consumer, topics, { failures, tasks }, events, onFailure),
      onFailure: (error) => this.#sessionFailed(error),
      onLost: this.#gone,
      isOver: () => this.#isOver(),
      whenUnused: () => this.#runner.whenUnstuck(stuckTimeoutMs),
    });
  }

  /** Takes over the transactional id, joins the group and works until `stop`, or until `onFailure` was called. */
  start(delivery: Delivery): void {
    this.#delivery = delivery;
    this.#running = this.#work();
  }

  /** A handler, or other work of a task, has finished. Never waits. */
  finished(parts: readonly BatchPart[], { sends, changes }: CallResult): void {
    this.#intake.take({ parts, sends, changes });
    if (this.#tasks !== undefined) for (const { partition } of parts) this.#tasks.look(partition);
  }

  /** Nothing more of the partition is delivered, and nothing of it counts, until it is back at its committed offset. */
  readAgain(partition: OwnedPartition): void {
    this.#intake.readAgain(partition);
  }

  /** Commits what is finished, until about `deadline`, and leaves the group. No handler may be in flight. Never rejects. */
  async stop(deadline: number): Promise<void> {
    const budgetMs = Math.max(minStopMs, deadline - performance.now());
    if (this.#state === "running") this.#state = "ending";
    this.#clock.ring();
    if (!(await settlesWithin(this.#running, budgetMs))) {
      this.#config.logger.warn(
        "the last transaction could not be committed in time; its records will be redelivered",
        { groupId: this.#options.consumer.groupId },
      );
      this.#state = "dead";
      this.giveUp();
      this.#clock.ring();
      await settlesWithin(this.#running, graceMs);
    }
    // A call that hangs now has read what it needs of the consumer long ago; closing is not held up for it.
    await this.#runner.whenUnstuck(producerCloseMs);
    await this.sessions.current.stop();
    await this.#runner.close(producerCloseMs);
  }

  /** Stops connecting. */
  giveUp(): void {
    this.#giveUp.abort(new ClosedError("the processor was closed"));
  }

  async #work(): Promise<void> {
    const { signal } = this.#giveUp;
    try {
      await this.#runner.open(signal, { deadline: performance.now() + startTimeoutMs, isPatient: false });
      await this.sessions.current.start(signal);
      while (!this.#isOver()) await this.#transact();
    } catch (error) {
      this.#die(error instanceof TransactionFailure ? error.error : error);
    } finally {
      this.#intake.close();
      this.#intake.transaction.take();
      this.#clock.end();
    }
  }

  async #transact(): Promise<void> {
    try {
      await this.#open();
      await this.#admit();
      if (!this.#intake.transaction.isEmpty()) await this.#commit();
    } catch (error) {
      if (!(error instanceof TransactionFailure)) throw error;
      await this.#recover(error);
    }
    this.#intake.close();
    this.#clock.end();
  }

  /** Begins a transaction, once all is ready for one. */
  async #open(): Promise<void> {
    await this.#renew();
    if (this.#isOver()) return;
    await this.#runner.begin();
    if (this.#areEndsWanted()) await this.#proveEnds();
    this.#intake.open();
  }

  /** For restores, which wait for it: rolls back the transaction, which has no records, and begins another one. */
  async #proveEnds(): Promise<void> {
    const isOver = (): boolean => this.#isOver();
    try {
      await this.#tasks?.proveEnds((changelogs) => this.#runner.proveEnds(changelogs, isOver));
    } catch (error) {
      // Where a changelog cannot be written to, other tasks go on in between.
      this.#isProofPaused = true;
      setTimeout(() => {
        this.#isProofPaused = false;
        this.#clock.ring();
      }, proofPauseMs).unref();
      throw error;
    }
    if (!isOver()) await this.#runner.begin();
  }

  #areEndsWanted(): boolean {
    return this.#tasks?.areEndsWanted === true && !this.#isProofPaused;
  }

  /** A restore waits for the end of the transaction. */
  lookAgain(): void {
    this.#clock.ring();
  }

  /** Takes in what handlers finish, until the transaction is due. Without records it stays open. */
  async #admit(): Promise<void> {
    const { transaction } = this.#intake;
    while (transaction.isEmpty() && !this.#isOver()) {
      await this.#clock.until(() => !transaction.isEmpty() || this.#isDue());
      if (transaction.isEmpty()) await this.#renew();
      if (!this.#areEndsWanted() || !transaction.isEmpty() || this.#isOver()) continue;
      this.#intake.close();
      await this.#proveEnds();
      this.#intake.open();
    }
    this.#tasks?.begin();
    await this.#clock.until(() => this.#isDue());
    this.#intake.close();
  }

  async #commit(): Promise<void> {
    const { transaction } = this.#intake;
    if (this.#tasks === undefined) await this.#write([], transaction.offsets());
    else await this.#tasks.commit(transaction, this.#write);
    this.#failures = 0;
    this.#policy?.outputs.committed(transaction);
    for (const partition of transaction.take())
      partition.committedAt(partition.committable ?? partition.committed);
  }

  readonly #write = async (
    changelog: Iterable<TransactionRecord>,
    offsets: readonly NativeOffset[],
  ): Promise<void> => {
    this.#turns.begin();
    for (const { topic, record } of changelog) {
      if (this.#turns.isOver) await this.#turns.next();
      this.#runner.send(topic, record);
    }
    await observedCommit(this.#config.telemetry, commitActivity(this.#options, offsets), () =>
      this.#runner.commitWith(offsets, this.sessions.current.native, () => this.#lost()),
    );
  };

  /** Rolls back, or prepares for a new producer. */
  async #recover(failure: TransactionFailure): Promise<void> {
    const { transactionalId } = this.#options.transaction;
    const { remedy, message } = failure;
    this.#failures += 1;
    this.#config.logger.info(`a transaction is rolled back: ${message}`, { transactionalId, remedy });
    const { calls } = this.#intake;
    this.#tasks?.rollBack(this.#intake.transaction, failure.call === "commit");
    this.#intake.rollBack();
    const rolledBack = await this.#runner.rollBack(failure);
    const isDealtWith = rolledBack.isLasting && this.#policy?.refused(calls, rolledBack.cause) === true;
    const reason = reasonToStop(rolledBack, this.#options, isDealtWith);
    if (reason !== undefined) throw reason;
  }

  /** Between transactions, or in one without records: makes new, or moves, what must be before records make sense. */
  async #renew(): Promise<void> {
    if (this.#isOver()) return;
    const { signal } = this.#giveUp;
    if (this.#failures > 1) await sleep(pauseMs(this.#failures), signal);
    // A new producer first: its start ends the transaction that the committed offsets may depend on.
    if (!this.#runner.isOpen) await this.#runner.open(signal, { deadline: Infinity, isPatient: true });
    const { failure } = this.sessions;
    if (failure !== undefined) await this.sessions.replace(failure, signal);
    else if (this.#intake.rewinds.areWanted) {
      const unknown = await this.#intake.rewind(
        this.sessions.current,
        signal,
        () => this.#isOver() || this.sessions.failure !== undefined,
      );
      if (unknown !== undefined) this.#sessionFailed(unknown);
    }
    this.#tasks?.renew();
  }

  #sessionFailed(error: KafkaError): void {
    if (failsAgain(error)) this.#die(error);
    else this.sessions.fail(error);
    this.#clock.ring();
  }

  /** New partitions: none of their records is delivered before this has returned. */
  #assigned(partitions: readonly OwnedPartition[]): void {
    this.#tasks?.assigned(partitions);
    for (const partition of partitions) this.#intake.takeStart(partition);
  }

  readonly #gone = (partitions: readonly OwnedPartition[]): void => {
    this.#intake.end(partitions);
    this.#tasks?.ended(partitions);
  };

  /** A rebalance takes these partitions: what they have in a transaction is committed first, if it can be within the time for it. */
  async #release(partitions: readonly OwnedPartition[]): Promise<void> {
    const deadline = performance.now() + this.#options.consumer.drainTimeoutMs;
    await this.#clock.hurryDuring(async () => {
      await drainHandlers(partitions, this.#options.consumer, this.#config.logger);
      while (
        this.#intake.hasUncommitted(partitions) &&
        this.#state !== "dead" &&
        performance.now() < deadline
      )
        await this.#clock.untilEnd(deadline - performance.now());
    });
  }

  /** What of the transaction may not be assigned to this member any more, if there is anything. */
  #lost(): string | undefined {
    const lost = this.#intake.transaction.broken();
    if (lost !== undefined) return partitionId(lost.topic, lost.partition);
    const { current, failure } = this.sessions;
    const isAssigned = failure === undefined && this.#state !== "dead" && !current.native.assignmentLost();
    return isAssigned ? undefined : "the assignment";
  }

  /** Whether the transaction is to be ended, or something is to be renewed. */
  #isDue(): boolean {
    if (this.#isOver() || this.sessions.failure !== undefined || this.#intake.rewinds.areWanted) return true;
    if (this.#areEndsWanted()) return true;
    if (this.#intake.transaction.isEmpty()) return false;
    return this.#clock.isOver || this.#state === "ending" || this.#intake.isFull;
  }

  #isOver(): boolean {
    return this.#state === "dead" || (this.#state === "ending" && this.#intake.isEmpty());
  }

  #die(error: unknown): void {
    this.#state = "dead";
    this.#onFailure(error);
    this.#clock.ring();
  }
}
