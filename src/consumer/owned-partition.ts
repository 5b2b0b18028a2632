import type { RawRecord } from "../record.js";
import { OffsetTracker } from "./offset-tracker.js";
import type { TopicPartition } from "./options.js";
import { RecordQueue } from "./record-queue.js";

/** A partition while it is ours: what is fetched, what runs, and what may be committed. */
export class OwnedPartition implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly queue = new RecordQueue();
  /** Aborts when the partition is lost, or when the time to finish politely is over. */
  readonly #abort = new AbortController();
  #tracker = new OffsetTracker();
  #active = 0;
  #whenIdle: (() => void)[] = [];
  /** The offset after the last record fetched; `undefined` before the first. */
  position: number | undefined;
  /** What the group has committed, as far as this member knows. */
  committed: number | undefined;
  /** Counts seeks: the outcome of a commit from before one says nothing about what is committed since. */
  generation = 0;
  /** It is being given up: nothing of it is handed over any more. */
  releasing = false;
  /** Others have it, or may have it: whatever finishes now must not be committed. */
  gone = false;
  /** It moves to another offset as soon as its handlers in flight have finished. */
  seeking = false;
  /** Someone is finding out where to move it to; until then nothing is handed over. */
  holding = 0;
  /** Paused by the user. */
  paused = false;
  /** Paused natively, because too much of it is waiting while other partitions have nothing. */
  held = false;

  constructor({ topic, partition }: TopicPartition) {
    this.topic = topic;
    this.partition = partition;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Handlers in flight. */
  get active(): number {
    return this.#active;
  }

  /** The next offset to commit, `undefined` before the first record is finished. */
  get committable(): number | undefined {
    return this.#tracker.committable;
  }

  /** Whether its records may be handed over. */
  get open(): boolean {
    return !this.releasing && !this.seeking && !this.paused && this.holding === 0;
  }

  /** The next record, which counts as started; `undefined` where there is none to hand over. */
  take(): RawRecord | undefined {
    if (!this.open) return undefined;
    const record = this.queue.shift();
    if (record !== undefined) this.#tracker.start(record.offset);
    return record;
  }

  finish(offset: number): void {
    this.#tracker.finish(offset);
  }

  enter(): void {
    this.#active += 1;
  }

  leave(): void {
    this.#active -= 1;
    if (this.#active > 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when no handler of this partition is in flight. */
  async idle(): Promise<void> {
    if (this.#active === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
    });
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** Begins anew at another offset: what was finished before no longer says what may be committed. */
  moveTo(offset: number): void {
    this.queue.clear();
    this.#tracker = new OffsetTracker();
    this.position = offset;
    this.committed = undefined;
    this.generation += 1;
    this.seeking = false;
  }
}
