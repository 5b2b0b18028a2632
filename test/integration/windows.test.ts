import { afterAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { defineTopic, defineWindowStore, Kafka, session, string, tumbling, type Windows } from "typed-kafka";
import { z } from "zod";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

const start = Date.UTC(2026, 0, 1);
const result = z.object({ key: z.string(), from: z.number(), count: z.number() });

async function topics(partitions = 2) {
  return {
    input: defineTopic(await createTopic({ partitions }), { value: string() }),
    output: defineTopic(await createTopic({ partitions: 1 }), { value: result }),
  };
}

function storeOf(window: Windows) {
  return defineWindowStore("per-ten-seconds", {
    value: z.number().int(),
    window: window as ReturnType<typeof tumbling>,
  });
}

type Topics = Awaited<ReturnType<typeof topics>>;

/** Counts in windows and sends each as it closes, until the test has finished or it is closed. */
function counting({ input, output }: Topics, groupId: string, window: Windows) {
  const store = storeOf(window);
  const processor = kafka.processor(input, {
    groupId,
    transactionalId: uniqueName("tx"),
    commitIntervalMs: 20,
    stores: [store],
  });
  onTestFinished(() => processor.close());
  const running = processor.run(
    ({ key, timestamp }, tx) => void tx.store(store).update(key ?? "", timestamp, (count = 0) => count + 1),
    {
      onWindowClosed: (closed, tx) =>
        tx.send(output, { value: { key: closed.key, from: closed.start, count: closed.value } }),
    },
  );
  running.catch(() => undefined);
  return { processor, running };
}

async function resultsOf({ output }: Topics): Promise<string[]> {
  const results: string[] = [];
  for await (const { value } of kafka.read(output))
    results.push(`${value.key}@${(value.from - start) / 1_000}=${value.count}`);
  return results;
}

const at = (seconds: number, key = "k", partition = 0) => ({
  key,
  value: "x",
  timestamp: start + seconds * 1_000,
  partition,
});

describe("windows", () => {
  test("equal a batch computation over the log, across restarts, each told once", async () => {
    const used = await topics(2);
    const groupId = uniqueName("group");
    const records = Array.from({ length: 600 }, (_, index) =>
      at(Math.floor(index / 2), `k${index % 3}`, index % 2),
    );
    const window = tumbling({ sizeMs: 10_000 });
    for (let part = 0; part < 3; part += 1) {
      const { processor } = counting(used, groupId, window);
      await producer.send(used.input, records.slice(part * 200, (part + 1) * 200));
      // Six windows end every ten seconds; the last of each partition is open.
      const closed = (part + 1) * 60 - 6;
      await vi.waitFor(async () => expect(await resultsOf(used)).toHaveLength(closed), 20_000);
      await processor.close();
    }
    counting(used, groupId, window);
    const expected = new Map<string, number>();
    for (const { key, timestamp, partition } of records) {
      const from = Math.floor((timestamp - start) / 10_000) * 10;
      // The last window of each partition is open.
      if (from < 290)
        expected.set(`${partition} ${key}@${from}`, (expected.get(`${partition} ${key}@${from}`) ?? 0) + 1);
    }
    const wanted = [...expected].map(([id, count]) => `${id.split(" ")[1]}=${count}`).sort();
    await vi.waitFor(async () => expect((await resultsOf(used)).sort()).toEqual(wanted), 20_000);
  });

  test("close in the order of their end, and a late record opens none", async () => {
    const used = await topics(1);
    counting(used, uniqueName("group"), tumbling({ sizeMs: 10_000, graceMs: 5_000 }));
    await producer.send(used.input, [at(1), at(12), at(9), at(16), at(8), at(40), at(41)]);
    await vi.waitFor(async () => expect(await resultsOf(used)).toEqual(["k@0=2", "k@10=2"]), 20_000);
  });

  test("close by the clock where a task has no records", async () => {
    const used = await topics(1);
    counting(used, uniqueName("group"), tumbling({ sizeMs: 1_000, idleMs: 500 }));
    await producer.send(used.input, [at(1), at(1.5)]);
    await vi.waitFor(async () => expect(await resultsOf(used)).toEqual(["k@1=2"]), 20_000);
  });

  test("close by the clock after a restart too, where no record comes any more", async () => {
    const used = await topics(1);
    const groupId = uniqueName("group");
    const first = counting(used, groupId, tumbling({ sizeMs: 1_000 }));
    await producer.send(used.input, [at(1), at(1.5)]);
    const changelog = storeOf(tumbling({ sizeMs: 1_000 })).changelog(groupId);
    const counts = async (): Promise<(number | null)[]> => {
      const values = [];
      for await (const { value } of kafka.read(changelog)) values.push(value);
      return values;
    };
    await vi.waitFor(async () => expect((await counts()).at(-1)).toBe(2), 20_000);
    await first.processor.close();
    expect(await resultsOf(used)).toEqual([]);
    counting(used, groupId, tumbling({ sizeMs: 1_000, idleMs: 500 }));
    await vi.waitFor(async () => expect(await resultsOf(used)).toEqual(["k@1=2"]), 20_000);
  });

  test("of sessions close after their gap", async () => {
    const used = await topics(1);
    const visits = defineWindowStore("visits", {
      value: z.number().int(),
      window: session({ gapMs: 5_000 }),
      merge: (earlier, later) => earlier + later,
    });
    const processor = kafka.processor(used.input, {
      groupId: uniqueName("group"),
      transactionalId: uniqueName("tx"),
      commitIntervalMs: 20,
      stores: [visits],
    });
    onTestFinished(() => processor.close());
    void processor.run(
      ({ key, timestamp }, tx) =>
        void tx.store(visits).update(key ?? "", timestamp, (count = 0) => count + 1),
      {
        onWindowClosed: ({ key, start: from, value: count }, tx) =>
          tx.send(used.output, { value: { key, from, count } }),
      },
    );
    await producer.send(used.input, [at(0), at(4), at(8), at(20), at(40)]);
    await vi.waitFor(async () => expect(await resultsOf(used)).toEqual(["k@0=3", "k@20=1"]), 20_000);
  });
});

test("scheduled work runs for every task, in a transaction with what it sends and the task's offsets", async () => {
  const used = await topics(2);
  const store = storeOf(tumbling({ sizeMs: 10_000 }));
  const groupId = uniqueName("group");
  const processor = kafka.processor(used.input, {
    groupId,
    transactionalId: uniqueName("tx"),
    commitIntervalMs: 20,
    stores: [store],
  });
  onTestFinished(() => processor.close());
  void processor.run(() => undefined, {
    schedule: [
      {
        everyMs: 50,
        run: (tx, { partition }) =>
          tx.send(used.output, { value: { key: `task ${partition}`, from: start, count: 1 } }),
      },
    ],
  });
  await vi.waitFor(async () => {
    expect(new Set(await resultsOf(used))).toEqual(new Set(["task 0@0=1", "task 1@0=1"]));
  }, 20_000);
  // Without offsets a transaction is not fenced, and there were no records to have any.
  const lag = await kafka.admin().groupLag(groupId, used.input);
  expect(lag.map(({ committed }) => committed)).toEqual([0, 0]);
  await processor.close();
});

test("options of a run are checked by name", async () => {
  const { input } = await topics(1);
  const plain = kafka.processor(input, { groupId: uniqueName("group"), transactionalId: uniqueName("tx") });
  await expect(plain.run(() => undefined, { onWindowClosed: () => undefined })).rejects.toThrow(
    /onWindowClosed/,
  );
  await expect(
    plain.run(() => undefined, { schedule: [{ everyMs: 5, run: () => undefined }] }),
  ).rejects.toThrow(/everyMs/);
  await expect(
    plain.run(() => undefined, { schedule: [{ everyMs: 50, run: () => undefined }] }),
  ).rejects.toThrow(/schedule/);
  await plain.close();
});
