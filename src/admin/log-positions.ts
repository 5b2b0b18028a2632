import { checkOneOf } from "../check.js";
import { logEnd, logStart } from "../driver/log-times.js";
import type { NativeAdmin, NativeOffsetOutcome } from "../driver/native-admin.js";
import { ConfigError, KafkaError } from "../errors.js";
import {
  isOffsets,
  partitionId,
  type PartitionOffset,
  resolveOffsets,
  resolveTime,
  type TopicPartition,
} from "../offsets.js";
import { sleep } from "../waiting.js";
import { failTogether } from "./failures.js";

const pauseMs = 100;

/** Offsets by partition, or one time for all partitions. */
export type Destination = readonly PartitionOffset[] | number;

/**
 * What a caller gave as a position in the log of topics.
 *
 * @throws `ConfigError` for none: that is no "latest", which would delete everything, or skip what waits
 */
export function resolveDestination(path: string, names: readonly string[], to: unknown): Destination {
  if (to === undefined) throw new ConfigError(path, "is required");
  if (to instanceof Date) return resolveTime(path, to);
  if (isOffsets(to)) return resolveOffsets(path, to, names);
  return checkOneOf(path, to, ["earliest", "latest"], "latest") === "earliest" ? logStart : logEnd;
}

/** Where positions are in the logs, as their leaders tell it. */
export class LogPositions {
  readonly #native: NativeAdmin;
  readonly #timeoutMs: number;

  constructor(native: NativeAdmin, timeoutMs: number) {
    this.#native = native;
    this.#timeoutMs = timeoutMs;
  }

  /** The first offset at or after a time in each partition; -1 where there is none. */
  async at(partitions: readonly TopicPartition[], time: number): Promise<readonly number[]> {
    const outcomes = await this.#ask(
      partitions.map(({ topic, partition }) => ({ topic, partition, time })),
      this.#timeoutMs,
    );
    const found = new Map(
      (await failTogether("could not be asked", outcomes, offsetOf)).map(({ topic, partition, offset }) => [
        partitionId(topic, partition),
        offset,
      ]),
    );
    return partitions.map(({ topic, partition }) => found.get(partitionId(topic, partition)) ?? -1);
  }

  /** Asks again where a broker has answered what is over soon: of a new topic that it is not the leader yet, or no longer. */
  async #ask(
    wanted: readonly (TopicPartition & { readonly time: number })[],
    timeoutMs: number,
  ): Promise<readonly NativeOffsetOutcome[]> {
    const begun = performance.now();
    const outcomes = await this.#native.offsetsAt(wanted, "read_uncommitted", timeoutMs);
    const failed = outcomes.filter(({ error }) => error !== undefined);
    const left = timeoutMs - (performance.now() - begun) - pauseMs;
    if (failed.length === 0 || left <= 0 || !failed.every(isOverSoon)) return outcomes;
    await sleep(pauseMs);
    const moving = new Set(failed.map(idOf));
    const again = await this.#ask(
      wanted.filter((each) => moving.has(idOf(each))),
      left,
    );
    return [...outcomes.filter((outcome) => !moving.has(idOf(outcome))), ...again];
  }

  /**
   * The offsets that a destination is, in the partitions that it is for.
   *
   * @throws `KafkaError` with code `UNKNOWN_PARTITION`, or `OFFSET_OUT_OF_RANGE`
   */
  async resolve(existing: readonly TopicPartition[], to: Destination): Promise<readonly PartitionOffset[]> {
    const wanted = typeof to === "number" ? existing : to;
    for (const { topic, partition } of wanted) {
      if (!existing.some((of) => of.topic === topic && of.partition === partition))
        throw new KafkaError("UNKNOWN_PARTITION", `${topic}[${partition}]: there is no such partition`, {
          topic,
          partition,
        });
    }
    const starts = await this.at(wanted, logStart);
    const ends = await this.at(wanted, logEnd);
    const found =
      typeof to === "number"
        ? await this.#atTime(wanted, to, { starts, ends })
        : to.map(({ offset }) => offset);
    return wanted.map(({ topic, partition }, index) => {
      const [start = 0, end = 0, offset = -1] = [starts[index], ends[index], found[index]];
      // No record is that young.
      if (offset < 0) return { topic, partition, offset: end };
      // What was written since the end was asked for may be younger than the time; given offsets must be there.
      if (typeof to !== "number" && (offset < start || offset > end))
        throw new KafkaError(
          "OFFSET_OUT_OF_RANGE",
          `${topic}[${partition}]: ${offset} is not in the log, which has ${start} to ${end}`,
          { topic, partition, offset },
        );
      return { topic, partition, offset };
    });
  }

  /** Start and end are not asked for twice: the log may have grown in between. */
  async #atTime(
    partitions: readonly TopicPartition[],
    time: number,
    { starts, ends }: { readonly starts: readonly number[]; readonly ends: readonly number[] },
  ): Promise<readonly number[]> {
    if (time === logStart) return starts;
    return time === logEnd ? ends : this.at(partitions, time);
  }
}

function isOverSoon({ error }: NativeOffsetOutcome): boolean {
  return error?.retriable === true && (error.nativeCode ?? 0) > 0;
}

function idOf({ topic, partition }: TopicPartition): string {
  return partitionId(topic, partition);
}

/** The offset of an outcome. @throws its error */
export function offsetOf({ error, topic, partition, offset }: NativeOffsetOutcome): PartitionOffset {
  if (error !== undefined) throw error;
  return { topic, partition, offset };
}
