import kafka from "@confluentinc/kafka-javascript";
import { uniqueName } from "./topics.js";

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
  const producer = new kafka.Producer({
    "bootstrap.servers": brokers,
    "transactional.id": uniqueName("aborted"),
    "transaction.timeout.ms": 60_000,
    "linger.ms": 0,
  });
  producer.on("event.error", () => undefined);
  const done = (start: (callback: (error: { message: string } | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      start((error) => {
        if (error) reject(new Error(error.message));
        else resolve();
      });
    });
  await done((callback) => producer.connect({}, callback));
  producer.setPollInBackground(true);
  await done((callback) => {
    producer.initTransactions(20_000, callback);
  });
  await done((callback) => {
    producer.beginTransaction(callback);
  });
  for (const partition of partitions)
    for (let index = 0; index < count; index += 1)
      producer.produce(topic, partition, Buffer.from(`aborted ${index}`), null, Date.now());
  await done((callback) => producer.flush(20_000, callback));
  const abort = async (): Promise<void> => {
    await done((callback) => {
      producer.abortTransaction(20_000, callback);
    });
    await done((callback) => producer.disconnect(callback));
  };
  if (end === "abort") await abort();
  return abort;
}
