import type { ClientConfig } from "../driver/client-config.js";
import { NativeConsumer } from "../driver/native-consumer.js";
import { isTransient, nativeCodes } from "../driver/native-errors.js";
import { AuthenticationError, AuthorizationError, ClosedError, KafkaError } from "../errors.js";
import type { GroupWait } from "../health.js";
import type { Logger } from "../logger.js";
import { topicPartitionOf } from "../offsets.js";
import type { RawRecord } from "../record.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import { settlesWithin, sleep } from "../waiting.js";
import { Assignment } from "./assignment.js";
import { ChangeQueue } from "./change-queue.js";
import { FetchGate } from "./fetch-gate.js";
import { FetchLoop } from "./fetch-loop.js";
import { FlowControl } from "./flow-control.js";
import { JoinWatch } from "./join-watch.js";
import { knownLag } from "./known-lag.js";
import { Moves } from "./moves.js";
import { OffsetResets } from "./offset-resets.js";
import type { ResolvedConsumerOptions } from "./options.js";
import type { OwnedPartition } from "./owned-partition.js";
import { RebalanceListener } from "./rebalance-listener.js";
import { Rebalances } from "./rebalances.js";
import { isPattern, TopicPresence } from "./topic-presence.js";

/** What delivers the records, as the session sees it. */
export interface SessionEvents {
  /** Records of the partition are waiting, or may be delivered again. */
  readonly onRecords: (partition: OwnedPartition) => void;
  /**
   * The partitions are about to be released gracefully. Waits for what is in flight, commits it, and
   * resolves within the time for draining; never rejects.
   */
  readonly onRelease: (partitions: readonly OwnedPartition[]) => Promise<void>;
  /** New partitions, of which nothing was delivered yet. */
  readonly onAssigned?: ((partitions: readonly OwnedPartition[]) => void) | undefined;
  /** The partitions are no longer assigned to this member: nothing that finishes of them counts. */
  readonly onGone?: ((partitions: readonly OwnedPartition[]) => void) | undefined;
  /** The topics exist, and nothing is subscribed to yet. Resolves to topics to subscribe to beside them. */
  readonly beforeSubscribing?:
    ((native: NativeConsumer, signal: AbortSignal) => Promise<readonly string[]>) | undefined;
  /**
   * Tells the one topic to subscribe to, after `beforeSubscribing`: partition p of it brings partition p of all the
   * others, so that one member has them together, whatever assigns them.
   */
  readonly assignedBy?: ((native: NativeConsumer, signal: AbortSignal) => Promise<string>) | undefined;
  /** When a record of this topic may be delivered; `undefined` where all may be at once. */
  readonly dueAt?: ((topic: string) => ((record: RawRecord) => number) | undefined) | undefined;
  /** The outcome of the oldest commit in flight. */
  readonly onCommit: (error: KafkaError | undefined) => void;
  /** The session cannot go on. */
  readonly onFailure: (error: KafkaError) => void;
  /** Whether every handler is at work: records that are fetched now would only wait. */
  readonly isBusy: () => boolean;
  /** Whether the outcome of a commit is waited for: then it is looked for although no records are wanted. */
  readonly awaitsCommit?: () => boolean;
}

/** What a pattern never fits. */
const kafkasOwnTopics = "^__consumer_offsets$,^__transaction_state$,^__share_group_state$";
const leaveTimeoutMs = 10_000;
const leavePauseMs = 10;
/** How long after a fatal error its reason is waited for, in milliseconds. */
const reasonWithinMs = 1_000;
/** How long a member waits until it asks again a group that has ended its native client. */
const rejoinPauseMs = 3_000;

/**
 * Membership in a consumer group: joins, fetches, takes part in rebalances, and leaves. Fetches and changes of the
 * assignment never overlap (see `FetchGate`), so that a record can always be told to belong to the current one.
 */
export class GroupSession {
  readonly native: NativeConsumer;
  readonly #options: ResolvedConsumerOptions;
  readonly #topics: TopicPresence;
  readonly #events: SessionEvents;
  readonly #logger: Logger;
  readonly #telemetry: ClientTelemetry | undefined;
  readonly #assignment = new Assignment<OwnedPartition>();
  readonly #flow: FlowControl;
  readonly #changes: ChangeQueue;
  readonly #moves: Moves;
  readonly #rebalances: Rebalances;
  readonly #resets: OffsetResets;
  readonly #join: JoinWatch;
  readonly #gate: FetchGate;
  readonly #fetches: FetchLoop;
  readonly #leave = new AbortController();
  #subscription: readonly string[] = [];
  #isRejoining = false;
  #memberEnded: (() => void) | undefined;
  #leaving = false;
  #ended = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    config: ClientConfig,
    options: ResolvedConsumerOptions,
    topics: readonly string[],
    events: SessionEvents,
  ) {
    this.#options = options;
    this.#events = events;
    this.#logger = config.logger;
    this.#telemetry = config.telemetry;
    this.native = this.#newNative(config, topics);
    this.#topics = new TopicPresence(topics, this.native, this.#fail);
    this.#flow = new FlowControl(options.maxBufferBytes, events.isBusy);
    const { groupId } = options;
    this.#join = new JoinWatch({
      options,
      topics,
      logger: config.logger,
      trouble: () => this.native.trouble,
      onWait: (wait) => this.#telemetry?.onGroupWait({ groupId, ...wait }),
      onFailure: this.#fail,
    });
    this.#changes = new ChangeQueue(this.#onChangeError);
    this.#gate = new FetchGate(() => {
      this.#fetches.wake();
    });
    const shared = {
      native: this.native,
      assignment: this.#assignment,
      flow: this.#flow,
      changes: this.#changes,
      gate: this.#gate,
    };
    const { onRecords, onRelease } = events;
    this.#moves = new Moves({ ...shared, onMoved: onRecords });
    this.#fetches = new FetchLoop({
      ...shared,
      onRecords,
      onGoneBack: (partition) => void this.#moves.returnToPosition(partition),
      onError: this.#onFetchError,
      awaitsCommit: () => !this.native.tellsEverything && events.awaitsCommit?.() === true,
    });
    this.#resets = new OffsetResets({
      ...shared,
      options,
      moves: this.#moves,
      logger: config.logger,
      telemetry: config.telemetry,
      onRestarted: (partition) => events.onAssigned?.([partition]),
      onRecords,
      onError: this.#onChangeError,
    });
    this.#rebalances = new Rebalances({
      ...shared,
      options,
      moves: this.#moves,
      listener: new RebalanceListener(options, config),
      logger: config.logger,
      delayOf: (topic) => {
        const dueAt = events.dueAt?.(topic);
        return dueAt === undefined ? undefined : { dueAt, onDue: onRecords };
      },
      isRecreated: (topic) => this.#resets.isRecreated(topic),
      isLeaving: () => this.#leaving,
      onAssigned: (partitions) => {
        this.#resets.assigned(partitions);
        events.onAssigned?.(partitions);
      },
      onRelease,
      onGone: (partitions) => events.onGone?.(partitions),
      onError: this.#onChangeError,
    });
  }

  /** Joins the group. Resolves when subscribed; partitions come later. */
  async start(signal: AbortSignal): Promise<void> {
    await this.native.connect(signal);
    await this.#topics.wait(signal);
    const more = (await this.#events.beforeSubscribing?.(this.native, signal)) ?? [];
    signal.throwIfAborted();
    const topics = [...this.#topics.names, ...more];
    const assignedBy = await this.#events.assignedBy?.(this.native, signal);
    signal.throwIfAborted();
    if (assignedBy !== undefined) this.#rebalances.together(topics);
    this.#subscription = assignedBy === undefined ? topics : [assignedBy];
    this.native.subscribe(this.#subscription);
    this.#join.subscribed();
    this.#running = this.#fetches.run();
    this.#memberEnded = this.#telemetry?.onMember({
      groupId: this.#options.groupId,
      lag: () => knownLag(this.#assignment, this.native),
      waiting: () => this.#join.waiting,
    });
  }

  /** The partitions assigned now. */
  get partitions(): readonly OwnedPartition[] {
    return [...this.#assignment];
  }

  /** How many handlers may run unless the user says: one for each partition, beside those that are late. */
  get concurrency(): number {
    return Math.max(1, this.#assignment.size) + this.#rebalances.late;
  }

  /** Why it has no partitions, where the group refuses it or has given it none for 30 s. */
  get waiting(): GroupWait | undefined {
    return this.#join.waiting;
  }

  get(topic: string, partition: number): OwnedPartition | undefined {
    return this.#assignment.get(topic, partition);
  }

  /** A partition's queue got shorter: there may be memory to fetch into. */
  freedMemory(partition: OwnedPartition): void {
    if (this.#flow.waitsFor(partition)) this.#fetches.lookAgain();
  }

  /** So many records of one partition are wanted at a time; more than that may wait. */
  prepareFor(maxRecords: number): void {
    this.#flow.prepareFor(maxRecords);
  }

  /** Whether as much of the partition is waiting as may be. */
  isFull(partition: OwnedPartition): boolean {
    return this.#flow.fills(partition);
  }

  pause(partitions: readonly OwnedPartition[]): void {
    for (const partition of partitions) partition.pause();
    this.native.pause(partitions.map(topicPartitionOf));
  }

  resume(partitions: readonly OwnedPartition[]): void {
    for (const partition of partitions) partition.resume();
    this.native.resume(partitions.filter(({ pausedNatively }) => !pausedNatively).map(topicPartitionOf));
    // Last, because a handler that is called by it may pause again.
    for (const partition of partitions) this.#events.onRecords(partition);
    this.#fetches.lookAgain();
  }

  /**
   * Moves the partition as soon as its handlers in flight have finished; until then nothing more of it
   * is delivered. With `rollback`, what was finished does not count. Resolves when it has moved, or is assigned
   * no longer; a handler that waited for that of its own partition would wait for ever.
   */
  async seek(partition: OwnedPartition, offset: number, rollback = false): Promise<void> {
    await this.#moves.move(partition, offset, rollback ? "rollback" : "seek");
  }

  /**
   * Takes no more records, while what is in flight goes on: what comes in from here on are rebalances and
   * the outcomes of commits, which would otherwise wait behind the backlog.
   */
  quiesce(): void {
    this.#leaving = true;
    this.#leave.abort(new ClosedError("the member leaves its group"));
    for (const partition of this.#assignment) partition.release();
    try {
      this.native.pause(this.partitions.map(topicPartitionOf));
    } catch (error) {
      this.#logger.debug(`pause: ${String(error)}`);
    }
    this.#fetches.wake();
  }

  /** Leaves the group and disconnects. What is in flight must have been drained before. Never rejects. */
  async stop(): Promise<void> {
    this.#memberEnded?.();
    this.#memberEnded = undefined;
    this.#join.stop();
    this.quiesce();
    const deadline = performance.now() + leaveTimeoutMs;
    // A rebalance waits until this member has taken, or given back, its partitions.
    if (!(await this.#endsBy(deadline, () => this.native.isJoining)))
      this.#logger.warn(
        `group ${this.#options.groupId} is still rebalancing after ${leaveTimeoutMs} ms: this member may not have left it, and others get its partitions when its session is over`,
      );
    try {
      this.native.unsubscribe();
    } catch (error) {
      this.#logger.debug(`unsubscribe: ${String(error)}`);
    }
    await this.#endsBy(deadline, () => this.#assignment.size > 0);
    await settlesWithin(this.#changes.idle, leaveTimeoutMs + this.#options.drainTimeoutMs);
    for (const partition of this.#assignment) partition.end();
    this.#ended = true;
    this.#topics.stop();
    this.#fetches.end();
    await settlesWithin(this.#running, leaveTimeoutMs);
    if (!(await settlesWithin(this.native.disconnect(), leaveTimeoutMs)))
      this.#logger.warn(
        `the native consumer of group ${this.#options.groupId} has not ended after ${leaveTimeoutMs} ms`,
      );
  }

  /** Whether what the group and the native client settle between them is over in time. After a fatal error nobody asks for it any more. */
  async #endsBy(deadline: number, isGoingOn: () => boolean): Promise<boolean> {
    while (isGoingOn() && this.native.fatal === undefined) {
      if (performance.now() >= deadline) return false;
      this.#fetches.wake();
      await sleep(leavePauseMs);
    }
    return true;
  }

  #newNative(config: ClientConfig, topics: readonly string[]): NativeConsumer {
    const { groupId, properties } = this.#options;
    return new NativeConsumer(
      config,
      `consumer of group ${groupId}`,
      topics.some(isPattern) ? { ...properties, "topic.blacklist": kafkasOwnTopics } : properties,
      {
        onWake: () => {
          this.#fetches.wake();
        },
        onRebalance: (kind, partitions) => {
          this.#join.rebalanced(kind, partitions.length);
          this.#rebalances.begin(kind, partitions);
        },
        onCommit: this.#events.onCommit,
        onFatal: this.#onFatal,
        onTopicRecreated: (topic) => {
          this.#resets.recreated(topic);
        },
        group: {
          onOffsetLost: (lost) => {
            this.#resets.lost(lost);
          },
          onProtocolUnknown: () => {
            this.#join.protocolUnknown();
          },
          onNoPartition: () => {
            this.#join.joined();
          },
        },
      },
    );
  }

  readonly #onFetchError = (error: unknown): void => {
    const failure =
      error instanceof KafkaError
        ? error
        : new KafkaError("FATAL", "the native consumer failed", { cause: error });
    if (failure.code === "CLOSED") return;
    if (failure.code !== "FATAL" && this.#join.refused(failure) !== undefined) return;
    if (failure.nativeCode === nativeCodes.unknownTopicOrPartition) this.#topics.look();
    // Which partition it is of, and what becomes of it, is told by `onOffsetLost`.
    else if (failure.code === "OFFSET_OUT_OF_RANGE") this.#logger.debug(`fetch: ${failure.message}`);
    else if (
      failure.code === "FATAL" ||
      failure.code === "CONSUMER_FENCED" ||
      failure instanceof AuthorizationError ||
      failure instanceof AuthenticationError
    )
      void this.#stopFor(failure);
    // From everything else (brokers down, the poll interval exceeded, …) librdkafka recovers by itself.
    else this.#logger.info(`fetch: ${failure.message}`, { groupId: this.#options.groupId });
  };

  /** Why the native client cannot go on is told by a line of its log, which may come after the error. */
  async #stopFor(failure: KafkaError): Promise<void> {
    for (let waited = 0; failure.code === "FATAL" && waited < reasonWithinMs; waited += leavePauseMs) {
      if (this.native.fatal !== undefined || this.#isRejoining) break;
      await sleep(leavePauseMs);
    }
    this.#onFatal(this.native.fatal ?? failure);
  }

  readonly #onFatal = (error: KafkaError): void => {
    if (this.#isRejoining) return;
    const refusal = this.#join.refused(error);
    if (refusal === undefined) this.#fail(error);
    else if (refusal === "waits" && !this.#leaving) this.#rejoin();
  };

  /** The group's refusal has ended the native client although it passes: others ask until the group takes the member. */
  #rejoin(): void {
    this.#isRejoining = true;
    this.native.retire();
    this.#join.lost();
    this.#rebalances.lose();
    void this.#changes.run(async () => {
      await this.#gate.exclusively(() => this.#renew());
      this.#isRejoining = false;
    });
  }

  async #renew(): Promise<void> {
    const { signal } = this.#leave;
    const isOver = (): boolean => this.#leaving;
    for (;;) {
      await sleep(rejoinPauseMs, signal);
      if (isOver()) return;
      try {
        await this.native.renew(signal);
        this.native.subscribe(this.#subscription);
        return;
      } catch (error) {
        if (isOver()) return;
        if (!isTransient(error)) throw error;
        this.#logger.info(`the new native client has not started: ${error.message}`, {
          groupId: this.#options.groupId,
        });
      }
    }
  }

  readonly #onChangeError = (error: unknown): void => {
    this.#fail(
      error instanceof KafkaError ? error : new KafkaError("FATAL", "a rebalance failed", { cause: error }),
    );
  };

  readonly #fail = (error: KafkaError): void => {
    if (!this.#ended) this.#events.onFailure(error);
  };
}
