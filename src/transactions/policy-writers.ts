import { randomUUID } from "node:crypto";
import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { ClosedError, type KafkaError, ProducerFencedError } from "../errors.js";
import { retryTransactionalIdPrefix } from "../failure/topic-names.js";
import type { EncodedRecord } from "../record.js";
import { backoff, deferred, type Deferred, sleep } from "../waiting.js";
import { resolveProducerOptions } from "../producer/options.js";
import { SendCall } from "../producer/send-call.js";
import { Sender } from "../producer/sender.js";
import { resolveTransactionOptions } from "./transaction-options.js";
import { TransactionFailure } from "./transaction-failure.js";
import { TransactionRunner } from "./transaction-runner.js";

/** How many records that fail at the same time may share a transaction. */
const maxMoves = 500;
/** How long a transaction that a crash leaves open holds up readers of the retry topics, in milliseconds. */
const transactionTimeoutMs = 10_000;
/** How long a record is tried to be written before its failure stops the consumer, in milliseconds. */
const giveUpAfterMs = 60_000;
const committedTimeoutMs = 5_000;
const pauseMs = backoff(50, 1_000);
const closeTimeoutMs = 5_000;
/** A dead letter is larger than the record that failed, and only its topic limits how large. */
const maxRecordBytes = 100_000_000;

/** Writes records of a failure policy with an idempotent producer, each acknowledged by all in-sync replicas. */
export class ProducerPolicyWriter {
  readonly #sender: Sender;

  constructor(config: ClientConfig) {
    this.#sender = new Sender(config, resolveProducerOptions({ maxRecordBytes }, config.properties));
  }

  write = (topic: string, record: EncodedRecord): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (): void => {
        resolve();
      };
      this.#sender.add(new SendCall(topic, 1, performance.now(), done, reject), [record]);
    });

  close = (): Promise<void> => this.#sender.close(closeTimeoutMs);
}

/** A record to write, and the offset to commit with it. */
interface RecordMove {
  readonly topic: string;
  readonly record: EncodedRecord;
  readonly offset: NativeOffset;
  readonly consumer: NativeConsumer;
  /** Whether the partition is still assigned to this member, so that it may commit the offset. */
  readonly isAssigned: () => boolean;
}

interface Waiting extends RecordMove {
  readonly done: Deferred<boolean>;
}

/**
 * Writes records of a failure policy in transactions with the offsets of the records that failed: both, or neither. One
 * transaction is open at a time; records that fail meanwhile share the next one. The transactional id is random unless
 * the member has a `groupInstanceId`: a zombie needs no fencing by id, because the group refuses the generation that
 * its transactions carry (KIP-447).
 */
export class TransactionPolicyWriter {
  readonly #runner: TransactionRunner;
  readonly #closing = new AbortController();
  #waiting: Waiting[] = [];
  #isWorking = false;
  #whenIdle: (() => void) | undefined;

  /** @param name - the `groupInstanceId`, where the member has one */
  constructor(config: ClientConfig, groupId: string, name: string | undefined) {
    const transactionalId = `${retryTransactionalIdPrefix(groupId)}${name ?? randomUUID()}`;
    const options = { transactionalId, transactionTimeoutMs, lingerMs: 0 };
    this.#runner = new TransactionRunner(config, resolveTransactionOptions(options, config.properties));
  }

  /** Resolves to whether it was written: `false` where the partition was revoked or lost before. */
  write = (move: RecordMove): Promise<boolean> => {
    const done = deferred<boolean>();
    this.#waiting.push({ ...move, done });
    if (!this.#isWorking) void this.#work();
    return done.promise;
  };

  /** Waits up to 5 s for the open transaction to end, then closes its producer. */
  close = async (): Promise<void> => {
    const idle = new Promise<void>((resolve) => {
      if (this.#isWorking) this.#whenIdle = resolve;
      else resolve();
    });
    const stop = new AbortController();
    await Promise.race([idle, sleep(closeTimeoutMs, stop.signal)]);
    stop.abort();
    this.#closing.abort(new ClosedError("the consumer was closed"));
    await this.#runner.whenUnstuck(closeTimeoutMs);
    await this.#runner.close(closeTimeoutMs);
  };

  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#waiting.length > 0) {
      const moves = this.#waiting.splice(0, maxMoves);
      try {
        await this.#write(moves);
      } catch (error) {
        const reason = error instanceof TransactionFailure ? error.error : error;
        for (const { done } of moves) done.reject(reason);
      }
    }
    this.#isWorking = false;
    this.#whenIdle?.();
  }

  async #write(all: readonly Waiting[]): Promise<void> {
    const deadline = performance.now() + giveUpAfterMs;
    let moves = all;
    for (let attempt = 0; ; attempt += 1) {
      moves = moves.filter((move) => {
        const isAssigned = move.isAssigned();
        if (!isAssigned) move.done.resolve(false);
        return isAssigned;
      });
      const [first] = moves;
      if (first === undefined) return;
      try {
        await this.#transact(moves, first.consumer, deadline);
        for (const { done } of moves) done.resolve(true);
        return;
      } catch (error) {
        if (!(error instanceof TransactionFailure)) throw error;
        moves = await this.#afterFailure(error, moves, first.consumer, deadline);
        await sleep(pauseMs(attempt), this.#closing.signal);
      }
    }
  }

  async #transact(moves: readonly Waiting[], consumer: NativeConsumer, deadline: number): Promise<void> {
    if (!this.#runner.isOpen) await this.#open(deadline);
    await this.#runner.begin();
    for (const { topic, record } of moves) this.#runner.send(topic, record);
    await this.#runner.commitWith(
      moves.map(({ offset }) => offset),
      consumer,
      () => (moves.every(({ isAssigned }) => isAssigned()) ? undefined : "a partition"),
    );
  }

  /** Rolls back, or makes a new producer, and returns what is still to be written. */
  async #afterFailure(
    failure: TransactionFailure,
    moves: readonly Waiting[],
    consumer: NativeConsumer,
    deadline: number,
  ): Promise<readonly Waiting[]> {
    const { remedy, cause, isLasting } = await this.#runner.rollBack(failure);
    if (isLasting) throw cause;
    if (remedy === "fenced") throw fencedBy(failure.error);
    if (remedy === "stop" || performance.now() >= deadline) throw failure;
    if (failure.call !== "commit" || remedy === "abort") return moves;
    // Whether the transaction was committed is not known. The next producer's start ends it either way, and then
    // the group's offsets tell.
    await this.#open(deadline);
    return withoutCommitted(moves, consumer);
  }

  async #open(deadline: number): Promise<void> {
    await this.#runner.open(this.#closing.signal, { deadline, isPatient: true });
  }
}

async function withoutCommitted(
  moves: readonly Waiting[],
  consumer: NativeConsumer,
): Promise<readonly Waiting[]> {
  const committed = await consumer.committed(
    moves.map(({ offset: { topic, partition } }) => ({ topic, partition })),
    committedTimeoutMs,
  );
  return moves.filter((move) => {
    const { topic, partition, offset } = move.offset;
    const found = committed.find((each) => each.topic === topic && each.partition === partition);
    if (found === undefined || found.offset < offset) return true;
    move.done.resolve(true);
    return false;
  });
}

function fencedBy(cause: KafkaError): ProducerFencedError {
  return new ProducerFencedError(
    "another live consumer has the same groupInstanceId and has replaced this one; give every instance its own",
    { cause, nativeCode: cause.nativeCode },
  );
}
