import type { ClientConfig } from "../driver/client-config.js";
import { type NativeConsumer, outsider } from "../driver/native-consumer.js";
import { nativeCodes } from "../driver/native-errors.js";
import { AuthorizationError, ClosedError, KafkaError, TimeoutError } from "../errors.js";
import type { PartitionOffset, TopicPartition } from "../offsets.js";
import { deferred, sleep } from "../waiting.js";

const pollMs = 20;
const sliceMs = 2_000;
/** What a broker says of a commit from outside to a group that lives. */
export const liveGroupCodes: readonly (number | undefined)[] = [
  nativeCodes.nonEmptyGroup,
  nativeCodes.unknownMember,
  nativeCodes.illegalGeneration,
];

/** What a call for a group needs to know. */
export interface GroupCall {
  readonly config: ClientConfig;
  readonly groupId: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * The offsets that a group has committed in these partitions; those without one are left out. Asked with
 * a consumer that never joins: the native admin client crashes the process where a broker refuses to
 * tell.
 *
 * @throws `AuthorizationError` where this principal may not DESCRIBE the group
 */
export async function committedOffsets(
  call: GroupCall,
  partitions: readonly TopicPartition[],
): Promise<readonly PartitionOffset[]> {
  if (partitions.length === 0) return [];
  const native = outsider(call.config, call.groupId, `offsets of group ${call.groupId}`);
  await native.connect(call.signal);
  const asking = new AbortController();
  try {
    const offsets = await Promise.race([
      ask(call, asking.signal, () => native.committed(partitions, sliceMs)),
      refusal(native, asking.signal),
    ]);
    return offsets
      .filter(({ offset }) => offset >= 0)
      .map(({ topic, partition, offset }) => ({ topic, partition, offset }));
  } finally {
    asking.abort();
    // It waits for the answer that may be under way, which nobody needs to.
    void native.disconnect();
  }
}

/**
 * Asks in slices of time: an answer that never comes would hold one of libuv's threads all the while,
 * and brokers that are just taking a group over are asked again.
 */
async function ask<Result>(
  { groupId, timeoutMs, signal }: GroupCall,
  stop: AbortSignal,
  call: () => Promise<Result>,
): Promise<Result> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      // Members of the group are for the caller to stop.
      const passes =
        error instanceof KafkaError && error.retriable && !liveGroupCodes.includes(error.nativeCode);
      if (!passes || stop.aborted || performance.now() >= deadline) throw withGroup(error, groupId);
      await sleep(pollMs, stop);
    }
  }
}

/** The native client tells a refused group to whoever fetches, and goes on trying. */
async function refusal(native: NativeConsumer, stop: AbortSignal): Promise<never> {
  for (;;) {
    try {
      await native.fetch(1);
    } catch (error) {
      if (error instanceof AuthorizationError) throw error;
    }
    await sleep(pollMs, stop);
    // Nobody waits for this any more.
    if (stop.aborted) throw new ClosedError("the question was answered");
  }
}

function withGroup(error: unknown, groupId: string): unknown {
  if (!(error instanceof TimeoutError)) return error;
  return new TimeoutError(error.message, { cause: error, groupId, nativeCode: error.nativeCode });
}

/**
 * Commits offsets for a group from outside, which the native admin client cannot. Brokers refuse it
 * while the group has members.
 */
export async function commitOffsets(call: GroupCall, offsets: readonly PartitionOffset[]): Promise<void> {
  if (offsets.length === 0) return;
  const { groupId, timeoutMs, signal } = call;
  const outcome = deferred<KafkaError | undefined>();
  const native = outsider(call.config, call.groupId, `offsets of group ${call.groupId}`, outcome.resolve);
  let waiting = true;
  const poll = async (): Promise<undefined> => {
    const deadline = performance.now() + timeoutMs;
    while (waiting) {
      signal.throwIfAborted();
      if (performance.now() >= deadline)
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
