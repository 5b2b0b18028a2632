import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, inject, test } from "vitest";
import { type ConsumerOptions, Kafka } from "typed-kafka";
import { committedOffsets, textTopic, until } from "../support/consuming.js";
import {
  countsOf,
  disorder,
  type Member,
  type MemberOptions,
  overlaps,
  startMember,
  startProcessMember,
  untilAllHandled,
} from "../support/group-members.js";
import { deferred } from "../../src/waiting.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
const producer = kafka.producer();
afterAll(() => kafka.close());

const partitions = 8;

/** Sends records with keys without a pause until told to stop, at least `least`; says how many each partition has. */
function keepSending(name: string, least: number) {
  const topic = textTopic(name);
  const ends = Array<number>(partitions).fill(0);
  const stopping = new AbortController();
  const ended = (async () => {
    for (let sent = 0; !stopping.signal.aborted || sent < least; sent += 200) {
      const records = Array.from({ length: 200 }, (_, index) => ({
        key: `k${(sent + index) % 100}`,
        value: String(sent + index),
      }));
      for (const { partition } of await producer.send(topic, records))
        ends[partition] = (ends[partition] ?? 0) + 1;
      if (!stopping.signal.aborted) await sleep(80);
    }
  })();
  return {
    ends,
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

const modes: [string, Partial<ConsumerOptions>][] = [
  ["cooperative-sticky", { sessionTimeoutMs: 6_000 }],
  ["range", { assignor: "range", sessionTimeoutMs: 6_000 }],
  ["KIP-848", { groupProtocol: "consumer" }],
];

describe("members that come and go while records are sent and handled", () => {
  test.each(modes)(
    "%s: everything is handled once, never two handlers at a time on a partition, in order",
    async (_, mode) => {
      const topic = await createTopic({ partitions });
      const groupId = uniqueName();
      const options: MemberOptions = {
        topic,
        handlerMs: 3,
        options: { groupId, commitIntervalMs: 100, ...mode },
      };
      const members: Member[] = [await startMember(kafka, options)];
      const [first] = members;
      const sending = keepSending(topic, 20_000);
      // One joins in another process and one in this, the first leaves, another process joins, the second leaves.
      const second = await startProcessMember(brokers, options);
      members.push(second);
      const third = await startMember(kafka, options);
      members.push(third);
      await first?.close();
      const fourth = await startProcessMember(brokers, options);
      members.push(fourth);
      await second.close();
      await until(
        "the rest has all partitions",
        () => third.assigned.size + fourth.assigned.size === partitions,
        40_000,
      );
      await sending.stop();
      await untilAllHandled(members, sending.ends);
      await Promise.all([third.close(), fourth.close()]);

      expect(sending.ends.reduce((sum, end) => sum + end)).toBeGreaterThanOrEqual(20_000);
      expect(members.every(({ handled }) => handled.length > 0)).toBe(true);
      expect(overlaps(members)).toEqual([]);
      expect(disorder(members)).toEqual([]);
      expect(countsOf(members, sending.ends)).toEqual({ duplicates: [], missing: [] });
      expect(await committedOffsets(brokers, groupId, topic, partitions)).toEqual(sending.ends);
    },
    120_000,
  );

  test("static members: one that restarts within the session gets its partitions back, and the others keep theirs", async () => {
    const topic = await createTopic({ partitions });
    const groupId = uniqueName();
    const optionsOf = (groupInstanceId: string): MemberOptions => ({
      topic,
      handlerMs: 3,
      options: { groupId, groupInstanceId, commitIntervalMs: 100, sessionTimeoutMs: 8_000 },
    });
    const members: Member[] = [await startMember(kafka, optionsOf("one"))];
    const sending = keepSending(topic, 20_000);
    const second = await startProcessMember(brokers, optionsOf("two"));
    members.push(second);
    const [first] = members;
    await until("an even share", () => first?.assigned.size === 4 && second.assigned.size === 4, 30_000);
    const [kept, moved] = [[...(first?.assigned ?? [])], [...second.assigned]];
    await second.close();
    const again = await startMember(kafka, optionsOf("two"));
    members.push(again);
    expect([...again.assigned].toSorted()).toEqual(moved.toSorted());
    expect([...(first?.assigned ?? [])].toSorted()).toEqual(kept.toSorted());
    await sending.stop();
    await untilAllHandled(members, sending.ends);
    await Promise.all([first?.close(), again.close()]);
    expect(overlaps(members)).toEqual([]);
    expect(disorder(members)).toEqual([]);
    expect(countsOf(members, sending.ends)).toEqual({ duplicates: [], missing: [] });
    expect(await committedOffsets(brokers, groupId, topic, partitions)).toEqual(sending.ends);
  }, 120_000);
});

describe("members that do not shut down gracefully", () => {
  test("SIGKILL under load: nothing is lost, and only what was not committed is redelivered", async () => {
    const topic = await createTopic({ partitions });
    const groupId = uniqueName();
    const options: MemberOptions = {
      topic,
      handlerMs: 3,
      options: { groupId, commitIntervalMs: 300, sessionTimeoutMs: 6_000 },
    };
    const survivor = await startMember(kafka, options);
    const sending = keepSending(topic, 5_000);
    const victim = await startProcessMember(brokers, options);
    const members = [survivor, victim];
    await until("both handle", () => victim.handled.length > 500);
    const owned = [...victim.assigned];
    victim.signal("SIGKILL");
    const committed = await committedOffsets(brokers, groupId, topic, partitions);
    await until("the survivor has all", () => survivor.assigned.size === partitions, 40_000);
    await sending.stop();
    await untilAllHandled(members, sending.ends);
    await survivor.close();
    const { duplicates } = countsOf(members, sending.ends);
    for (const { partition, offset } of duplicates) {
      expect(owned).toContain(partition);
      expect(offset).toBeGreaterThanOrEqual(Math.max(0, committed[partition] ?? 0));
    }
    expect(disorder(members)).toEqual([]);
    expect(await committedOffsets(brokers, groupId, topic, partitions)).toEqual(sending.ends);
  }, 90_000);

  test("SIGSTOP past the session, and woken: its late commits change nothing, and it goes on as a member", async () => {
    const topic = await createTopic({ partitions });
    const groupId = uniqueName();
    const options: MemberOptions = {
      topic,
      handlerMs: 3,
      options: { groupId, commitIntervalMs: 300, sessionTimeoutMs: 6_000 },
    };
    const survivor = await startMember(kafka, options);
    const sending = keepSending(topic, 5_000);
    const sleeper = await startProcessMember(brokers, options);
    const members = [survivor, sleeper];
    await until("both handle", () => sleeper.handled.length > 500);
    sleeper.signal("SIGSTOP");
    await until("the survivor has all", () => survivor.assigned.size === partitions, 40_000);
    const { length } = survivor.handled;
    await until("the survivor goes on", () => survivor.handled.length > length + 1_000);
    const before = await committedOffsets(brokers, groupId, topic, partitions);
    sleeper.signal("SIGCONT");
    let lowest = before;
    await until(
      "the sleeper knows what it lost, and has partitions again",
      async () => {
        const now = await committedOffsets(brokers, groupId, topic, partitions);
        lowest = now.map((offset, partition) => Math.min(offset, lowest[partition] ?? 0));
        return sleeper.lost.size > 0 && sleeper.assigned.size > 0 && survivor.assigned.size < partitions;
      },
      40_000,
    );
    expect(lowest).toEqual(before);
    await sending.stop();
    await untilAllHandled(members, sending.ends);
    await Promise.all([survivor.close(), sleeper.close()]);
    expect(await committedOffsets(brokers, groupId, topic, partitions)).toEqual(sending.ends);
  }, 120_000);
});

test("what onRebalance gives for revoked partitions is awaited before others get them, and before close resolves", async () => {
  const topic = textTopic(await createTopic({ partitions: 2 }));
  const groupId = uniqueName();
  const events: string[] = [];
  const start = (name: string) => {
    const consumer = kafka.consumer(topic, {
      groupId,
      assignor: "range",
      sessionTimeoutMs: 6_000,
      onRebalance: async ({ type }) => {
        events.push(`${name} ${type}`);
        if (type !== "revoked") return;
        await sleep(1_000);
        events.push(`${name} released`);
      },
    });
    const ended = consumer.run(() => undefined);
    return { consumer, ended };
  };
  const first = start("first");
  await until("the first has both", () => first.consumer.assignment.length === 2);
  const second = start("second");
  await until("the second has one", () => second.consumer.assignment.length === 1);
  expect(events.indexOf("first released")).toBeGreaterThan(0);
  expect(events.indexOf("first released")).toBeLessThan(events.indexOf("second assigned"));
  await second.consumer.close();
  // The group may have gone on by then: the first may have been asked to give back what it had.
  expect(events).toContain("second released");
  await first.consumer.close();
  await Promise.all([first.ended, second.ended]);
});

test("a partition that was paused when it was revoked is read again when it is assigned again", async () => {
  const topic = textTopic(await createTopic({ partitions: 2 }));
  const groupId = uniqueName();
  const handled: string[] = [];
  const start = () => {
    const consumer = kafka.consumer(topic, { groupId, assignor: "range", sessionTimeoutMs: 6_000 });
    const ended = consumer.run(({ value }) => void handled.push(String(value)));
    return { consumer, ended };
  };
  const first = start();
  await until("the first has both", () => first.consumer.assignment.length === 2);
  first.consumer.pause();
  const second = start();
  await until("each has one", () =>
    [first, second].every(({ consumer }) => consumer.assignment.length === 1),
  );
  await second.consumer.close();
  await second.ended;
  await until("the first has both again", () => first.consumer.assignment.length === 2);
  await producer.send(topic, [
    { value: "a", partition: 0 },
    { value: "b", partition: 1 },
  ]);
  await until("both are handled", () => handled.length === 2);
  await first.consumer.close();
  await first.ended;
});

test("a late handler of a partition that was revoked takes no slot from those that stay", async () => {
  const topic = textTopic(await createTopic({ partitions: 2 }));
  const groupId = uniqueName();
  const slow = [deferred(), deferred()];
  const begun = new Set<number>();
  const handled: string[] = [];
  const first = kafka.consumer(topic, { groupId, drainTimeoutMs: 200 });
  const ended = first.run(async ({ partition, value }) => {
    if (value === "slow") {
      begun.add(partition);
      await slow[partition]?.promise;
    }
    handled.push(`${partition}: ${value ?? ""}`);
  });
  await until("the first has both", () => first.assignment.length === 2);
  await producer.send(topic, [
    { value: "slow", partition: 0 },
    { value: "slow", partition: 1 },
  ]);
  await until("both have begun", () => begun.size === 2);
  const second = kafka.consumer(topic, { groupId });
  const secondEnded = second.run(() => {});
  await until("each has one", () => first.assignment.length === 1 && second.assignment.length === 1);
  const stays = first.assignment[0]?.partition ?? -1;
  slow[stays]?.resolve();
  await until("the handler in time", () => handled.includes(`${stays}: slow`));
  await producer.send(topic, { value: "next", partition: stays });
  await until("the next one", () => handled.includes(`${stays}: next`));
  for (const { resolve } of slow) resolve();
  await Promise.all([first.close(), second.close()]);
  await Promise.all([ended, secondEnded]);
});

test("a member whose groupInstanceId another live member takes stops with CONSUMER_FENCED", async () => {
  const topic = textTopic(await createTopic());
  const groupId = uniqueName();
  const start = () => kafka.consumer(topic, { groupId, groupInstanceId: "one", sessionTimeoutMs: 6_000 });
  const first = start();
  const fenced = first.run(() => undefined).catch((error: unknown) => error);
  await until("the first has the partition", () => first.assignment.length === 1);
  const second = start();
  const handled: (string | null)[] = [];
  const running = second.run(({ value }) => void handled.push(value));
  expect(await fenced).toMatchObject({ name: "KafkaError", code: "CONSUMER_FENCED" });
  await producer.send(topic, { value: "goes on" });
  await until("the second handles it", () => handled.length === 1);
  await second.close();
  await running;
});
