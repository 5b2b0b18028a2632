import { isRefusedForGood } from "../driver/error-codes.js";
import { nativeCodes } from "../driver/native-errors.js";
import { type NativeProducer, queued } from "../driver/native-producer.js";
import type { KafkaError } from "../errors.js";
import { recordError, transactionError } from "../producer/record-errors.js";
import type { EncodedRecord } from "../record.js";
import { sleep } from "../waiting.js";

const queueFullPauseMs = 2;
const metadataTimeoutMs = 2_000;

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
  /** Why the native client says that the open transaction has failed. */
  readonly reasonOf: (native: NativeProducer) => Promise<KafkaError | undefined>;
}

/**
 * The records of the open transaction on their way into the native queue, in order: they wait here while it is
 * full, and while a topic is looked up. After one is refused nothing more is sent.
 */
export class TransactionRecords {
  readonly #what: string;
  readonly #timeoutMs: number;
  readonly #target: RecordsTarget;
  #backlog: TransactionRecord[] = [];
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
    if (this.#draining !== undefined) {
      this.#backlog.push({ topic, record });
      return;
    }
    const wait = this.#pass(topic, record);
    if (wait === undefined) return;
    this.#backlog.push({ topic, record });
    this.#draining = this.#drain(wait);
  }

  /** Resolves when the native side has all records, or has said why it takes no more. */
  async drained(): Promise<void> {
    await this.#draining;
    if (this.#refusal?.error.nativeCode !== nativeCodes.state) return;
    this.#asking ??= this.#askWhy(this.#refusal).finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  /** Drops what waits here. */
  drop(): void {
    this.#backlog = [];
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

  /** What to wait for before it is passed again; `undefined` where the native client has it, or will never have it. */
  #pass(topic: string, record: EncodedRecord): Promise<void> | undefined {
    const native = this.#target.native();
    const code = native?.produce(topic, record, undefined) ?? nativeCodes.state;
    if (code === nativeCodes.queueFull) return sleep(queueFullPauseMs);
    const mayBeNew = code === nativeCodes.unknownTopic || code === nativeCodes.unknownPartition;
    if (mayBeNew && native !== undefined && !this.#lookedUp.has(topic)) {
      // The native client remembers what was missing until it looks again, and asking makes it look.
      this.#lookedUp.add(topic);
      return native.partitionCount(topic, metadataTimeoutMs).then(
        () => undefined,
        () => undefined,
      );
    }
    if (code !== queued) this.refused(code, topic, record.partition);
    return undefined;
  }

  async #drain(first: Promise<void>): Promise<void> {
    let next = 0;
    for (let wait: Promise<void> | undefined = first; wait !== undefined;) {
      await wait;
      wait = undefined;
      for (let item = this.#backlog[next]; item !== undefined; item = this.#backlog[next]) {
        if (this.#refusal === undefined) wait = this.#pass(item.topic, item.record);
        if (wait !== undefined) break;
        next += 1;
      }
    }
    this.#backlog = [];
    this.#draining = undefined;
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
