/** Groups that have as many members as the brokers allow: whoever comes then waits, is told why, and joins when there is a place. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defineTopic, Kafka, string, type Topic } from "typed-kafka";
import type { GroupWaitEvent } from "typed-kafka/telemetry";
import { textTopic, until } from "../support/consuming.js";
import { startProcessMember } from "../support/group-members.js";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { observedKafka } from "../support/open-telemetry.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka({
    properties: {
      "group.max.size": 1,
      "group.consumer.max.size": 1,
      "group.consumer.session.timeout.ms": 3_000,
    },
  });
}, 120_000);
afterAll(() => cluster.close());

const protocols = ["classic", "consumer"] as const;
const kinds = ["consumer", "processor", "consumer with retry topics"] as const;

function makeMember(
  kafka: Kafka,
  kind: (typeof kinds)[number],
  topic: Topic<string>,
  options: { readonly groupId: string; readonly groupProtocol: (typeof protocols)[number] },
) {
  const handled: string[] = [];
  const member =
    kind === "processor"
      ? kafka.processor(topic, { ...options, transactionalId: uniqueName() })
      : kafka.consumer(topic, {
          ...options,
          ...(kind === "consumer" ? {} : { retryTopics: { delaysMs: [1_000] } }),
        });
  const ended = member.run((record) => void handled.push(record.value));
  ended.catch(() => {});
  return { member, ended, handled };
}

describe.each(protocols)("a full group of the protocol %s", (groupProtocol) => {
  test.each(kinds)("makes a %s wait, which is told, and joins when a member has left", async (kind) => {
    const topic = defineTopic(await createTopic({ brokers: cluster.brokers }), { value: string() });
    const groupId = uniqueName();
    await using first = new Kafka({ brokers: cluster.brokers, logger: silent });
    const holder = makeMember(first, kind, topic, { groupId, groupProtocol });
    await until("the first has its partition", () => holder.member.assignment.length > 0);

    const warnings: string[] = [];
    const logger = { ...silent, warn: (message: string) => void warnings.push(message) };
    const { kafka, points } = observedKafka(cluster.brokers, { logger });
    const second = makeMember(kafka, kind, topic, { groupId, groupProtocol });
    const health = async () => (await kafka.health()).clients.find(({ name }) => name === groupId);
    await until("it waits", async () => (await health())?.state === "waiting");
    expect(await health()).toMatchObject({ partitions: 0, waiting: { code: "GROUP_MAX_SIZE_REACHED" } });
    expect(warnings).toEqual([expect.stringContaining(`group ${groupId} refuses this member`)]);
    expect(await points("typed_kafka.consumer.waiting")).toEqual([
      {
        value: 1,
        attributes: {
          "messaging.system": "kafka",
          "messaging.consumer.group.name": groupId,
          "typed_kafka.wait.code": "GROUP_MAX_SIZE_REACHED",
        },
      },
    ]);

    await holder.member.close();
    await until("the second has joined", () => second.member.assignment.length > 0, 30_000);
    expect(await health()).toMatchObject({ state: "running" });
    expect(await health()).not.toHaveProperty("waiting");
    await kafka.producer().send(topic, { value: "at last" });
    await until("it handles records", () => second.handled.length > 0);
    await kafka.close();
    await second.ended;
  });
});

test("closing a member that waits takes no longer than its next try", async () => {
  const topic = textTopic(await createTopic({ brokers: cluster.brokers }));
  const options = { groupId: uniqueName(), groupProtocol: "consumer" } as const;
  const waits: GroupWaitEvent[] = [];
  const telemetry = { onGroupWait: (event: GroupWaitEvent) => void waits.push(event) };
  await using kafka = new Kafka({ brokers: cluster.brokers, logger: silent, telemetry });
  const holder = kafka.consumer(topic, options);
  void holder.run(() => {});
  await until("the first has its partition", () => holder.assignment.length === 1);
  const second = kafka.consumer(topic, options);
  const ended = second.run(() => {});
  await until("it waits", () => waits.length > 0);
  expect(waits).toEqual([
    expect.objectContaining({ groupId: options.groupId, code: "GROUP_MAX_SIZE_REACHED" }),
  ]);
  const began = performance.now();
  await second.close();
  await ended;
  expect(performance.now() - began).toBeLessThan(3_000);
});

test("a member whose place was taken while it was stopped gets it back, and handles on", async () => {
  const topic = await createTopic({ brokers: cluster.brokers });
  const options = { groupId: uniqueName(), groupProtocol: "consumer" } as const;
  await using kafka = new Kafka({ brokers: cluster.brokers, logger: silent });
  const member = await startProcessMember(cluster.brokers, { topic, options, handlerMs: 1 });
  await kafka.producer().send(textTopic(topic), { value: "before" });
  await until("it handles", () => member.handled.length === 1);
  member.signal("SIGSTOP");
  const other = kafka.consumer(textTopic(topic), options);
  void other.run(() => {});
  await until("another has its place", () => other.assignment.length === 1, 30_000);
  member.signal("SIGCONT");
  await until("it has lost its partition", () => member.assigned.size === 0);
  // Long enough for it to be refused.
  await until("the other stays", () => other.assignment.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  await other.close();
  await kafka.producer().send(textTopic(topic), { value: "after" });
  await until("it handles again", () => member.handled.some(({ offset }) => offset === 1), 30_000);
  await member.close();
});
