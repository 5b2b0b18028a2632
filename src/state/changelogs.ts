import type { ClientConfig } from "../driver/client-config.js";
import {
  createTopics,
  type NeededTopic,
  type SizeSource,
  sizeOfOwnTopic,
  sizeOfTopic,
} from "../driver/topic-maker.js";
import { NativeAdmin } from "../driver/native-admin.js";
import { ConfigError, KafkaError } from "../errors.js";
import { type AnyStore, changelogName } from "./store-definition.js";
import { isWindowStore } from "./window-definition.js";

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

/** The stores of a group. */
export interface StoresOfGroup {
  readonly groupId: string;
  readonly stores: readonly AnyStore[];
  /** Whether they are kept on disk: then it matters for how long tombstones are kept. */
  readonly onDisk: boolean;
}

/** What is wrong with a changelog, and what to do. */
export interface ChangelogFlaw {
  readonly message: string;
  readonly remedy: string;
}

/**
 * Checks that all topics of the tasks have as many partitions and that changelogs keep what stores need, and creates
 * the changelogs that are missing.
 *
 * @param topics - the input topics and their retry topics, which exist
 * @returns how many partitions they all have
 * @throws `ConfigError` that says the numbers; `AuthorizationError`, or the broker's refusal, which name the changelog
 */
export async function prepareChangelogs(
  config: ClientConfig,
  { topics, ...group }: StoresOfGroup & { readonly topics: readonly string[] },
  native: SizeSource,
  signal: AbortSignal,
): Promise<number> {
  const partitions = await commonPartitions(topics, native);
  const existing: AnyStore[] = [];
  const missing: string[] = [];
  for (const store of group.stores) {
    const name = changelogName(group.groupId, store.name);
    const size = await sizeOfOwnTopic(config, name, native);
    if (size.partitions === 0) missing.push(name);
    else {
      checkChangelog(name, size.partitions, partitions);
      existing.push(store);
    }
  }
  if (existing.length > 0) await checkSettings(config, { ...group, stores: existing }, signal);
  if (missing.length === 0) return partitions;
  config.logger.info("changelogs are created", { topics: missing });
  const { replicationFactor } = await sizeOfTopic(topics[0] ?? "", native);
  const needed = missing.map((name) => ({ name, partitions, replicationFactor, config: changelogConfig }));
  const created = await createTopics(config, needed, native, signal, refusalOf);
  for (const [name, found] of created) checkChangelog(name, found, partitions);
  return partitions;
}

/**
 * Checks the settings of changelogs, where brokers tell them.
 * @throws `ConfigError` for one that does not keep what its store needs
 */
async function checkSettings(config: ClientConfig, group: StoresOfGroup, signal: AbortSignal): Promise<void> {
  const admin = new NativeAdmin(config, () => undefined);
  try {
    await admin.connect(signal);
    for (const store of group.stores) {
      const topic = changelogName(group.groupId, store.name);
      const settings = await admin.settingsOf({ topic }, askTimeoutMs);
      const flaw = settings && settingsFlaw(topic, store, settings, group.onDisk);
      if (flaw !== undefined)
        throw new ConfigError("stores", `the changelog ${topic} ${flaw.message}. ${flaw.remedy}`, { topic });
    }
  } catch (error) {
    // What may not be asked, or not now, is no reason to stop.
    if (error instanceof ConfigError || !(error instanceof KafkaError)) throw error;
    signal.throwIfAborted();
    config.logger.debug(`how changelogs are configured is not known: ${error.message}`, {
      groupId: group.groupId,
    });
  } finally {
    await admin.disconnect();
  }
}

/** Why a changelog with these settings does not keep what its store needs; `undefined` where it does. Pure. */
export function settingsFlaw(
  topic: string,
  store: AnyStore,
  settings: ReadonlyMap<string, string>,
  onDisk: boolean,
): ChangelogFlaw | undefined {
  const flaw = (name: keyof typeof changelogConfig, harm: string, more = ""): ChangelogFlaw => ({
    message: `has ${name}=${settings.get(name) ?? ""}, ${harm}`,
    remedy: `Set it to ${changelogConfig[name]}: kafka-configs.sh --alter --topic ${topic} --add-config ${name}=${changelogConfig[name]}${more}`,
  });
  const is = (name: keyof typeof changelogConfig): string => settings.get(name) ?? changelogConfig[name];
  if (is("cleanup.policy") !== "compact")
    return flaw(
      "cleanup.policy",
      "so brokers delete what the store still has",
      ". If it has lost records already, delete it and process the topics anew",
    );
  const expires = store.retentionMs !== undefined && !isWindowStore(store);
  if (expires && is("message.timestamp.type") !== "CreateTime")
    return flaw("message.timestamp.type", "so after a restore entries expire by the brokers' clock");
  if (onDisk && Number(is("delete.retention.ms")) < tombstonesKeptMs)
    return flaw(
      "delete.retention.ms",
      "so a stateDirectory that was away for less than a day may have missed deletions",
    );
  return undefined;
}

/** Why a changelog with this number of partitions is no good; `undefined` where it is. Pure. */
export function partitionsFlaw(found: number, wanted: number): ChangelogFlaw | undefined {
  if (found === wanted) return undefined;
  return {
    message: `has ${String(found)} partitions, and the topics have ${String(wanted)}: with another number keys are in other partitions`,
    remedy: "Use a new store name, or delete the changelog and process the topics anew",
  };
}

function refusalOf({ name, partitions }: NeededTopic, { message }: KafkaError): string {
  return `the store needs the changelog ${name}, which is missing and could not be created: ${message}. Create it with cleanup.policy=compact and ${String(partitions)} partitions, or grant CREATE on it`;
}

/**
 * How many partitions the topics have, which is the same number for all.
 * @throws `ConfigError` that says the numbers
 */
async function commonPartitions(topics: readonly string[], native: SizeSource): Promise<number> {
  const sizes = await Promise.all(
    topics.map(async (name) => ({ name, partitions: (await sizeOfTopic(name, native)).partitions })),
  );
  const flaw = sizesFlaw(sizes);
  if (flaw !== undefined) throw new ConfigError("topics", `${flaw.message}. ${flaw.remedy}`);
  return sizes[0]?.partitions ?? 0;
}

/** Why topics with these numbers of partitions are no tasks; `undefined` where they are. Pure. */
export function sizesFlaw(
  topics: readonly { readonly name: string; readonly partitions: number }[],
): ChangelogFlaw | undefined {
  if (topics.every(({ partitions }) => partitions === topics[0]?.partitions)) return undefined;
  const numbers = topics.map(({ name, partitions }) => `${name} has ${String(partitions)}`).join(", ");
  return {
    message: `with stores all topics need the same number of partitions, because partition 0 of all of them is one task: ${numbers}`,
    remedy: "Add partitions where they are fewer",
  };
}

function checkChangelog(name: string, found: number, wanted: number): void {
  const flaw = partitionsFlaw(found, wanted);
  if (flaw !== undefined)
    throw new ConfigError("stores", `the changelog ${name} ${flaw.message}. ${flaw.remedy}`);
}
