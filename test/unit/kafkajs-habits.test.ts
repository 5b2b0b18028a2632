import { describe, expect, test } from "vitest";
import { ConfigError, defineTopic, Kafka, type KafkaOptions, string } from "typed-kafka";

const topic = defineTopic("students", { value: string() });
const brokers = ["localhost:9092"];
/** As JavaScript sees it: whatever is called with whatever, without types that would refuse it. */
type Untyped = ((...given: readonly unknown[]) => Untyped) & { readonly [Name in Called]: Untyped };
type Called =
  | "producer"
  | "transactionalProducer"
  | "consumer"
  | "processor"
  | "runBatch"
  | "seek"
  | "resume"
  | "read"
  | "table"
  | "redrive"
  | "check"
  | "admin"
  | "send"
  | "sendAll"
  | "sendBatch"
  | "connect"
  | "transaction"
  | "subscribe"
  | "run"
  | "createTopics"
  | "deleteTopics"
  | "createPartitions"
  | "pause"
  | "on"
  | "events"
  | "commit"
  | "describeConfigs"
  | "ensureTopics"
  | "close"
  | "deleteGroups"
  | "describeGroups"
  | "disconnect"
  | "logger";
const kafka = new Kafka({ brokers }) as unknown as Untyped;

async function refusal(call: () => unknown): Promise<ConfigError> {
  const error: unknown = await Promise.resolve()
    .then(call)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(ConfigError);
  return error as ConfigError;
}

const made = "expected a topic made with defineTopic";

describe("calls as with kafkajs say what a topic is here, and how the call looks", () => {
  test.each<[what: string, call: () => unknown, parts: readonly string[]]>([
    [
      "send with a name",
      () => kafka.producer().send("students", { value: "x" }),
      ['defineTopic("students"', "send(topic, { value })"],
    ],
    [
      "send with messages",
      () => kafka.producer().send({ topic: "students", messages: [] }),
      ["an object with messages", "send(topic,"],
    ],
    ["send with nothing", () => kafka.producer().send(), ["got undefined"]],
    ["sendAll with a name", () => kafka.producer().sendAll("students", []), ['defineTopic("students"']],
    [
      "a consumer with options alone",
      () => kafka.consumer({ groupId: "g" }),
      ["the topics come first", "kafka.consumer(topic, { groupId })"],
    ],
    ["a consumer with names", () => kafka.consumer(["students"], { groupId: "g" }), ['got "students"']],
    ["a consumer with nothing", () => kafka.consumer(), ["got undefined"]],
    [
      "a processor with a name",
      () => kafka.processor("students", {}),
      ["kafka.processor(topic, { groupId, transactionalId })"],
    ],
    ["a read of a name", () => kafka.read("students"), ["kafka.read(topic)"]],
    ["a table of a name", () => kafka.table("students"), ["kafka.table(topic)"]],
    [
      "a redrive of a name",
      () => kafka.redrive("students", { groupId: "g" }),
      ["kafka.redrive(topic, { groupId })"],
    ],
    ["a check of a name", () => kafka.check("students"), ["kafka.check(topic"]],
    [
      "deleteTopics with an object",
      () => kafka.admin().deleteTopics({ topics: ["students"] }),
      ["an object with topics", "as an array"],
    ],
    [
      "createPartitions with an object",
      () => kafka.admin().createPartitions({ topicPartitions: [] }),
      ["an object with topics"],
    ],
    [
      "ensureTopics with a name",
      () => kafka.admin().ensureTopics(["students"]),
      ["admin.ensureTopics(topic)"],
    ],
  ])("%s", async (_, call, parts) => {
    const { message } = await refusal(call);
    for (const part of [made, ...parts]) expect(message).toContain(part);
  });
});

describe("options of kafkajs say what they are called here", () => {
  test.each<[option: string, hint: string, call: () => unknown]>([
    ["KafkaOptions.logLevel", "`logger`", () => new Kafka({ brokers, logLevel: 4 } as KafkaOptions)],
    [
      "KafkaOptions.connectionTimeout",
      "use `connectTimeoutMs`",
      () => new Kafka({ brokers, connectionTimeout: 1 } as KafkaOptions),
    ],
    [
      "ConsumerOptions.sessionTimeout",
      "use `sessionTimeoutMs`",
      () => kafka.consumer(topic, { groupId: "g", sessionTimeout: 1 }),
    ],
    [
      "ConsumerOptions.fromBeginning",
      'use `from: "earliest"`',
      () => kafka.consumer(topic, { groupId: "g", fromBeginning: true }),
    ],
    [
      "ConsumerOptions.heartbeatInterval",
      "follows `sessionTimeoutMs`",
      () => kafka.consumer(topic, { groupId: "g", heartbeatInterval: 1 }),
    ],
    [
      "ProducerOptions.idempotent",
      "every producer is idempotent",
      () => kafka.producer({ idempotent: true }),
    ],
    [
      "ProducerOptions.createPartitioner",
      "use `partitioner`",
      () => kafka.producer({ createPartitioner: () => 0 }),
    ],
    [
      "ProducerOptions.nonsense",
      "no such option; there are deliveryTimeoutMs",
      () => kafka.producer({ nonsense: 1 }),
    ],
  ])("%s: %s", async (field, hint, call) => {
    const error = await refusal(call);
    expect(error).toMatchObject({ field, message: expect.stringContaining(hint) });
  });
});

/** Every option of kafkajs 2.2 that `Kafka` and its clients take; those in `same` are called so here, too. */
const optionsOfKafkajs = {
  Kafka: {
    take: (options: object) => new Kafka({ brokers, ...options }),
    same: ["clientId", "ssl", "sasl"],
    names: [
      ...[
        "clientId",
        "ssl",
        "sasl",
        "connectionTimeout",
        "authenticationTimeout",
        "reauthenticationThreshold",
      ],
      ...["requestTimeout", "enforceRequestTimeout", "retry", "socketFactory", "logLevel", "logCreator"],
    ],
  },
  consumer: {
    take: (options: object) => kafka.consumer(topic, { groupId: "g", ...options }),
    same: ["groupId"],
    names: [
      ...["groupId", "partitionAssigners", "metadataMaxAge", "sessionTimeout", "rebalanceTimeout"],
      ...["heartbeatInterval", "maxBytesPerPartition", "minBytes", "maxBytes", "maxWaitTimeInMs"],
      ...["allowAutoTopicCreation", "maxInFlightRequests", "readUncommitted", "rackId", "fromBeginning"],
      ...[
        "topic",
        "topics",
        "autoCommit",
        "autoCommitInterval",
        "autoCommitThreshold",
        "eachBatchAutoResolve",
      ],
      ...["partitionsConsumedConcurrently", "eachBatch", "eachMessage", "kafkaJS"],
    ],
  },
  "consumer's retry": {
    take: (retry: object) => kafka.consumer(topic, { groupId: "g", retry }),
    same: ["factor"],
    names: ["maxRetryTime", "initialRetryTime", "factor", "multiplier", "retries", "restartOnFailure"],
  },
  producer: {
    take: (options: object) => kafka.producer(options),
    same: ["compression", "maxInFlightRequests"],
    names: [
      ...["createPartitioner", "retry", "metadataMaxAge", "allowAutoTopicCreation", "idempotent"],
      ...["transactionalId", "transactionTimeout", "maxInFlightRequests", "acks", "timeout", "compression"],
    ],
  },
  admin: { take: (options: object) => kafka.admin(options), same: [], names: ["retry", "requestTimeout"] },
} as const;

describe.each(Object.entries(optionsOfKafkajs))("options of kafkajs's %s", (_, { take, same, names }) => {
  const shared: readonly string[] = same;
  test.each(names.filter((name) => !shared.includes(name)))("%s says what there is here", async (name) => {
    const { message } = await refusal(() => take({ [name]: "x" }));
    expect(message).toContain("no such option: ");
  });
});

test("what kafkajs has within an option is known there, too", async () => {
  const sasl = { mechanism: "oauthbearer", oauthBearerProvider: () => "token" };
  const { message } = await refusal(() => new Kafka({ brokers, sasl } as unknown as KafkaOptions));
  expect(message).toContain("sasl.oauthBearerProvider: no such option: use `token`");
  const hosts = await refusal(() => new Kafka({ brokers: (() => brokers) as unknown as string[] }));
  expect(hosts.message).toContain("got a function: give what it returns");
});

describe("functions of kafkajs say what to call instead", () => {
  const producer = kafka.producer();
  const transactional = kafka.transactionalProducer({ transactionalId: "t" });
  const consumer = kafka.consumer(topic, { groupId: "g" });
  const admin = kafka.admin();
  test.each<[field: string, hint: string, call: () => unknown]>([
    ["connect", "connects at its first call", () => producer.connect()],
    ["sendBatch", "send(topic, records)", () => producer.sendBatch({ topicMessages: [] })],
    ["transaction", "kafka.transactionalProducer", () => producer.transaction()],
    ["send", "transaction((tx) =>", () => transactional.send(topic, { value: "x" })],
    ["subscribe", "kafka.consumer(topics, { groupId })", () => consumer.subscribe({ topics: ["students"] })],
    ["handler", "run(async (record) => …)", () => consumer.run({ eachMessage: () => undefined })],
    ["on", "`telemetry`", () => consumer.on("consumer.crash", () => undefined)],
    ["events", "`telemetry`", () => consumer.events],
    ["commit", "when its callback has finished", () => transactional.commit()],
    ["describeConfigs", "kafka-configs.sh", () => admin.describeConfigs({ resources: [] })],
    ["partitions", "expected { topic, partition }", () => consumer.pause([{ topic: "s", partitions: [1] }])],
    ["partitions", "expected { topic, partition }", () => consumer.pause([{ topic: "s" }])],
    ["createTopics", "ensureTopics(topics)", () => admin.createTopics({ topics: [] })],
    ["groupIds", "an array of them, got an object", () => admin.deleteGroups({ groupIds: ["g"] })],
    ["groupIds", "an array of them, got undefined", () => admin.describeGroups()],
    ["groupIds", "not empty, got 1", () => admin.describeGroups([1])],
    ["connect", "at their first call", () => kafka.connect()],
    ["disconnect", "use close()", () => kafka.disconnect()],
    ["logger", "give `logger`", () => kafka.logger()],
  ])("%s: %s", async (field, hint, call) => {
    expect(await refusal(call)).toMatchObject({ field, message: expect.stringContaining(hint) });
  });

  test("they are not in the way of what a client has, or of who looks through it", () => {
    expect(Object.keys(producer)).not.toContain("connect");
    for (const key in producer) expect(key).not.toBe("connect");
    expect(producer.close).toBeTypeOf("function");
  });
});

describe("what is given beyond what a call takes is refused, and not ignored", () => {
  const producer = kafka.transactionalProducer({ transactionalId: "more" });
  const consumer = kafka.consumer(topic, { groupId: "more" });
  const processor = kafka.processor(topic, { groupId: "more", transactionalId: "more" });
  const handler = () => undefined;
  test.each<[field: string, hint: string, call: () => unknown]>([
    ["Kafka", "one object", () => void Reflect.construct(Kafka, [{ brokers }, { clientId: "x" }])],
    ["producer", "one object", () => kafka.producer({}, { acks: 1 })],
    ["transactionalProducer", "one object", () => kafka.transactionalProducer({ transactionalId: "t" }, {})],
    ["consumer", "one object", () => kafka.consumer(topic, { groupId: "g" }, { from: "latest" })],
    ["processor", "one object", () => kafka.processor(topic, { groupId: "g", transactionalId: "t" }, {})],
    ["read", "one object", () => kafka.read(topic, {}, {})],
    ["table", "one object", () => kafka.table(topic, {}, {})],
    ["admin", "one object", () => kafka.admin({}, {})],
    ["check", "one object", () => kafka.check(topic, {}, {})],
    ["redrive", "one object", () => kafka.redrive(topic, { groupId: "g" }, {})],
    ["run", "kafka.consumer(topics, options)", () => consumer.run(handler, { concurrency: 4 })],
    ["runBatch", "kafka.consumer(topics, options)", () => consumer.runBatch(handler, {}, {})],
    ["run", "kafka.processor(topics, options)", () => processor.run(handler, {}, { concurrency: 4 })],
    ["runBatch", "kafka.processor(topics, options)", () => processor.runBatch(handler, {}, {})],
    ["RunOptions.concurrency", "no such option", () => processor.run(handler, { concurrency: 4 })],
    ["BatchOptions.autoCommit", "no such option", () => consumer.runBatch(handler, { autoCommit: true })],
    [
      "commit",
      "takes no argument",
      () => consumer.commit([{ topic: "students", partition: 0, offset: "1" }]),
    ],
    ["seek", "{ topic, partition }", () => consumer.seek({ topic: "s", partition: 0, offset: 4 })],
    ["seek", "{ topic, partition }", () => consumer.seek("students", 0, 4)],
    ["seek", 'got "4"', () => consumer.seek({ topic: "s", partition: 0 }, "4")],
    ["partitions", "expected an array", () => consumer.pause({ topic: "s", partition: 0 })],
    ["partitions", "expected an array", () => processor.resume("students")],
    ["partitions", "expected { topic, partition }", () => consumer.pause(["students"])],
    ["partitions", "expected { topic, partition }", () => consumer.seek("students", 4)],
    ["transaction", "kafka.transactionalProducer", () => producer.transaction(handler, { timeout: 1 })],
    ["ReadOptions.fromBeginning", "no such option", () => kafka.read(topic, { fromBeginning: true })],
    ["CallOptions.acks", "no such option", () => kafka.producer().send(topic, { value: "x" }, { acks: 1 })],
    ["SendAllOptions.acks", "no such option", () => kafka.producer().sendAll(topic, [], { acks: 1 })],
  ])("%s: %s", async (field, hint, call) => {
    expect(await refusal(call)).toMatchObject({ field, message: expect.stringContaining(hint) });
  });
});
