import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { Machine } from "../../support/network/machine.js";
import { expectExactlyOnceInTheLog, load } from "../../support/network/load.js";
import { run } from "../../support/processor-faults.js";

let machines: Machine[];
let kafka: KafkaCluster;

beforeAll(async () => {
  machines = [await Machine.start(1), await Machine.start(2), await Machine.start(3)];
  kafka = await startKafka({ nodes: 3, place: (id) => machines[id - 1] as Machine });
});
afterAll(async () => {
  await kafka.close();
  for (const machine of machines) await machine.close();
});

describe("nothing is lost, doubled or out of order while one broker after the other is reachable", () => {
  test.each([
    [
      "by clients, and not by the other brokers",
      (machine: Machine, isCut: boolean) => machine.cutFromBrokers(isCut),
    ],
    [
      "by the other brokers, and not by clients",
      (machine: Machine, isCut: boolean) => machine.cutFromClients(isCut),
    ],
  ])("%s", async (_, cut) => {
    const verdict = await run({
      ...load,
      brokers: kafka.brokers,
      faults: async (run) => {
        await run.underWay(90_000);
        for (const machine of machines) {
          await cut(machine, true);
          run.count("cut");
          await sleep(20_000);
          await cut(machine, false);
          await sleep(8_000);
        }
      },
    });
    expectExactlyOnceInTheLog(verdict);
    expect(verdict.longestGapMs).toBeLessThan(90_000);
  });
});
