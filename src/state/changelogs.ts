import type { ClientConfig } from "../driver/client-config.js";
import { createTopics, type NeededTopic, type SizeSource, sizeOfTopic } from "../driver/topic-maker.js";
import { NativeAdmin } from "../driver/native-admin.js";
import { ConfigError, KafkaError } from "../errors.js";
import { type AnyStore, changelogName } from "./store-definition.js";

const askTimeoutMs = 5_000;
/** For how long a changelog keeps tombstones, in milliseconds: what was read before that must be read from the beginning. */
export const tombstonesKeptMs = 24 * 3_600_000;

/** How a changelog is created: the last value of each key is kept, whatever the broker's defaults are. */
const changelogConfig = {
  "cleanup.policy": "compact",
  "message.timestamp.type": "CreateTime",
  "max.message.bytes": "100000000",
  "delete.retention.ms": String(tombstonesKeptMs),
} as const;

/**
 * Checks that all topics of the tasks have as many partitions and that changelogs are compacted, and creates the
 * changelogs that are missing.
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
    const size = await sizeOfTopic(name, native);
    if (size.partitions === 0) missing.push(name);
    else checkChangelog(name, size.partitions, partitions);
  }
  const existing = names.filter((name) => !missing.includes(name));
  if (existing.length > 0) await checkCompacted(config, existing, signal);
  if (missing.length === 0) return partitions;
  config.logger.info("changelogs are created", { topics: missing });
  const { replicationFactor } = await sizeOfTopic(topics[0] ?? "", native);
  const needed = missing.map((name) => ({ name, partitions, replicationFactor, config: changelogConfig }));
  const created = await createTopics(config, needed, native, signal, refusalOf);
  for (const [name, found] of created) checkChangelog(name, found, partitions);
  return partitions;
}

/**
 * Checks that changelogs keep the last value of each key, where brokers tell it.
 * @throws `ConfigError` for one of which records are deleted
 */
async function checkCompacted(
  config: ClientConfig,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const admin = new NativeAdmin(config, () => undefined);
  try {
    await admin.connect(signal);
    for (const topic of names) {
      const policy = (await admin.settingsOf({ topic }, askTimeoutMs))?.get("cleanup.policy");
      if (policy !== undefined && policy !== "compact") throw notCompacted(topic, policy);
    }
  } catch (error) {
    // What may not be asked, or not now, is no reason to stop.
    if (error instanceof ConfigError || !(error instanceof KafkaError)) throw error;
    signal.throwIfAborted();
    config.logger.debug(`whether changelogs are compacted is not known: ${error.message}`, { topics: names });
  } finally {
    await admin.disconnect();
  }
}

function notCompacted(topic: string, policy: string): ConfigError {
  return new ConfigError(
    "stores",
    `the changelog ${topic} has cleanup.policy=${policy}, so brokers delete what the store still has. Set it to compact: kafka-configs.sh --alter --topic ${topic} --add-config cleanup.policy=compact. If it has lost records already, delete it and process the topics anew`,
    { topic },
  );
}

function refusalOf({ name, partitions }: NeededTopic, { message }: KafkaError): string {
  return `the store needs the changelog ${name}, which is missing and could not be created: ${message}. Create it with cleanup.policy=compact and ${String(partitions)} partitions, or grant CREATE on it`;
}

/**
 * How many partitions the topics have, which is the same number for all.
 * @throws `ConfigError` that says the numbers
 */
async function commonPartitions(topics: readonly string[], native: SizeSource): Promise<number> {
  const sizes = await Promise.all(topics.map(async (topic) => (await sizeOfTopic(topic, native)).partitions));
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
