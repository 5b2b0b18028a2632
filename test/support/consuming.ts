import { setTimeout as sleep } from "node:timers/promises";
import kafka from "@confluentinc/kafka-javascript";
import { defineTopic, string } from "typed-kafka";

/** A topic of texts of this name; `null` is one of its values. */
export const textTopic = (name: string) => defineTopic(name, { value: string(), tombstones: true });

/**
 * Waits until `condition` holds; fails after `withinMs`, saying what did not come about. Unless told otherwise that is
 * nearly all the time that a test has: a group alone waits up to 45 s for a member that is gone.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 50_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(10);
  }
}

/** What `promise` resolves to; fails after `ms`, saying what did not come about and what `log` holds by then. */
export async function within<Result>(
  ms: number,
  what: string,
  promise: Promise<Result>,
  log: readonly string[] = [],
): Promise<Result> {
  const timeout = new AbortController();
  const late = sleep(ms, undefined, { signal: timeout.signal }).then(
    () => {
      throw new Error([`not within ${ms} ms: ${what}`, ...log.slice(-40)].join("\n"));
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    timeout.abort();
  }
}

/** The first group of a broker finds that the topic of the offsets is just being made. */
const noCoordinatorYet = /Not coordinator|Coordinator not available|Coordinator load in progress/;

/** What a group has committed in each partition of a topic, asked past the library; -1 is nothing. */
export async function committedOffsets(
  brokers: string,
  groupId: string,
  topic: string,
  partitions = 1,
): Promise<number[]> {
  const client = new kafka.KafkaConsumer({ "bootstrap.servers": brokers, "group.id": groupId }, {});
  await new Promise<void>((resolve, reject) => {
    client.connect({ timeout: 10_000 }, (error) => {
      if (error as unknown) reject(new Error(error.message));
      else resolve();
    });
  });
  try {
    const asked = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    const ask = () =>
      new Promise<readonly { partition: number; offset?: number }[] | undefined>((resolve, reject) => {
        client.committed(asked, 10_000, (error, offsets) => {
          if (!(error as unknown)) resolve(offsets);
          else if (noCoordinatorYet.test(error.message)) resolve(undefined);
          else reject(new Error(error.message));
        });
      });
    let found = await ask();
    for (; found === undefined; found = await ask()) await sleep(100);
    return found.toSorted((one, other) => one.partition - other.partition).map(({ offset }) => offset ?? -1);
  } finally {
    await new Promise<void>((resolve) => {
      client.disconnect(() => {
        resolve();
      });
    });
  }
}
