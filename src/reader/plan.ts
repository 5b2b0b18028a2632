import type { ReadBound, ResolvedReadOptions } from "./options.js";
import { partitionId, type TopicPartition } from "../offsets.js";
import { ReadPartition } from "./read-partition.js";

/** What the brokers said of the partitions, by {@link partitionId}. */
export interface LogOffsets {
  /** The first offset of the log. */
  readonly start: ReadonlyMap<string, number>;
  /** The offset after the last that may be read: the last stable one under `read_committed`. */
  readonly end: ReadonlyMap<string, number>;
  /** The first offset at or after `from`, where that is a time; -1 where there is none. */
  readonly fromTime: ReadonlyMap<string, number>;
  /** The first offset at or after `to`, where that is a time; -1 where there is none. */
  readonly toTime: ReadonlyMap<string, number>;
}

/** Decides what to read of each partition. Pure. */
export function planRead(
  partitions: readonly TopicPartition[],
  { from, to, follow }: Pick<ResolvedReadOptions, "from" | "to" | "follow">,
  offsets: LogOffsets,
): readonly ReadPartition[] {
  return partitions.map(({ topic, partition }) => {
    const id = partitionId(topic, partition);
    const start = offsets.start.get(id) ?? 0;
    const end = offsets.end.get(id) ?? start;
    const goal = Math.max(start, Math.min(end, boundAt(to, id, offsets.toTime, { start, end })));
    return new ReadPartition({
      topic,
      partition,
      from: Math.max(start, boundAt(from, id, offsets.fromTime, { start, end }, start)),
      to: follow ? Infinity : goal,
      goal,
    });
  });
}

function boundAt(
  bound: ReadBound,
  id: string,
  times: ReadonlyMap<string, number>,
  { start, end }: { readonly start: number; readonly end: number },
  otherwise = end,
): number {
  switch (bound.type) {
    case "earliest":
      return start;
    case "latest":
      return end;
    case "time": {
      const offset = times.get(id) ?? -1;
      return offset < 0 ? end : offset;
    }
    case "offsets":
      return bound.offsets.get(id) ?? otherwise;
  }
}
