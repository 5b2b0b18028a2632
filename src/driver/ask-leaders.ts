import { KafkaError } from "../errors.js";
import { sleep } from "../waiting.js";
import { nativeCodes } from "./native-errors.js";

/** How long leaders have to answer until they are looked up, in milliseconds; twice as long at each further try. */
const answerMs = 2_000;
const pauseMs = 100;

/**
 * Asks leaders for something of each of their partitions. Where one is silent, leaders are looked up before they are asked
 * again: librdkafka goes on asking those that it knows, up to `metadataMaxAgeMs` after a broker has failed.
 *
 * @param ask - asks, at most so many milliseconds
 * @param lookUp - looks the leaders up, at most so many milliseconds
 * @throws what `ask` fails with at the last
 */
export async function askLeaders<Outcome extends { readonly error?: KafkaError | undefined }>(
  ask: (timeoutMs: number) => Promise<readonly Outcome[]>,
  lookUp: (timeoutMs: number) => Promise<unknown>,
  timeoutMs: number,
): Promise<readonly Outcome[]> {
  const deadline = performance.now() + timeoutMs;
  for (let withinMs = answerMs; ; withinMs *= 2) {
    const last = await settle(ask(Math.min(withinMs, Math.max(1, deadline - performance.now()))));
    const isSilent =
      "error" in last ? saysNothing(last.error) : last.outcomes.some(({ error }) => saysNothing(error));
    const left = deadline - performance.now() - pauseMs;
    if (!isSilent || left <= 0) {
      if ("error" in last) throw last.error;
      return last.outcomes;
    }
    await sleep(pauseMs);
    await lookUp(Math.min(withinMs, left)).catch(() => undefined);
  }
}

async function settle<Outcome>(
  asking: Promise<readonly Outcome[]>,
): Promise<{ readonly outcomes: readonly Outcome[] } | { readonly error: unknown }> {
  try {
    return { outcomes: await asking };
  } catch (error) {
    return { error };
  }
}

function saysNothing(error: unknown): boolean {
  return error instanceof KafkaError && error.nativeCode === nativeCodes.timedOut;
}
