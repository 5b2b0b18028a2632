import { isTransient } from "../driver/native-errors.js";
import type { NativeConsumer } from "../driver/native-consumer.js";
import type { OffsetLost } from "../driver/log-findings.js";
import { KafkaError } from "../errors.js";
import type { Logger } from "../logger.js";
import { topicPartitionOf } from "../offsets.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import { backoff, sleep } from "../waiting.js";
import type { Assignment } from "./assignment.js";
import type { Moves } from "./moves.js";
import { describeReset, type LogRange, type OffsetReset, resetAfter, resetOf } from "./offset-reset.js";
import type { ResolvedConsumerOptions } from "./options.js";
import type { OwnedPartition } from "./owned-partition.js";

const questionTimeoutMs = 5_000;
const pauseMs = backoff(100, 1_000);
/** How often to look whether what was taken before a move is finished and committed. */
const settlePauseMs = 20;
/** How late it may be told that an offset of a topic is lost that was made again. */
const lateMs = 5_000;

/** What resets need of their session. */
export interface OffsetResetHost {
  readonly native: Pick<NativeConsumer, "watermarks">;
  readonly options: Pick<ResolvedConsumerOptions, "groupId" | "onOffsetOutOfRange">;
  readonly assignment: Assignment<OwnedPartition>;
  readonly moves: Pick<Moves, "move">;
  readonly logger: Logger;
  readonly telemetry: Pick<ClientTelemetry, "onOffsetReset"> | undefined;
  /** The partition begins anew, and the group is to go on from there. */
  readonly onRestarted: (partition: OwnedPartition) => void;
  /** Records of the partition may be delivered again. */
  readonly onRecords: (partition: OwnedPartition) => void;
  /** The member cannot go on. */
  readonly onError: (error: unknown) => void;
}

/**
 * What happens in partitions whose log does not have the next offset: retention has overtaken the group, the log ends
 * before it, or the topic was deleted and made again. The native client goes on at the first record by itself
 * (`auto.offset.reset`), unless that is to fail; everything else is done here, and it is told.
 */
export class OffsetResets {
  readonly #host: OffsetResetHost;
  readonly #recreated = new Set<string>();
  /**
   * When partitions began anew, `Infinity` while they are about to: an offset of the old topic is lost in the new one,
   * and means nothing.
   */
  readonly #begunAnewAt = new WeakMap<OwnedPartition, number>();
  /** Topics that were made again while nothing of them was assigned: what becomes of their partitions is not told yet. */
  readonly #untold = new Set<string>();

  constructor(host: OffsetResetHost) {
    this.#host = host;
  }

  /** Whether the topic was made again while this member was in the group: all of it has come since. */
  isRecreated(topic: string): boolean {
    return this.#recreated.has(topic);
  }

  /** The log of a partition does not have the next offset. */
  lost(lost: OffsetLost): void {
    const partition = this.#host.assignment.get(lost.topic, lost.partition);
    if (partition !== undefined) this.#whileHeld(partition, () => this.#outOfRange(partition, lost));
  }

  /** The topic was deleted and made again: its partitions begin with their first records. */
  recreated(topic: string): void {
    const { assignment, logger, options } = this.#host;
    this.#recreated.add(topic);
    const assigned = [...assignment].filter((partition) => partition.topic === topic);
    logger.warn(
      `${topic}: the topic was deleted and made again; group ${options.groupId} begins the new one at its first records`,
      { groupId: options.groupId, topic, partitions: assigned.map(({ partition }) => partition) },
    );
    if (assigned.length === 0) this.#untold.add(topic);
    for (const partition of assigned) this.#whileHeld(partition, () => this.#beginAnew(partition));
  }

  /** New partitions. Where their topic was made again after the group had revoked them, that is told. */
  assigned(partitions: readonly OwnedPartition[]): void {
    const { onError } = this.#host;
    for (const partition of partitions)
      if (this.#untold.has(partition.topic)) void this.#tellAnew(partition).catch(onError);
    for (const { topic } of partitions) this.#untold.delete(topic);
  }

  /** Nothing of the partition is delivered until `work` has ended: what is fetched meanwhile may be what is to be passed over. */
  #whileHeld(partition: OwnedPartition, work: () => Promise<void>): void {
    partition.hold();
    void work()
      .catch(this.#host.onError)
      .finally(() => {
        partition.unhold();
        this.#host.onRecords(partition);
      });
  }

  async #outOfRange(partition: OwnedPartition, { offset, truncatedAt }: OffsetLost): Promise<void> {
    const { moves, options } = this.#host;
    const { moves: movesBefore } = partition;
    // What is amiss after another move is told anew.
    const isOver = (): boolean =>
      partition.releasing || partition.moves !== movesBefore || this.#mayBeOfOldTopic(partition);
    const range = await this.#rangeOf(partition, isOver);
    if (range === undefined || isOver()) return;
    const policy = options.onOffsetOutOfRange;
    if (policy === "fail") throw this.#failure(partition, resetAfter(offset, range, truncatedAt), range);
    const reset = resetOf(offset, range, policy);
    if (reset === undefined) {
      // It is in the log again; the native client went to the first record meanwhile.
      await settle(partition, isOver);
      if (!isOver()) await moves.move(partition, offset, "seek");
    } else if (reset.reason === "retention" && policy === "earliest") {
      // What was fetched before the gap is delivered, and what the native client goes on with behind it.
      this.#tell(partition, reset);
    } else {
      await settle(partition, isOver);
      if (!isOver()) await this.#restart(partition, reset);
    }
  }

  /**
   * What is in flight of the old topic is not waited for: its offsets must not be committed for the new one.
   */
  async #beginAnew(partition: OwnedPartition): Promise<void> {
    this.#begunAnewAt.set(partition, Infinity);
    const range = await this.#rangeOf(partition, () => partition.releasing);
    if (range === undefined) return;
    const reason = "topic-recreated";
    await this.#restart(partition, { reason, expected: partition.position, offset: range.low, gone: 0 });
    this.#begunAnewAt.set(partition, performance.now());
  }

  #mayBeOfOldTopic(partition: OwnedPartition): boolean {
    const begunAt = this.#begunAnewAt.get(partition);
    return begunAt !== undefined && performance.now() - begunAt < lateMs;
  }

  async #tellAnew(partition: OwnedPartition): Promise<void> {
    const range = await this.#rangeOf(partition, () => partition.releasing);
    const reason = "topic-recreated";
    if (range !== undefined)
      this.#tell(partition, { reason, expected: undefined, offset: range.low, gone: 0 });
  }

  async #restart(partition: OwnedPartition, reset: OffsetReset): Promise<void> {
    this.#tell(partition, reset);
    await this.#host.moves.move(partition, reset.offset, "restart");
    if (!partition.releasing) this.#host.onRestarted(partition);
  }

  #tell(partition: OwnedPartition, reset: OffsetReset): void {
    const { logger, options, telemetry } = this.#host;
    const event = { groupId: options.groupId, ...topicPartitionOf(partition), ...reset };
    const what = describeReset(reset, partition, options.groupId);
    logger.warn(`${what}; it goes on at ${reset.offset}`, { ...event });
    telemetry?.onOffsetReset(event);
  }

  /** The range of the log, asked for until a broker tells it; `undefined` where it is over before. */
  async #rangeOf(partition: OwnedPartition, isOver: () => boolean): Promise<LogRange | undefined> {
    for (let attempt = 0; !isOver(); attempt += 1) {
      try {
        return await this.#host.native.watermarks(topicPartitionOf(partition), questionTimeoutMs);
      } catch (error) {
        if (!isTransient(error)) throw error;
        await sleep(pauseMs(attempt));
      }
    }
    return undefined;
  }

  #failure(partition: OwnedPartition, reset: OffsetReset, { low, high }: LogRange): KafkaError {
    const { groupId } = this.#host.options;
    return new KafkaError(
      "OFFSET_OUT_OF_RANGE",
      `${describeReset(reset, partition, groupId)}. The log has offsets ${low} to ${high}. ` +
        'Move the group with `admin.resetOffsets`, or set onOffsetOutOfRange to "earliest" or "latest"',
      { ...topicPartitionOf(partition), offset: reset.expected, groupId },
    );
  }
}

/** Waits until what was taken is finished and committed: it is not delivered again after a move. */
async function settle(partition: OwnedPartition, isOver: () => boolean): Promise<void> {
  while (!partition.settled && !isOver()) await sleep(settlePauseMs);
}
