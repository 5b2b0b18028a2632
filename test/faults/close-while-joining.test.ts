import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { type ConsumerOptions, defineTopic, string } from "typed-kafka";
import { within } from "../support/consuming.js";
import type { Request } from "../support/protocol-proxy.js";
import { startProxiedKafka } from "../support/proxied-kafka.js";
import { createTopic, uniqueName } from "../support/topics.js";

const { cluster, proxy, kafka, close } = await startProxiedKafka();
afterAll(close);

const classic = ["join group", "sync group"] as const;
const cases: readonly (readonly [Request, string, Partial<ConsumerOptions>])[] = [
  ...classic.map((request) => [request, "cooperative-sticky", {}] as const),
  ...classic.map((request) => [request, "range", { assignor: "range" }] as const),
  ["group heartbeat", "the protocol consumer", { groupProtocol: "consumer" }],
];

// A group waits for a member that has not left until its session is over: 45 s.
test.each(cases)(
  "closed while the answer to its first %s is on its way (%s), it leaves",
  async (request, _, options) => {
    const topic = defineTopic(await createTopic({ brokers: cluster.brokers }), { value: string() });
    const groupId = uniqueName("group");
    const held = proxy.hold(request);
    const first = kafka.consumer(topic, { groupId, ...options });
    const running = first.run(() => undefined);
    const release = await within(30_000, "the request", held);
    const closing = first.close();
    await sleep(500);
    release();
    await within(10_000, "closing", closing);
    await running;

    await kafka.producer().send(topic, { value: "x" });
    const second = kafka.consumer(topic, { groupId, ...options });
    const read = new Promise<string>((resolve) => {
      void second.run(({ value }) => {
        resolve(value);
      });
    });
    expect(await within(20_000, "the next member's first record", read)).toBe("x");
    await second.close();
  },
);
