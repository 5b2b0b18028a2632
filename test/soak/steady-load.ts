/** Every kind of client at work in one process, and what is checked of their records in memory that does not grow. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { defineStore, defineTopic, integer, Kafka, type Logger } from "typed-kafka";
import { z } from "zod";

const keys = 600;
/** Which records become dead letters, and which need a second attempt: some at any time. */
const isHopeless = (key: string, number: number): boolean => (numberOf(key) + number) % 50 === 0;
const needsTwo = (key: string, number: number): boolean => (numberOf(key) + number) % 20 === 1;
const numberOf = (key: string): number => Number(key.slice("key-".length));

const numbered = z.object({ number: z.number().int(), text: z.string() });
const orders = defineTopic("orders", {
  value: numbered,
  partitions: 6,
  config: { "retention.ms": "1200000", "segment.ms": "300000" },
});
const letters = defineTopic("orders.etl.dead-letter", { value: numbered });
const totals = defineTopic("totals", {
  value: z.object({ number: z.number().int(), count: z.number().int() }),
  partitions: 6,
  config: { "cleanup.policy": "compact,delete", "retention.ms": "1200000", "segment.ms": "300000" },
});
const counts = defineStore("counts", { value: integer() });

/** Runs until the signal; then everything that was sent is handled, and the clients are closed. */
export class SteadyLoad {
  readonly #kafka: Kafka;
  readonly #rate: number;
  readonly #stop = new AbortController();
  readonly #consumer;
  readonly #processor;
  readonly #table;
  readonly #running: Promise<unknown>[];
  readonly #sent = new Map<string, number>();
  readonly #consumed = new Map<string, number>();
  readonly #totalled = new Map<string, number>();
  #failure: unknown;
  /** What is counted as wrong, of the first twenty. */
  readonly wrongs: string[] = [];
  readonly count = {
    sent: 0,
    consumed: 0,
    redelivered: 0,
    deadLetters: 0,
    hopeless: 0,
    processed: 0,
    reread: 0,
    /** Numbers that a client never saw, or the processor's output has twice. */
    wrong: 0,
  };

  private constructor(kafka: Kafka, rate: number) {
    this.#kafka = kafka;
    this.#rate = rate;
    this.#consumer = kafka.consumer(orders, {
      groupId: "etl",
      retry: { attempts: 2, initialDelayMs: 50 },
      retryTopics: { delaysMs: [1_000] },
      deadLetter: true,
    });
    this.#processor = kafka.processor(orders, {
      groupId: "totals",
      transactionalId: `totals-${randomUUID()}`,
      stores: [counts],
    });
    this.#table = kafka.table(totals);
    this.#running = [this.#produce(), this.#consume(), this.#process(), this.#follow(), this.#reread()].map(
      async (client) =>
        client.catch((error: unknown) => {
          this.#failure ??= error;
        }),
    );
  }

  /** Makes the topics and starts the clients. */
  static async start(brokers: string, rate: number, logger: Logger): Promise<SteadyLoad> {
    const kafka = new Kafka({ brokers, logger });
    await kafka.admin().ensureTopics([orders, totals]);
    return new SteadyLoad(kafka, rate);
  }

  /** Throws what stopped a client. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** How many records each of them is behind. */
  async lag(): Promise<{ readonly consumer: number; readonly processor: number; readonly table: number }> {
    const sum = (lags: readonly { readonly lag: number }[]): number =>
      lags.reduce((total, { lag }) => total + lag, 0);
    const [consumer, processor, table] = await Promise.all([
      this.#consumer.lag().then(sum, () => Number.NaN),
      this.#processor.lag().then(sum, () => Number.NaN),
      this.#table.lag().then(({ records }) => records ?? Number.NaN),
    ]);
    return { consumer, processor, table };
  }

  /** Ends the load; resolves when what was sent has been handled by all. */
  async close(): Promise<void> {
    this.#stop.abort();
    const deadline = performance.now() + 120_000;
    const isDone = (): boolean =>
      this.count.consumed === this.count.sent &&
      this.count.processed === this.count.sent &&
      this.count.deadLetters >= this.count.hopeless;
    while (!isDone() && performance.now() < deadline) await sleep(200);
    const handled = isDone();
    const written = await this.#written();
    await this.#kafka.close();
    await Promise.all(this.#running);
    this.check();
    if (written !== this.count.sent)
      throw new Error(`${this.count.sent} records were sent, and the log has had ${written}`);
    if (!handled) throw new Error(`not everything was handled: ${JSON.stringify(this.count)}`);
  }

  async #produce(): Promise<void> {
    // Longer than a machine that halts for a while.
    const producer = this.#kafka.producer({ deliveryTimeoutMs: 600_000 });
    const began = performance.now();
    const failed = (error: unknown): void => {
      this.#failure ??= error;
    };
    while (!this.#stop.signal.aborted) {
      const due = Math.ceil(((performance.now() - began) / 1_000) * this.#rate);
      while (this.count.sent < due) {
        const key = `key-${this.count.sent % keys}`;
        const number = next(this.#sent, key);
        this.count.sent += 1;
        if (isHopeless(key, number)) this.count.hopeless += 1;
        producer.send(orders, { key, value: { number, text: "some text".repeat(10) } }).catch(failed);
      }
      await sleep(20);
    }
  }

  async #consume(): Promise<void> {
    await this.#consumer.run(async ({ key, value: { number } }, { attempt }) => {
      await sleep(1);
      this.#see(this.#consumed, key ?? "", number);
      if (isHopeless(key ?? "", number) || (needsTwo(key ?? "", number) && attempt === 1))
        throw new Error(`no ${number}`);
    });
  }

  /** In order for each key; what was seen before is a redelivery, or comes from a retry topic. */
  #see(seen: Map<string, number>, key: string, number: number): void {
    const expected = (seen.get(key) ?? 0) + 1;
    if (number < expected) {
      this.count.redelivered += 1;
      return;
    }
    if (number > expected) this.#note(number - expected, `consumer: ${key} ${number} for ${expected}`);
    this.count.consumed += 1;
    seen.set(key, number);
  }

  #note(count: number, what: string): void {
    this.count.wrong += count;
    if (this.wrongs.length < 20) this.wrongs.push(what);
  }

  /** As many records as the log has had: more than were sent where the producer doubled one. */
  async #written(): Promise<number> {
    const offsets = await this.#kafka.admin().logOffsets(orders);
    return offsets.reduce((total, { end }) => total + end, 0);
  }

  async #process(): Promise<void> {
    await this.#processor.run(async ({ key, value: { number } }, tx) => {
      const store = tx.store(counts);
      const count = (store.get(key ?? "") ?? 0) + 1;
      store.set(key ?? "", count);
      await tx.send(totals, { key, value: { number, count } });
    });
  }

  /** The processor's output: a key's first record has the count 1, the next one 2, and so on, each once. */
  async #follow(): Promise<void> {
    this.#table.onChange(({ key, value }) => {
      const expected = next(this.#totalled, key);
      if (value?.number !== expected || value.count !== expected)
        this.#note(1, `table: ${key} ${JSON.stringify(value)} for ${expected}`);
      this.count.processed += 1;
    });
    const letterReader = async (): Promise<void> => {
      // The consumer makes the topic when it starts.
      while (!this.#stop.signal.aborted && !(await this.#kafka.admin().listTopics()).includes(letters.name))
        await sleep(500);
      for await (const _ of this.#kafka.read(letters, { follow: true })) this.count.deadLetters += 1;
    };
    await Promise.all([this.#table.closed, letterReader()]);
  }

  /** The last twenty seconds of the log, again and again: a reader that begins, ends and is closed. */
  async #reread(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for await (const _ of this.#kafka.read(orders, { from: new Date(Date.now() - 20_000) }))
        this.count.reread += 1;
      await sleep(15_000, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}

function next(numbers: Map<string, number>, key: string): number {
  const number = (numbers.get(key) ?? 0) + 1;
  numbers.set(key, number);
  return number;
}
