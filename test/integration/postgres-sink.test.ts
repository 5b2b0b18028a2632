import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { defineTopic, Kafka } from "typed-kafka";
import { z } from "zod";
import { until } from "../support/consuming.js";
import { type Postgres, startPostgres } from "../support/postgres.js";
import { type RunningProgram, runProgram } from "../support/run-example.js";
import { silent } from "../support/silent.js";
import { createTopic } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
const producer = kafka.producer();
let postgres: Postgres;
let database: pg.Pool;
const running: RunningProgram[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  database = new pg.Pool({ connectionString: postgres.url });
}, 300_000);

afterEach(async () => {
  for (const { process } of running) process.kill("SIGKILL");
  await Promise.all(running.splice(0).map(({ ended }) => ended));
});

afterAll(async () => {
  await kafka.close();
  await database.end();
  await postgres.close();
});

function run(topic: string): RunningProgram {
  const environment = { TOPIC: topic, KAFKA_BROKERS: inject("brokers"), DATABASE_URL: postgres.url };
  const program = runProgram("examples/postgres-sink.ts", environment);
  running.push(program);
  return program;
}

async function paymentsTopic() {
  const value = z.object({ account: z.string(), cents: z.int() });
  await database.query("drop table if exists totals, payments_offsets");
  return defineTopic(await createTopic({ partitions: 3 }), { value });
}
type Payments = Awaited<ReturnType<typeof paymentsTopic>>;

/** Sends so many payments of seven accounts, to all partitions in turn, and gives what they add up to. */
async function pay(topic: Payments, count: number, totals = new Map<string, number>()) {
  const records = Array.from({ length: count }, (_, index) => {
    const value = { account: `account-${index % 7}`, cents: 1 + (index % 100) };
    totals.set(value.account, (totals.get(value.account) ?? 0) + value.cents);
    return { value, partition: index % 3 };
  });
  await producer.send(topic, records);
  return totals;
}

async function written(): Promise<Map<string, number>> {
  const { rows } = await database.query<{ account: string; cents: string }>("select * from totals");
  return new Map(rows.map(({ account, cents }) => [account, Number(cents)]));
}

const sum = (totals: ReadonlyMap<string, number>) =>
  [...totals.values()].reduce((one, other) => one + other, 0);

/** Until every record's offset is in the table. */
async function isDone(topic: Payments, records: number): Promise<boolean> {
  const { rows } = await database.query<{ done: string | null }>(
    "select sum(next_offset) as done from payments_offsets where topic = $1",
    [topic.name],
  );
  return Number(rows[0]?.done ?? 0) === records;
}

test("the table equals the log, while owners are killed, join and leave", async () => {
  const topic = await paymentsTopic();
  const totals = await pay(topic, 3_000);
  const first = run(topic.name);
  await first.printed(/took over/);
  const second = run(topic.name);
  await second.printed(/took over/);
  await pay(topic, 3_000, totals);
  await until("some of it is written", async () => sum(await written()) > 0);
  first.process.kill("SIGKILL");
  await pay(topic, 3_000, totals);
  const third = run(topic.name);
  await third.printed(/took over/, 40_000);
  const paying = pay(topic, 3_000, totals);
  second.process.kill("SIGTERM");
  expect(await second.ended).toBe(0);
  await paying;
  third.process.kill("SIGKILL");
  await pay(topic, 300, totals);
  const fourth = run(topic.name);
  await until("all of it is written", () => isDone(topic, 12_300), 60_000);
  expect(await written()).toEqual(totals);
  fourth.process.kill("SIGTERM");
  expect(await fourth.ended).toBe(0);
}, 180_000);

test("an owner of before is refused, with its payments, and the next one goes on behind the last transaction", async () => {
  const topic = await paymentsTopic();
  const stale = run(topic.name);
  await stale.printed(/took over/);
  const totals = await pay(topic, 300);
  await until("it is written", () => isDone(topic, 300));
  // As another one does that takes over while this one does not know yet.
  await database.query("update payments_offsets set owner = gen_random_uuid()");
  await pay(topic, 300, totals);
  await stale.printed(/has another owner by now/);
  expect(await stale.ended).not.toBe(0);
  expect(await isDone(topic, 300)).toBe(true);
  const next = run(topic.name);
  await until("the rest is written", () => isDone(topic, 600), 60_000);
  expect(await written()).toEqual(totals);
  next.process.kill("SIGTERM");
  expect(await next.ended).toBe(0);
}, 180_000);
