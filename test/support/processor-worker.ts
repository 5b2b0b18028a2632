/**
 * A process that runs one processor, for tests that kill it. Says its phase to its parent, so that it can
 * be killed on the word: `begun`, `produced`, `sending`, `committing`, `committed`, `aborted`. The message
 * "stop" closes it gracefully.
 */
import { defineTopic, Kafka, type KafkaOptions, type ProcessorOptions, string } from "typed-kafka";
import { countsByKey } from "./counts-by-key.js";

/** What the parent says on the command line. */
export interface WorkerSettings {
  readonly brokers: string;
  readonly input: string;
  readonly output: string;
  readonly options: ProcessorOptions;
  /** Counts the records of each key in a store, and sends the count with each. */
  readonly counts?: boolean;
  /** Native properties, as `Kafka` takes them. */
  readonly librdkafka?: KafkaOptions["librdkafka"];
}

const settings = JSON.parse(process.argv[2] ?? "{}") as WorkerSettings;
const { brokers, input, output, options, librdkafka } = settings;
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
const source = defineTopic(input, { value: string() });
const target = defineTopic(output, { value: string() });
const processor = kafka.processor(source, {
  ...options,
  stores: settings.counts === true ? [countsByKey] : [],
});
process.on("message", () => void processor.close());
process.on("disconnect", () => process.exit(9));

try {
  await processor.run((record, tx) => {
    if (isFirst) {
      isFirst = false;
      tell({ phase: "produced" });
    }
    let count = "";
    if (settings.counts === true) {
      const store = tx.store(countsByKey);
      const next = (store.get(record.key ?? "") ?? 0) + 1;
      store.set(record.key ?? "", next);
      count = `:${next}`;
    }
    void tx.send(target, {
      key: record.key,
      partition: record.partition,
      value: `${record.partition}:${record.offset}:${record.value}${count}`,
    });
  });
  process.exit(0);
} catch (error) {
  const { name, message } = error as Error;
  write(`stopped: ${name}: ${message}`);
  tell({ stoppedWith: name });
  process.exit(2);
}
