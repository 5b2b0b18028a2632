/**
 * Totals of payments in PostgreSQL, exactly once: a batch and its offset are written in one transaction, and the next
 * owner of a partition begins where the last transaction has ended. Start it as often as you like.
 *
 *     DATABASE_URL=postgres://localhost/app KAFKA_BROKERS=localhost:9092 node --import tsx examples/postgres-sink.ts
 */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { defineTopic, Kafka, PermanentError } from "typed-kafka";
import { z } from "zod";

const payments = defineTopic(process.env["TOPIC"] ?? "payments", {
  value: z.object({ account: z.string(), cents: z.int() }),
});
const database = new pg.Pool({
  connectionString: process.env["DATABASE_URL"],
  idle_in_transaction_session_timeout: 10_000, // a frozen owner must not hold its rows for ever
});
database.on("error", (error) => console.error(`an idle connection ended: ${error.message}`));
await database.query(`
  create table if not exists totals (account text primary key, cents bigint not null);
  create table if not exists payments_offsets (
    topic text, partition int, next_offset bigint, owner uuid not null, primary key (topic, partition)
  )`);
const owner = randomUUID();

const takeOver = `
  insert into payments_offsets (topic, partition, owner)
  select $1, partition, $3 from unnest($2::int[]) as assigned (partition)
  on conflict (topic, partition) do update set owner = excluded.owner
  returning partition, next_offset`;

type Row = { readonly partition: number; readonly next_offset: string | null };

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics(payments);
const consumer = kafka.consumer(payments, {
  groupId: "payments-totals",
  sessionTimeoutMs: 10_000,
  retry: { attempts: 5, initialDelayMs: 200 },
  onOffsetOutOfRange: "fail",
  startOffsets: async (partitions) => {
    const numbers = partitions.map(({ partition }) => partition);
    const { rows } = await database.query<Row>(takeOver, [payments.name, numbers, owner]);
    console.log(`took over ${numbers.join(", ")}`);
    return rows.flatMap(({ partition, next_offset: next }) =>
      next === null ? [] : [{ topic: payments.name, partition, offset: Number(next) }],
    );
  },
});

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());
await consumer.runBatch(async (records) => {
  const [{ topic, partition, offset: first }] = records as [(typeof records)[number]];
  const next = (records.at(-1)?.offset ?? first) + 1;
  const client = await database.connect();
  try {
    await client.query("begin");
    const { rowCount } = await client.query(
      `update payments_offsets set next_offset = $1 where topic = $2 and partition = $3
         and owner = $4 and coalesce(next_offset, 0) <= $5`,
      [next, topic, partition, owner, first],
    );
    if (rowCount === 0) throw new PermanentError(`${topic}[${partition}] has another owner by now`);
    await client.query(
      `insert into totals select account, sum(cents) from unnest($1::text[], $2::bigint[]) as paid (account, cents)
       group by account order by account
       on conflict (account) do update set cents = totals.cents + excluded.cents`,
      [records.map(({ value }) => value.account), records.map(({ value }) => value.cents)],
    );
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
});
await database.end();
