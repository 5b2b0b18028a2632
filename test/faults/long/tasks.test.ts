import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import {
  everyFault,
  expectExactlyOnce,
  memberships,
  type Run,
  run,
  shortSessions,
} from "../../support/processor-faults.js";

let kafka: KafkaCluster;

beforeAll(async () => {
  kafka = await startKafka(shortSessions);
});

afterAll(async () => {
  await kafka.close();
});

/** Kills, and a member that joins and leaves: nobody goes on after others have its tasks. */
async function killsAndJoins(run: Run): Promise<void> {
  await sleep(4_000);
  for (let kills = 0; kills < 4; kills += 1) await run.kill(kills % 3);
  run.start(3);
  run.count("join");
  await sleep(4_000);
  await run.kill(1);
  await run.worker(3).stop();
  run.count("leave");
  await run.leave(0);
}

describe("windows equal a batch computation over the log", () => {
  test.each(memberships)(
    "through kills, stops past the session, joins and leaves: %s",
    async (_, options) => {
      const verdict = await run({
        brokers: kafka.brokers,
        records: 10_000,
        rate: 400,
        windows: true,
        options,
        faults: async (run) => {
          await everyFault(run);
          for (let kills = 0; kills < 5; kills += 1) await run.kill(kills % 3);
        },
      });
      expectExactlyOnce(verdict);
      expect(verdict.wrongWindows?.late).toBeGreaterThan(0);
    },
    300_000,
  );
});

describe("a task has one owner at a time", () => {
  test.each(memberships)(
    "over two topics, one with few records: %s",
    async (_, options) => {
      const verdict = await run({
        brokers: kafka.brokers,
        records: 6_000,
        rate: 400,
        shares: [1, 19],
        counts: true,
        options,
        faults: killsAndJoins,
      });
      expectExactlyOnce(verdict);
      expect(verdict).toMatchObject({ overlaps: { sent: 0 } });
    },
    300_000,
  );

  test.each(memberships)(
    "over retry topics: %s",
    async (_, options) => {
      const verdict = await run({
        brokers: kafka.brokers,
        records: 6_000,
        rate: 400,
        counts: true,
        fails: true,
        options: { ...options, retryTopics: { delaysMs: [300] } },
        faults: killsAndJoins,
      });
      expectExactlyOnce(verdict);
      expect(verdict).toMatchObject({ overlaps: { sent: 0 } });
    },
    300_000,
  );

  test.each(
    memberships.flatMap(([name, options]) => [
      [name, "behind", [0, 1], options] as const,
      [name, "in front of", [1, 0], options] as const,
    ]),
  )(
    "in a rolling deployment that adds a topic: %s, %s the one that was there",
    async (_name, _place, inputs, options) => {
      const verdict = await run({
        brokers: kafka.brokers,
        records: 6_000,
        rate: 400,
        shares: [10, 10],
        inputs: [0],
        counts: true,
        options,
        faults: async (run) => {
          await sleep(4_000);
          run.inputs = inputs;
          for (const worker of [0, 1, 2]) {
            await run.leave(worker);
            // Old and new members are in the group together.
            await sleep(4_000);
          }
        },
      });
      expectExactlyOnce(verdict);
      expect(verdict).toMatchObject({ overlaps: { sent: 0 }, divided: 0 });
    },
    300_000,
  );
});
