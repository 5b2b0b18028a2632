import { randomUUID } from "node:crypto";
import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { ClosedError, type KafkaError, ProducerFencedError } from "../errors.js";
import { retryTransactionalIdPrefix } from "../failure/topic-names.js";
import type { EncodedRecord } from "../record.js";
import { deferred, type Deferred, sleep } from "../waiting.js";
import { resolveProducerOptions } from "../producer/options.js";
import { SendCall } from "../producer/send-call.js";
import { Sender } from "../producer/sender.js";
import { resolveTransactionOptions } from "./transaction-options.js";
import { TransactionFailure } from "./transaction-failure.js";
import { TransactionRunner } from "./transaction-runner.js";

/** Records that fail at the same time share a transaction, up to so many. */
const maxMoves = 500;
/** What a crash leaves open holds readers of the retry topics up for as long. */
const transactionTimeoutMs = 10_000;
const giveUpAfterMs = 60_000;
const committedTimeoutMs = 5_000;
const longestPauseMs = 1_000;
const closeTimeoutMs = 5_000;
/** A dead letter is larger than what failed: its limit is the topic's. */
const maxRecordBytes = 100_000_000;

/** Writes records that are bytes already, each acknowledged by all in-sync replicas. */
export class RecordMover {
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

/** A record to be written, and the offset that is to be committed with it. */
interface RecordMove {
  readonly topic: string;
  readonly record: EncodedRecord;
  readonly offset: NativeOffset;
  readonly consumer: NativeConsumer;
  /** Whether the offset may still be committed by this member. */
  readonly isOurs: () => boolean;
}

interface Waiting extends RecordMove {
  readonly done: Deferred<boolean>;
}

/**
 * Writes records in transactions with the offsets of what they were made from: both, or neither. One
 * transaction at a time; what comes meanwhile shares the next one. Its name is one of its own unless the
 * member has a lasting one: a zombie's transactions are refused by the group, whose generation they carry.
 */
export class TransactionalRecordMover {
  readonly #runner: TransactionRunner;
  readonly #closing = new AbortController();
  #waiting: Waiting[] = [];
  #isWorking = false;
  #whenIdle: (() => void) | undefined;

  /** @param name - of the member, where it has one that outlives restarts */
  constructor(config: ClientConfig, groupId: string, name: string | undefined) {
    const transactionalId = `${retryTransactionalIdPrefix(groupId)}${name ?? randomUUID()}`;
    const options = { transactionalId, transactionTimeoutMs, lingerMs: 0 };
    this.#runner = new TransactionRunner(config, resolveTransactionOptions(options, config.properties));
  }

  /** Resolves to whether it was written: `false` where `isOurs` said no. */
  write = (move: RecordMove): Promise<boolean> => {
    const done = deferred<boolean>();
    this.#waiting.push({ ...move, done });
    if (!this.#isWorking) void this.#work();
    return done.promise;
  };

  /** Lets the transaction under way end, within a limit. */
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
    const deadline = Date.now() + giveUpAfterMs;
    let moves = all;
    for (let attempt = 0; ; attempt += 1) {
      moves = moves.filter((move) => {
        const isOurs = move.isOurs();
        if (!isOurs) move.done.resolve(false);
        return isOurs;
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
        await sleep(Math.min(50 * 2 ** Math.min(attempt, 8), longestPauseMs), this.#closing.signal);
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
      () => (moves.every(({ isOurs }) => isOurs()) ? undefined : "a partition"),
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
    if (remedy === "stop" || Date.now() >= deadline) throw failure;
    if (failure.call !== "commit" || remedy === "abort") return moves;
    // Whether it was committed is not known. Its start ends the transaction either way, and then the
    // group's offsets tell.
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
    "another live consumer has the same groupInstanceId, and writes to the retry topics in this one's place",
    { cause, nativeCode: cause.nativeCode },
  );
}
