/** A clock that is set, by NTP or by hand, while clients are at work: what takes time does not go by it. */
import { setTimeout as sleep } from "node:timers/promises";
import { defineTopic, Kafka, string } from "typed-kafka";
import { afterAll, afterEach, expect, inject, test, vi } from "vitest";
import { until, within } from "../support/consuming.js";
import { errorOf } from "../support/outcomes.js";
import { silent } from "../support/silent.js";
import { newTopic, valuesOf } from "../support/string-topics.js";
import { uniqueName } from "../support/topics.js";

const hour = 3_600_000;
const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
afterAll(() => kafka.close());
afterEach(() => {
  vi.restoreAllMocks();
});

/** From here on the clock says so much more. */
function jump(by: number): void {
  const now = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => now() + by);
}

test("backwards by an hour: what waits for a broker, or for a topic, waits no longer than it may", async () => {
  const nobody = new Kafka({ brokers: "127.0.0.1:1", connectTimeoutMs: 1_500, logger: silent });
  const missing = defineTopic(uniqueName("missing"), { value: string() });
  const producer = kafka.producer();
  const connecting = errorOf(nobody.admin().listGroups());
  const sending = errorOf(producer.send(missing, { value: "x" }));
  await sleep(300);
  jump(-hour);
  expect(await within(30_000, "no broker is found", connecting)).toMatchObject({ code: "CONNECTION" });
  expect(await within(30_000, "the topic is missing", sending)).toMatchObject({ code: "UNKNOWN_TOPIC" });
  await producer.close();
});

test.each([
  ["forwards", hour],
  ["backwards", -hour],
])("by an hour, %s: a transaction that is open is committed", async (_, by) => {
  const topic = await newTopic();
  const producer = kafka.transactionalProducer({ transactionalId: uniqueName("tx") });
  await producer.transaction(async (tx) => {
    await tx.send(topic, { value: "before" });
    jump(by);
    await tx.send(topic, { value: "after" });
  });
  expect(await valuesOf(kafka, topic)).toEqual(["before", "after"]);
  await within(30_000, "the producer is closed", producer.close());
});

test.each([
  ["forwards", hour],
  ["backwards", -hour],
])(
  "by an hour, %s: records are sent, delivered, retried, committed and processed as before",
  async (_, by) => {
    const [input, output] = [await newTopic(), await newTopic()];
    const groupId = uniqueName("group");
    const processor = kafka.processor(input, {
      groupId: uniqueName("processor"),
      transactionalId: uniqueName("tx"),
      commitIntervalMs: 50,
    });
    const processing = processor.run(({ value }, tx) => tx.send(output, { value }));
    const consumer = kafka.consumer(output, { groupId, retry: { attempts: 3, initialDelayMs: 50 } });
    const seen: string[] = [];
    let hasFailed = false;
    const running = consumer.run(({ value }) => {
      if (value === "fails once" && !hasFailed) {
        hasFailed = true;
        throw new Error("once");
      }
      seen.push(value);
    });
    const producer = kafka.producer();
    await producer.send(input, { value: "before" });
    await until("it is delivered", () => seen.length === 1);
    jump(by);
    await within(30_000, "it is sent", producer.send(input, { value: "after" }));
    await within(30_000, "the other is sent", producer.send(input, { value: "fails once" }));
    await until("they are delivered", () => seen.length === 3);
    expect(seen).toEqual(["before", "after", "fails once"]);
    await within(30_000, "the consumer is closed", consumer.close());
    await within(30_000, "the processor is closed", processor.close());
    await within(30_000, "the producer is closed", producer.close());
    await Promise.all([running, processing]);
    const lag = await kafka.admin().groupLag(groupId);
    // Markers of transactions have offsets too.
    expect(lag[0]?.committed).toBeGreaterThanOrEqual(3);
  },
);
