/**
 * A cluster that grows under load: partitions are added, a fourth broker joins, partitions move onto it,
 * and then one of the first three goes. The clients are not told; they find out.
 */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defineTopic, integer, Kafka, type LogFields } from "typed-kafka";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { missingCopies } from "../../support/missing-copies.js";
import { reassign } from "../../support/reassignment.js";
import { settled } from "../../support/settled.js";

const perSecond = 10_000;
const batchesPerSecond = 20;

const numbers = (name: string) =>
  defineTopic(name, { value: integer(), partitions: 4, replicationFactor: 3 });

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka({ nodes: 3 });
});
afterAll(async () => {
  await cluster.close();
});

test("10,000 records a second are neither lost nor doubled, and nobody sees an error, while the cluster grows", async () => {
  const [input, output] = [numbers("input"), numbers("output")];
  const errors: unknown[] = [];
  const log: string[] = [];
  const write = (message: string, fields?: LogFields): void =>
    void log.push(`${new Date().toISOString()} ${message} ${JSON.stringify(fields)}`);
  const error = (message: string, fields?: LogFields): void => {
    errors.push(message);
    write(message, fields);
  };
  const logger = { debug: write, info: write, warn: write, error };
  const kafka = new Kafka({ brokers: cluster.brokers, metadataMaxAgeMs: 1_000, logger });
  const admin = kafka.admin();
  await admin.ensureTopics([input, output]);

  const processed = new Set<number>();
  const processors = ["copy-1", "copy-2"].map((transactionalId) =>
    kafka.processor(input, { groupId: "copy", transactionalId }),
  );
  const inputPartitions = new Set<number>();
  const running = processors.map((processor) =>
    processor
      .run(async ({ key, value, partition }, tx) => {
        inputPartitions.add(partition);
        await tx.send(output, { key, value });
        processed.add(value);
      })
      .catch((error: unknown) => errors.push(error)),
  );

  const load = startLoad(kafka, input, errors);
  await expect.poll(() => processed.size, { timeout: 30_000 }).toBeGreaterThan(perSecond);

  await admin.createPartitions(input, 6);
  await expect.poll(() => inputPartitions.size, { timeout: 30_000 }).toBe(6);

  const fourth = await cluster.addNode();
  await moveOnto(fourth.id, ["input", "output"]);
  await cluster.nodes[0].kill();
  const sentBefore = load.sent();
  await expect.poll(() => load.sent() - sentBefore, { timeout: 60_000 }).toBeGreaterThan(5 * perSecond);

  const sent = await load.stop();
  await expect.poll(() => processed.size, { timeout: 60_000, interval: 200 }).toBe(sent);
  // Handlers may have run for a transaction that is rolled back then; a processor that is closed leaves those records to the next one.
  const lag = async (): Promise<number> =>
    (await admin.groupLag("copy", input)).reduce((sum, partition) => sum + partition.lag, 0);
  await expect.poll(lag, { timeout: 60_000, interval: 500 }).toBe(0);
  for (const processor of processors) await processor.close();
  await Promise.all(running);

  await settled(cluster.brokers, [output.name]);
  const seen = new Uint8Array(sent);
  for await (const { value } of kafka.read(output)) seen[value] = (seen[value] ?? 0) + 1;
  const lost = count(seen, 0);
  const missing =
    lost === 0 ? [] : await missingCopies(kafka, input.name, "copy", (value) => seen[value] === 0);
  if (lost > 0) missing.push(`log: ${keep(log)}`);
  expect({ lost, once: count(seen, 1), missing, errors }).toEqual({
    lost: 0,
    once: sent,
    missing: [],
    errors: [],
  });
  expect(sent).toBeGreaterThan(10 * perSecond);
  await kafka.close();
});

/** Numbers from 0 on, evenly over time; what cannot be sent in time is sent late, not left out. */
function startLoad(kafka: Kafka, topic: ReturnType<typeof numbers>, errors: unknown[]) {
  const producer = kafka.producer();
  const begin = performance.now();
  const inFlight = new Set<Promise<unknown>>();
  let next = 0;
  let sent = 0;
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const due = Math.floor(((performance.now() - begin) / 1_000) * perSecond);
      while (next < due && inFlight.size < 40) {
        const records = Array.from({ length: perSecond / batchesPerSecond }, (_, index) => ({
          value: next + index,
          key: String((next + index) % 500),
        }));
        next += records.length;
        const sending = producer
          .send(topic, records)
          .then((written) => (sent += written.length))
          .catch((error: unknown) => errors.push(error))
          .finally(() => inFlight.delete(sending));
        inFlight.add(sending);
      }
      await sleep(1_000 / batchesPerSecond);
    }
  };
  const ended = loop();
  return {
    sent: () => sent,
    stop: async () => {
      stopped = true;
      await ended;
      await Promise.all(inFlight);
      await producer.close();
      return next;
    },
  };
}

/** Gives the broker a replica of every partition, and the lead of a third of them. */
async function moveOnto(broker: number, topics: readonly string[]): Promise<void> {
  const kafka = new Kafka({ brokers: cluster.brokers });
  const admin = kafka.admin();
  const wanted = (await admin.describeTopics(topics)).flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({
      topic: name,
      partition,
      replicas: partition % 3 === 0 ? [broker, 2, 3] : partition % 3 === 1 ? [2, 3, broker] : [3, broker, 2],
    })),
  );
  await reassign(cluster, wanted);
  await expect
    .poll(
      async () => {
        const now = await admin.describeTopics(topics);
        return now
          .flatMap(({ partitions }) => partitions)
          .filter(
            ({ replicas, inSync }) => replicas.length !== 3 || replicas.includes(1) || inSync.length !== 3,
          ).length;
      },
      { timeout: 60_000, interval: 500 },
    )
    .toBe(0);
  await kafka.close();
}

function count(seen: Uint8Array, times: number): number {
  return seen.reduce((sum, value) => sum + (value === times ? 1 : 0), 0);
}

/** Writes what clients said into a file, for the one who is to find out why records are missing. */
function keep(log: readonly string[]): string {
  const file = join(tmpdir(), `growing-cluster-${process.pid}.log`);
  writeFileSync(file, log.join("\n"));
  return file;
}
