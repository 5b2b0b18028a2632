import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { Link } from "../../support/network/link.js";
import { Names } from "../../support/network/names.js";
import { expectExactlyOnceInTheLog, load } from "../../support/network/load.js";
import { run } from "../../support/processor-faults.js";

let names: Names;
let link: Link;
let kafka: KafkaCluster;

/** The subnet's address of a node, before and after it moved. */
const addresses = { before: (id: number) => `10.77.0.1${id}`, after: (id: number) => `10.77.0.2${id}` };
const nameOf = (id: number) => `kafka-${id}.test`;

beforeAll(async () => {
  names = Names.start();
  link = await Link.start();
  await nodesAt({ 1: addresses.before, 2: addresses.before, 3: addresses.before });
  kafka = await startKafka({ nodes: 3, place: (id) => ({ clientHost: nameOf(id) }) });
});
afterAll(async () => {
  await kafka.close();
  await link.close();
  names.close();
});

/** Every name leads to where its node is; nothing answers where it is not. */
async function nodesAt(places: Readonly<Record<number, (id: number) => string>>): Promise<void> {
  const here = Object.keys(places).map(Number);
  names.set(Object.fromEntries(here.map((id) => [nameOf(id), String(places[id]?.(id))])));
  await link.set({
    deadHosts: here.map((id) => (places[id] === addresses.before ? addresses.after : addresses.before)(id)),
  });
}

test("a broker's name may lead elsewhere after each restart: nothing is lost, doubled or out of order", async () => {
  const verdict = await run({
    ...load,
    brokers: kafka.brokers,
    faults: async (run) => {
      await run.underWay(90_000);
      const places = { 1: addresses.before, 2: addresses.before, 3: addresses.before };
      for (const node of kafka.nodes) {
        await node.kill();
        await nodesAt(Object.assign(places, { [node.id]: addresses.after }));
        await node.start();
        run.count("move");
        await sleep(5_000);
      }
    },
  });
  expectExactlyOnceInTheLog(verdict);
  expect(verdict.longestGapMs).toBeLessThan(90_000);
});

test("all brokers may move at once, without a word: clients find them by their names", async () => {
  const { after, before } = addresses;
  await nodesAt({ 1: after, 2: after, 3: after });
  const verdict = await run({
    ...load,
    brokers: kafka.brokers,
    faults: async (run) => {
      await run.underWay(90_000);
      await nodesAt({ 1: before, 2: before, 3: before });
      await sleep(30_000);
    },
  });
  expectExactlyOnceInTheLog(verdict);
  expect(verdict.longestGapMs).toBeLessThan(90_000);
});
