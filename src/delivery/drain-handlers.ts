import { ClosedError } from "../errors.js";
import type { Logger } from "../logger.js";
import { settlesWithin } from "../waiting.js";
import { type ResolvedConsumerOptions } from "../group/options.js";
import { topicPartitionOf } from "../offsets.js";
import type { OwnedPartition } from "../group/owned-partition.js";

/** How long a handler may take to notice that its signal aborted, in milliseconds. */
const graceMs = 250;

/** Waits for the handlers in flight of these partitions, and aborts those that are late after `drainTimeoutMs`. Never rejects. */
export async function drainHandlers(
  partitions: readonly OwnedPartition[],
  { groupId, drainTimeoutMs }: ResolvedConsumerOptions,
  logger: Logger,
): Promise<void> {
  const patient = partitions.filter(({ signal }) => !signal.aborted);
  const idle = Promise.all(patient.map((partition) => partition.idle()));
  if (await settlesWithin(idle, drainTimeoutMs)) return;
  const late = patient.filter(({ active }) => active > 0);
  logger.warn(
    `handlers did not finish within drainTimeoutMs (${drainTimeoutMs} ms); their records will be redelivered`,
    { groupId, partitions: late.map(topicPartitionOf) },
  );
  for (const partition of late) partition.abort(new ClosedError("the time to finish is over"));
  await settlesWithin(idle, graceMs);
}
