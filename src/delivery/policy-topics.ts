import type { ClientConfig } from "../driver/client-config.js";
import type { NativeConsumer, TopicSize } from "../driver/native-consumer.js";
import { createTopics, type NeededTopic, sizeOfOwnTopic, sizeOfTopic } from "../driver/topic-maker.js";
import type { FailurePolicy } from "../failure/failure-policy.js";
import type { PolicyTopic } from "../failure/options.js";

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
    const { partitions } = await sizeOfOwnTopic(config, topic.name, native);
    if (partitions > 0) policy.learnPartitions(topic.name, partitions);
    else missing.push(topic);
  }
  if (missing.length === 0) return policy.retryTopics;
  const names = missing.map(({ name }) => name);
  config.logger.info("topics of the failure policy are created", { topics: names });
  const needed: NeededTopic[] = [];
  for (const topic of missing) needed.push(await neededTopic(topic, native));
  const created = await createTopics(
    config,
    needed,
    native,
    signal,
    (_, { message }) =>
      `the failure policy needs the topics ${names.join(", ")}, which are missing and could not be created: ${message}. Create them, or grant CREATE on them`,
  );
  for (const [name, partitions] of created) policy.learnPartitions(name, partitions);
  return policy.retryTopics;
}

async function neededTopic(
  { name, sources, definition, use }: PolicyTopic,
  native: NativeConsumer,
): Promise<NeededTopic> {
  const sizes = await Promise.all(sources.map((source) => sizeOfTopic(source, native)));
  /** The largest of the sources; where none exists yet, -1 for the broker's default. */
  const largest = (dimension: keyof TopicSize): number =>
    Math.max(...sizes.map((size) => size[dimension])) || -1;
  return {
    name,
    partitions: definition?.partitions ?? largest("partitions"),
    replicationFactor: definition?.replicationFactor ?? largest("replicationFactor"),
    config: { ...configs[use], ...definition?.config },
  };
}
