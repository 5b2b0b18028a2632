import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { defineTopic, string } from "typed-kafka";
import { within } from "../support/consuming.js";
import { startProxiedKafka } from "../support/proxied-kafka.js";
import { createTopic } from "../support/topics.js";

// Three nodes, so that partitions 0 and 1 have different leaders.
const { cluster, proxy, kafka, close } = await startProxiedKafka({ nodes: 3 });
afterAll(close);

// With two batches of a partition in flight, of which the first is refused, librdkafka begins a new epoch. A record of
// another partition that was written, and is sent again, is new to its broker then.
test("a broker that refuses a batch doubles no record of another partition", async () => {
  const name = await createTopic({ brokers: cluster.brokers, partitions: 3 });
  const topic = defineTopic(name, { value: string() });
  const producer = kafka.producer({ lingerMs: 0 });
  const send = (partition: number, value: string) => producer.send(topic, { value, partition });
  await within(30_000, "the first records", Promise.all([send(0, "first"), send(1, "first")]));

  const end = new AbortController();
  const isWritten = proxy.notLeader({
    topic: name,
    partition: 1,
    text: "moved",
    isWritten: true,
    answered: once(end.signal, "abort"),
  });
  const isRefused = proxy.notLeader({
    topic: name,
    partition: 0,
    text: "refused",
    isWritten: false,
    answered: sleep(1_000),
  });
  const sent = [send(1, "moved")];
  await within(10_000, "the record that is written", isWritten);
  sent.push(send(0, "refused"));
  await within(10_000, "the record that is refused", isRefused);
  sent.push(send(0, "next"));
  // By then the broker has answered to the next one, if it was in flight as well.
  await sleep(2_000);
  end.abort();
  await within(30_000, "all records", Promise.all(sent));

  const seen: string[] = [];
  for await (const { partition, value } of kafka.read(topic)) seen.push(`${partition} ${value}`);
  expect(seen.filter((each) => each.startsWith("0"))).toEqual(["0 first", "0 refused", "0 next"]);
  expect(seen.filter((each) => each.startsWith("1"))).toEqual(["1 first", "1 moved"]);
});
