import { afterAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import {
  defineStore,
  defineTopic,
  integer,
  Kafka,
  type ProcessorOptions,
  type RestoreProgress,
  type StatefulTransaction,
  string,
  type Topic,
} from "typed-kafka";
import { z } from "zod";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

const counts = defineStore("counts", { value: z.number().int() });

async function textTopic(partitions = 4) {
  return defineTopic(await createTopic({ partitions }), { value: string() });
}

function names() {
  return { groupId: uniqueName("group"), transactionalId: uniqueName("tx"), commitIntervalMs: 20 };
}

/** What the changelog says, folded. */
async function folded<Value>(topic: Topic<Value | null>): Promise<Map<string | null, Value>> {
  const state = new Map<string | null, Value>();
  for await (const { key, value } of kafka.read(topic))
    if (value === null) state.delete(key);
    else state.set(key, value);
  return state;
}

/** A processor that counts by key, running until the test has finished or `close` is called. */
function counting(topic: Topic<string> | readonly Topic<string>[], options: ProcessorOptions<typeof counts>) {
  const processor = kafka.processor(topic, { ...options, stores: [counts] });
  const running = processor.run(({ key }, tx) => {
    const store = tx.store(counts);
    store.set(key ?? "", (store.get(key ?? "") ?? 0) + 1);
  });
  running.catch(() => undefined);
  onTestFinished(() => processor.close());
  return { processor, running };
}

const keysOf = (count: number, different: number): { key: string; value: string }[] =>
  Array.from({ length: count }, (_, index) => ({ key: `k${index % different}`, value: "x" }));

describe("a store", () => {
  test("counts by key, and its changelog is the state", async () => {
    const topic = await textTopic();
    await producer.send(topic, keysOf(1_000, 50));
    const { groupId, ...rest } = names();
    const { processor } = counting(topic, { groupId, ...rest });
    await vi.waitFor(async () => {
      const state = await folded(counts.changelog(groupId));
      expect([...state.values()].reduce((sum, count) => sum + count, 0)).toBe(1_000);
      expect(new Set(state.values())).toEqual(new Set([20]));
    }, 50_000);
    await processor.close();
  });

  test("goes on where it was after a restart, and after another restart", async () => {
    const topic = await textTopic();
    const { groupId, ...rest } = names();
    for (let round = 1; round <= 3; round += 1) {
      const { processor } = counting(topic, { groupId, ...rest });
      await producer.send(topic, keysOf(300, 30));
      await vi.waitFor(async () => {
        expect(await folded(counts.changelog(groupId))).toEqual(
          new Map(Array.from({ length: 30 }, (_, index) => [`k${index}`, 10 * round])),
        );
      }, 50_000);
      await processor.close();
    }
  });

  test("moves with its partition to another member, and nothing is counted twice", async () => {
    const topic = await textTopic(8);
    const { groupId } = names();
    const first = counting(topic, { ...names(), groupId });
    await producer.send(topic, keysOf(800, 80));
    const second = counting(topic, { ...names(), groupId });
    await vi.waitFor(() => expect(second.processor.assignment.length).toBe(4), 50_000);
    await producer.send(topic, keysOf(800, 80));
    await first.processor.close();
    await producer.send(topic, keysOf(800, 80));
    await vi.waitFor(async () => {
      expect(await folded(counts.changelog(groupId))).toEqual(
        new Map(Array.from({ length: 80 }, (_, index) => [`k${index}`, 30])),
      );
    }, 50_000);
  });

  test("is read back before anything else is delivered, with progress, and health says so", async () => {
    const topic = await textTopic(2);
    const { groupId, ...rest } = names();
    await producer.send(topic, keysOf(500, 250));
    const { processor } = counting(topic, { groupId, ...rest });
    await vi.waitFor(async () => expect((await folded(counts.changelog(groupId))).size).toBe(250), 50_000);
    await processor.close();
    const progress: RestoreProgress[] = [];
    const again = counting(topic, { groupId, ...rest, onRestore: (told) => progress.push(told) });
    await vi.waitFor(
      () => expect(progress.filter(({ done, total }) => done === total)).toHaveLength(2),
      50_000,
    );
    expect(progress.every(({ store, total }) => store === "counts" && total >= 50)).toBe(true);
    await vi.waitFor(async () => {
      const { clients } = await kafka.health();
      expect(clients.find(({ name }) => name === groupId)).toMatchObject({ kind: "processor", restoring: 0 });
    }, 50_000);
    await again.processor.close();
  });

  test("is restored for long, and meanwhile other tasks go on, a rebalance is prompt, and so is the end", async () => {
    const topic = await textTopic(4);
    const inAll = (value: string) =>
      [0, 1, 2, 3].map((partition) => ({ key: `p${partition}`, value, partition }));
    const options = (groupId: string) => ({ ...names(), groupId, sessionTimeoutMs: 6_000 });
    const join = async (groupId: string) => {
      const began = performance.now();
      const second = counting(topic, options(groupId));
      await vi.waitFor(() => expect(second.processor.assignment).toHaveLength(2), 50_000);
      return { second, ms: performance.now() - began };
    };
    // The same join where nothing is restored. It begins with the heartbeats of the first member, each of which is waited
    // for: no join takes longer because of them.
    const { groupId: other } = names();
    const usual = counting(topic, options(other));
    await vi.waitFor(() => expect(usual.processor.assignment).toHaveLength(4), 50_000);
    const { second: usualSecond, ms: usualMs } = await join(other);
    await Promise.all([usual.processor.close(), usualSecond.processor.close()]);

    const { groupId } = names();
    const changelog = counts.changelog(groupId);
    await createTopic({ name: changelog.name, partitions: 4, config: { "cleanup.policy": "compact" } });
    await producer.sendAll(
      changelog,
      Array.from({ length: 5_000 }, (_, index) => ({ key: `old${index}`, value: 1, partition: 0 })),
    );
    // Someone who is frozen: its transaction holds the restore of partition 0 up.
    let commit = () => {};
    const frozen = kafka
      .transactionalProducer({ transactionalId: uniqueName("tx") })
      .transaction(async (tx) => {
        await tx.send(changelog, { key: "p0", value: 41, partition: 0 });
        await new Promise<void>((resolve) => (commit = resolve));
      });
    await vi.waitFor(async () => {
      const last = new Map<string | null, number | null>();
      for await (const { key, value } of kafka.read(changelog, { isolationLevel: "read_uncommitted" }))
        last.set(key, value);
      expect(last.get("p0")).toBe(41);
    }, 50_000);
    const restoringOf = async () =>
      (await kafka.health()).clients.map((client) => ("restoring" in client ? client.restoring : 0));

    const first = counting(topic, options(groupId));
    await producer.send(topic, inAll("x"));
    const othersAre = (count: number) =>
      vi.waitFor(async () => {
        const state = await folded(changelog);
        expect([1, 2, 3].map((partition) => state.get(`p${partition}`))).toEqual([count, count, count]);
        expect(state.get("p0")).toBeUndefined();
      }, 50_000);
    await othersAre(1);
    expect(await restoringOf()).toContain(1);
    const { second, ms } = await join(groupId);
    // What is waited for has 30 s.
    expect(ms).toBeLessThan(usualMs + 15_000);
    await producer.send(topic, inAll("x"));
    await othersAre(2);
    const began = performance.now();
    await first.processor.close();
    expect(performance.now() - began).toBeLessThan(15_000);
    await producer.send(topic, inAll("x"));
    await othersAre(3);
    expect(await restoringOf()).toContain(1);
    commit();
    await frozen;
    await vi.waitFor(async () => expect((await folded(changelog)).get("p0")).toBe(44), 50_000);
    await second.processor.close();
  }, 120_000);

  test("keeps nothing of a handler that failed, and its retry sees what was there before", async () => {
    const topic = await textTopic(1);
    await producer.send(topic, keysOf(10, 1));
    const { groupId, ...rest } = names();
    const seen: unknown[] = [];
    const processor = kafka.processor(topic, {
      groupId,
      ...rest,
      stores: [counts],
      retry: { attempts: 3, initialDelayMs: 1 },
    });
    onTestFinished(() => processor.close());
    void processor.run(({ offset }, tx, { attempt }) => {
      const store = tx.store(counts);
      const before = store.get("k0") ?? 0;
      seen.push([offset, attempt, before]);
      store.set("k0", before + 1);
      if (attempt < 3) throw new Error("again");
    });
    await vi.waitFor(
      async () => expect(await folded(counts.changelog(groupId))).toEqual(new Map([["k0", 10]])),
      50_000,
    );
    expect(seen.slice(0, 4)).toEqual([
      [0, 1, 0],
      [0, 2, 0],
      [0, 3, 0],
      [1, 1, 1],
    ]);
  });

  test("goes back to what was committed where a transaction is rolled back", async () => {
    const topic = await textTopic(1);
    const small = defineTopic(await createTopic({ config: { "max.message.bytes": "1000" } }), {
      value: string(),
    });
    const { groupId, ...rest } = names();
    const processor = kafka.processor(topic, {
      ...{ groupId, ...rest, commitIntervalMs: 200, deadLetter: true },
      stores: [counts],
    });
    onTestFinished(() => processor.close());
    processor
      .run(({ key, value }, tx) => {
        const store = tx.store(counts);
        store.set(key ?? "", (store.get(key ?? "") ?? 0) + 1);
        // The broker refuses it, and with it what is in the transaction.
        if (value === "large") return tx.send(small, { value: "x".repeat(5_000) });
        return undefined;
      })
      .catch(() => undefined);
    await producer.send(topic, [
      ...keysOf(50, 5),
      ...[1, 2].map(() => ({ key: "k0", value: "large" })),
      ...keysOf(50, 5),
    ]);
    await vi.waitFor(async () => {
      expect(await folded(counts.changelog(groupId))).toEqual(
        new Map(Array.from({ length: 5 }, (_, index) => [`k${index}`, 20])),
      );
    }, 60_000);
    await processor.close();
  });

  test("of several topics is one for each partition number", async () => {
    const [debits, credits] = [await textTopic(4), await textTopic(4)];
    const { groupId, ...rest } = names();
    await producer.send(debits, keysOf(400, 40));
    await producer.send(credits, keysOf(400, 40));
    counting([debits, credits], { groupId, ...rest });
    await vi.waitFor(async () => {
      expect(await folded(counts.changelog(groupId))).toEqual(
        new Map(Array.from({ length: 40 }, (_, index) => [`k${index}`, 20])),
      );
    }, 50_000);
  });

  test("has one owner where members have other topics, in another order, or not the one that the group assigns", async () => {
    const topics = [await textTopic(), await textTopic()] as const;
    const { groupId } = names();
    const start = (own: readonly Topic<string>[]) =>
      counting(own, { ...names(), groupId, sessionTimeoutMs: 6_000 }).processor;
    const total = async () => {
      const state = await folded(counts.changelog(groupId));
      return [...state.values()].reduce((sum, each) => sum + each, 0);
    };
    const counted = async (count: number) => expect(await total()).toBe(count);
    const members = [start([topics[0]])];
    await producer.send(topics[0], keysOf(40, 40));
    await vi.waitFor(async () => counted(40), 50_000);
    const owned = (topic: string) =>
      members.flatMap(({ assignment }) =>
        assignment.filter((each) => each.topic === topic).map(({ partition }) => partition),
      );
    /** Every member has tasks, each task one owner, and each owner all of its topics. */
    const isSharedOut = () => {
      const numbers = members.map(({ assignment }) => [
        ...new Set(assignment.map(({ partition }) => partition)),
      ]);
      expect(numbers.every(({ length }) => length > 0)).toBe(true);
      expect(numbers.flat().sort()).toEqual([0, 1, 2, 3]);
    };
    members.push(start([topics[1], topics[0]]));
    await vi.waitFor(isSharedOut, 50_000);
    // What it has of the second topic has begun, and says which topic the group assigns.
    await producer.send(topics[1], keysOf(40, 40));
    await vi.waitFor(async () => expect(await total()).toBeGreaterThan(40), 50_000);
    members.push(start([topics[1]]));
    await vi.waitFor(isSharedOut, 50_000);
    await members[0]?.close();
    await members[2]?.close();
    members.splice(0, 3, ...members.slice(1, 2));
    await vi.waitFor(() => expect(owned(topics[0].name).sort()).toEqual([0, 1, 2, 3]), 50_000);
    expect(owned(topics[1].name).sort()).toEqual([0, 1, 2, 3]);
    await vi.waitFor(async () => counted(80), 50_000);
  });

  test.each(["classic", "consumer"] as const)(
    "has one owner where members with topics of their own begin a group at the same time, protocol %s",
    async (groupProtocol) => {
      const [one, other] = [await textTopic(), await textTopic()];
      const { groupId } = names();
      const start = (topic: Topic<string>, commitIntervalMs: number) =>
        counting(topic, { ...names(), groupId, groupProtocol, commitIntervalMs });
      await producer.send(one, keysOf(40, 40));
      await producer.send(other, keysOf(40, 40));
      // What says that the group has begun is not committed while the other one begins.
      const first = start(one, 6_000);
      await vi.waitFor(() => expect(first.processor.assignment).toHaveLength(4), 50_000);
      const second = start(other, 20);
      await expect(second.running).rejects.toMatchObject({
        name: "ConfigError",
        field: "topics",
        message: expect.stringMatching(
          new RegExp(
            `began at the same time with ${one.name}, and this one with ${other.name}.*start this one again`,
          ),
        ),
      });
      await vi.waitFor(
        async () => expect(new Set((await folded(counts.changelog(groupId))).values())).toEqual(new Set([1])),
        50_000,
      );
      const again = start(other, 20);
      await vi.waitFor(() => expect(again.processor.assignment).toHaveLength(2), 50_000);
      expect(first.processor.assignment).toHaveLength(2);
      await first.processor.close();
      await vi.waitFor(
        async () =>
          expect(await folded(counts.changelog(groupId))).toEqual(
            new Map(Array.from({ length: 40 }, (_, index) => [`k${index}`, 2])),
          ),
        50_000,
      );
    },
    120_000,
  );

  test("with retry topics is the same for a record that comes back", async () => {
    const topic = await textTopic(2);
    const { groupId, ...rest } = names();
    await producer.send(topic, keysOf(40, 4));
    const processor = kafka.processor(topic, {
      groupId,
      ...rest,
      stores: [counts],
      retryTopics: { delaysMs: [50] },
    });
    onTestFinished(() => processor.close());
    void processor.run(({ key, offset }, tx, { attempt }) => {
      const store = tx.store(counts);
      store.set(key ?? "", (store.get(key ?? "") ?? 0) + 1);
      if (offset % 5 === 0 && attempt === 1) throw new Error("again");
    });
    await vi.waitFor(async () => {
      expect(await folded(counts.changelog(groupId))).toEqual(
        new Map(Array.from({ length: 4 }, (_, index) => [`k${index}`, 10])),
      );
    }, 50_000);
  });
});

describe("bad use of stores is refused by name", () => {
  const topicOf = (name: string): Topic<string> => defineTopic(name, { value: string() });
  const [topic, other] = [topicOf("students"), topicOf("others")];
  const refused =
    (options: object, topics = [topic]): (() => unknown) =>
    () =>
      kafka.processor(topics, { ...names(), stores: [counts], ...options });

  test("at the making of the processor", () => {
    expect(refused({ order: "none" })).toThrow(/order/);
    expect(refused({ order: "key" }, [topic, other])).toThrow(/order/);
    expect(refused({ stores: [counts, defineStore("counts", { value: integer() })] })).toThrow(
      /two stores are called counts/,
    );
    expect(refused({ stores: [topic] })).toThrow(/stores\[0\]/);
    expect(refused({ stores: {} })).toThrow(/stores/);
    expect(refused({ groupId: "my group" })).toThrow(/groupId.*"my group.counts.changelog".*no topic name/);
    expect(refused({ groupId: "g".repeat(240) })).toThrow(/groupId.*257 characters, 249 is the most/);
  });

  test("topics of different numbers of partitions, and a changelog with another number", async () => {
    const { running } = counting([await textTopic(2), await textTopic(3)], names());
    await expect(running).rejects.toThrow(/has 2.*has 3/);
    const { groupId, ...rest } = names();
    await createTopic({ name: `${groupId}.counts.changelog`, partitions: 5 });
    const other = counting(await textTopic(2), { groupId, ...rest });
    await expect(other.running).rejects.toThrow(/changelog.*5 partitions.*2/);
  });

  test.each(["first", "second"])(
    "the %s of two topics, where it alone gets more partitions",
    async (which) => {
      const growing = new Kafka({ brokers: inject("brokers"), logger: silent, metadataMaxAgeMs: 1_000 });
      onTestFinished(() => growing.close());
      const [grown, other] = [await textTopic(2), await textTopic(2)];
      const topics = which === "first" ? [grown, other] : [other, grown];
      const processor = growing.processor(topics, { ...names(), stores: [counts] });
      const running = processor.run(() => undefined);
      running.catch(() => undefined);
      await vi.waitFor(() => expect(processor.assignment).toHaveLength(4), 50_000);
      await growing.admin().createPartitions(grown, 5);
      await expect(running).rejects.toThrow(
        new RegExp(`${grown.name} has \\d partitions now.*made for 2.*new names`),
      );
      await expect(running).rejects.toMatchObject({ name: "ConfigError" });
    },
  );

  test.each(["delete", "compact,delete"])("a changelog that is cleaned up by %s", async (policy) => {
    const { groupId, ...rest } = names();
    const name = `${groupId}.counts.changelog`;
    await createTopic({ name, partitions: 2, config: { "cleanup.policy": policy } });
    const { running } = counting(await textTopic(2), { groupId, ...rest });
    await expect(running).rejects.toMatchObject({
      code: "CONFIG",
      field: "stores",
      message: expect.stringContaining(`${name} has cleanup.policy=${policy}`),
    });
  });

  test("a store that is not listed, and a handler that goes on with it after its end", async () => {
    const topicOfOne = await textTopic(1);
    await producer.send(topicOfOne, { value: "x", key: "k" });
    const processor = kafka.processor(topicOfOne, { ...names(), stores: [counts] });
    await expect(
      processor.run((_, tx) => void tx.store(defineStore("other", { value: string() }) as never)),
    ).rejects.toThrow(/list it/);
  });

  const unlisted = defineStore("unlisted", { value: string() });
  type Tx = StatefulTransaction<typeof counts>;

  test.each([
    ["run, a store that is not listed", "run", (tx: Tx) => tx.store(unlisted as never)],
    ["runBatch, a store that is not listed", "runBatch", (tx: Tx) => tx.store(unlisted as never)],
    ["run, a key of another record", "run", (tx: Tx) => tx.store(counts).get("another")],
  ] as const)("stops at once, and moves no record away: %s", async (_, way, use) => {
    const [input, letters] = [await textTopic(1), await textTopic(1)];
    await producer.send(input, keysOf(3, 3));
    const processor = kafka.processor(input, {
      ...{ ...names(), order: way === "run" ? "key" : "partition", stores: [counts] },
      ...{ retry: { attempts: 5, initialDelayMs: 10 }, deadLetter: letters, onInvalid: "dead-letter" },
    });
    onTestFinished(() => processor.close());
    let calls = 0;
    const handler = (_: unknown, tx: Tx): void => {
      calls += 1;
      use(tx);
    };
    const running = way === "run" ? processor.run(handler) : processor.runBatch(handler);
    await expect(running).rejects.toMatchObject({ name: "ConfigError", code: "CONFIG" });
    expect(calls).toBeLessThanOrEqual(3);
    for await (const { key } of kafka.read(letters)) throw new Error(`${String(key)} was moved away`);
  });

  test("but a value that does not fit is its record's: that goes the way of the policy, and the others count", async () => {
    const { groupId, ...rest } = names();
    const input = await textTopic(1);
    const processor = kafka.processor(input, { groupId, ...rest, deadLetter: true, stores: [counts] });
    onTestFinished(() => processor.close());
    processor
      .run(({ key, value }, tx) => {
        tx.store(counts).set(key ?? "", Number(value));
      })
      .catch(() => undefined);
    const values = ["1", "1.5", "3"].map((value) => ({ key: `of ${value}`, value }));
    await producer.send(input, values);
    await vi.waitFor(
      async () =>
        expect(await folded(counts.changelog(groupId))).toEqual(
          new Map([
            ["of 1", 1],
            ["of 3", 3],
          ]),
        ),
      50_000,
    );
    const moved = defineTopic(`${input.name}.${groupId}.dead-letter`, { value: string() });
    await vi.waitFor(async () => {
      const letters = [];
      for await (const { key, headers } of kafka.read(moved))
        letters.push([key, headers["dead-letter.error-name"]]);
      expect(letters).toEqual([["of 1.5", "SerializationError"]]);
    }, 50_000);
  });
});
