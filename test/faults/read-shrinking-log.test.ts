/** A log that compaction and retention thin out, before and while it is read. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { defineTopic, Kafka, string } from "typed-kafka";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { createTopic } from "../support/topics.js";

let cluster: KafkaCluster;
let kafka: Kafka;

beforeAll(async () => {
  cluster = await startKafka({
    properties: {
      "log.initial.task.delay.ms": 100,
      "log.cleaner.backoff.ms": 100,
      "log.retention.check.interval.ms": 200,
      "log.segment.delete.delay.ms": 0,
    },
  });
  kafka = new Kafka({ brokers: cluster.brokers });
});
afterAll(async () => {
  await kafka.close();
  await cluster.close();
});

test("a read over a compacted topic gives every key's last value and what lies between, and ends", async () => {
  const name = await createTopic({
    brokers: cluster.brokers,
    config: {
      "cleanup.policy": "compact",
      "segment.ms": "50",
      "min.cleanable.dirty.ratio": "0.001",
      "max.compaction.lag.ms": "100",
      "delete.retention.ms": "0",
    },
  });
  const topic = defineTopic(name, { value: string(), tombstones: true });
  const producer = kafka.producer();
  const last = new Map<string, string>();
  const write = async (key: string, value: string) => {
    await producer.send(topic, { key, value });
    last.set(key, value);
  };
  await write("first", "stays");
  for (let round = 0; round < 50; round += 1) {
    for (const key of ["a", "b", "c"]) await write(key, `${key}${round}`);
    if (round === 25) await write("middle", "stays");
  }
  const read = async () => {
    const table = new Map<string, string | null>();
    const offsets: number[] = [];
    for await (const { key, value, offset } of kafka.read(topic)) {
      table.set(key ?? "", value);
      offsets.push(offset);
    }
    return { table, offsets };
  };
  await expect
    .poll(
      async () => {
        await write("a", "goes on, so that a new segment begins");
        const { table, offsets } = await read();
        expect(table).toEqual(last);
        return offsets.length;
      },
      { timeout: 60_000, interval: 250 },
    )
    .toBeLessThan(20);
  const { table, offsets } = await read();
  expect(table).toEqual(last);
  expect(offsets.slice(0, 2)).toEqual([0, 79]);
});

test.each([
  ["goes on with what exists, and ends", 0],
  ["past the end as of its start ends too", 1_000],
])("a read that retention overtakes %s", async (_, more) => {
  const config = { "segment.bytes": "1048576" };
  const name = await createTopic({ brokers: cluster.brokers, partitions: 2, config });
  const topic = defineTopic(name, { value: string() });
  const producer = kafka.producer({ compression: "none" });
  const value = "x".repeat(10_000);
  const write = (count: number, partition: number) =>
    producer.send(
      topic,
      Array.from({ length: count }, () => ({ value, partition })),
    );
  // Far more than is fetched ahead (16 MB by the native client), so that the reader is overtaken.
  const count = 6_000;
  for (let written = 0; written < count; written += 200) await write(200, 0);
  await write(5, 1);
  const reader = kafka.read(topic, { from: "earliest" });
  const offsets: [number[], number[]] = [[], []];
  const keep = ({ partition, offset }: { readonly partition: number; readonly offset: number }) =>
    offsets[partition === 0 ? 0 : 1].push(offset);
  const first = await reader.next();
  if (first.done !== true) keep(first.value);
  const retention = ["--alter", "--add-config", "retention.bytes=3000000"];
  const entity = ["--entity-type", "topics", "--entity-name", name];
  await cluster.tool("kafka.admin.ConfigCommand", [...retention, ...entity]);
  if (more > 0) await write(more, 0);
  const admin = kafka.admin();
  const start = async () => (await admin.groupLag("nobody", topic)).map(({ end, lag }) => end - lag)[0];
  await expect.poll(start, { timeout: 30_000 }).toBeGreaterThan(count + more - 1_000);
  for await (const record of reader) keep(record);
  const [overtaken, other] = offsets;
  expect(other).toEqual([0, 1, 2, 3, 4]);
  expect(overtaken.length).toBeLessThan(count);
  // What was still there of it is not passed over, and nothing comes twice.
  if (more === 0) expect(overtaken.at(-1)).toBe(count - 1);
  else expect(overtaken.at(-1)).toBeLessThan(count);
  expect(overtaken).toEqual([...new Set(overtaken)].toSorted((a, b) => a - b));
});
