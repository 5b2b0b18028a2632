import { fromNative, isTransient, lastingLogCodes } from "../driver/native-errors.js";
import type { ClientConfig } from "../driver/client-config.js";
import { isEmbedded } from "../driver/embedded-clusters.js";
import { logEnd, logStart } from "../driver/log-times.js";
import { NativeAdmin } from "../driver/native-admin.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { ConfigError, KafkaError } from "../errors.js";
import { partitionId, topicPartitionOf, type TopicPartition } from "../offsets.js";
import { LogSource } from "../reader/log-source.js";
import { resolveReadOptions } from "../reader/options.js";
import { ArrivalOrder } from "../reader/read-order.js";
import type { RawRecord } from "../record.js";
import type { WatchedOperation } from "../telemetry/client-telemetry.js";
import type { RestoreEnded } from "../telemetry/activities.js";
import { sleep, unlessAborted } from "../waiting.js";
import { type AssigningTopic, checkOthers } from "./assigning-topic.js";
import { parseMetadata } from "./offset-metadata.js";
import { tombstonesKeptMs } from "./changelogs.js";
import type { Piece } from "./piece.js";
import type { StoreState } from "./store-state.js";
import type { Task } from "./task.js";
import type { WindowState } from "./window-state.js";

const committedTimeoutMs = 5_000;
const endsTimeoutMs = 5_000;
const pauseMs = 250;
/** How long brokers may not know a changelog that exists, in milliseconds. */
const knownWithinMs = 15_000;
/** A reading that comes no further for so long begins anew with another client: it may ask a leader of before. In milliseconds. */
const stalledMs = 15_000;
/** How often progress is told, in milliseconds. */
const progressEveryMs = 1_000;

/** How far the restoring of a store is, as `onRestore` is told. */
export interface RestoreProgress {
  /** The name of the store. */
  readonly store: string;
  /** The number of the partition, from 0. */
  readonly partition: number;
  /** How much of the changelog is read, in offsets. */
  readonly done: number;
  /** How much there is to read, in offsets. */
  readonly total: number;
}

/** What restoring needs to know of its processor. */
export interface RestoreHost {
  readonly config: ClientConfig;
  readonly groupId: string;
  /** The group's own consumer, for its committed offsets. */
  readonly native: () => Pick<NativeConsumer, "committed" | "sizeOf">;
  /** The topic that this member has subscribed to. */
  readonly assignedBy: () => AssigningTopic | undefined;
  /**
   * Where changelogs end, open transactions included: what in-sync replicas have acknowledged before the call is in front
   * of that.
   */
  readonly proveEnds: (changelogs: readonly TopicPartition[]) => Promise<readonly number[]>;
  readonly onProgress: (progress: RestoreProgress) => void;
}

/** The changelog of one store of one task, while it is read. */
interface Reading {
  readonly task: Task;
  /** Aborts where the assignment ends for which it is read: a later one has another end. */
  readonly assignment: AbortSignal;
  readonly state: StoreState | WindowState;
  readonly from: number;
  /** The offset to reach. */
  readonly to: number;
  /** When the changelog ended there, by this clock. */
  readonly endedAt: number;
  /** Since when what was read below `from` may have changed. */
  readonly currentAt: number;
  /** Tells telemetry of its end. */
  watched: WatchedOperation<RestoreEnded> | undefined;
  /** How many entries and deletions were read. */
  entries: number;
  toldAt: number;
}

/**
 * Makes the stores of tasks current. The order of the questions matters: first the group's committed offsets, which
 * are told only when no transaction with them is open any more, and then the end of the changelog. What whoever had the
 * task before committed is in front of that end. The last stable offset alone would be too low, because the marker of
 * a commit comes to each partition in its own time; so would be an end that was asked for earlier, and one that is told
 * by a broker which does not know yet that it leads the partition no more.
 */
export class Restorer {
  readonly #host: RestoreHost;
  #admin: NativeAdmin | undefined;
  /** The topic for which no other member was found that has tasks by another one. */
  #checked: AssigningTopic | undefined;

  constructor(host: RestoreHost) {
    this.#host = host;
  }

  /**
   * Restores tasks, each of which is `restored` as soon as its stores are; those whose partitions are revoked meanwhile
   * are passed over. Outages are waited for.
   * @throws what no waiting cures; the reason of `signal`
   */
  async restore(
    tasks: readonly Task[],
    signal: AbortSignal,
    onRestored: (task: Task) => void,
  ): Promise<void> {
    const restored = async (task: Task, assignment: AbortSignal): Promise<void> => {
      await task.state.restored();
      if (assignment.aborted) return;
      task.restored();
      onRestored(task);
    };
    for (;;) {
      const wanted = tasks.filter((task) => !task.isRestored && !task.signal.aborted);
      if (wanted.length === 0) return;
      try {
        await this.#restore(wanted, signal, restored);
      } catch (error) {
        signal.throwIfAborted();
        if (!isTransient(error, lastingLogCodes)) throw error;
        this.#host.config.logger.info(`restoring is tried again: ${error.message}`, {
          groupId: this.#host.groupId,
        });
        await sleep(pauseMs, signal);
      }
    }
  }

  async close(): Promise<void> {
    await this.#admin?.disconnect();
  }

  /** The ends of changelogs as of now, records of open transactions included. */
  async ends(changelogs: readonly TopicPartition[], signal: AbortSignal): Promise<readonly number[]> {
    return this.#offsetsAt(changelogs, logEnd, signal);
  }

  /**
   * The ids that brokers know topics by; `undefined` where one has none. One that was just made may not be known to each.
   * @throws what no waiting cures; the reason of `signal`
   */
  async topicIds(topics: readonly string[], signal: AbortSignal): Promise<readonly (string | undefined)[]> {
    const deadline = performance.now() + knownWithinMs;
    for (;;) {
      const admin = await this.#connected(signal);
      const found = await admin.describeTopics(topics, endsTimeoutMs);
      const refused = found.find(({ error }) => error !== undefined);
      if (refused?.error === undefined)
        return topics.map((topic) => {
          const id = found.find(({ name }) => name === topic)?.topicId?.base64;
          return id === undefined || /^A*$/u.test(id) ? undefined : id;
        });
      if (performance.now() > deadline)
        throw fromNative(refused.name, refused.error, { topic: refused.name });
      await sleep(pauseMs, signal);
    }
  }

  async #restore(
    tasks: readonly Task[],
    signal: AbortSignal,
    restored: (task: Task, assignment: AbortSignal) => Promise<void>,
  ): Promise<void> {
    // What is found out here is for these assignments: a later one of the same task begins anew.
    const assignments = tasks.map((task) => ({ task, assignment: task.signal }));
    await this.#learnOffsets(tasks, signal);
    const readings = await this.#plan(assignments, signal);
    await this.#checkOthers(() => assignments.every(({ assignment }) => assignment.aborted), signal);
    for (const { task, assignment } of assignments)
      if (!isRead(task, readings) && !assignment.aborted) await restored(task, assignment);
    if (readings.size > 0) await this.#read(readings, signal, restored);
  }

  /** Answered only when no transaction is open that has offsets of these partitions: `require_stable`. */
  async #learnOffsets(tasks: readonly Task[], signal: AbortSignal): Promise<void> {
    const partitions = tasks.flatMap((task) => [...task.partitions]);
    const committed = await this.#host
      .native()
      .committed(partitions.map(topicPartitionOf), committedTimeoutMs);
    for (const task of tasks) {
      const own = committed.filter(({ partition }) => partition === task.number);
      const known = own.map(({ metadata }) => parseMetadata(metadata));
      task.state.learnTime(Math.max(-1, ...known.map(({ streamTime }) => streamTime)));
      task.isMarked = this.#isMarked(known.map(({ assignedBy }) => assignedBy));
    }
    const fresh = partitions.filter((partition, index) => {
      const offset = committed[index]?.offset ?? -1;
      if (offset >= 0 && partition.committed === undefined) partition.committedAt(offset);
      return offset < 0 && partition.committable === undefined && !partition.seeking;
    });
    if (fresh.length === 0) return;
    // A transaction without records needs an offset to commit all the same: the one that the partition starts at.
    const starts = await this.#offsetsAt(fresh.map(topicPartitionOf), logStart, signal);
    fresh.forEach((partition, index) => {
      if (partition.committable === undefined && !partition.seeking) partition.beginAt(starts[index] ?? 0);
    });
  }

  /** @throws `ConfigError` where another member assigns tasks by another topic, so that this one would not be the only owner */
  #isMarked(names: readonly (string | undefined)[]): boolean {
    const { assignedBy, groupId } = this.#host;
    const used = assignedBy();
    const other = names.find((name) => name !== undefined && name !== used?.name && !used?.former.has(name));
    if (used !== undefined && other !== undefined)
      throw new ConfigError(
        "topics",
        `other members of group ${groupId} began at the same time with their topics in another order, and tasks go with the partitions of ${other} there, and of ${used.name} here: start this one again`,
      );
    return names.every((name) => name === used?.name);
  }

  /** Before the first task of a new group is delivered. @throws `ConfigError` as `checkOthers` does */
  async #checkOthers(isOver: () => boolean, signal: AbortSignal): Promise<void> {
    const { assignedBy, config, groupId, native } = this.#host;
    const used = assignedBy();
    // The embedded cluster describes no groups.
    if (used?.isNew !== true || used === this.#checked || isEmbedded(config.brokers)) return;
    const admin = await this.#connected(signal);
    const isTold = await checkOthers(admin, groupId, used, native(), isOver, signal);
    if (isOver()) return;
    if (!isTold)
      config.logger.warn(
        "whether another member began with other topics is not known: the group did not tell",
        {
          groupId,
        },
      );
    this.#checked = used;
  }

  async #plan(
    assignments: readonly { readonly task: Task; readonly assignment: AbortSignal }[],
    signal: AbortSignal,
  ): Promise<Map<string, Reading>> {
    const wanted = assignments.flatMap(({ task, assignment }) =>
      [...task.state.stores].map((state) => ({ task, assignment, state })),
    );
    const changelogs = wanted.map(({ task, state }) => ({ topic: state.changelog, partition: task.number }));
    const endedAt = Date.now();
    const ends = await unlessAborted(this.#host.proveEnds(changelogs), signal);
    const hasSome = wanted.some(({ state }) => state.store.piece.position > 0);
    const starts = hasSome ? await this.#offsetsAt(changelogs, logStart, signal) : [];
    const readings = new Map<string, Reading>();
    for (const [index, { task, assignment, state }] of wanted.entries()) {
      // A piece on disk may be in the hands of a later assignment.
      if (assignment.aborted) continue;
      const { piece } = state.store;
      const to = ends[index];
      // Without an end the store would begin empty.
      if (to === undefined)
        throw new KafkaError("TIMEOUT", `the end of ${state.changelog}[${task.number}] is not known`);
      const doubt = doubtOf(piece, { start: starts[index] ?? 0, end: to, now: endedAt });
      if (doubt !== undefined && piece.position > 0)
        this.#host.config.logger.warn(`a store is restored from the beginning of its changelog: ${doubt}`, {
          groupId: this.#host.groupId,
          store: state.name,
          partition: task.number,
        });
      if (doubt !== undefined) await piece.clear();
      const from = piece.position;
      if (to > from)
        readings.set(partitionId(state.changelog, task.number), {
          task,
          assignment,
          state,
          from,
          to,
          endedAt,
          currentAt: from === 0 ? endedAt : piece.currentAt,
          watched: undefined,
          entries: 0,
          toldAt: 0,
        });
    }
    return readings;
  }

  /** The ends or starts of logs, records of open transactions included. */
  async #offsetsAt(
    partitions: readonly TopicPartition[],
    time: typeof logEnd | typeof logStart,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const admin = await this.#connected(signal);
    const outcomes = await admin.offsetsAt(
      partitions.map((partition) => ({ ...partition, time })),
      "read_uncommitted",
      endsTimeoutMs,
    );
    return partitions.map(({ topic, partition }) => {
      const outcome = outcomes.find((each) => each.topic === topic && each.partition === partition);
      if (outcome?.error !== undefined) throw outcome.error;
      if (outcome?.offset === undefined)
        throw new KafkaError(
          "TIMEOUT",
          `the brokers did not tell an offset of ${partitionId(topic, partition)}`,
        );
      return outcome.offset;
    });
  }

  async #connected(signal: AbortSignal): Promise<NativeAdmin> {
    if (this.#admin !== undefined) return this.#admin;
    const admin = new NativeAdmin(this.#host.config, () => {
      this.#admin = undefined;
    });
    await admin.connect(signal);
    this.#admin = admin;
    return admin;
  }

  async #read(
    readings: Map<string, Reading>,
    signal: AbortSignal,
    restored: (task: Task, assignment: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const all = [...readings.values()];
    const topics = [...new Set(all.map(({ state }) => state.changelog))];
    const from: NativeOffset[] = all.map(({ state, task, from: offset }) => ({
      topic: state.changelog,
      partition: task.number,
      offset,
    }));
    const source = new LogSource(
      this.#host.config,
      topics,
      resolveReadOptions({ from, follow: true, partitions: from.map(topicPartitionOf) }, topics),
    );
    const order = new ArrivalOrder();
    const abort = (): void => {
      void source.close(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    for (const reading of all) reading.watched = this.#watch(reading);
    const stalled = setTimeout(() => {
      const ids = [...readings.keys()].join(", ");
      void source.close(
        new KafkaError("TIMEOUT", `nothing of ${ids} has come for ${stalledMs} ms, although there is more`),
      );
    }, stalledMs);
    try {
      await source.start();
      let before: number | undefined;
      while (readings.size > 0) {
        const position = source.partitions.reduce((sum, each) => sum + each.position, 0);
        if (position !== before) stalled.refresh();
        before = position;
        await this.#apply(order, readings);
        for (const { topic, partition, position } of source.partitions)
          await this.#reached(partitionId(topic, partition), position, readings, restored);
        if (readings.size > 0) await source.fetchInto(order);
      }
    } catch (error) {
      for (const { watched, entries } of readings.values())
        watched?.end(
          signal.aborted ? { entries, outcome: "stopped" } : { entries, outcome: "failed", error },
        );
      throw error;
    } finally {
      clearTimeout(stalled);
      signal.removeEventListener("abort", abort);
      await source.close(new KafkaError("CLOSED", "the stores are restored"));
    }
  }

  #watch({ state, task, from, to }: Reading): WatchedOperation<RestoreEnded> | undefined {
    const { config, groupId } = this.#host;
    return config.telemetry?.onStoreRestore({
      groupId,
      store: state.name,
      partition: task.number,
      total: to - from,
    });
  }

  async #apply(order: ArrivalOrder, readings: ReadonlyMap<string, Reading>): Promise<void> {
    const batches = new Map<Reading, RawRecord[]>();
    let last: RawRecord | undefined;
    let reading: Reading | undefined;
    let batch: RawRecord[] = [];
    for (let raw = order.take(); raw !== undefined; raw = order.take()) {
      // Most follow one of their partition.
      if (last?.partition !== raw.partition || last.topic !== raw.topic) {
        reading = readings.get(partitionId(raw.topic, raw.partition));
        batch = (reading && batches.get(reading)) ?? [];
        if (reading !== undefined) batches.set(reading, batch);
      }
      last = raw;
      if (reading === undefined || raw.offset >= reading.to) continue;
      if (raw.keySize === undefined && raw.key === null) this.#hasNoKey(raw);
      else batch.push(raw);
    }
    for (const [each, records] of batches) {
      const { state, assignment, currentAt } = each;
      each.entries += records.length;
      // Whoever has the piece now may be ahead of these records.
      if (assignment.aborted) continue;
      const end = records.at(-1);
      const applying = end && state.store.piece.restore(records, { position: end.offset + 1, currentAt });
      if (applying !== undefined) await applying;
    }
  }

  /** A changelog is read up to `position`. */
  async #reached(
    id: string,
    position: number,
    readings: Map<string, Reading>,
    restored: (task: Task, assignment: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const reading = readings.get(id);
    if (reading === undefined) return;
    const { task, assignment, state, from, to, watched } = reading;
    if (assignment.aborted) {
      readings.delete(id);
      watched?.end({ entries: reading.entries, outcome: "stopped" });
      return;
    }
    const isDone = position >= to;
    const now = performance.now();
    if (isDone || now - reading.toldAt >= progressEveryMs) {
      reading.toldAt = now;
      const done = Math.min(position, to) - from;
      this.#host.onProgress({ store: state.name, partition: task.number, done, total: to - from });
    }
    if (!isDone) return;
    // A process that was frozen meanwhile: tombstones may have gone that it has not read.
    if (isTooOld(reading.currentAt, Date.now())) {
      await state.store.piece.clear();
      throw new KafkaError("TIMEOUT", `${id} was read for longer than tombstones are kept`);
    }
    readings.delete(id);
    watched?.end({ entries: reading.entries, outcome: "restored" });
    await state.store.piece.apply([], { position: to, currentAt: reading.endedAt });
    if (!isRead(task, readings)) await restored(task, assignment);
  }

  #hasNoKey({ topic, partition, offset }: RawRecord): void {
    this.#host.config.logger.warn(
      "a record of a changelog has no key, so no store wrote it; it is passed over",
      { topic, partition, offset },
    );
  }
}

/** Why a piece is no beginning to read on from; `undefined` where it is one. */
export function doubtOf(
  { position, currentAt }: Pick<Piece, "position" | "currentAt">,
  { start, end, now }: { readonly start: number; readonly end: number; readonly now: number },
): string | undefined {
  if (position === 0) return "there is nothing to read on from";
  if (position > end) return "it has more than the changelog, which has lost its end";
  if (position === end) return undefined;
  if (position < start) return "the changelog begins behind it";
  // A key that was deleted since has lost its tombstone by now.
  if (isTooOld(currentAt, now)) return "it is older than the changelog keeps tombstones";
  return undefined;
}

function isTooOld(currentAt: number, now: number): boolean {
  return now - currentAt > tombstonesKeptMs;
}

/** Whether a changelog of the task is still being read. */
function isRead(task: Task, readings: ReadonlyMap<string, Reading>): boolean {
  for (const reading of readings.values()) if (reading.task === task) return true;
  return false;
}
