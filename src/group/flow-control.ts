import type { NativeConsumer } from "../driver/native-consumer.js";
import type { OwnedPartition } from "./owned-partition.js";
import type { FetchedRecords } from "./record-queue.js";

const maxFetch = 1_000;
const maxFetchBytes = 4 * 2 ** 20;
/** A partition with this many records waiting is full. */
const defaultMaxWaiting = 2_000;
/** A partition this full, in parts of its share, takes more records again. */
const capacityAt = 0.25;
/** Polling while full brings a few records more: a partition this full is paused natively, lest they add up. */
const overfullAt = 1.25;
/** How many records wait at most while every handler is at work, of all partitions together. */
const enoughForBusy = 1_000;
/** How many records are fetched at a time while every handler is at work: building a thousand would hold all of them up for milliseconds. */
const busyFetch = 100;
/** How long a partition whose log goes on may have no records until it is fetched for although others wait, in milliseconds. */
const patienceMs = 2_000;
/** How long such a partition has to give what it has, in milliseconds. */
const turnMs = 2_000;
/** How long after an assignment an error of a partition is looked out for, whatever the others bring, in milliseconds. */
const firstAnswerMs = 5_000;
/** After so long the partitions that have answered are held back for the answers of the others, in milliseconds. */
const lateAnswerMs = 100;
/** How long the partitions that have answered are held back at most, in milliseconds: the others' broker may be away. */
const heldBackMs = 900;

/** What of the native consumer the flow depends on. */
export type FlowSource = Pick<NativeConsumer, "knownEnd" | "pause" | "resume"> &
  Partial<Pick<NativeConsumer, "tellsEverything">>;

/**
 * Decides whether to fetch. Memory is bounded by partition: a full one is paused natively only while
 * another one has nothing to do, because pausing throws away what was fetched ahead.
 */
export class FlowControl {
  readonly #maxBufferBytes: number;
  readonly #isBusy: () => boolean;
  #maxWaiting = defaultMaxWaiting;
  #partitionBytes: number;
  #recordBytes = 1_000;
  #full = false;
  /** How many records to ask for at most. */
  #maxFetch = maxFetch;
  /** Handlers are at work and have enough: how many more they take before the next fetch. */
  #untilFew: number | undefined;
  /** Since when partitions have had nothing, and how far they had come. */
  readonly #emptyAt = new WeakMap<
    OwnedPartition,
    { readonly position: number | undefined; readonly since: number }
  >();
  /** Where partitions gave nothing although their log goes on: behind the last record are markers of transactions. */
  readonly #barren = new WeakMap<OwnedPartition, FetchProgress>();
  /** Partitions of which no broker has said anything yet, and until when that matters. */
  readonly #unanswered = new Map<OwnedPartition, number>();
  #lateFrom = 0;

  /** `isBusy`: whether every handler is at work, so that what is fetched now would only wait. */
  constructor(maxBufferBytes: number, isBusy: () => boolean = () => false) {
    this.#maxBufferBytes = maxBufferBytes;
    this.#isBusy = isBusy;
    this.#partitionBytes = maxBufferBytes;
  }

  /** Whether there was enough of some partition, or of all together, when last looked at. */
  get isFull(): boolean {
    return this.#full;
  }

  /** So many records of one partition are wanted at a time. */
  prepareFor(maxRecords: number): void {
    this.#maxWaiting = Math.max(defaultMaxWaiting, 2 * maxRecords);
  }

  /** Shares the memory out among so many partitions. */
  share(partitions: number): void {
    this.#partitionBytes = this.#maxBufferBytes / Math.max(1, partitions);
  }

  /** New partitions, whose first answer may be an error. */
  watch(partitions: readonly OwnedPartition[], now: number): void {
    for (const partition of partitions) this.#unanswered.set(partition, now + firstAnswerMs);
    this.#lateFrom = now + lateAnswerMs;
  }

  /** How many records to ask for, so that large ones do not come a thousand at a time. */
  fetchSize(source: FlowSource, now: number): number {
    // An error that comes behind records is not told, and some are told once only: one at a time there is
    // nothing for it to be behind of. That is over with the first answers, within milliseconds.
    if (this.#isLookingOut(source, now)) return 1;
    return Math.max(
      1,
      Math.min(this.#maxFetch, Math.floor(Math.min(maxFetchBytes, this.#partitionBytes) / this.#recordBytes)),
    );
  }

  learn(records: FetchedRecords): void {
    if (records.length === 0) return;
    let bytes = 0;
    for (const record of records) bytes += record?.size ?? 0;
    this.#recordBytes = 0.8 * this.#recordBytes + 0.2 * Math.max(1, bytes / records.length);
  }

  /** A record of this partition was taken: whether the loop has waited for that. */
  waitsFor(partition: OwnedPartition): boolean {
    if (!this.#full) return false;
    if (this.#untilFew === undefined) return this.#hasCapacity(partition);
    this.#untilFew -= 1;
    return this.#untilFew <= 0 || partition.queue.length === 0;
  }

  /** Whether so much of the partition is waiting that no more of it is fetched. */
  fills({ queue }: OwnedPartition): boolean {
    return queue.length >= this.#maxWaiting || queue.bytes >= this.#partitionBytes;
  }

  /** Whether to fetch now. Pauses and resumes partitions natively as a side effect. */
  wantsMore(partitions: Iterable<OwnedPartition>, source: FlowSource, now: number): boolean {
    const wanted = [...partitions].filter((partition) => partition.wanted);
    const full: OwnedPartition[] = [];
    const answered: OwnedPartition[] = [];
    const isLate =
      now >= this.#lateFrom && now < this.#lateFrom + heldBackMs && this.#isLookingOut(source, now);
    let waiting = 0;
    for (const partition of wanted) {
      if (partition.open) waiting += partition.queue.length;
      if (isLate && source.knownEnd(partition) !== undefined) {
        answered.push(partition);
        continue;
      }
      if (this.#hasCapacity(partition)) this.resume(partition, source);
      if (this.fills(partition)) full.push(partition);
    }
    // A single large batch of theirs may stand in front of the others' first answers: a hundred thousand
    // small records, where they are compressed.
    this.pause(answered, source);
    const isBusy = this.#isBusy();
    const missing = enoughForBusy - waiting;
    this.#maxFetch = isBusy ? Math.max(busyFetch, missing) : maxFetch;
    const hasEnough = isBusy && missing <= 0;
    this.#untilFew = undefined;
    this.#full = hasEnough || full.length > 0;
    if (!this.#full) return true;
    const { isStarving, isHungry } = this.#needsOf(wanted, source, now);
    // Beyond what keeps the handlers going, records cost less memory and less work in the native queue.
    if (hasEnough && !isHungry) {
      this.#untilFew = busyFetch - missing;
      return false;
    }
    this.#full = full.length > 0;
    if (!this.#full) return true;
    if (!isStarving) return false;
    this.pause(full, source);
    return true;
  }

  /** Call before polling in spite of a `wantsMore` that said no. */
  capPolling(partitions: Iterable<OwnedPartition>, source: FlowSource): void {
    this.pause(
      [...partitions].filter(
        ({ wanted, queue }) =>
          wanted &&
          (queue.length >= this.#maxWaiting * overfullAt || queue.bytes >= this.#partitionBytes * overfullAt),
      ),
      source,
    );
  }

  /** Nothing of these is fetched until they are `wanted`, and have capacity. */
  pause(partitions: readonly OwnedPartition[], source: FlowSource): void {
    const toPause = partitions.filter(({ pausedNatively }) => !pausedNatively);
    for (const partition of toPause) partition.pauseFetching();
    source.pause(toPause);
  }

  /** A partition that was paused is `wanted` now: it is not to wait for the next look. */
  resume(partition: OwnedPartition, source: FlowSource): void {
    if (!partition.pausedNatively || !partition.wanted) return;
    partition.resumeFetching();
    source.resume([partition]);
  }

  /** Whether some partition could do with more records (starving), and whether one has had none for too long (hungry). */
  #needsOf(
    partitions: readonly OwnedPartition[],
    source: FlowSource,
    now: number,
  ): { readonly isStarving: boolean; readonly isHungry: boolean } {
    let isStarving = false;
    let isHungry = false;
    for (const partition of partitions) {
      if (partition.held || !this.#hasCapacity(partition)) continue;
      const progress = { position: partition.position, end: source.knownEnd(partition) };
      if (!this.#hasMore(partition, progress)) continue;
      isStarving = true;
      if (partition.queue.length > 0) continue;
      const seen = this.#emptyAt.get(partition);
      const since = seen?.position === progress.position ? (seen?.since ?? now) : now;
      this.#emptyAt.set(partition, { position: progress.position, since });
      if (now - since >= patienceMs) isHungry = true;
      // It has had its time, and nothing came: what its log ends with is no record to deliver.
      if (now - since >= patienceMs + turnMs) this.#barren.set(partition, progress);
    }
    return { isStarving, isHungry };
  }

  /** Whether the log goes on beyond what was fetched, as far as the native client knows. */
  #hasMore(partition: OwnedPartition, { position, end }: FetchProgress): boolean {
    const barren = this.#barren.get(partition);
    if (barren !== undefined && barren.position === position && barren.end === end) return false;
    return position === undefined || end === undefined || end > position;
  }

  #hasCapacity({ queue }: OwnedPartition): boolean {
    return queue.length <= this.#maxWaiting * capacityAt && queue.bytes <= this.#partitionBytes * capacityAt;
  }

  #isLookingOut(source: FlowSource, now: number): boolean {
    if (source.tellsEverything === true) return false;
    for (const [partition, until] of this.#unanswered) {
      if (partition.wanted && now < until && source.knownEnd(partition) === undefined) return true;
      this.#unanswered.delete(partition);
    }
    return false;
  }
}

/** How far a partition was fetched, and how far its log goes. */
interface FetchProgress {
  readonly position: number | undefined;
  readonly end: number | undefined;
}
