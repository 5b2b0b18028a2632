/**
 * A process that handles records of which a tenth fail in known ways, for tests that kill it. Says to its
 * parent what transactions do (`begun`, `sending`, `committing`, `committed`); the message "stop" closes it gracefully.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { defineTopic, Kafka, PermanentError, string } from "typed-kafka";
import { numbered } from "./failure-run.js";

/** What the parent says on the command line. */
export interface FailureWorkerSettings {
  readonly brokers: string;
  readonly input: string;
  readonly output: string;
  readonly groupId: string;
  readonly with: "processor" | "consumer";
}

const settings = JSON.parse(process.argv[2] ?? "{}") as FailureWorkerSettings;
const tell = (message: object): void => {
  if (process.connected) process.send?.(message);
};
const kafka = new Kafka({
  brokers: settings.brokers,
  logger: {
    debug: (message) => {
      const phase = /^transaction (\w+)$/.exec(message)?.[1];
      if (phase !== undefined) tell({ phase });
    },
    info: () => {},
    warn: () => {},
    error: (message) => {
      console.error(message);
    },
  },
});

const input = defineTopic(settings.input, { value: numbered });
const output = defineTopic(settings.output, { value: string() });
const options = {
  groupId: settings.groupId,
  groupInstanceId: "worker",
  sessionTimeoutMs: 10_000,
  retry: { attempts: 2, initialDelayMs: 5 },
  retryTopics: { delaysMs: [300] },
  deadLetter: true,
  onInvalid: "dead-letter",
} as const;

/** Throws in the way that the record's number asks for. */
async function handle(id: number, attempt: number): Promise<void> {
  await sleep(1);
  const way = id % 50;
  if (way === 0) throw new PermanentError("never");
  if (way === 10) throw new Error("each time");
  if (way === 20 && attempt === 1) throw new Error("the first time");
  if (way === 30 && attempt < 3) throw new Error("until it comes from the retry topic");
}

let client: { close: () => Promise<void> };
process.on("message", () => void client.close());
process.on("disconnect", () => process.exit(9));
try {
  if (settings.with === "processor") {
    const processor = kafka.processor(input, { ...options, transactionalId: settings.groupId });
    client = processor;
    await processor.run(async ({ value }, tx, { attempt }) => {
      // Sent before it fails: none of it may be seen.
      await tx.send(output, { value: String(value.id) });
      await handle(value.id, attempt);
    });
  } else {
    const producer = kafka.producer();
    const consumer = kafka.consumer(input, { ...options, commitIntervalMs: 100 });
    client = consumer;
    await consumer.run(async ({ value }, { attempt }) => {
      await handle(value.id, attempt);
      await producer.send(output, { value: String(value.id) });
    });
  }
  await kafka.close();
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(2);
}
