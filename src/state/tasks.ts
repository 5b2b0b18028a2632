import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { type SizeSource, sizeOfTopic } from "../driver/topic-maker.js";
import { ConfigError } from "../errors.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import type { TopicPartition } from "../offsets.js";
import type { RawRecord } from "../record.js";
import { encodedRecord } from "../serde/encoded-record.js";
import { noHeaders } from "../serde/headers.js";
import { deferred, settlesWithin, sleep } from "../waiting.js";
import type { TransactionRecord } from "../transactions/transaction-records.js";
import { prepareChangelogs } from "./changelogs.js";
import { loadLevel } from "./level.js";
import { MemoryPiece } from "./memory-piece.js";
import { type AssigningTopic, assigningTopic } from "./assigning-topic.js";
import { metadataOf } from "./offset-metadata.js";
import type { Proof } from "./piece.js";
import { type RestoreProgress, Restorer } from "./restorer.js";
import { StoreCodec } from "./store-codec.js";
import { type AnyStore, changelogName } from "./store-definition.js";
import { StoreState } from "./store-state.js";
import { Task } from "./task.js";
import { TaskState } from "./task-state.js";
import { StateDirectory } from "./state-directory.js";
import { TaskTurns } from "./task-turns.js";
import { isWindowStore } from "./window-definition.js";
import { WindowState } from "./window-state.js";

/** How often the ends of changelogs are asked for, in milliseconds: the next restore reads what came since. */
const askEveryMs = 1_000;
/** How often pieces on disk are looked for that others have now, in milliseconds. */
const cleanUpEveryMs = 60_000;
/** How long a commit waits for the answer, which takes a few milliseconds, at most. */
const answerWithinMs = 1_000;

/** Where the changelogs of a task end, by store, in the assignment of this signal. */
interface Ends {
  readonly signal: AbortSignal;
  readonly byStore: Map<string, Proof>;
}

interface EndQuestion {
  readonly changelogs: readonly TopicPartition[];
  readonly answer: (ends: readonly number[]) => void;
}

/** A transaction of tasks: the partitions in it, and the offsets that they are committed with. */
export interface TaskTransaction extends Iterable<OwnedPartition> {
  readonly offsets: () => readonly NativeOffset[];
}

/** What tasks need of their processor, and tell it. */
export interface TasksHost {
  readonly config: ClientConfig;
  readonly groupId: string;
  readonly stores: readonly AnyStore[];
  /** Where stores are kept on disk; `undefined`: in memory. */
  readonly stateDirectory: string | undefined;
  /** A rebalance revokes everything, and mostly gives it back. */
  readonly isEager: boolean;
  readonly maxTaskIdleMs: number;
  /** The group's own consumer. */
  readonly native: () => Pick<NativeConsumer, "committed" | "knownEnd" | "sizeOf">;
  /** When a record of this topic may be delivered; `undefined` where all may be at once. */
  readonly dueAt: (topic: string) => ((record: RawRecord) => number) | undefined;
  /** `areEndsWanted` has become so. */
  readonly onEndsWanted: () => void;
  /** Records of the partition may be delivered. */
  readonly onReady: (partition: OwnedPartition) => void;
  readonly onRestore: ((progress: RestoreProgress) => void) | undefined;
  /** The topic that the group assigns is not beside the offsets of this task, for members that come. */
  readonly onUnmarked: (task: Task) => void;
  readonly onLate: (store: string, partition: number) => void;
  readonly onFailure: (error: unknown) => void;
}

/** The tasks of a processor with stores: one for each partition number that is assigned to this member. */
export class Tasks {
  readonly #host: TasksHost;
  readonly #tasks = new Map<number, Task>();
  /**
   * Tasks that were released gracefully: where the next assignment brings one back, as eager rebalances do, only the
   * tail of its changelogs is read.
   */
  readonly #released = new Map<number, Task>();
  readonly #restorer: Restorer;
  readonly #turns: TaskTurns;
  readonly #closing = new AbortController();
  #watching: Promise<void> | undefined;
  #topics: readonly string[] = [];
  /** How many partitions every topic has. */
  #partitions = 0;
  #assignedBy: AssigningTopic | undefined;
  #directory: StateDirectory | undefined;
  #cleaning: Promise<void> | undefined;
  #askedAt = -Infinity;
  #asking: Promise<void> = Promise.resolve();
  /** Where changelogs end, for the next transaction. */
  readonly #ends = new Map<Task, Ends>();
  /** Questions where changelogs end. */
  #wantedEnds: EndQuestion[] = [];
  /** Resolves when pieces on disk have what was committed last. */
  #applying: Promise<unknown> = Promise.resolve();

  /** @throws `ConfigError` where stores are to be on disk, and the package for it is missing */
  constructor(host: TasksHost) {
    this.#host = host;
    const { config, groupId, native, stateDirectory } = host;
    if (stateDirectory !== undefined) loadLevel();
    this.#turns = new TaskTurns(host);
    this.#restorer = new Restorer({
      config,
      groupId,
      native,
      assignedBy: () => this.#assignedBy,
      proveEnds: async (changelogs) => {
        const { promise, resolve } = deferred<readonly number[]>();
        this.#wantedEnds.push({ changelogs, answer: resolve });
        host.onEndsWanted();
        return promise;
      },
      onProgress: (progress) => {
        config.logger.debug("a store is restored", { groupId, ...progress });
        host.onRestore?.(progress);
      },
    });
  }

  /** Before subscribing: checks the topics and creates the changelogs. */
  async prepare(topics: readonly string[], native: SizeSource, signal: AbortSignal): Promise<void> {
    const { config, groupId, stores, stateDirectory } = this.#host;
    const onDisk = stateDirectory !== undefined;
    this.#topics = topics;
    // Of another membership: changelogs may have been made anew since.
    this.#released.clear();
    this.#partitions = await prepareChangelogs(config, { groupId, stores, onDisk, topics }, native, signal);
    this.#watching ??= this.#watchPartitions();
    await this.#openDirectory(signal);
  }

  /** After `prepare`: the one topic to subscribe to. */
  readonly assignedBy = async (native: SizeSource, signal: AbortSignal): Promise<string> => {
    const { config, groupId } = this.#host;
    const tasks = { topics: this.#topics, partitions: this.#partitions };
    this.#assignedBy = await assigningTopic(config, groupId, tasks, native, signal);
    return this.#assignedBy.name;
  };

  async #openDirectory(signal: AbortSignal): Promise<void> {
    const { stateDirectory, groupId, config, stores } = this.#host;
    if (stateDirectory === undefined) return;
    if (this.#directory === undefined) {
      this.#directory = await StateDirectory.open(stateDirectory, groupId, config.logger);
      this.#cleaning = this.#cleanUp(this.#directory);
    }
    const ids = await this.#restorer.topicIds(
      stores.map(({ name }) => changelogName(groupId, name)),
      signal,
    );
    await this.#directory.belongsTo(new Map(stores.map(({ name }, index) => [name, ids[index]])));
  }

  /** Whether a restore waits for `proveEnds`. */
  get areEndsWanted(): boolean {
    return this.#wantedEnds.length > 0;
  }

  /** Answers restores that want to know where changelogs end, unless `ask` does not know either. */
  async proveEnds(
    ask: (changelogs: readonly TopicPartition[]) => Promise<readonly number[] | undefined>,
  ): Promise<void> {
    // Others may come meanwhile, which wait for the next time.
    const questions = [...this.#wantedEnds];
    const ends = await ask(questions.flatMap(({ changelogs }) => changelogs));
    if (ends === undefined) return;
    this.#wantedEnds = this.#wantedEnds.filter((question) => !questions.includes(question));
    let from = 0;
    for (const { changelogs, answer } of questions) {
      answer(ends.slice(from, from + changelogs.length));
      from += changelogs.length;
    }
  }

  /** The tasks assigned now. */
  *[Symbol.iterator](): IterableIterator<Task> {
    yield* this.#tasks.values();
  }

  get(partition: number): Task | undefined {
    return this.#tasks.get(partition);
  }

  /** How many tasks are being restored. */
  get restoring(): number {
    let restoring = 0;
    for (const { isRestored } of this.#tasks.values()) restoring += Number(!isRestored);
    return restoring;
  }

  /** New partitions: nothing of them is delivered before their task is restored. */
  assigned(partitions: readonly OwnedPartition[]): void {
    const grown = partitions.find(({ partition }) => partition >= this.#partitions);
    if (grown !== undefined) {
      this.#host.onFailure(this.#hasGrown(grown.topic, grown.partition + 1));
      for (const partition of partitions) partition.hold();
      return;
    }
    const toRestore = new Set<Task>();
    for (const partition of partitions) {
      let task = this.#tasks.get(partition.partition);
      if (task === undefined) {
        task =
          this.#released.get(partition.partition) ??
          new Task(partition.partition, this.#newState(partition.partition));
        this.#tasks.set(partition.partition, task);
      }
      task.add(partition);
      this.#turns.add(task, partition);
      if (!task.isRestored) toRestore.add(task);
    }
    this.#released.clear();
    if (toRestore.size > 0) this.#restore([...toRestore]);
  }

  /** The assignment of these partitions has ended. */
  ended(partitions: readonly OwnedPartition[]): void {
    for (const partition of partitions) {
      const task = this.#tasks.get(partition.partition);
      if (task === undefined) continue;
      this.#turns.remove(task, partition);
      if (!task.remove(partition)) continue;
      this.#ends.delete(task);
      this.#tasks.delete(partition.partition);
      task.state.rollBack();
      // What is lost may have been changed by its next owner in ways that nobody here has seen.
      if (!partition.signal.aborted) this.#released.set(partition.partition, task);
    }
  }

  /** A record of the partition was taken, or one has finished, or some were fetched: whose turn is next? */
  readonly look = (partition: OwnedPartition): void => {
    const task = this.#tasks.get(partition.partition);
    if (task !== undefined) this.#turns.look(task);
  };

  readonly taken = (partition: OwnedPartition): void => {
    const task = this.#tasks.get(partition.partition);
    if (task !== undefined) this.#turns.taken(task, partition);
  };

  /**
   * A transaction has its first record, and nothing of it is in a changelog: asks where the changelogs end, for pieces
   * that may be read on from there: those on disk, and those that a rebalance gives back. What is in front of that was
   * read, or committed and applied. The next commit of the task proves that nobody else had it meanwhile; without it the
   * answer counts for nothing, since a member that was frozen may ask too.
   */
  begin(): void {
    if (this.#directory === undefined && !this.#host.isEager) return;
    if (performance.now() - this.#askedAt < askEveryMs) return;
    this.#askedAt = performance.now();
    const currentAt = Date.now();
    const asked = [...this.#tasks.values()]
      .filter(({ isRestored }) => isRestored)
      .flatMap((task) =>
        [...task.state.stores].map((store) => ({ task, store, signal: task.signal, writes: task.writes })),
      );
    const changelogs = asked.map(({ task, store }) => ({ topic: store.changelog, partition: task.number }));
    this.#asking = this.#restorer.ends(changelogs, this.#closing.signal).then(
      (ends) => {
        for (const [index, { task, store, signal, writes }] of asked.entries()) {
          // Else some of what is in front of the end belongs to a transaction that may yet fail.
          if (signal.aborted || writes !== task.writes) continue;
          const known = this.#ends.get(task);
          const byStore = known?.signal === signal ? known.byStore : new Map<string, Proof>();
          this.#ends.set(task, {
            signal,
            byStore: byStore.set(store.name, { position: ends[index] ?? 0, currentAt }),
          });
        }
      },
      (error: unknown) => {
        // A restart reads more of the changelogs.
        this.#host.config.logger.debug(`where changelogs end is not known: ${String(error)}`, {
          groupId: this.#host.groupId,
        });
      },
    );
  }

  /**
   * Commits a transaction: `write` gets what the changelogs need, which is to be sent before the offsets, and the offsets
   * with what belongs beside them. What it changed of the stores counts once `write` resolves; where that rejects,
   * `rollBack` is next.
   */
  async commit(
    transaction: TaskTransaction,
    write: (changelog: Iterable<TransactionRecord>, offsets: readonly NativeOffset[]) => Promise<void>,
  ): Promise<void> {
    // So that no more than one transaction waits to be written to disk, and what `begin` asked for is known.
    await this.#applying;
    await settlesWithin(this.#asking, answerWithinMs);
    const ends = this.#takeEnds(transaction);
    await write(this.#changelog(transaction), this.#withMetadata(transaction.offsets()));
    const applying = [...this.#of(transaction)].flatMap((task) => {
      const known = ends.get(task);
      return task.state.commit(known?.signal === task.signal ? known.byStore : undefined) ?? [];
    });
    if (this.#directory === undefined) return;
    this.#applying = Promise.all([this.#applying, ...applying]);
    this.#applying.catch(this.#host.onFailure);
  }

  /**
   * The transaction with these partitions has failed. Where its outcome may be a commit, what was in it is read again
   * from the changelogs: committed offsets that have not changed would not tell.
   */
  rollBack(partitions: Iterable<OwnedPartition>, isUnknown: boolean): void {
    const tasks = [...this.#of(partitions)];
    for (const task of tasks) {
      task.state.rollBack();
      if (isUnknown) task.forget();
    }
  }

  /** Reads the stores again of tasks that are not current, once the group's offsets are known. */
  renew(): void {
    const stale = [...this.#tasks.values()].filter(({ isRestored }) => !isRestored);
    if (stale.length > 0) this.#restore(stale);
  }

  /** The partition is read again: what finished of its task and is in no transaction does not count, nor what its other partitions did. */
  readAgain(partition: OwnedPartition): readonly OwnedPartition[] {
    const task = this.#tasks.get(partition.partition);
    if (task === undefined) return [];
    task.state.dropWaiting();
    return [...task.partitions].filter((other) => other !== partition);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#restorer.close();
    await this.#cleaning;
    if (this.#directory !== undefined) await this.#directory.close();
  }

  /** The ends that were asked for before this transaction wrote to the changelogs of its tasks. */
  #takeEnds(partitions: Iterable<OwnedPartition>): ReadonlyMap<Task, Ends> {
    const taken = new Map<Task, Ends>();
    for (const task of this.#of(partitions)) {
      const ends = this.#ends.get(task);
      if (ends !== undefined) taken.set(task, ends);
      this.#ends.delete(task);
      task.writes += 1;
    }
    return taken;
  }

  *#changelog(partitions: Iterable<OwnedPartition>): IterableIterator<TransactionRecord> {
    for (const task of this.#of(partitions))
      for (const { topic, write } of task.state.changelog()) {
        const { key, value, timestamp } = write;
        yield { topic, record: encodedRecord(key, value, noHeaders, task.number, Math.max(1, timestamp)) };
      }
  }

  #withMetadata(offsets: readonly NativeOffset[]): NativeOffset[] {
    const assignedBy = this.#assignedBy?.name;
    return offsets.map((offset) => {
      const streamTime = this.#tasks.get(offset.partition)?.state.pendingTime ?? -1;
      return { ...offset, metadata: metadataOf({ streamTime, assignedBy }) };
    });
  }

  #restore(stale: readonly Task[]): void {
    const tasks = stale.filter((task) => task.beginRestoring());
    if (tasks.length === 0) return;
    const began = performance.now();
    const { config, groupId, onFailure, onReady } = this.#host;
    const restoring = this.#restorer
      .restore(tasks, this.#closing.signal, (task) => {
        this.#turns.look(task);
        for (const partition of task.partitions) onReady(partition);
        if (!task.isMarked) this.#host.onUnmarked(task);
      })
      .finally(() => {
        for (const task of tasks) task.endRestoring();
      });
    restoring.then(
      () => {
        config.logger.info("stores are restored", {
          groupId,
          tasks: tasks.map(({ number }) => number),
          ms: Math.round(performance.now() - began),
        });
        // One may have been revoked and assigned again just when nobody looked any more.
        this.renew();
      },
      (error: unknown) => {
        if (!this.#closing.signal.aborted) onFailure(error);
      },
    );
  }

  /** Looks at all topics from time to time: only the first is subscribed to, so the others may grow without a rebalance. */
  async #watchPartitions(): Promise<void> {
    const { config, groupId, native, onFailure } = this.#host;
    const { signal } = this.#closing;
    for (;;) {
      await sleep(config.metadataMaxAgeMs, signal);
      if (signal.aborted) return;
      try {
        for (const topic of this.#topics) {
          // Brokers that have just started know of fewer.
          const { partitions } = await sizeOfTopic(topic, native());
          if (partitions <= this.#partitions) continue;
          onFailure(this.#hasGrown(topic, partitions));
          return;
        }
      } catch (error) {
        config.logger.debug("looking for new partitions failed and is repeated", { groupId, error });
      }
    }
  }

  /** Removes pieces that others have had for long, and of stores that there are no more: the disk would fill with them. */
  async #cleanUp(directory: StateDirectory): Promise<void> {
    const { config, groupId, stores } = this.#host;
    const inUse = (store: string, partition: number): boolean =>
      stores.some(({ name }) => name === store) &&
      (this.#tasks.has(partition) || this.#released.has(partition));
    for (;;) {
      await sleep(cleanUpEveryMs, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      try {
        await directory.removeUnused(inUse, performance.now());
      } catch (error) {
        config.logger.warn("stores on disk that are not used any more could not be removed", {
          groupId,
          error,
        });
      }
    }
  }

  #hasGrown(topic: string, partitions: number): ConfigError {
    return new ConfigError(
      "topics",
      `${topic} has ${String(partitions)} partitions now, and the stores are made for ${String(this.#partitions)}: keys are in other partitions. Process into stores of new names, over topics of equal numbers of partitions`,
    );
  }

  *#of(partitions: Iterable<OwnedPartition>): IterableIterator<Task> {
    const seen = new Set<number>();
    for (const { partition } of partitions) {
      const task = seen.has(partition) ? undefined : this.#tasks.get(partition);
      seen.add(partition);
      if (task !== undefined) yield task;
    }
  }

  #newState(partition: number): TaskState {
    const { groupId, stores } = this.#host;
    return new TaskState({
      definitions: stores,
      onLate: (store) => {
        this.#host.onLate(store, partition);
      },
      make: (definition, streamTime) => {
        const { name, retentionMs } = definition;
        const changelog = changelogName(groupId, name);
        const codec = new StoreCodec(definition, changelog, partition);
        const piece = this.#directory?.piece(name, partition) ?? new MemoryPiece();
        return isWindowStore(definition)
          ? new WindowState({ definition, changelog, codec, piece, streamTime })
          : new StoreState({ name, changelog, codec, piece, retentionMs, streamTime });
      },
    });
  }
}
