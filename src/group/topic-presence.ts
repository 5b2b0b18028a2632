import type { NativeConsumer } from "../driver/native-consumer.js";
import { KafkaError } from "../errors.js";
import { sleep } from "../waiting.js";

/** How long a topic may be missing: one that is just being made comes within seconds. */
const limitMs = 10_000;
const pauseMs = 500;
const questionTimeoutMs = 2_000;

/** Whether the topics that a group subscribes to are there. Those of patterns come and go as they like. */
export class TopicPresence {
  readonly names: readonly string[];
  readonly #native: Pick<NativeConsumer, "partitionsOf" | "trouble">;
  readonly #onFailure: (error: KafkaError) => void;
  #isLooking = false;
  #isOver = false;

  /** `onFailure`: a topic has been missing for 10 s, or may not be asked about. */
  constructor(
    names: readonly string[],
    native: Pick<NativeConsumer, "partitionsOf" | "trouble">,
    onFailure: (error: KafkaError) => void,
  ) {
    this.names = names;
    this.#native = native;
    this.#onFailure = onFailure;
  }

  /**
   * Waits until all are there.
   * @throws `KafkaError` with code `UNKNOWN_TOPIC` for one that does not come
   */
  async wait(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (const topic of this.names.filter((name) => !isPattern(name))) {
      for (;;) {
        signal.throwIfAborted();
        if (await this.#exists(topic)) break;
        if (performance.now() >= deadline) throw unknownTopic(topic, this.#native.trouble);
        await sleep(pauseMs, signal);
      }
    }
  }

  /** One is said to be missing: looks until it is back, or calls `onFailure`. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look().finally(() => {
      this.#isLooking = false;
    });
  }

  stop(): void {
    this.#isOver = true;
  }

  async #look(): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (!this.#isOver) {
      await sleep(pauseMs);
      const missing = await this.#firstMissing();
      if (missing === undefined) return;
      if (performance.now() < deadline) continue;
      this.#onFailure(unknownTopic(missing, this.#native.trouble));
      return;
    }
  }

  async #firstMissing(): Promise<string | undefined> {
    for (const topic of this.names) {
      try {
        if (!isPattern(topic) && !(await this.#exists(topic))) return topic;
      } catch (error) {
        if (error instanceof KafkaError) this.#onFailure(error);
      }
    }
    return undefined;
  }

  /** Asking fails while brokers are down; that says nothing about the topic. */
  async #exists(topic: string): Promise<boolean> {
    try {
      return (await this.#native.partitionsOf(topic, questionTimeoutMs)).length > 0;
    } catch (error) {
      if (
        error instanceof KafkaError &&
        (error.code === "UNKNOWN_TOPIC" || error.code === "UNKNOWN_PARTITION")
      )
        return false;
      if (error instanceof KafkaError && error.retriable) return true;
      throw error;
    }
  }
}

/** Patterns are subscribed to by names that begin like this, which topics' never do. */
export function isPattern(name: string): boolean {
  return name.startsWith("^");
}

function unknownTopic(topic: string, trouble: string): KafkaError {
  return new KafkaError(
    "UNKNOWN_TOPIC",
    `${topic}: the topic does not exist, or this principal may not see it. Create it, or grant DESCRIBE on it${trouble}`,
    { topic },
  );
}
