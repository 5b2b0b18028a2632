import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { Link } from "../../support/network/link.js";
import { expectExactlyOnceInTheLog, load } from "../../support/network/load.js";
import { expectExactlyOnce, run } from "../../support/processor-faults.js";

let link: Link;
let kafka: KafkaCluster;

beforeAll(async () => {
  link = await Link.start();
  kafka = await startKafka({ nodes: 3, place: () => ({ clientHost: Link.host }) });
});
afterEach(async () => {
  await link.set({});
});
afterAll(async () => {
  await kafka.close();
  await link.close();
});

describe("a producer, two consumers and processors with a store lose, double and disorder nothing", () => {
  test.each([
    ["200 ms of latency in each direction", { delayMs: 200 }, 10_000],
    ["1 % of the packets lost", { delayMs: 5, loss: 0.01 }, 10_000],
    ["10 % of the packets lost", { delayMs: 5, loss: 0.1 }, 20_000],
    ["200 ms of latency, and 10 % of the packets lost", { delayMs: 200, loss: 0.1 }, 60_000],
  ])("with %s, while a processor is killed", async (_, settings, longestGapMs) => {
    const verdict = await run({
      ...load,
      brokers: kafka.brokers,
      faults: async (run) => {
        await run.underWay(90_000);
        await link.set(settings);
        await sleep(8_000);
        await run.kill(0);
        await sleep(12_000);
      },
    });
    expectExactlyOnce(verdict);
    expect(verdict.longestGapMs).toBeLessThan(longestGapMs);
  });

  test("while every open connection is forgotten on the way, twice, and new ones work", async () => {
    const verdict = await run({
      ...load,
      brokers: kafka.brokers,
      faults: async (run) => {
        await run.underWay(90_000);
        for (let times = 0; times < 2; times += 1) {
          await link.set({ forget: true });
          run.count("forgotten");
          await sleep(40_000);
        }
      },
    });
    expectExactlyOnceInTheLog(verdict);
    expect(verdict.longestGapMs).toBeLessThan(90_000);
  });
});
