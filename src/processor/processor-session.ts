import type { ClientConfig } from "../driver/client-config.js";
import type { KafkaError } from "../errors.js";
import { GroupSession, type SessionEvents } from "../group/group-session.js";
import type { ResolvedConsumerOptions } from "../group/options.js";
import type { Tasks } from "../state/tasks.js";
import type { ProcessorFailures } from "./processor-failures.js";

/** What a processor is told of its session. */
export type ProcessorSessionEvents = Required<
  Pick<SessionEvents, "onRecords" | "onRelease" | "onAssigned" | "onGone" | "isBusy">
>;

/**
 * A processor's session in its group. Before it subscribes, the topics of the failure policy and the changelogs are
 * created where they are missing. With stores it has the partitions of one number together.
 */
export function processorSession(
  config: ClientConfig,
  consumer: ResolvedConsumerOptions,
  topics: readonly string[],
  parts: { readonly failures: ProcessorFailures | undefined; readonly tasks: Tasks | undefined },
  events: ProcessorSessionEvents,
  onFailure: (error: KafkaError) => void,
): GroupSession {
  const { failures, tasks } = parts;
  return new GroupSession(config, consumer, topics, {
    ...events,
    assignedBy: tasks?.assignedBy,
    beforeSubscribing: async (native, signal) => {
      const more = (await failures?.prepare(native, signal)) ?? [];
      await tasks?.prepare([...topics, ...more], native, signal);
      return more;
    },
    dueAt: failures?.policy.dueAtOf,
    onCommit: () => undefined,
    onFailure,
  });
}
