/** docs/migrating.md, "Taking over a running group": members change one by one, and no record is left out. */
import { setTimeout as sleep } from "node:timers/promises";
import { PartitionAssigners } from "kafkajs";
import { afterAll, expect, inject, test } from "vitest";
import { type ConsumerOptions, Kafka } from "typed-kafka";
import { textTopic, until } from "../support/consuming.js";
import {
  type OtherMember,
  roundrobin,
  startBindingMember,
  startKafkajsMember,
} from "../support/other-members.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const warnings: string[] = [];
const logger = { ...silent, warn: (message: string) => void warnings.push(message) };
const kafka = new Kafka({ brokers, logger });
afterAll(() => kafka.close());

type Place = { readonly topic: string; readonly groupId: string };
type Start = (place: Place, onRecord: (value: string) => void) => Promise<OtherMember>;

const ofKafkajs =
  (...partitionAssigners: (typeof roundrobin)[]): Start =>
  (place, onRecord) =>
    startKafkajsMember(
      brokers,
      { ...place, ...(partitionAssigners.length === 0 ? {} : { partitionAssigners }) },
      onRecord,
    );
const ofBinding: Start = (place, onRecord) => startBindingMember(brokers, place, onRecord);
const own =
  (options: Omit<ConsumerOptions, "groupId">): Start =>
  ({ topic, groupId }, onRecord) => {
    const consumer = kafka.consumer(textTopic(topic), { groupId, ...options });
    const ended = consumer.run(({ value }) => {
      onRecord(value ?? "");
    });
    return Promise.resolve({
      assigned: () => consumer.assignment.length,
      close: async () => {
        await consumer.close();
        await ended;
      },
    });
  };

const quick = { sessionTimeoutMs: 3_000 };
const stock = ofKafkajs();
const both = ofKafkajs(PartitionAssigners.roundRobin, roundrobin);
const range = own({ ...quick, assignor: "range" });
const either = own({ ...quick, assignor: ["roundrobin", "range"] });
const robin = own({ ...quick, assignor: "roundrobin" });
const sticky = own(quick);
const next = own({ groupProtocol: "consumer" });

test.concurrent.each<[string, readonly Start[]]>([
  ["from kafkajs by an assigner that both know, and back", [stock, both, robin, both, stock]],
  ["from kafkajs by the protocol consumer, and back", [stock, next, stock]],
  ["from the binding's KafkaJS API, and back", [ofBinding, robin, ofBinding]],
  ["from range to roundrobin by a list, and back", [range, either, robin, either, range]],
  ["from range to cooperative-sticky by the protocol consumer", [range, next, sticky]],
])(
  "a group is taken over %s",
  async (_, stages) => {
    const topic = await createTopic({ partitions: 4 });
    const place = { topic, groupId: uniqueName() };
    const handled = new Set<string>();
    const producer = kafka.producer();
    let sent = 0;
    const stop = new AbortController();
    const sending = (async () => {
      for (; !stop.signal.aborted; sent += 1) {
        await producer.send(textTopic(topic), { value: String(sent), key: String(sent) });
        await sleep(5);
      }
    })();
    const members: OtherMember[] = [];
    const start = async (stage: Start): Promise<void> => {
      members.push(await stage(place, (value) => void handled.add(value)));
      await until("everyone has partitions", () => members.every(({ assigned }) => assigned() > 0), 40_000);
    };
    for (const stage of stages) {
      // One by one: a new member comes, and an old one goes.
      for (let count = 0; count < 2; count += 1) {
        await start(stage);
        if (members.length > 2) await members.shift()?.close();
      }
      await until(
        "all partitions are assigned",
        () => members.reduce((sum, { assigned }) => sum + assigned(), 0) === 4,
        40_000,
      );
    }
    stop.abort();
    await sending;
    await until("every record is handled", () => handled.size === sent, 40_000);
    expect(warnings.filter((warning) => warning.includes(place.groupId))).toEqual([]);
    for (const member of members) await member.close();
  },
  120_000,
);

test("members of cooperative-sticky make one of the protocol consumer wait until they have left", async () => {
  const topic = await createTopic({ partitions: 4 });
  const place = { topic, groupId: uniqueName() };
  const old: OtherMember[] = [];
  for (const stage of [sticky, sticky]) {
    old.push(await stage(place, () => {}));
    await until("everyone has partitions", () => old.every(({ assigned }) => assigned() > 0), 40_000);
  }
  await until("all partitions are assigned", () => old.every(({ assigned }) => assigned() === 2), 40_000);
  const member = await next(place, () => {});
  const told = () => warnings.filter((warning) => warning.includes(place.groupId));
  await until("it is told", () => told().length > 0);
  expect(told()).toEqual([expect.stringContaining("its members use another assignor or protocol")]);
  for (const { close } of old) await close();
  await until("it has all", () => member.assigned() === 4, 40_000);
  await member.close();
});
