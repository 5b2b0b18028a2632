import type { DeliverySession } from "../delivery/delivery.js";
import type { ClientConfig } from "../driver/client-config.js";
import { ConfigError } from "../errors.js";
import type { FailurePolicy } from "../failure/failure-policy.js";
import type { GroupSession } from "../group/group-session.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import { Tasks } from "../state/tasks.js";
import { isWindowStore } from "../state/window-definition.js";
import type { Encoders } from "../serde/encoders.js";
import type { Finished } from "./finished.js";
import type { ResolvedProcessorOptions } from "./options.js";
import type { ResolvedRunOptions } from "./run-options.js";
import { TaskCalls } from "./task-calls.js";

const hourMs = 3_600_000;

/** What the stores of a processor need of it. */
export interface StoreTasksHost {
  readonly session: () => GroupSession;
  readonly encoders: Encoders;
  /** A restore waits until it is told where changelogs end. */
  readonly onEndsWanted: () => void;
  /** Records of the partition are available again. */
  readonly offer: (partition: OwnedPartition) => void;
  /** A scheduled call has finished with these records, sends and changes. */
  readonly finished: (finished: Finished) => void;
  readonly fail: (error: unknown) => void;
}

/** The stores of a processor at work: their tasks, and the calls that are made on them. */
export class StoreTasks {
  readonly tasks: Tasks;
  /** The membership, as deliveries see it: tasks are told of every record that is taken. */
  readonly session: DeliverySession;
  readonly #config: ClientConfig;
  readonly #options: ResolvedProcessorOptions;
  readonly #host: StoreTasksHost;
  #calls: TaskCalls | undefined;

  /** @throws `ConfigError` for an `order` that the stores cannot keep */
  constructor(
    config: ClientConfig,
    options: ResolvedProcessorOptions,
    topics: readonly string[],
    policy: FailurePolicy | undefined,
    host: StoreTasksHost,
  ) {
    const { consumer, stores, stateDirectory, maxTaskIdleMs, onRestore } = options;
    if (consumer.order === "key" && topics.length > 1)
      throw new ConfigError(
        "order",
        'with stores "key" is for one topic: a key may be in several, whose handlers would run side by side. Use "partition"',
      );
    this.#config = config;
    this.#options = options;
    this.#host = host;
    this.tasks = new Tasks({
      config,
      groupId: consumer.groupId,
      stores,
      stateDirectory,
      isEager: isEager(consumer),
      maxTaskIdleMs,
      onRestore,
      native: () => host.session().native,
      dueAt: (topic) => policy?.dueAtOf(topic),
      onEndsWanted: host.onEndsWanted,
      onReady: host.offer,
      onUnmarked: (task) => this.#calls?.keepOffsets(task),
      onLate: (store, partition) => {
        const { groupId } = consumer;
        config.logger.debug("a late record was not counted", { groupId, store, partition });
        config.telemetry?.onLateRecord({ groupId, store, partition });
      },
      onFailure: host.fail,
    });
    this.session = {
      get concurrency() {
        return host.session().concurrency;
      },
      isFull: (partition) => host.session().isFull(partition),
      freedMemory: (partition) => {
        host.session().freedMemory(partition);
        this.tasks.taken(partition);
      },
    };
  }

  /** Starts the calls of a run: of its handler, and those that are scheduled. */
  start(run: ResolvedRunOptions): TaskCalls {
    const { stores, consumer } = this.#options;
    const windows = stores.filter(isWindowStore).map(({ window }) => window);
    const idle = windows.flatMap(({ idleMs }) => idleMs ?? []);
    this.#calls = new TaskCalls({
      groupId: consumer.groupId,
      tasks: this.tasks,
      run,
      encoders: this.#host.encoders,
      telemetry: this.#config.telemetry,
      isByKey: consumer.order === "key",
      idleMs: idle.length === 0 ? undefined : Math.min(...idle),
      maxAheadMs: Math.min(...windows.map(({ maxAheadMs }) => maxAheadMs), hourMs),
      finished: this.#host.finished,
      onFailure: this.#host.fail,
    });
    this.#calls.start();
    return this.#calls;
  }

  /** Makes no more calls. */
  stop(): void {
    this.#calls?.stop();
  }

  async close(): Promise<void> {
    await this.tasks.close();
  }
}

/** Whether the group's rebalances revoke everything, and mostly give it back. */
function isEager({ properties }: ResolvedProcessorOptions["consumer"]): boolean {
  const assignor = properties["partition.assignment.strategy"];
  return assignor !== undefined && assignor !== "cooperative-sticky";
}
