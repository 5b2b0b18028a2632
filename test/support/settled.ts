import { setTimeout as sleep } from "node:timers/promises";
import kafka from "@confluentinc/kafka-javascript";

const { READ_COMMITTED, READ_UNCOMMITTED } = kafka.IsolationLevel;
const withinMs = 60_000;
const pauseMs = 20;

/**
 * Resolves when readers see everything that is in the topics now. A commit has resolved as soon as brokers have decided
 * it; readers see it in a partition once its marker is there, on all in-sync replicas. Mostly that takes milliseconds,
 * but seconds where brokers are busy or gone, and a read that begins before ends in front of the transaction.
 */
export async function settled(brokers: string, topics: readonly string[]): Promise<void> {
  const deadline = Date.now() + withinMs;
  const wanted = await until(deadline, () => ends(brokers, topics, READ_UNCOMMITTED));
  await until(deadline, async () => {
    const stable = await ends(brokers, topics, READ_COMMITTED);
    return stable !== undefined && wanted.every((end, index) => (stable[index] ?? 0) >= end)
      ? stable
      : undefined;
  });
}

async function until<Result>(deadline: number, look: () => Promise<Result | undefined>): Promise<Result> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline)
      throw new Error(`after ${withinMs} ms a transaction is open, or a leader silent`);
    await sleep(pauseMs);
  }
}

/** The ends of all partitions; `undefined` where not every leader tells. */
async function ends(
  brokers: string,
  topics: readonly string[],
  isolationLevel: kafka.IsolationLevel,
): Promise<readonly number[] | undefined> {
  // A new one each time: it goes on asking the leaders that it knows when they have failed.
  const admin = kafka.AdminClient.create({ "bootstrap.servers": brokers });
  try {
    const asked = await new Promise<readonly kafka.TopicPartitionOffsetSpec[]>((resolve) => {
      admin.describeTopics([...topics], { timeout: 5_000 }, (error, descriptions) => {
        const known = (error as unknown) ? [] : descriptions;
        resolve(
          known.flatMap(({ name, partitions }) =>
            partitions.map(({ partition }) => ({
              topic: name,
              partition,
              offset: kafka.OffsetSpec.LATEST,
            })),
          ),
        );
      });
    });
    if (asked.length < topics.length) return undefined;
    return await new Promise((resolve) => {
      admin.listOffsets([...asked], { timeout: 5_000, isolationLevel }, (error, found) => {
        // Where a leader is silent the binding tells an offset below 0, and no error.
        const isTold =
          !(error as unknown) && found.every((each) => each.error === undefined && each.offset >= 0);
        resolve(isTold ? found.map(({ offset }) => offset) : undefined);
      });
    });
  } finally {
    admin.disconnect();
  }
}
