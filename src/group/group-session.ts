import type { ClientConfig } from "../driver/client-config.js";
import { logEnd } from "../driver/native-admin.js";
import { NativeConsumer } from "../driver/native-consumer.js";
import { nativeCodes } from "../driver/native-errors.js";
import type { NativeOffset, NativePartition } from "../driver/native.js";
import { AuthenticationError, AuthorizationError, KafkaError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import { endOfRun, type RawRecord } from "../record.js";
import { Bell, settlesWithin, sleep } from "../waiting.js";
import { Assignment } from "./assignment.js";
import { askEnds, latestStartOffsets } from "./start-offsets.js";
import { type ResolvedConsumerOptions } from "./options.js";
import { topicPartitionOf } from "../offsets.js";
import { FlowControl } from "./flow-control.js";
import { knownLag } from "./known-lag.js";
import { type Delay, OwnedPartition } from "./owned-partition.js";
import { RebalanceListener } from "./rebalance-listener.js";
import type { FetchedRecords } from "./record-queue.js";
import { isPattern, TopicPresence } from "./topic-presence.js";

/** What hands the records over, as the session sees it. */
export interface SessionEvents {
  /** Records of the partition are waiting, or may be handed over again. */
  readonly onRecords: (partition: OwnedPartition) => void;
  /**
   * The partitions are about to be given up politely. Waits for what is in flight, commits it, and
   * resolves within the time for draining; never rejects.
   */
  readonly onRelease: (partitions: readonly OwnedPartition[]) => Promise<void>;
  /** New partitions, of which nothing was handed over yet. */
  readonly onAssigned?: ((partitions: readonly OwnedPartition[]) => void) | undefined;
  /** The partitions are no longer ours: nothing that finishes of them counts. */
  readonly onGone?: ((partitions: readonly OwnedPartition[]) => void) | undefined;
  /** The topics are there, and nothing is subscribed to yet. Resolves to topics to subscribe to beside them. */
  readonly beforeSubscribing?:
    ((native: NativeConsumer, signal: AbortSignal) => Promise<readonly string[]>) | undefined;
  /** When a record of this topic may be handed over; `undefined` where all may be at once. */
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

/** Resets the native poll timer, and finds what no wake-up announced. */
const keepAliveMs = 1_000;
/** How often to look for a commit's outcome while no records are wanted. */
const outcomeMs = 20;
/** Errors that come one upon another must not keep the loop spinning. */
const errorPauseMs = 100;
/** While partitions are full, others may get their first records without any wake-up. */
const fullMs = 100;
/** What a pattern never fits. */
const kafkasOwnTopics = "^__consumer_offsets$,^__transaction_state$,^__share_group_state$";
const seekTimeoutMs = 5_000;
const leaveTimeoutMs = 10_000;

interface Arrival {
  readonly epoch: number;
  readonly records?: FetchedRecords;
  readonly error?: unknown;
}

/**
 * Membership in a consumer group: one loop that polls the native consumer, puts records into the queues
 * of their partitions, and takes part in rebalances. Fetches and changes of the assignment never
 * overlap (see `#exclusively`), so that a record can always be told to belong to the current one.
 */
export class GroupSession {
  readonly native: NativeConsumer;
  readonly #options: ResolvedConsumerOptions;
  readonly #topics: TopicPresence;
  readonly #events: SessionEvents;
  readonly #logger: Logger;
  readonly #telemetry: ClientTelemetry | undefined;
  #memberEnded: (() => void) | undefined;
  readonly #assignment = new Assignment<OwnedPartition>();
  readonly #flow: FlowControl;
  readonly #listener: RebalanceListener;
  readonly #bell = new Bell();
  /** Something may be waiting in the native queue. */
  #woken = true;
  #lastFetch = 0;
  #outstanding = 0;
  #exclusive = false;
  #whenQuiet: (() => void) | undefined;
  #changes: Promise<void> = Promise.resolve();
  /** Handlers that are still in flight of partitions that are gone. */
  #late = 0;
  #errors = 0;
  #leaving = false;
  #ended = false;
  #loop: Promise<void> = Promise.resolve();

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
    this.#flow = new FlowControl(options.maxBufferBytes, events.isBusy);
    this.#listener = new RebalanceListener(options, config);
    const properties = topics.some(isPattern)
      ? { ...options.properties, "topic.blacklist": kafkasOwnTopics }
      : options.properties;
    this.native = new NativeConsumer(config, `consumer of group ${options.groupId}`, properties, {
      onWake: () => {
        this.#woken = true;
        this.#bell.ring();
      },
      onRebalance: (kind, partitions) => {
        // Handlers are to know it now, whatever else is being done.
        if (kind === "revoke" && this.native.assignmentLost()) this.#lose(partitions);
        void this.#change(() => (kind === "assign" ? this.#assign(partitions) : this.#revoke(partitions)));
      },
      onCommit: events.onCommit,
      onFatal: (error) => {
        this.#fail(error);
      },
    });
    this.#topics = new TopicPresence(topics, this.native, (error) => {
      this.#fail(error);
    });
  }

  /** Joins the group. Resolves when subscribed; partitions come later. */
  async start(signal: AbortSignal): Promise<void> {
    await this.native.connect(signal);
    await this.#topics.wait(signal);
    const more = (await this.#events.beforeSubscribing?.(this.native, signal)) ?? [];
    signal.throwIfAborted();
    this.native.subscribe([...this.#topics.names, ...more]);
    this.#loop = this.#poll();
    this.#memberEnded = this.#telemetry?.onMember({
      groupId: this.#options.groupId,
      lag: () => knownLag(this.#assignment, this.native),
    });
  }

  /** The partitions assigned now. */
  get partitions(): readonly OwnedPartition[] {
    return [...this.#assignment];
  }

  /** How many handlers may run unless the user says: one for each partition, beside those that are late. */
  get concurrency(): number {
    return Math.max(1, this.#assignment.size) + this.#late;
  }

  get(topic: string, partition: number): OwnedPartition | undefined {
    return this.#assignment.get(topic, partition);
  }

  /** A partition's queue got shorter: there may be room to fetch into. */
  madeRoom(partition: OwnedPartition): void {
    if (this.#flow.waitsFor(partition)) this.#bell.ring();
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
    this.#bell.ring();
  }

  /**
   * Moves the partition as soon as its handlers in flight have finished; until then nothing more of it
   * is handed over. With `rollback`, what was finished does not count. Resolves when it has moved, or is ours no
   * longer; a handler that waited for that of its own partition would wait for ever.
   */
  async seek(partition: OwnedPartition, offset: number, rollback = false): Promise<void> {
    partition.beginSeek();
    await partition.idle();
    await this.#change(() => this.#applySeek(partition, offset, rollback));
  }

  /**
   * Takes no more records, while what is in flight goes on: what comes in from here on are rebalances and
   * the outcomes of commits, which would otherwise wait behind the backlog.
   */
  quiesce(): void {
    this.#leaving = true;
    for (const partition of this.#assignment) partition.release();
    try {
      this.native.pause(this.partitions.map(topicPartitionOf));
    } catch (error) {
      this.#logger.debug(`pause: ${String(error)}`);
    }
    this.#woken = true;
    this.#bell.ring();
  }

  /** Leaves the group and disconnects. What is in flight must have been drained before. Never rejects. */
  async stop(): Promise<void> {
    this.#memberEnded?.();
    this.#memberEnded = undefined;
    this.quiesce();
    try {
      this.native.unsubscribe();
    } catch (error) {
      this.#logger.debug(`unsubscribe: ${String(error)}`);
    }
    const deadline = Date.now() + leaveTimeoutMs;
    // After a fatal error nobody asks for them any more.
    while (this.#assignment.size > 0 && this.native.fatal === undefined && Date.now() < deadline) {
      this.#woken = true;
      this.#bell.ring();
      await sleep(10);
    }
    await settlesWithin(this.#changes, leaveTimeoutMs + this.#options.drainTimeoutMs);
    for (const partition of this.#assignment) partition.end();
    this.#ended = true;
    this.#topics.stop();
    this.#bell.ring();
    await settlesWithin(this.#loop, leaveTimeoutMs);
    if (!(await settlesWithin(this.native.disconnect(), leaveTimeoutMs)))
      this.#logger.warn(
        `the native consumer of group ${this.#options.groupId} has not ended after ${leaveTimeoutMs} ms`,
      );
  }

  async #poll(): Promise<void> {
    let next: Promise<Arrival> | undefined;
    for (;;) {
      if (next === undefined) {
        const count = await this.#untilWorthFetching();
        if (this.#ended) return;
        // What rang the bell may have begun a change meanwhile.
        if (this.#exclusive) continue;
        next = this.#fetch(count);
      }
      const arrival = await next;
      const brought = arrival.records?.length ?? 0;
      if (arrival.error === undefined) this.#errors = 0;
      else if (++this.#errors > 1) await this.#bell.wait(errorPauseMs);
      // A fetch that brought something may have left more behind, and an error behind records is not
      // told. Asking before the records are handed over keeps the native side busy meanwhile.
      if (brought > 0 || arrival.error !== undefined) this.#woken = true;
      next = brought > 0 && this.#mayFetch() ? this.#fetch(this.#fetchSize()) : undefined;
      this.#accept(arrival);
    }
  }

  /** Resolves to how many records to ask for. */
  async #untilWorthFetching(): Promise<number> {
    for (;;) {
      if (this.#ended) return 0;
      const now = performance.now();
      if (!this.#exclusive) {
        const wanted = this.#flow.wantsMore(this.#assignment, this.native, now);
        if (wanted && this.#woken) return this.#fetchSize();
        if (now - this.#lastFetch >= this.#pollEveryMs(wanted)) {
          if (wanted) return this.#fetchSize();
          this.#flow.capPolling(this.#assignment, this.native);
          return 1;
        }
      }
      const rest = this.#lastFetch + this.#pollEveryMs(!this.#flow.isFull) - now;
      await this.#bell.wait(Math.max(1, this.#flow.isFull ? Math.min(rest, fullMs) : rest));
    }
  }

  #pollEveryMs(wanted: boolean): number {
    return !wanted && this.#events.awaitsCommit?.() === true ? outcomeMs : keepAliveMs;
  }

  #fetchSize(): number {
    return this.#flow.fetchSize(this.native, performance.now());
  }

  #mayFetch(): boolean {
    return (
      !this.#exclusive &&
      !this.#ended &&
      this.#flow.wantsMore(this.#assignment, this.native, performance.now())
    );
  }

  async #fetch(count: number): Promise<Arrival> {
    this.#woken = false;
    this.#lastFetch = performance.now();
    this.#outstanding += 1;
    const { epoch } = this.#assignment;
    try {
      return { epoch, ...(await this.native.fetch(count)) };
    } catch (error) {
      return { epoch, error };
    }
  }

  #accept({ epoch, records = [], error }: Arrival): void {
    if (error !== undefined) this.#onFetchError(error);
    this.#flow.learn(records);
    let from = 0;
    while (from < records.length) {
      const first = records[from];
      if (first === undefined) break;
      const { topic, partition } = first;
      const to = endOfRun(records, from, first);
      const owned = this.#assignment.ownerAt(topic, partition, epoch);
      if (owned !== undefined && !owned.releasing && !owned.seeking) {
        owned.receive(records, from, to);
      } else if (owned === undefined && this.#assignment.get(topic, partition) !== undefined) {
        this.#fail(
          new KafkaError("FATAL", `${topic}[${partition}] was fetched across a change of the assignment`),
        );
      }
      from = to;
      if (owned !== undefined) this.#events.onRecords(owned);
    }
    this.#outstanding -= 1;
    if (this.#outstanding === 0) this.#whenQuiet?.();
  }

  #onFetchError(error: unknown): void {
    const failure =
      error instanceof KafkaError
        ? error
        : new KafkaError("FATAL", "the native consumer failed", { cause: error });
    if (failure.code === "CLOSED") return;
    if (failure.nativeCode === nativeCodes.unknownTopicOrPartition) this.#topics.look();
    else if (
      failure.code === "FATAL" ||
      failure.code === "CONSUMER_FENCED" ||
      failure instanceof AuthorizationError ||
      failure instanceof AuthenticationError
    )
      this.#fail(this.native.fatal ?? failure);
    // Everything else (brokers down, the poll interval exceeded, …) librdkafka mends by itself.
    else this.#logger.info(`fetch: ${failure.message}`, { groupId: this.#options.groupId });
  }

  #fail(error: KafkaError): void {
    if (!this.#ended) this.#events.onFailure(error);
  }

  /** Changes of the assignment come one after the other. */
  async #change(change: () => Promise<void>): Promise<void> {
    this.#changes = this.#changes.then(change).catch(this.#onChangeError);
    await this.#changes;
  }

  readonly #onChangeError = (error: unknown): void => {
    this.#fail(
      error instanceof KafkaError ? error : new KafkaError("FATAL", "a rebalance failed", { cause: error }),
    );
  };

  /** Runs `change` while no fetch is under way and none begins: before it all records are of the old assignment, after it of the new. */
  async #exclusively(change: () => void | Promise<void>): Promise<void> {
    this.#exclusive = true;
    try {
      if (this.#outstanding > 0) {
        await new Promise<void>((resolve) => {
          this.#whenQuiet = resolve;
        });
        this.#whenQuiet = undefined;
      }
      await change();
    } finally {
      this.#exclusive = false;
      this.#woken = true;
      this.#bell.ring();
    }
  }

  async #assign(partitions: readonly NativePartition[]): Promise<void> {
    const taken: OwnedPartition[] = [];
    const late: OwnedPartition[] = [];
    const startOffsets = await this.#startOffsets(partitions);
    const places = partitions.map((place) => {
      const begin = startOffsets?.find(
        ({ topic, partition }) => topic === place.topic && partition === place.partition,
      );
      return { place, begin };
    });
    await this.#exclusively(() => {
      this.native.assign(places.map(({ place, begin }) => begin ?? place));
      for (const { place, begin } of places) {
        const known = begin !== undefined && begin.offset >= 0 ? begin.offset : undefined;
        const owned = new OwnedPartition(place, this.#delayOf(place.topic), known);
        // Too late to begin: they are taken, because the group waits for it, and released at once.
        if (this.#leaving || startOffsets === undefined) owned.release();
        if (begin?.offset === logEnd) {
          // What the native client gives until then may be from behind the end that will be found.
          owned.beginSeek();
          late.push(owned);
        }
        this.#assignment.begin(place.topic, place.partition, owned);
        taken.push(owned);
      }
      this.#flow.watch(taken, performance.now());
      this.#flow.share(this.#assignment.size);
    });
    this.#events.onAssigned?.(taken);
    void this.#listener.tell({ type: "assigned", partitions: partitions.map(topicPartitionOf) });
    if (late.length > 0) void this.#beginLate(late).catch(this.#onChangeError);
  }

  /** Where to begin in new partitions, if not as the native client would; `undefined` where none of them is to begin. */
  async #startOffsets(partitions: readonly NativePartition[]): Promise<readonly NativeOffset[] | undefined> {
    if (this.#options.properties["auto.offset.reset"] !== "latest" || partitions.length === 0) return [];
    const isOver = (): boolean => this.#leaving || this.native.assignmentLost();
    try {
      const startOffsets = await latestStartOffsets(
        this.native,
        partitions,
        (topic) => this.#events.dueAt?.(topic) !== undefined,
        isOver,
      );
      return isOver() ? undefined : startOffsets;
    } catch (error) {
      this.#onChangeError(error);
      return undefined;
    }
  }

  /** These begin at their ends as soon as brokers tell where that is; nothing of them is handed over before. */
  async #beginLate(partitions: readonly OwnedPartition[]): Promise<void> {
    this.#logger.warn("partitions wait until a broker tells their ends, where they begin", {
      groupId: this.#options.groupId,
      partitions: partitions.map(topicPartitionOf),
    });
    const unknown = new Set(partitions);
    await askEnds(
      this.native,
      () => [...unknown].filter(({ releasing }) => !releasing),
      (partition, end) => {
        unknown.delete(partition);
        void this.#change(async () => {
          partition.beginAt(end);
          // If the user has moved it meanwhile, it stays there.
          const place = partition.moves > 0 ? partition.position : undefined;
          await this.#applySeek(partition, place ?? end, false);
          if (!partition.releasing) this.#events.onAssigned?.([partition]);
        });
      },
    );
  }

  #delayOf(topic: string): Delay | undefined {
    const dueAt = this.#events.dueAt?.(topic);
    return dueAt === undefined ? undefined : { dueAt, onDue: this.#events.onRecords };
  }

  async #revoke(partitions: readonly NativePartition[]): Promise<void> {
    const owned = this.#ownedOf(partitions);
    for (const partition of owned) partition.release();
    if (this.native.assignmentLost()) {
      this.#lose(partitions);
      void this.#listener.tell({ type: "lost", partitions: owned.map(topicPartitionOf) });
    } else {
      await this.#events.onRelease(owned);
      await settlesWithin(
        this.#listener.tell({ type: "revoked", partitions: owned.map(topicPartitionOf) }),
        this.#options.drainTimeoutMs,
      );
    }
    await this.#exclusively(() => {
      for (const partition of owned) {
        partition.end();
        this.#countLate(partition);
        this.#assignment.end(partition.topic, partition.partition);
      }
      this.#flow.share(this.#assignment.size);
      // The native client remembers a pause beyond the assignment, and nobody would end it when one comes back.
      this.native.resume(
        owned.filter(({ pausedNatively, paused }) => pausedNatively || paused).map(topicPartitionOf),
      );
      this.native.unassign(partitions);
    });
    this.#events.onGone?.(owned);
  }

  /** Others have these partitions: nothing that finishes of them counts. */
  #lose(partitions: readonly NativePartition[]): void {
    for (const partition of this.#ownedOf(partitions))
      partition.lose("the partition was lost to another member");
  }

  #ownedOf(partitions: readonly NativePartition[]): readonly OwnedPartition[] {
    return partitions.flatMap(({ topic, partition }) => this.#assignment.get(topic, partition) ?? []);
  }

  /** Handlers in flight of a partition that is gone take no place away from the others. */
  #countLate(partition: OwnedPartition): void {
    const { active } = partition;
    if (active === 0) return;
    this.#late += active;
    void partition.idle().then(() => {
      this.#late -= active;
    });
  }

  async #applySeek(partition: OwnedPartition, offset: number, rollback: boolean): Promise<void> {
    const { topic, partition: number } = partition;
    for (let attempt = 0; ; attempt += 1) {
      if (partition.releasing || this.#assignment.get(topic, number) !== partition) return;
      try {
        await this.#exclusively(async () => {
          await this.native.seek({ topic, partition: number, offset }, seekTimeoutMs);
          partition.moveTo(offset, rollback);
          this.#assignment.begin(topic, number, partition);
        });
        this.#events.onRecords(partition);
        return;
      } catch (error) {
        // Right after an assignment the native client is still asking for offsets and refuses.
        if (attempt >= 20) throw error;
        await sleep(100 * Math.min(attempt + 1, 10));
      }
    }
  }
}
