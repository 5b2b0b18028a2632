import type { NativeConsumer } from "../driver/native-consumer.js";
import { KafkaError } from "../errors.js";
import { endOfRun } from "../record.js";
import { Bell, Turns } from "../waiting.js";
import type { Assignment } from "./assignment.js";
import type { FetchGate } from "./fetch-gate.js";
import type { FlowControl } from "./flow-control.js";
import type { OwnedPartition } from "./owned-partition.js";
import type { FetchedRecords } from "./record-queue.js";

/** Resets the native poll timer, and finds what no wake-up announced. */
const keepAliveMs = 1_000;
/** How often to look for a commit's outcome while no records are wanted. */
const outcomeMs = 20;
/** Errors that come one upon another must not keep the loop spinning. */
const errorPauseMs = 100;
/** While partitions are full, others may get their first records without any wake-up. */
const fullMs = 100;
/** How long records that are there already are taken before others have a turn, in milliseconds. */
const turnMs = 10;

/** What the loop needs of its session. */
export interface FetchHost {
  readonly native: Pick<NativeConsumer, "fetch" | "knownEnd" | "pause" | "resume">;
  readonly assignment: Assignment<OwnedPartition>;
  readonly flow: FlowControl;
  readonly gate: FetchGate;
  /** Records of the partition have come. */
  readonly onRecords: (partition: OwnedPartition) => void;
  /** The native client has gone back to records that the partition has passed. */
  readonly onGoneBack: (partition: OwnedPartition) => void;
  /** A fetch has failed, or told an error. */
  readonly onError: (error: unknown) => void;
  /** Whether the outcome of a commit is waited for: then it is looked for although no records are wanted. */
  readonly awaitsCommit: () => boolean;
}

interface Arrival {
  readonly epoch: number;
  readonly records?: FetchedRecords;
  readonly error?: unknown;
}

/** Polls the native consumer and puts records into the queues of their partitions. */
export class FetchLoop {
  readonly #host: FetchHost;
  readonly #bell = new Bell();
  readonly #turns = new Turns(turnMs);
  /** Something may be waiting in the native queue. */
  #woken = true;
  #lastFetch = 0;
  #errors = 0;
  #ended = false;

  constructor(host: FetchHost) {
    this.#host = host;
  }

  /** Something is waiting in the native queue, or may be. */
  wake(): void {
    this.#woken = true;
    this.#bell.ring();
  }

  /** There may be memory to fetch into. */
  lookAgain(): void {
    this.#bell.ring();
  }

  end(): void {
    this.#ended = true;
    this.#bell.ring();
  }

  /** Resolves after `end`. */
  async run(): Promise<void> {
    let next: Promise<Arrival> | undefined;
    for (;;) {
      if (next === undefined) {
        const count = await this.#untilWorthFetching();
        if (this.#ended) return;
        // What rang the bell may have begun a change meanwhile.
        if (this.#host.gate.isClosed) continue;
        next = this.#fetch(count);
      }
      const arrival = await next;
      const fetched = arrival.records?.length ?? 0;
      if (arrival.error === undefined) this.#errors = 0;
      else if (++this.#errors > 1) await this.#bell.wait(errorPauseMs);
      // A fetch that found something may have left more behind, and an error behind records is not
      // told. Asking before the records are delivered keeps the native side busy meanwhile.
      if (fetched > 0 || arrival.error !== undefined) this.#woken = true;
      next = fetched > 0 && this.#mayFetch() ? this.#fetch(this.#fetchSize()) : undefined;
      if (this.#turns.isOver) await this.#turns.next();
      this.#accept(arrival);
    }
  }

  /** Resolves to how many records to ask for. */
  async #untilWorthFetching(): Promise<number> {
    const { assignment, flow, gate, native } = this.#host;
    for (;;) {
      if (this.#ended) return 0;
      const now = performance.now();
      if (!gate.isClosed) {
        const wanted = flow.wantsMore(assignment, native, now);
        if (wanted && this.#woken) return this.#fetchSize();
        if (now - this.#lastFetch >= this.#pollEveryMs(wanted)) {
          if (wanted) return this.#fetchSize();
          flow.capPolling(assignment, native);
          return 1;
        }
      }
      const rest = this.#lastFetch + this.#pollEveryMs(!flow.isFull) - now;
      await this.#bell.wait(Math.max(1, flow.isFull ? Math.min(rest, fullMs) : rest));
      this.#turns.begin();
    }
  }

  #pollEveryMs(wanted: boolean): number {
    return !wanted && this.#host.awaitsCommit() ? outcomeMs : keepAliveMs;
  }

  #fetchSize(): number {
    return this.#host.flow.fetchSize(this.#host.native, performance.now());
  }

  #mayFetch(): boolean {
    const { assignment, flow, gate, native } = this.#host;
    return !gate.isClosed && !this.#ended && flow.wantsMore(assignment, native, performance.now());
  }

  async #fetch(count: number): Promise<Arrival> {
    const { assignment, gate, native } = this.#host;
    this.#woken = false;
    this.#lastFetch = performance.now();
    gate.enter();
    const { epoch } = assignment;
    try {
      return { epoch, ...(await native.fetch(count)) };
    } catch (error) {
      return { epoch, error };
    }
  }

  #accept({ epoch, records = [], error }: Arrival): void {
    const { assignment, flow, gate, onError, onGoneBack, onRecords } = this.#host;
    if (error !== undefined) onError(error);
    flow.learn(records);
    let from = 0;
    while (from < records.length) {
      const first = records[from];
      if (first === undefined) break;
      const { topic, partition } = first;
      const to = endOfRun(records, from, first);
      const owned = assignment.ownerAt(topic, partition, epoch);
      if (owned !== undefined && !owned.releasing && !owned.seeking) {
        from = behindPassed(owned, records, from, to);
        if (from < to) owned.receive(records, from, to);
        else onGoneBack(owned);
      } else if (owned === undefined && assignment.get(topic, partition) !== undefined)
        onError(
          new KafkaError("FATAL", `${topic}[${partition}] was fetched across a change of the assignment`),
        );
      from = to;
      if (owned !== undefined) onRecords(owned);
    }
    gate.leave();
  }
}

/** The index of the first record that the partition has not passed, `to` where there is none. */
function behindPassed(partition: OwnedPartition, records: FetchedRecords, from: number, to: number): number {
  let index = from;
  while (index < to && partition.hasPassed(records[index]?.offset ?? Infinity)) index += 1;
  return index;
}
