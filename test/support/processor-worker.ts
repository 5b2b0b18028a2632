/**
 * A process that runs one processor, for tests that kill it. Says its phase to its parent, so that it can
 * be killed on the word: `begun`, `produced`, `sending`, `committing`, `committed`, `aborted`. The message
 * "stop" closes it gracefully.
 */
import { defineTopic, Kafka, type KafkaOptions, type ProcessorOptions, string } from "typed-kafka";
import { countsByKey } from "./counts-by-key.js";
import { windowsByKey } from "./windows-by-key.js";

/** What the parent says on the command line. */
export interface WorkerSettings {
  readonly brokers: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly options: ProcessorOptions;
  /** Counts the records of each key in a store, and sends the count with each. */
  readonly counts?: boolean;
  /** Counts the records of each key in windows, and sends those that close to this topic. */
  readonly windows?: string | undefined;
  /** Every fifth record fails at its first attempt. */
  readonly fails?: boolean;
  /** Native properties, as `Kafka` takes them. */
  readonly librdkafka?: KafkaOptions["librdkafka"];
}

const settings = JSON.parse(process.argv[2] ?? "{}") as WorkerSettings;
const { brokers, inputs, output, options, librdkafka } = settings;
const tell = (message: object): void => {
  if (process.connected) process.send?.(message);
};
const write = (message: string, fields?: object): void => {
  const { error } = (fields ?? {}) as { readonly error?: unknown };
  const more = error instanceof Error ? error.stack : JSON.stringify(fields);
  console.error(`${new Date().toISOString()} ${message} ${more ?? ""}`);
};

let isFirst = false;
const kafka = new Kafka({
  brokers,
  // One that starts again while the network is bad and the machine busy is not to give up.
  connectTimeoutMs: 30_000,
  librdkafka,
  logger: {
    debug: (message, fields) => {
      const phase = /^transaction (\w+)$/.exec(message)?.[1];
      if (phase === undefined) write(message, fields);
      else tell({ phase });
      if (phase === "begun") isFirst = true;
    },
    info: write,
    warn: write,
    error: write,
  },
});
const sources = inputs.map((input) => defineTopic(input, { value: string() }));
const target = defineTopic(output, { value: string() });
const results = defineTopic(settings.windows ?? output, { value: string() });
/** How often each partition number was assigned: another assignment is another owner. */
const assigned = new Map<number, number>();
const processor = kafka.processor(sources, {
  ...options,
  onRebalance: ({ type, partitions }) => {
    if (type !== "assigned") return;
    for (const number of new Set(partitions.map(({ partition }) => partition)))
      assigned.set(number, (assigned.get(number) ?? 0) + 1);
  },
  stores: [
    ...(settings.counts === true ? [countsByKey] : []),
    ...(settings.windows === undefined ? [] : [windowsByKey]),
  ],
});
process.on("message", () => void processor.close());
process.on("disconnect", () => process.exit(9));

try {
  await processor.run(
    (record, tx, { attempt }) => {
      if (isFirst) {
        isFirst = false;
        tell({ phase: "produced" });
      }
      const { key, offset, partition, topic, value, timestamp } = record;
      if (settings.fails === true && attempt === 1 && Number(value) % 5 === 0)
        throw new Error("the first attempt fails");
      let count = "";
      if (settings.counts === true) {
        const store = tx.store(countsByKey);
        const next = (store.get(key ?? "") ?? 0) + 1;
        store.set(key ?? "", next);
        count = `:${next}`;
      }
      if (settings.windows !== undefined)
        tx.store(windowsByKey).update(key ?? "", timestamp, (before = 0) => before + 1);
      // Records of retry topics come in an order of their own.
      const from = `${attempt > 1 ? "retried" : topic}.${partition}`;
      void tx.send(target, {
        key,
        partition,
        value: `${from}:${offset}:${value}:${process.pid}:${assigned.get(partition)}:${Date.now()}${count}`,
      });
    },
    settings.windows === undefined
      ? {}
      : {
          onWindowClosed: async ({ key, start, value }, tx) => {
            await tx.send(results, { key, value: `${start}:${value}` });
          },
        },
  );
  process.exit(0);
} catch (error) {
  const { name, message } = error as Error;
  write(`stopped: ${name}: ${message}`);
  tell({ stoppedWith: name });
  process.exit(2);
}
