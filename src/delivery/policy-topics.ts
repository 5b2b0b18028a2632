import type { ClientConfig } from "../driver/client-config.js";
import { NativeAdmin } from "../driver/native-admin.js";
import type { NativeConsumer, TopicSize } from "../driver/native-consumer.js";
import { nativeCodes } from "../driver/native-errors.js";
import { AuthorizationError, KafkaError } from "../errors.js";
import type { FailurePolicy } from "../failure/failure-policy.js";
import type { PolicyTopic } from "../failure/options.js";
import { sleep } from "../waiting.js";

const askTimeoutMs = 2_000;
const createTimeoutMs = 10_000;
/** How long a new topic may take until brokers know of it, in milliseconds. */
const appearWithinMs = 15_000;
const appearPauseMs = 100;

/**
 * The configuration of topics whose definition gives none. Dead letters stay until somebody deals with them. Neither kind
 * is compacted, whatever the broker's default is, and both take records as large as any source's, with the headers that
 * say what happened.
 */
const common = { "cleanup.policy": "delete", "max.message.bytes": "100000000" } as const;
const configs = { "dead-letter": { ...common, "retention.ms": "-1" }, retry: common } as const;

/**
 * Creates the topics that the policy writes to where they are missing, with as many partitions and
 * replicas as their source has, and tells the policy how many partitions each has. Resolves to the topics to subscribe to beside
 * the sources: the policy's retry topics.
 *
 * @throws `AuthorizationError`, or the broker's refusal, which name the topics
 */
export async function preparePolicyTopics(
  policy: FailurePolicy,
  config: ClientConfig,
  native: NativeConsumer,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const missing: PolicyTopic[] = [];
  for (const topic of policy.topics) {
    const { partitions } = await sizeOf(topic.name, native);
    if (partitions > 0) policy.learnPartitions(topic.name, partitions);
    else missing.push(topic);
  }
  if (missing.length === 0) return policy.retryTopics;
  config.logger.info("topics of the failure policy are created", { topics: missing.map(({ name }) => name) });
  let fatal: KafkaError | undefined;
  const admin = new NativeAdmin(config, (error) => {
    fatal ??= error;
  });
  await admin.connect(signal);
  try {
    for (const topic of missing) await create(topic, admin, native, missing);
  } finally {
    await admin.disconnect();
  }
  for (const { name } of missing) policy.learnPartitions(name, await untilKnown(name, native, signal));
  if (fatal !== undefined) throw fatal;
  return policy.retryTopics;
}

async function create(
  topic: PolicyTopic,
  admin: NativeAdmin,
  native: NativeConsumer,
  missing: readonly PolicyTopic[],
): Promise<void> {
  const { name, sources, definition, use } = topic;
  const sizes = await Promise.all(sources.map((source) => sizeOf(source, native)));
  /** The largest of the sources; where none exists yet, -1 for the broker's default. */
  const largest = (dimension: keyof TopicSize): number =>
    Math.max(...sizes.map((size) => size[dimension])) || -1;
  try {
    await admin.createTopic(
      {
        name,
        partitions: definition?.partitions ?? largest("partitions"),
        replicationFactor: definition?.replicationFactor ?? largest("replicationFactor"),
        config: { ...configs[use], ...definition?.config },
      },
      createTimeoutMs,
    );
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    // Another member has created it.
    if (error.nativeCode === nativeCodes.topicExists) return;
    const names = missing.map((each) => each.name).join(", ");
    const message = `the failure policy needs the topics ${names}, which are missing and could not be created: ${error.message}. Create them, or grant CREATE on them`;
    const context = { cause: error, topic: name, nativeCode: error.nativeCode };
    throw error instanceof AuthorizationError
      ? new AuthorizationError(message, context)
      : new KafkaError(error.code, message, { ...context, retriable: error.retriable });
  }
}

async function untilKnown(topic: string, native: NativeConsumer, signal: AbortSignal): Promise<number> {
  const deadline = Date.now() + appearWithinMs;
  for (;;) {
    signal.throwIfAborted();
    const { partitions } = await sizeOf(topic, native);
    if (partitions > 0) return partitions;
    if (Date.now() >= deadline)
      throw new KafkaError(
        "UNKNOWN_TOPIC",
        `${topic}: the topic was created, and brokers do not know it yet`,
        {
          topic,
          retriable: true,
        },
      );
    await sleep(appearPauseMs, signal);
  }
}

function sizeOf(topic: string, native: NativeConsumer): Promise<TopicSize> {
  return native.sizeOf(topic, askTimeoutMs);
}
