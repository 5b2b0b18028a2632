import { ConfigError } from "./errors.js";

/** Options of kafkajs that are none here, and what there is instead. Those that have another name are in the specs. */
const optionsOfKafkajs: ReadonlyMap<string, string> = new Map([
  ["retry.retries", "give `attempts`: how often the handler is called"],
  ["retry.initialRetryTime", "use `initialDelayMs`"],
  ["retry.maxRetryTime", "use `maxDelayMs`"],
  ["retry.multiplier", "use `factor`"],
  ["retry.restartOnFailure", "`run` rejects where it cannot go on, and a consumer is made anew"],
  ["sasl.authenticationProvider", "with `oauthbearer`, `token` is a function that gives a token"],
  ["logLevel", "give a `logger`, whose functions choose the levels"],
  ["reauthenticationThreshold", "a token is asked for again before it expires"],
  ["authenticationTimeout", "use `connectTimeoutMs`"],
  ["enforceRequestTimeout", "requests always have a limit"],
  ["socketFactory", "the native client opens its own sockets"],
  ["idempotent", "every producer is idempotent"],
  ["maxInFlightRequests", "the native client chooses it, and keeps the order of records"],
  [
    "maxBytes",
    "`maxBufferBytes` bounds what a consumer has fetched; for one fetch, `librdkafka` of `new Kafka` takes `fetch.max.bytes`",
  ],
  [
    "maxBytesPerPartition",
    "`maxBufferBytes` bounds what a consumer has fetched; for one fetch, `librdkafka` of `new Kafka` takes `max.partition.fetch.bytes`",
  ],
  ["minBytes", "`librdkafka` of `new Kafka` takes `fetch.min.bytes`"],
  ["maxWaitTimeInMs", "`librdkafka` of `new Kafka` takes `fetch.wait.max.ms`"],
  ["partitionAssignors", "use `assignor`"],
  ["eachBatchAutoResolve", "an offset is committed after its handler has finished"],
  ["kafkaJS", "options stand in no object of their own: give them one level up"],
  ["acks", "every producer waits for all in-sync replicas"],
  ["allowAutoTopicCreation", "topics are made by `kafka.admin().ensureTopics`, and nowhere else"],
  ["fromBeginning", 'use `from: "earliest"`, which is the default'],
  ["heartbeatInterval", "it follows `sessionTimeoutMs`"],
  ["autoCommit", "an offset is committed after its handler has finished"],
  ["autoCommitThreshold", "offsets are committed after 10,000 records at the latest"],
  ["eachMessage", "pass the handler to `run`"],
  ["eachBatch", "pass the handler to `runBatch`"],
  ["topics", "topics made with `defineTopic` are the first argument"],
  ["topic", "a topic made with `defineTopic` is the first argument"],
]);

/** Options of kafkajs that another client has here. */
const optionsElsewhere: ReadonlyMap<string, string> = new Map([
  [
    "retry",
    "the native client connects again by itself; `kafka.producer` has `retries`, `kafka.consumer` has `retry` for its handler",
  ],
  ["requestTimeout", "`kafka.producer` has `requestTimeoutMs`, `kafka.admin` has `timeoutMs`"],
  ["transactionalId", "use `kafka.transactionalProducer({ transactionalId })`"],
  ["transactionTimeout", "use `transactionTimeoutMs` of `kafka.transactionalProducer`"],
  ["metadataMaxAge", "use `metadataMaxAgeMs` of `new Kafka`"],
  ["rackId", "use `rack` of `new Kafka`"],
  ["sessionTimeout", "use `sessionTimeoutMs` of `kafka.consumer`"],
  ["rebalanceTimeout", "use `maxPollIntervalMs` of `kafka.consumer`"],
  ["groupId", "use `kafka.consumer(topics, { groupId })`"],
]);

/**
 * What to write instead of an option of kafkajs; `undefined` for any other name.
 *
 * @param path - the option, with those that it is within: `retry.retries`
 * @param same - what it is called here, where the client has it under another name
 */
export function insteadOfOption(path: string, same: string | undefined): string | undefined {
  const renamed = same === undefined ? undefined : `use \`${same}\``;
  const instead = optionsOfKafkajs.get(path) ?? renamed ?? optionsElsewhere.get(path);
  return instead === undefined ? undefined : `no such option: ${instead}`;
}

/** Of every client. */
const everywhere = {
  on: "give `telemetry` to new Kafka; run() rejects where a consumer cannot go on",
  logger: "give `logger` to new Kafka",
} as const;

const sendOffsets =
  "use kafka.processor(topics, { groupId, transactionalId }), which commits with what it sends";
const ownTool = (name: string): string => `use Kafka's own kafka-${name}.sh`;

/** What to call instead of a function of kafkajs's clients, by client. */
export const callsOfKafkajs = {
  kafka: {
    connect: "clients connect at their first call: leave it out",
    disconnect: "use close()",
    ...everywhere,
    logger: "give `logger` to new Kafka, and keep it",
  },
  producer: {
    connect: "a producer connects at its first call: leave it out",
    disconnect: "use close()",
    sendBatch: "call send(topic, records) for each topic, in a transaction if they belong together",
    ...everywhere,
    isIdempotent: "every producer is idempotent",
    sendOffsets,
    transaction: "use kafka.transactionalProducer({ transactionalId }).transaction(callback)",
  },
  transactionalProducer: {
    connect: "a producer connects at its first call: leave it out",
    disconnect: "use close()",
    ...everywhere,
    sendOffsets,
    commit: "a transaction is committed when its callback has finished",
    abort: "a transaction is rolled back when its callback throws",
    send: "use transaction((tx) => tx.send(topic, record))",
    sendBatch: "use transaction(async (tx) => …), and tx.send(topic, records) for each topic",
  },
  consumer: {
    connect: "a consumer connects when it runs: leave it out",
    disconnect: "use close()",
    subscribe: "give the topics to kafka.consumer(topics, { groupId })",
    ...everywhere,
    describeGroup: "use describeGroups of kafka.admin()",
    paused: "keep what you give to pause()",
    committed: "use groupLag of kafka.admin()",
    stop: "use close(), or pause()",
    commitOffsets: "offsets are committed after the handler; commit() does it at once",
  },
  admin: {
    connect: "an admin client connects at its first call: leave it out",
    disconnect: "use close()",
    ...everywhere,
    fetchTopicOffsetsByTimestamp:
      "use kafka.read(topic, { from: new Date(…) }), or resetOffsets(groupId, topics, new Date(…))",
    describeCluster: "use Kafka's own tools; kafka.health() tells whether brokers answer",
    describeConfigs: ownTool("configs"),
    alterConfigs: ownTool("configs"),
    describeAcls: ownTool("acls"),
    createAcls: ownTool("acls"),
    deleteAcls: ownTool("acls"),
    alterPartitionReassignments: ownTool("reassign-partitions"),
    listPartitionReassignments: ownTool("reassign-partitions"),
    createTopics: "use ensureTopics(topics)",
    fetchTopicMetadata: "use describeTopics(topics)",
    fetchTopicOffsets: "use logOffsets(topics)",
    fetchOffsets: "use groupLag(groupId)",
    setOffsets: "use resetOffsets(groupId, topics, to)",
    deleteTopicRecords: "use deleteRecords(topic, before)",
  },
} as const;

/**
 * Refuses arguments that a call does not take: JavaScript would ignore them.
 *
 * @param count - how many were given: `arguments.length`
 * @param instead - where they belong
 */
export function checkArguments(name: string, count: number, most: number, instead: string): void {
  const taken = ["no argument", "one argument", "two arguments"][most] ?? `${most} arguments`;
  if (count > most) throw new ConfigError(name, `takes ${taken}, and was given ${count}: ${instead}`);
}

/**
 * Puts functions that say what to call instead onto a client, which none of its types has; and `events`, which is read
 * before `on` is called.
 */
export function refuseCalls(prototype: object, calls: Readonly<Record<string, string>>): void {
  const refuse = (name: string, what: string, instead: string): never => {
    throw new ConfigError(name, `is ${what} of kafkajs: ${instead}`);
  };
  for (const [name, instead] of Object.entries(calls))
    Object.defineProperty(prototype, name, { value: () => refuse(name, "a function", instead) });
  Object.defineProperty(prototype, "events", { get: () => refuse("events", "a property", everywhere.on) });
}
