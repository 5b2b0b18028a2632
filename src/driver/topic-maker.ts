import { AuthorizationError, KafkaError } from "../errors.js";
import { sleep } from "../waiting.js";
import type { ClientConfig } from "./client-config.js";
import { isEmbedded } from "./embedded-clusters.js";
import { NativeAdmin } from "./native-admin.js";
import type { NativeConsumer, TopicSize } from "./native-consumer.js";
import { nativeCodes } from "./native-errors.js";

const askTimeoutMs = 5_000;
const createTimeoutMs = 10_000;
/** How long a new topic may take until brokers know of it, in milliseconds. */
const knownWithinMs = 15_000;
const pollMs = 100;

/** Who is asked how large topics are. */
export type SizeSource = Pick<NativeConsumer, "sizeOf">;

/** A topic that a client needs and makes itself. -1 partitions, or replicas, leave it to the broker. */
export interface NeededTopic extends TopicSize {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
}

/** How large a topic is: zeros where it does not exist. */
export function sizeOfTopic(topic: string, native: SizeSource): Promise<TopicSize> {
  return native.sizeOf(topic, askTimeoutMs);
}

/**
 * As {@link sizeOfTopic}, of a topic that {@link createTopics} makes where it is missing. The embedded cluster makes one
 * that is only asked about, with partitions of its own: there, `createTopics` finds out.
 */
export async function sizeOfOwnTopic(
  { brokers }: ClientConfig,
  topic: string,
  native: SizeSource,
): Promise<TopicSize> {
  return isEmbedded(brokers) ? { partitions: 0, replicationFactor: 0 } : sizeOfTopic(topic, native);
}

/**
 * Creates topics that are missing, and waits until brokers know them.
 *
 * @param describeRefusal - the message of the error where a topic cannot be created
 * @returns how many partitions each has, by its name; another member may have created it with other numbers
 * @throws `AuthorizationError`, or the broker's refusal
 */
export async function createTopics(
  config: ClientConfig,
  topics: readonly NeededTopic[],
  native: SizeSource,
  signal: AbortSignal,
  describeRefusal: (topic: NeededTopic, refusal: KafkaError) => string,
): Promise<ReadonlyMap<string, number>> {
  let fatal: KafkaError | undefined;
  const admin = new NativeAdmin(config, (error) => {
    fatal ??= error;
  });
  await admin.connect(signal);
  try {
    for (const topic of topics) await create(admin, topic, describeRefusal);
  } finally {
    await admin.disconnect();
  }
  const partitions = new Map<string, number>();
  for (const { name } of topics) partitions.set(name, await untilKnown(name, native, signal));
  if (fatal !== undefined) throw fatal;
  return partitions;
}

async function create(
  admin: NativeAdmin,
  topic: NeededTopic,
  describeRefusal: (topic: NeededTopic, refusal: KafkaError) => string,
): Promise<void> {
  try {
    await admin.createTopic(topic, createTimeoutMs);
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    // Another member was faster.
    if (error.nativeCode === nativeCodes.topicExists) return;
    const message = describeRefusal(topic, error);
    const context = { cause: error, topic: topic.name, nativeCode: error.nativeCode };
    throw error instanceof AuthorizationError
      ? new AuthorizationError(message, context)
      : new KafkaError(error.code, message, { ...context, retriable: error.retriable });
  }
}

async function untilKnown(topic: string, native: SizeSource, signal: AbortSignal): Promise<number> {
  const deadline = performance.now() + knownWithinMs;
  for (;;) {
    signal.throwIfAborted();
    const { partitions } = await sizeOfTopic(topic, native);
    if (partitions > 0) return partitions;
    if (performance.now() >= deadline)
      throw new KafkaError(
        "UNKNOWN_TOPIC",
        `${topic}: the topic was created, and brokers do not know it yet`,
        { topic, retriable: true },
      );
    await sleep(pollMs, signal);
  }
}
