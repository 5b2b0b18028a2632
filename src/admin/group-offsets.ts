import type { ClientConfig } from "../driver/client-config.js";
import { NativeConsumer } from "../driver/native-consumer.js";
import { type KafkaError, TimeoutError } from "../errors.js";
import type { PartitionOffset } from "../offsets.js";
import { deferred, sleep } from "../waiting.js";

const pollMs = 20;

/**
 * Commits offsets for a group from outside: with a consumer of its own that never joins. (The native
 * admin client cannot alter a group's offsets.) Brokers refuse it while the group has members.
 */
export async function commitOffsets(
  config: ClientConfig,
  groupId: string,
  offsets: readonly PartitionOffset[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (offsets.length === 0) return;
  const outcome = deferred<KafkaError | undefined>();
  const native = new NativeConsumer(
    config,
    `offsets of group ${groupId}`,
    { "group.id": groupId },
    {
      onWake: () => undefined,
      onRebalance: () => undefined,
      onCommit: outcome.resolve,
      onFatal: outcome.resolve,
    },
  );
  let waiting = true;
  const poll = async (): Promise<undefined> => {
    const deadline = Date.now() + timeoutMs;
    while (waiting) {
      signal.throwIfAborted();
      if (Date.now() >= deadline)
        throw new TimeoutError(`the offsets of group ${groupId} were not committed within ${timeoutMs} ms`, {
          groupId,
        });
      // The outcome of a commit is told by a later fetch only.
      await native.fetch(1);
      await sleep(pollMs, signal);
    }
    return undefined;
  };
  try {
    await native.connect(signal);
    native.commit(offsets);
    const error = await Promise.race([outcome.promise, poll()]);
    if (error !== undefined) throw error;
  } finally {
    waiting = false;
    await native.disconnect();
  }
}
