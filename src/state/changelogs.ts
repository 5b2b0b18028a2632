import type { ClientConfig } from "../driver/client-config.js";
import { NativeAdmin } from "../driver/native-admin.js";
import type { NativeConsumer, TopicSize } from "../driver/native-consumer.js";
import { nativeCodes } from "../driver/native-errors.js";
import { AuthorizationError, ConfigError, KafkaError } from "../errors.js";
import { sleep } from "../waiting.js";
import { type AnyStore, changelogName } from "./store-definition.js";

const askTimeoutMs = 5_000;
const createTimeoutMs = 10_000;
const appearWithinMs = 15_000;
const appearPauseMs = 100;

/** How a changelog is made: the last value of each key is kept, whatever the broker's defaults are. */
const changelogConfig = {
  "cleanup.policy": "compact",
  "message.timestamp.type": "CreateTime",
  "max.message.bytes": "100000000",
} as const;

/** The part of the native consumer that is asked. */
type SizeSource = Pick<NativeConsumer, "sizeOf">;

/**
 * Checks that all topics of the tasks have as many partitions, and makes the changelogs that are missing.
 *
 * @param topics - the input topics and their retry topics, which exist
 * @returns how many partitions they all have
 * @throws `ConfigError` that says the numbers; `AuthorizationError`, or the broker's refusal, which name the changelog
 */
export async function prepareChangelogs(
  config: ClientConfig,
  {
    groupId,
    stores,
    topics,
  }: { readonly groupId: string; readonly stores: readonly AnyStore[]; readonly topics: readonly string[] },
  native: SizeSource,
  signal: AbortSignal,
): Promise<number> {
  const partitions = await commonPartitions(topics, native);
  const names = stores.map(({ name }) => changelogName(groupId, name));
  const missing: string[] = [];
  for (const name of names) {
    const size = await sizeOf(name, native);
    if (size.partitions === 0) missing.push(name);
    else checkChangelog(name, size.partitions, partitions);
  }
  if (missing.length === 0) return partitions;
  config.logger.info("changelogs are made", { topics: missing });
  const { replicationFactor } = await sizeOf(topics[0] ?? "", native);
  const admin = new NativeAdmin(config, () => undefined);
  await admin.connect(signal);
  try {
    for (const name of missing) await create(admin, name, { partitions, replicationFactor });
  } finally {
    await admin.disconnect();
  }
  for (const name of missing) checkChangelog(name, await untilThere(name, native, signal), partitions);
  return partitions;
}

/**
 * How many partitions the topics have, which is the same number for all.
 * @throws `ConfigError` that says the numbers
 */
export async function commonPartitions(topics: readonly string[], native: SizeSource): Promise<number> {
  const sizes = await Promise.all(topics.map(async (topic) => (await sizeOf(topic, native)).partitions));
  const [first] = sizes;
  if (first === undefined || sizes.some((size) => size !== first)) {
    const numbers = topics.map((topic, index) => `${topic} has ${String(sizes[index])}`).join(", ");
    throw new ConfigError(
      "topics",
      `with stores all topics need the same number of partitions, because partition 0 of all of them is one task: ${numbers}. Add partitions where they are fewer`,
    );
  }
  return first;
}

function checkChangelog(name: string, found: number, wanted: number): void {
  if (found !== wanted)
    throw new ConfigError(
      "stores",
      `the changelog ${name} has ${String(found)} partitions, and the topics have ${String(wanted)}: with another number keys are in other partitions. Use a new store name, or delete the changelog and process the topics anew`,
    );
}

async function create(admin: NativeAdmin, name: string, size: TopicSize): Promise<void> {
  try {
    await admin.createTopic({ name, ...size, config: changelogConfig }, createTimeoutMs);
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    // Another member was quicker.
    if (error.nativeCode === nativeCodes.topicExists) return;
    const message = `the store needs the changelog ${name}, which is missing and could not be made: ${error.message}. Create it with cleanup.policy=compact and ${String(size.partitions)} partitions, or grant CREATE on it`;
    const context = { cause: error, topic: name, nativeCode: error.nativeCode };
    throw error instanceof AuthorizationError
      ? new AuthorizationError(message, context)
      : new KafkaError(error.code, message, { ...context, retriable: error.retriable });
  }
}

async function untilThere(topic: string, native: SizeSource, signal: AbortSignal): Promise<number> {
  const deadline = Date.now() + appearWithinMs;
  for (;;) {
    signal.throwIfAborted();
    const { partitions } = await sizeOf(topic, native);
    if (partitions > 0) return partitions;
    if (Date.now() >= deadline)
      throw new KafkaError("UNKNOWN_TOPIC", `${topic}: the changelog was made, and is not there yet`, {
        topic,
        retriable: true,
      });
    await sleep(appearPauseMs, signal);
  }
}

function sizeOf(topic: string, native: SizeSource): Promise<TopicSize> {
  return native.sizeOf(topic, askTimeoutMs);
}
