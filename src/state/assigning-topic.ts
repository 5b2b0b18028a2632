import type { ClientConfig } from "../driver/client-config.js";
import { outsider } from "../driver/native-consumer.js";
import { type SizeSource, sizeOfTopic } from "../driver/topic-maker.js";
import { KafkaError } from "../errors.js";
import type { TopicPartition } from "../offsets.js";
import { parseMetadata } from "./offset-metadata.js";

const askTimeoutMs = 2_000;
const attempts = 3;

/** Which topic to subscribe to for the tasks of a group, and which the group had before that are no more. */
export interface AssigningTopic {
  readonly name: string;
  readonly former: ReadonlySet<string>;
}

/**
 * The topic whose partitions the group assigns, each of which brings its task: one for all members, or a task would have
 * two owners. It is the one that members before this one had, which is beside the offsets they committed, even where this
 * member does not read it; for a new group the first of `topics`.
 */
export async function assigningTopic(
  config: ClientConfig,
  groupId: string,
  { topics, partitions }: { readonly topics: readonly string[]; readonly partitions: number },
  sizes: SizeSource,
  signal: AbortSignal,
): Promise<AssigningTopic> {
  const all = topics.flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  );
  const former = new Set<string>();
  for (const name of await committedNames(config, groupId, all, signal)) {
    if ((await sizeOfTopic(name, sizes)).partitions === partitions) return { name, former };
    former.add(name);
  }
  return { name: topics[0] ?? "", former };
}

/** The topics that are named beside committed offsets. */
async function committedNames(
  config: ClientConfig,
  groupId: string,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const native = outsider(config, groupId, `tasks of group ${groupId}`);
  try {
    await native.connect(signal);
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      signal.throwIfAborted();
      try {
        const committed = await native.committed(partitions, askTimeoutMs);
        return new Set(committed.flatMap(({ metadata }) => parseMetadata(metadata).assignedBy ?? []));
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        // A member that subscribes to another topic than the others notices it before it does anything.
        config.logger.debug(`which topic the group assigns is not known: ${error.message}`, { groupId });
      }
    }
    return new Set();
  } finally {
    void native.disconnect();
  }
}
