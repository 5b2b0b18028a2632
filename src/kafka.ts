import { Admin, type AdminOptions } from "./admin/admin.js";
import { Consumer } from "./consumer/consumer.js";
import type { ConsumerOptions } from "./group/options.js";
import type { ClientConfig } from "./driver/client-config.js";
import { fastPath } from "./driver/fast/addon.js";
import { ClosedError } from "./errors.js";
import { type RedriveOptions, type RedriveResult, resolveRedriveOptions } from "./redrive/redrive-options.js";
import { checkTopic, checkTopics } from "./given-topic.js";
import { callsOfKafkajs, checkArguments, refuseCalls } from "./kafkajs-habits.js";
import { type ClientHealth, ClientsHealth, type Health } from "./health.js";
import { type KafkaOptions, resolveKafkaOptions } from "./kafka-options.js";
import type { ProcessorOptions } from "./processor/options.js";
import { Processor } from "./processor/processor.js";
import { Redrive } from "./redrive/redrive.js";
import { BrokerProbe, type HealthOptions } from "./preflight/broker-probe.js";
import { check } from "./preflight/check.js";
import type { CheckOptions } from "./preflight/options.js";
import type { CheckReport } from "./preflight/report.js";
import { Producer } from "./producer/producer.js";
import type { ProducerOptions } from "./producer/options.js";
import { ProducerPolicyWriter, TransactionPolicyWriter } from "./transactions/policy-writers.js";
import {
  TransactionalProducer,
  type TransactionalProducerOptions,
} from "./transactions/transactional-producer.js";
import type { ReadOptions } from "./reader/options.js";
import { Reader } from "./reader/reader.js";
import type { AnyTopicPattern } from "./topic-pattern.js";
import { bytes } from "./serde/bytes.js";
import { Table } from "./table/table.js";
import type { TableOptions } from "./table/options.js";
import type { AnyStore } from "./state/store-definition.js";
import { type AnyTopic, defineTopic, type KeyOf, type ValueOf } from "./topic.js";
import { deferred } from "./waiting.js";

const together = "all options are given in one object";

/**
 * A Kafka cluster, and the clients made for it. Opens nothing by itself: clients connect when they are
 * first used.
 *
 * @example
 * ```ts
 * const kafka = new Kafka({ brokers: "localhost:9092" });
 * ```
 */
export class Kafka {
  static {
    refuseCalls(this.prototype, callsOfKafkajs.kafka);
  }

  readonly #config: ClientConfig;
  /** Clients that run user code; closed first, because that code may use the others. */
  readonly #readers = new Set<Closable>();
  readonly #others = new Set<Closable>();
  readonly #clients = new ClientsHealth();
  #probe: BrokerProbe | undefined;
  #closed = false;

  /** @throws `ConfigError` that names the option which is wrong */
  constructor(options: KafkaOptions) {
    checkArguments("Kafka", arguments.length, 1, together);
    this.#config = resolveKafkaOptions(options);
  }

  /** A producer: idempotent, `acks=all`. One is enough for a process, whatever the number of topics. */
  producer(options: ProducerOptions = {}): Producer {
    checkArguments("producer", arguments.length, 1, together);
    return this.#add(this.#others, (onClosed) => new Producer(this.#config, options, onClosed));
  }

  /** A producer that writes in transactions: what is sent in one becomes visible together, or never. */
  transactionalProducer(options: TransactionalProducerOptions): TransactionalProducer {
    checkArguments("transactionalProducer", arguments.length, 1, together);
    return this.#add(this.#others, (onClosed) => new TransactionalProducer(this.#config, options, onClosed));
  }

  /**
   * A member of a consumer group for one topic or several, or for all that fit a {@link topicPattern}.
   * With several, `record.topic` tells the records apart.
   */
  consumer<T extends AnyTopic | AnyTopicPattern>(
    topics: T | readonly T[],
    options: ConsumerOptions,
  ): Consumer<T> {
    checkArguments("consumer", arguments.length, 2, together);
    const list = checkTopics(topics, "kafka.consumer(topic, { groupId })");
    return this.#add(
      this.#readers,
      (onClosed) => new Consumer(this.#config, list, options, this.#writers, onClosed),
    );
  }

  /**
   * A member of a consumer group that reads topics and writes to others, exactly once: what its handler
   * sends and the offset of its record are committed together, or not at all.
   */
  processor<T extends AnyTopic, Stores extends AnyStore = never>(
    topics: T | readonly T[],
    options: ProcessorOptions<Stores>,
  ): Processor<T, Stores> {
    checkArguments("processor", arguments.length, 2, together);
    const list = checkTopics(topics, "kafka.processor(topic, { groupId, transactionalId })");
    return this.#add(
      this.#readers,
      (onClosed) => new Processor<T, Stores>(this.#config, list, options, onClosed),
    );
  }

  /**
   * The records of a range of the log, from its start to its end unless told otherwise: for one
   * `for await`. Joins no group and commits nothing; ends by itself, unless it follows.
   *
   * @example
   * ```ts
   * for await (const { value } of kafka.read(students, { from: new Date("2026-01-01") })) table.set(value.id, value);
   * ```
   */
  read<T extends AnyTopic>(topics: T | readonly T[], options: ReadOptions = {}): Reader<T> {
    checkArguments("read", arguments.length, 2, together);
    const list = checkTopics(topics, "kafka.read(topic)");
    return this.#add(this.#readers, (onClosed) => new Reader(this.#config, list, options, onClosed));
  }

  /**
   * A topic as a map, kept current: the last value of each key, of all partitions. It begins to read at once, joins no
   * group, and survives outages of the brokers. A tombstone deletes its key: define the topic with `tombstones: true`.
   *
   * @throws `ConfigError` for wrong options
   * @example
   * ```ts
   * const courses = kafka.table(courseTopic);
   * await courses.ready();
   * courses.get("data-engineering");
   * ```
   */
  table<T extends AnyTopic>(
    topic: T,
    options: TableOptions = {},
  ): Table<KeyOf<T>, Exclude<ValueOf<T>, null>> {
    checkArguments("table", arguments.length, 2, together);
    checkTopic("topic", topic, "kafka.table(topic)");
    return this.#add(this.#others, (onClosed) => new Table(this.#config, topic, options, onClosed));
  }

  /** Makes, changes and looks at topics and groups. */
  admin(options: AdminOptions = {}): Admin {
    checkArguments("admin", arguments.length, 1, together);
    return this.#add(this.#others, (onClosed) => new Admin(this.#config, options, onClosed));
  }

  /**
   * Tells before the start what is missing: whether the brokers answer, the topics are there as defined,
   * this principal may use them, and the time limits given agree. Changes nothing.
   *
   * @example
   * ```ts
   * const report = await kafka.check([students], { groupId: "etl-group", deadLetter: true });
   * if (!report.ok) throw new Error(String(report));
   * ```
   * @throws `ConfigError` for wrong options, `KafkaError` with code `BINDING`; everything else is in the report
   */
  async check(topics: AnyTopic | readonly AnyTopic[], options: CheckOptions = {}): Promise<CheckReport> {
    checkArguments("check", arguments.length, 2, together);
    return check(this.#config, checkTopics(topics, "kafka.check(topic, { groupId })"), options);
  }

  /**
   * Whether the brokers answer, and how the clients made here are doing: for a readiness probe, or a page of status.
   * Cheap enough to be asked every second: one question on a connection that is kept. Brokers that do not answer are
   * in the result, not an error.
   *
   * @example
   * ```ts
   * const { ok, brokers, clients } = await kafka.health({ timeoutMs: 2_000 });
   * response.writeHead(ok ? 200 : 503).end(JSON.stringify({ brokers: brokers.ok, clients }));
   * ```
   * @throws `ConfigError` for wrong options, `ClosedError` after `close`
   */
  async health(options: HealthOptions = {}): Promise<Health> {
    checkArguments("health", arguments.length, 1, together);
    if (this.#closed) throw new ClosedError("this Kafka is closed: make a new one");
    this.#probe ??= this.#add(this.#others, () => new BrokerProbe(this.#config));
    const brokers = await this.#probe.ask(options);
    const clients = this.#clients.list();
    const { reason } = fastPath();
    return {
      ok: brokers.ok && clients.every(({ state }) => state !== "failed"),
      brokers,
      clients,
      fastPath: { used: reason === undefined, reason },
    };
  }

  /**
   * Sends dead letters back to where they came from, exactly once: a redrive that is ended in the middle, or
   * killed, goes on where it stopped when it is run again. Resolves with the number of what was done.
   *
   * The records come to every group that reads the topic, not only to the one in which they failed; `to` sends
   * them somewhere else. Dead letters that were sent back are deleted.
   *
   * @throws `KafkaError` with code `UNKNOWN_TOPIC` where there is no dead-letter topic;
   *   `ProducerFencedError` where another redrive of the same dead letters was begun later;
   *   `TransactionAbortedError`, or `TransactionOutcomeUnknownError` where nobody knows whether the last batch
   *   went back: run it again
   *
   * @example
   * ```ts
   * const { redriven } = await kafka.redrive(students, { groupId: "etl", filter: ({ errorName }) => errorName === "TimeoutError" });
   * ```
   */
  async redrive(topic: AnyTopic, options: RedriveOptions): Promise<RedriveResult> {
    checkArguments("redrive", arguments.length, 2, together);
    checkTopic("topic", topic, "kafka.redrive(topic, { groupId })");
    const resolved = resolveRedriveOptions(topic, options);
    const letters = defineTopic(resolved.letters, { value: bytes(), key: bytes(), tombstones: true });
    const closing = new AbortController();
    const redrive = new Redrive(
      this.#config,
      resolved,
      (from, signal) => this.read(letters, { from, signal }),
      closing.signal,
    );
    const running = deferred();
    const { done } = this.#add(this.#readers, (onClosed) => ({
      done: onClosed,
      close: async () => {
        closing.abort(new ClosedError("this Kafka was closed"));
        await running.promise;
      },
    }));
    try {
      return await redrive.run();
    } finally {
      done();
      running.resolve();
    }
  }

  /**
   * Closes every client made here gracefully: handlers finish, offsets are committed, records in flight are
   * acknowledged. Producers go last, so that handlers can send until they have finished.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const results = [...(await closeAll(this.#readers)), ...(await closeAll(this.#others))];
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Closes every client made here. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #writers = {
    plain: () => new ProducerPolicyWriter(this.#config),
    transactional: (groupId: string, name: string | undefined) =>
      new TransactionPolicyWriter(this.#config, groupId, name),
  };

  #add<Client extends Closable>(to: Set<Closable>, make: (onClosed: () => void) => Client): Client {
    if (this.#closed) throw new ClosedError("this Kafka is closed: make a new one");
    const client = make(() => {
      to.delete(client);
      if (hasHealth(client)) this.#clients.remove(client);
    });
    to.add(client);
    if (hasHealth(client)) this.#clients.add(client);
    return client;
  }
}

interface Closable {
  readonly close: () => Promise<void>;
}

function hasHealth<Client extends Closable>(
  client: Client,
): client is Client & { readonly health: ClientHealth } {
  return "health" in client;
}

function closeAll(clients: Iterable<Closable>): Promise<PromiseSettledResult<void>[]> {
  return Promise.allSettled([...clients].map((client) => client.close()));
}
