import kafka from "@confluentinc/kafka-javascript";
import { uniqueName } from "./topics.js";

const done = (start: (callback: (error: { message: string } | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error) => {
      if (error) reject(new Error(error.message));
      else resolve();
    });
  });

/** A transaction that the raw client has begun. */
async function begin(brokers: string) {
  const producer = new kafka.Producer({
    "bootstrap.servers": brokers,
    "transactional.id": uniqueName("aborted"),
    "transaction.timeout.ms": 60_000,
    "linger.ms": 0,
  });
  producer.on("event.error", () => undefined);
  await done((callback) => producer.connect({}, callback));
  producer.setPollInBackground(true);
  await done((callback) => {
    producer.initTransactions(20_000, callback);
  });
  await done((callback) => {
    producer.beginTransaction(callback);
  });
  const abort = async (): Promise<void> => {
    await done((callback) => {
      producer.abortTransaction(20_000, callback);
    });
    await done((callback) => producer.disconnect(callback));
  };
  return { producer, abort };
}

/**
 * Writes `count` records to each of the partitions in a transaction and aborts it, with the raw client.
 * With "leave open", what is returned aborts it.
 */
export async function abortedTransaction(
  brokers: string,
  topic: string,
  partitions: readonly number[],
  count: number,
  end: "abort" | "leave open" = "abort",
): Promise<() => Promise<void>> {
  const { producer, abort } = await begin(brokers);
  for (const partition of partitions)
    for (let index = 0; index < count; index += 1)
      producer.produce(topic, partition, Buffer.from(`aborted ${index}`), null, Date.now());
  await done((callback) => producer.flush(20_000, callback));
  if (end === "abort") await abort();
  return abort;
}

/** Leaves a transaction open that has offsets of the group, as one of a member that was killed. What is returned aborts it. */
export async function openOffsets(
  brokers: string,
  groupId: string,
  offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[],
): Promise<() => Promise<void>> {
  const { producer, abort } = await begin(brokers);
  const consumer = new kafka.KafkaConsumer({ "bootstrap.servers": brokers, "group.id": groupId }, {});
  await done((callback) => consumer.connect({}, callback));
  await done((callback) => {
    producer.sendOffsetsToTransaction([...offsets], consumer, 20_000, callback);
  });
  await done((callback) => consumer.disconnect(callback));
  return abort;
}
