import type { NativeConsumer } from "../driver/native-consumer.js";
import type { NativeOffset } from "../driver/native.js";
import { KafkaError } from "../errors.js";
import { sleep } from "../waiting.js";
import { placeOf, type TopicPartition } from "./options.js";

const queryTimeoutMs = 5_000;
const askAttempts = 10;
/** The protocol's word for the first record of a log. */
export const logStart = -2;
/** The protocol's word for the next offset of a log. */
const logEnd = -1;

/**
 * Where to begin, under `from: "latest"`, in those of these partitions for which the group has committed
 * nothing: at their ends as of now, so that what comes from here on is not passed over by whoever has them next.
 * A retry topic begins at its first record in any case: one that was forwarded before would be passed over.
 */
export async function latestBeginnings(
  native: NativeConsumer,
  partitions: readonly TopicPartition[],
  isRetryTopic: (topic: string) => boolean,
): Promise<readonly NativeOffset[]> {
  const committed = await asked(() => native.committed(partitions.map(placeOf), queryTimeoutMs));
  const fresh = committed.filter(({ offset }) => offset < 0).map(placeOf);
  const retries = fresh.filter(({ topic }) => isRetryTopic(topic));
  const sources = fresh.filter(({ topic }) => !isRetryTopic(topic));
  const ends =
    sources.length === 0
      ? []
      : await asked(() => native.offsetsForTimes(at(sources, logEnd), queryTimeoutMs));
  return [...at(retries, logStart), ...ends];
}

function at(places: readonly TopicPartition[], offset: number): readonly NativeOffset[] {
  return places.map((place) => ({ ...place, offset }));
}

async function asked<Result>(ask: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof KafkaError) || attempt >= askAttempts) throw error;
      await sleep(200 * attempt);
    }
  }
}
