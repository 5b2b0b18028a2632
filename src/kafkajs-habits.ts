import { ConfigError } from "./errors.js";

/** Options of kafkajs that are none here, and what there is instead. Those that have another name are in the specs. */
const optionsOfKafkajs: ReadonlyMap<string, string> = new Map([
  ["logLevel", "give a `logger`, whose functions choose the levels"],
  ["reauthenticationThreshold", "a token is asked for again before it expires"],
  ["authenticationTimeout", "use `connectTimeoutMs`"],
  ["enforceRequestTimeout", "requests always have a limit"],
  ["socketFactory", "the native client opens its own sockets"],
  ["idempotent", "every producer is idempotent"],
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

/** What to write instead of an option of kafkajs; `undefined` for any other name. */
export function insteadOfOption(name: string): string | undefined {
  const instead = optionsOfKafkajs.get(name);
  return instead === undefined ? undefined : `no such option: ${instead}`;
}

/** What to call instead of a function of kafkajs's clients, by client. */
export const callsOfKafkajs = {
  producer: {
    connect: "a producer connects at its first call: leave it out",
    disconnect: "use close()",
    sendBatch: "call send(topic, records) for each topic, in a transaction if they belong together",
    transaction: "use kafka.transactionalProducer({ transactionalId }).transaction(callback)",
  },
  transactionalProducer: {
    connect: "a producer connects at its first call: leave it out",
    disconnect: "use close()",
    send: "use transaction((tx) => tx.send(topic, record))",
    sendBatch: "use transaction(async (tx) => …), and tx.send(topic, records) for each topic",
  },
  consumer: {
    connect: "a consumer connects when it runs: leave it out",
    disconnect: "use close()",
    subscribe: "give the topics to kafka.consumer(topics, { groupId })",
    stop: "use close(), or pause()",
    commitOffsets: "offsets are committed after the handler; commit() does it at once",
  },
  admin: {
    connect: "an admin client connects at its first call: leave it out",
    disconnect: "use close()",
    createTopics: "use ensureTopics(topics)",
    fetchTopicMetadata: "use describeTopics(topics)",
    fetchTopicOffsets: "use logOffsets(topics)",
    fetchOffsets: "use groupLag(groupId)",
    setOffsets: "use resetOffsets(groupId, topics, to)",
    deleteTopicRecords: "use deleteRecords(topic, before)",
  },
} as const;

/** Puts functions that say what to call instead onto a client, which none of its types has. */
export function refuseCalls(prototype: object, calls: Readonly<Record<string, string>>): void {
  for (const [name, instead] of Object.entries(calls))
    Object.defineProperty(prototype, name, {
      value: () => {
        throw new ConfigError(name, `is a function of kafkajs: ${instead}`);
      },
    });
}
