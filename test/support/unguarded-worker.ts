/**
 * What the library's processor must not be: a loop on the bare binding that asks for the next records while
 * its transaction is open, and commits them under whatever membership it has by then. A process that was
 * stopped for longer than its session doubles records in it, which proves that the faults of the tests
 * would show a missing guard.
 */
import kafka from "@confluentinc/kafka-javascript";
import type { WorkerSettings } from "./processor-worker.js";

const { brokers, inputs, output, options } = JSON.parse(process.argv[2] ?? "{}") as WorkerSettings;
const [input = ""] = inputs;
const tell = (phase: string): void => {
  if (process.connected) process.send?.({ phase });
};
type Done = (error: unknown, value?: unknown) => void;
const call = <Result = unknown>(start: (done: Done) => void): Promise<Result> =>
  new Promise((resolve, reject) => {
    start((error, value) => {
      if (error !== null && error !== undefined) reject(error);
      else resolve(value as Result);
    });
  });
interface Raw {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

const transactionTimeoutMs = options.transactionTimeoutMs ?? 60_000;
const producer = new kafka.Producer(
  {
    "bootstrap.servers": brokers,
    "transactional.id": options.transactionalId,
    "transaction.timeout.ms": transactionTimeoutMs,
    "socket.timeout.ms": 10_000,
  },
  {},
);
const consumer = new kafka.KafkaConsumer(
  {
    "bootstrap.servers": brokers,
    "group.id": options.groupId,
    "enable.auto.commit": false,
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "range",
    "session.timeout.ms": options.sessionTimeoutMs ?? 6_000,
    "heartbeat.interval.ms": 500,
    "fetch.wait.max.ms": 100,
  },
  { "auto.offset.reset": "earliest" },
);
const stopping = new AbortController();
process.on("message", () => {
  stopping.abort();
});
process.on("disconnect", () => process.exit(9));

await call((done) => producer.connect({}, done));
producer.setPollInBackground(true);
await call((done) => {
  producer.initTransactions(15_000, done);
});
await call((done) => consumer.connect({}, done));
consumer.setDefaultConsumeTimeout(100);
consumer.subscribe([input]);
const fetch = (): Promise<Raw[]> =>
  call<Raw[]>((done) => {
    consumer.consume(100, done as never);
  }).catch(() => []);

let next = fetch();
for (;;) {
  if (stopping.signal.aborted) process.exit(0);
  const records = await next;
  next = fetch();
  if (records.length === 0) continue;
  try {
    await call((done) => {
      producer.beginTransaction(done);
    });
    tell("begun");
    const offsets = new Map<number, number>();
    for (const { partition, offset, key, value } of records) {
      producer.produce(output, partition, Buffer.from(`${partition}:${offset}:${String(value)}`), key);
      offsets.set(partition, offset + 1);
    }
    tell("produced");
    await new Promise((resolve) => setTimeout(resolve, 50));
    tell("sending");
    await call((done) => {
      const list = [...offsets].map(([partition, offset]) => ({ topic: input, partition, offset }));
      producer.sendOffsetsToTransaction(list, consumer, 5_000, done);
    });
    tell("committing");
    await call((done) => {
      producer.commitTransaction(5_000, done);
    });
    tell("committed");
  } catch (error) {
    console.error(`unguarded: ${String((error as { message?: unknown }).message)}`);
    if (
      await call((done) => producer.abortTransaction(5_000, done)).then(
        () => false,
        () => true,
      )
    )
      process.exit(3);
  }
}
