import { afterAll, beforeAll, expect, test } from "vitest";
import { defineStore, defineTopic, integer, Kafka, KafkaError, string } from "typed-kafka";
import { until } from "../support/consuming.js";
import { accessOf, type SecureKafka, startSecureKafka } from "../support/secure-kafka.js";
import { silent } from "../support/silent.js";

/** The table of rights in docs/production.md: each user has what it says, and no more. */
const users = [
  "producer",
  "transactions",
  "consumer",
  "letters",
  "retries",
  "processor",
  "stores",
  "reader",
  "redrive",
  "operator",
  "groups",
  "cluster",
] as const;

let secure: SecureKafka;
const clients: Kafka[] = [];
const text = { value: string() };
const orders = defineTopic("orders", text);
const invoices = defineTopic("invoices", text);
const old = defineTopic("old", text);
const names = ["orders", "invoices", "old", "orders.letters.dead-letter", "orders.retries.retry-1"];

beforeAll(async () => {
  secure = await startSecureKafka({ users: Object.fromEntries(users.map((name) => [name, name])) });
  for (const name of names) await secure.createTopic(name);
});
afterAll(async () => {
  await Promise.all(clients.map((kafka) => kafka.close()));
  await secure.close();
});

async function kafkaWith(user: (typeof users)[number], ...rights: string[]): Promise<Kafka> {
  for (const right of rights) await secure.grant(user, right.split(" "));
  const kafka = new Kafka({ ...accessOf(secure, user, user), logger: silent });
  clients.push(kafka);
  return kafka;
}

test("a producer: WRITE on its topics", async () => {
  const kafka = await kafkaWith("producer", "--operation Write --topic orders");
  await kafka.producer().send(orders, { value: "a" });
  await kafka.producer().sendAll(orders, [{ value: "b" }]);
});

test("a transactional producer: WRITE on its transactional id as well", async () => {
  const kafka = await kafkaWith(
    "transactions",
    "--operation Write --topic orders",
    "--operation Write --transactional-id payments",
  );
  await kafka
    .transactionalProducer({ transactionalId: "payments" })
    .transaction((tx) => tx.send(orders, { value: "c" }));
});

test("a consumer: READ on topics and group", async () => {
  const kafka = await kafkaWith(
    "consumer",
    "--operation Read --topic orders",
    "--operation Read --group billing",
  );
  expect(await kafka.check(orders, { groupId: "billing" })).toMatchObject({ ok: true });
  const consumer = kafka.consumer(orders, { groupId: "billing" });
  await consumer.run(() => void consumer.close());
});

test("dead letters: WRITE on their topic as well", async () => {
  const kafka = await kafkaWith(
    "letters",
    "--operation Read --topic orders",
    "--operation Read --group letters",
    "--operation Write --topic orders.letters.dead-letter",
  );
  let failed = 0;
  const consumer = kafka.consumer(orders, { groupId: "letters", deadLetter: true });
  const running = consumer.run(() => {
    failed += 1;
    throw new Error("no");
  });
  await Promise.race([running, until("three have failed", () => failed === 3)]);
  await consumer.close();
  await running;
});

test("retry topics: READ and WRITE on them, WRITE on the transactional ids that begin with the group's", async () => {
  const kafka = await kafkaWith(
    "retries",
    "--operation Read --topic orders",
    "--operation Read --group retries",
    "--operation Read --operation Write --topic orders.retries.retry-1",
    "--operation Write --transactional-id retries.retry. --resource-pattern-type prefixed",
  );
  const attempts = new Map<string, number>();
  const consumer = kafka.consumer(orders, { groupId: "retries", retryTopics: { delaysMs: [10] } });
  const running = consumer.run(({ value }, { attempt }) => {
    attempts.set(value, attempt);
    if (attempt === 1) throw new Error("not yet");
  });
  await Promise.race([
    running,
    until("all are through", () => [...attempts.values()].filter((attempt) => attempt === 2).length === 3),
  ]);
  await consumer.close();
  await running;
});

test("a processor: READ on sources and group, WRITE on outputs and transactional id", async () => {
  const kafka = await kafkaWith(
    "processor",
    "--operation Read --topic orders",
    "--operation Read --group invoicing",
    "--operation Write --topic invoices",
    "--operation Write --transactional-id invoicing-1",
  );
  let handled = 0;
  const processor = kafka.processor(orders, { groupId: "invoicing", transactionalId: "invoicing-1" });
  const running = processor.run(async ({ value }, tx) => {
    await tx.send(invoices, { value });
    handled += 1;
  });
  await Promise.race([running, until("all are handled", () => handled === 3)]);
  await processor.close();
  await running;
});

test("stores: READ and WRITE on their changelogs, CREATE where they are missing", async () => {
  const kafka = await kafkaWith(
    "stores",
    "--operation Read --topic orders",
    "--operation Read --group counting",
    "--operation Write --transactional-id counting-1",
    "--operation Create --operation Read --operation Write --topic counting. --resource-pattern-type prefixed",
  );
  const counts = defineStore("counts", { value: integer() });
  const options = { groupId: "counting", transactionalId: "counting-1", stores: [counts] };
  let handled = 0;
  const count = async (until3: number) => {
    const processor = kafka.processor(orders, options);
    const running = processor.run((_record, tx) => {
      const store = tx.store(counts);
      store.set("all", (store.get("all") ?? 0) + 1);
      handled += 1;
    });
    await Promise.race([running, until("all are handled", () => handled === until3)]);
    await processor.close();
    await running;
  };
  await count(3);
  await secure.revoke("stores", [
    ..."--operation Create --topic counting. --resource-pattern-type prefixed".split(" "),
  ]);
  await clients[0]?.producer().send(orders, { value: "d" });
  await count(4);
  const report = await kafka.check(orders, options);
  expect(report.findings).toContainEqual(
    expect.objectContaining({ level: "ok", subject: "topic counting.counts.changelog" }),
  );
  expect(report.findings).toContainEqual({
    level: "unknown",
    subject: "settings of counting.counts.changelog",
    message: "this principal may not ask for them, so whether it is compacted is not known",
    remedy: expect.stringContaining("DescribeConfigs --topic counting.counts.changelog"),
  });
  await secure.revoke("stores", [
    ..."--operation Write --topic counting. --resource-pattern-type prefixed".split(" "),
  ]);
  expect((await kafka.check(orders, options)).findings).toContainEqual({
    level: "error",
    subject: "topic counting.counts.changelog",
    message: "this principal may not WRITE it",
    remedy: expect.stringContaining("--operation Write --topic counting.counts.changelog"),
  });
});

test("read and table: READ on the topics", async () => {
  const kafka = await kafkaWith("reader", "--operation Read --topic invoices");
  const values: string[] = [];
  for await (const { value } of kafka.read(invoices)) values.push(value);
  expect(values).toEqual(["a", "b", "c"]);
  const table = kafka.table(invoices, { onInvalid: "skip" });
  await table.ready();
  expect(await table.lag()).toEqual({ records: 0, ageMs: 0 });
});

test("redrive: READ and DELETE on the dead letters, READ and WRITE on its own group and transactional id, WRITE on the source", async () => {
  const kafka = await kafkaWith(
    "redrive",
    "--operation Read --operation Delete --topic orders.letters.dead-letter",
    "--operation Read --group orders.letters.dead-letter.redrive",
    "--operation Write --transactional-id orders.letters.dead-letter.redrive",
    "--operation Write --topic orders",
  );
  expect(await kafka.redrive(orders, { groupId: "letters" })).toMatchObject({ redriven: 3 });
  await secure.grant("redrive", ["--operation", "Write", "--topic", "orders.letters.dead-letter"]);
  expect(await kafka.redrive(orders, { groupId: "letters", filter: () => true })).toMatchObject({
    redriven: 0,
  });
});

test("admin: a right for each call", async () => {
  const kafka = await kafkaWith("operator");
  const admin = kafka.admin();
  const made = defineTopic("made", { ...text, partitions: 1 });
  await secure.grant("operator", ["--operation", "Create", "--operation", "Describe", "--topic", "made"]);
  expect(await admin.ensureTopics(made)).toMatchObject([{ status: "created" }]);
  await secure.grant("operator", ["--operation", "Alter", "--topic", "made"]);
  await admin.createPartitions(made, 2);
  await secure.grant("operator", ["--operation", "Describe", "--group", "billing"]);
  expect(await admin.describeGroups("billing")).toMatchObject([{ groupId: "billing" }]);
  await secure.grant("operator", ["--operation", "Describe", "--topic", "orders"]);
  expect(await admin.describeTopics(orders)).toHaveLength(1);
  expect(await admin.groupLag("billing", orders)).toHaveLength(1);
  await secure.grant("operator", ["--operation", "Read", "--topic", "orders", "--group", "billing"]);
  await admin.resetOffsets("billing", orders, "earliest");
  await secure.grant("operator", ["--operation", "Delete", "--topic", "old"]);
  await admin.deleteRecords(old, "latest");
  await admin.deleteTopics(old);
});

/** What a principal is told that does this with a group: the message where a right lacks. */
async function askAbout(kafka: Kafka, groupId: string): Promise<Readonly<Record<string, unknown>>> {
  const admin = kafka.admin();
  const calls = {
    describe: admin.describeGroups(groupId).then((groups) => groups.map((group) => group.groupId)),
    list: admin.listGroups().then((groups) => groups.some((group) => group.groupId === groupId)),
    lag: admin.groupLag(groupId, orders),
    reset: admin.resetOffsets(groupId, orders, "earliest"),
    delete: admin.deleteGroups(groupId),
    check: kafka.check([], { groupId }).then(({ findings }) => findings.map(({ message }) => message)),
    run: kafka.consumer(orders, { groupId }).run(() => undefined),
    health: kafka.health().then(({ brokers }) => brokers.ok),
  };
  const outcomes = Object.entries(calls).map(async ([name, call]) => {
    const outcome: unknown = await call.catch((error: unknown) => error);
    return [name, outcome instanceof KafkaError ? `${outcome.code}: ${outcome.message}` : outcome] as const;
  });
  return Object.fromEntries(await Promise.all(outcomes));
}

const lacks = {
  onGroup: expect.stringMatching(/^AUTHORIZATION: .*group billing: .*right on the group: .*DESCRIBE.*DELETE/),
  onTopic: expect.stringMatching(/^AUTHORIZATION: topic orders: .*right on the topic: READ.*DESCRIBE/),
  toSeeTheTopic: expect.stringMatching(/^UNKNOWN_TOPIC: orders: .*grant DESCRIBE on it/),
} as const;

test("who may describe a group and nothing else is told each right that lacks, and nothing hangs", async () => {
  const kafka = await kafkaWith("groups", "--operation Describe --group billing");
  expect(await askAbout(kafka, "billing")).toEqual({
    describe: ["billing"],
    list: true,
    lag: lacks.onTopic,
    reset: lacks.onTopic,
    delete: lacks.onGroup,
    check: expect.arrayContaining(["this principal may not READ it"]),
    run: lacks.toSeeTheTopic,
    health: true,
  });
});

test("who may describe the cluster and nothing else is told each right that lacks, and nothing hangs", async () => {
  const kafka = await kafkaWith("cluster", "--operation Describe --cluster");
  expect(await askAbout(kafka, "billing")).toEqual({
    describe: lacks.onGroup,
    list: true,
    lag: lacks.onTopic,
    reset: lacks.onGroup,
    delete: lacks.onGroup,
    check: expect.arrayContaining(["this principal may not READ it"]),
    run: lacks.toSeeTheTopic,
    health: true,
  });
  await secure.grant("cluster", ["--operation", "Read", "--topic", "orders"]);
  const run = kafka.consumer(orders, { groupId: "billing" }).run(() => undefined);
  await expect(run).rejects.toThrow(/right on the group: READ to join it/);
});
