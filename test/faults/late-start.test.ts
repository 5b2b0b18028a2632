import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { defineTopic, string } from "typed-kafka";
import { until } from "../support/consuming.js";
import { startProxiedKafka } from "../support/proxied-kafka.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";
import { openOffsets } from "../support/transactions.js";

const warnings: string[] = [];
const { cluster, proxy, kafka, close } = await startProxiedKafka({
  logger: { ...silent, warn: (message) => void warnings.push(message) },
});
afterAll(close);

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

// librdkafka, sent to an offset while it asks a leader where a log ends, takes the late answer for a reason to ask again,
// and goes there: what had come meanwhile was passed over.
test("a partition that waited for its start misses nothing, whatever answers are still on their way", async () => {
  const { brokers } = cluster;
  const topic = defineTopic(await createTopic({ brokers }), { value: string() });
  const groupId = uniqueName("group");
  const send = (from: number, to: number) =>
    kafka.producer().send(
      topic,
      numbers(from, to).map((value) => ({ value })),
    );
  await send(0, 100);
  await kafka.admin().resetOffsets(groupId, topic, { 0: 50 });
  const abort = await openOffsets(brokers, groupId, [{ topic: topic.name, partition: 0, offset: 70 }]);

  let release: (() => void) | undefined;
  void proxy.hold("list offsets").then((end) => {
    release = end;
  });
  const seen: string[] = [];
  const consumer = kafka.consumer(topic, { groupId });
  const running = consumer.run(({ value }) => void seen.push(value));
  await until("it waits for its start", () =>
    warnings.some((text) => text.includes("wait until brokers tell")),
  );
  await sleep(500);
  await abort();
  await until("it has what is there", () => seen.length >= 50);
  await send(100, 110);
  release?.();
  await until("all have come", () => seen.length >= 60);
  await sleep(1_500);
  expect(seen).toEqual(numbers(50, 110));
  await consumer.close();
  await running;
});
