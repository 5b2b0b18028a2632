import { isRefusedForGood } from "../driver/error-codes.js";
import { nativeCodes } from "../driver/native-errors.js";
import type { NativeProducer, Refused } from "../driver/native-producer.js";
import type { KafkaError } from "../errors.js";
import { recordError, transactionError } from "../producer/record-errors.js";
import type { EncodedRecord } from "../record.js";
import { sleep } from "../waiting.js";

const queueFullPauseMs = 2;
/** How many records, and bytes of them, are passed to the native client at once. */
const recordsAtOnce = 1_000;
const bytesAtOnce = 1_000_000;
const metadataTimeoutMs = 2_000;
const notTried: Refused = { queued: 0, code: nativeCodes.queueFull };

/** A record on its way into the transaction. */
export interface TransactionRecord {
  readonly topic: string;
  readonly record: EncodedRecord;
}

/** Why a transaction cannot be committed. */
export interface Refusal {
  readonly error: KafkaError;
  /** Whether it would be refused again. */
  readonly isPermanent: boolean;
}

/** Where the records of transactions go, and who knows why they are refused. */
export interface RecordsTarget {
  readonly native: () => NativeProducer | undefined;
  /** Whether it is reported that records were written. */
  readonly areTold: () => boolean;
  /** Why the native client says that the open transaction has failed. */
  readonly reasonOf: (native: NativeProducer) => Promise<KafkaError | undefined>;
}

/**
 * The records of the open transaction on their way into the native queue, those of each topic in order. Those of a turn
 * of the event loop go together; they wait here while the queue is full, and while a topic is looked up. After one is
 * refused nothing more is sent.
 */
export class TransactionRecords {
  readonly #what: string;
  readonly #timeoutMs: number;
  readonly #target: RecordsTarget;
  #backlog: TransactionRecord[] = [];
  #backlogBytes = 0;
  #passDue: NodeJS.Immediate | undefined;
  #draining: Promise<void> | undefined;
  /** Topics that were looked up in this transaction, because the native client took them or a partition for missing. */
  readonly #lookedUp = new Set<string>();
  #refusal: Refusal | undefined;
  /** The native client is being asked why the transaction had failed; it refuses two calls at once. */
  #asking: Promise<void> | undefined;

  /** `timeoutMs` is the transaction's own, which messages name. */
  constructor(what: string, timeoutMs: number, target: RecordsTarget) {
    this.#what = what;
    this.#timeoutMs = timeoutMs;
    this.#target = target;
  }

  /** Whether records wait here because the native queue is full, or a topic is looked up: then wait for `drained`. */
  get isFull(): boolean {
    return this.#draining !== undefined;
  }

  /** Why the transaction cannot be committed, as far as is known: a record that was refused. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Forgets what was refused: it was another native producer's. */
  forget(): void {
    this.#refusal = undefined;
  }

  /** Records of a new transaction follow. Resolves when those of the one before hold nothing up. */
  async begin(): Promise<void> {
    this.#refusal = undefined;
    this.drop();
    this.#lookedUp.clear();
    // What is still emptying the backlog of the one before would go on where it was, in this one's.
    await this.#draining;
  }

  send(topic: string, record: EncodedRecord): void {
    if (this.#refusal !== undefined) return;
    this.#add(topic, record);
    if (this.#draining !== undefined) return;
    if (this.#backlog.length >= recordsAtOnce || this.#backlogBytes >= bytesAtOnce) this.#pass();
    else
      this.#passDue ??= setImmediate(() => {
        this.#pass();
      });
  }

  /** Resolves when the native side has all records, or has said why it takes no more. */
  async drained(): Promise<void> {
    this.#pass();
    await this.#draining;
    if (this.#refusal?.error.nativeCode !== nativeCodes.state) return;
    this.#asking ??= this.#askWhy(this.#refusal).finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  /** Drops what waits here. */
  drop(): void {
    clearImmediate(this.#passDue);
    this.#passDue = undefined;
    this.#backlog = [];
    this.#backlogBytes = 0;
  }

  /** Drops what waits here, and resolves when nothing of it is under way. */
  async dropped(): Promise<void> {
    this.drop();
    await this.#draining;
    await this.#asking;
  }

  /** A record was refused with this code. */
  refused(code: number, topic: string, partition: number | undefined): void {
    const known = this.#refusal?.error;
    // What is refused because the transaction had failed before, or because another record of its batch was
    // refused, does not say why, and whoever says why of the whole transaction does not say which record it was.
    const saysMore =
      known === undefined ||
      (saysNoReason(known.nativeCode) && !saysNoReason(code)) ||
      (known.nativeCode === code && known.topic === undefined);
    if (saysMore) this.#refusal = refusalOf(recordError(code, topic, partition, this.#timeoutMs));
  }

  #add(topic: string, record: EncodedRecord): void {
    this.#backlog.push({ topic, record });
    this.#backlogBytes += record.size;
  }

  #pass(): void {
    if (this.#draining !== undefined) return;
    const wait = this.#passBacklog();
    if (wait !== undefined) this.#draining = this.#drain(wait);
  }

  async #drain(first: Promise<void>): Promise<void> {
    for (let wait: Promise<void> | undefined = first; wait !== undefined; wait = this.#passBacklog())
      await wait;
    this.#draining = undefined;
  }

  /** Passes the backlog to the native client. Gives what to wait for where some of it is left. */
  #passBacklog(): Promise<void> | undefined {
    const backlog = byTopic(this.#backlog);
    this.drop();
    if (this.#refusal !== undefined) return undefined;
    let wait: Promise<void> | undefined;
    for (const [topic, records] of backlog) {
      const refused = wait === undefined ? this.#produce(topic, records) : notTried;
      if (refused === undefined) continue;
      const left = records.slice(refused.queued);
      wait ??= this.#untilTaken(topic, left[0]?.partition, refused.code);
      if (wait === undefined) return undefined;
      for (const record of left) this.#add(topic, record);
    }
    return wait;
  }

  #produce(topic: string, records: readonly EncodedRecord[]): Refused | undefined {
    const native = this.#target.native();
    return native === undefined
      ? { queued: 0, code: nativeCodes.state }
      : native.produce(topic, records, undefined, this.#target.areTold());
  }

  /** What to wait for before a record that was refused is passed again; `undefined` where it is refused for good. */
  #untilTaken(topic: string, partition: number | undefined, code: number): Promise<void> | undefined {
    if (code === nativeCodes.queueFull) return sleep(queueFullPauseMs);
    const native = this.#target.native();
    const mayBeNew = code === nativeCodes.unknownTopic || code === nativeCodes.unknownPartition;
    if (mayBeNew && native !== undefined && !this.#lookedUp.has(topic)) {
      // The native client remembers what was missing until it looks again, and asking makes it look.
      this.#lookedUp.add(topic);
      return native.partitionCount(topic, metadataTimeoutMs).then(
        () => undefined,
        () => undefined,
      );
    }
    this.refused(code, topic, partition);
    return undefined;
  }

  /**
   * A record was refused because the transaction had failed before, of which no report may have come, and for a
   * missing permission none ever comes.
   */
  async #askWhy(known: Refusal): Promise<void> {
    const native = this.#target.native();
    const reason = native && (await this.#target.reasonOf(native));
    // A report may have come meanwhile, which says more.
    if (reason === undefined || this.#refusal !== known) return;
    this.#refusal = refusalOf(transactionError(this.#what, reason, this.#timeoutMs));
  }
}

/** The records of each topic, in their order. */
function byTopic(records: readonly TransactionRecord[]): ReadonlyMap<string, readonly EncodedRecord[]> {
  const byName = new Map<string, EncodedRecord[]>();
  for (const { topic, record } of records) {
    const ofTopic = byName.get(topic);
    if (ofTopic === undefined) byName.set(topic, [record]);
    else ofTopic.push(record);
  }
  return byName;
}

/** Where only "another record of the batch" was refused, no report names it: the same batch would be refused again. */
function refusalOf(error: KafkaError): Refusal {
  const { nativeCode } = error;
  return {
    error,
    isPermanent: isRefusedForGood(nativeCode) || nativeCode === nativeCodes.invalidDifferentRecord,
  };
}

const saysNoReason = (code: number | undefined): boolean =>
  code === nativeCodes.state || code === nativeCodes.invalidDifferentRecord;
