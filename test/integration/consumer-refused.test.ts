import { afterAll, describe, expect, inject, test } from "vitest";
import { Kafka } from "typed-kafka";
import { textTopic, until, within } from "../support/consuming.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const warnings: string[] = [];
const kafka = new Kafka({
  brokers: inject("brokers"),
  logger: { ...silent, warn: (message) => void warnings.push(message) },
});
afterAll(() => kafka.close());

/** Why a member of the group waits, as the health of its client says. */
const waitOf = async (groupId: string) =>
  (await kafka.health()).clients.find(({ name, waiting }) => name === groupId && waiting !== undefined)
    ?.waiting;

describe.each(["consumer", "processor"] as const)("a group refuses a %s", (kind) => {
  const make = (topic: ReturnType<typeof textTopic>, groupId: string, options = {}) =>
    kind === "consumer"
      ? kafka.consumer(topic, { groupId, ...options })
      : kafka.processor(topic, { groupId, transactionalId: uniqueName(), ...options });

  test("a session timeout outside the brokers' limits rejects run, naming the option", async () => {
    const topic = textTopic(await createTopic());
    // Brokers allow half an hour.
    const longMs = 1_900_000;
    const member = make(topic, uniqueName(), { sessionTimeoutMs: longMs, maxPollIntervalMs: longMs });
    const ended = member.run(() => {}).catch((error: unknown) => error);
    expect(await within(20_000, "run rejects", ended)).toMatchObject({
      code: "CONFIG",
      field: "sessionTimeoutMs",
    });
  });

  test("another assignor in the group is warned of, and the member joins when the others have left", async () => {
    const topic = textTopic(await createTopic());
    const groupId = uniqueName();
    const other = kafka.consumer(topic, { groupId, assignor: "range" });
    const others = other.run(() => {});
    await until("the other has it", () => other.assignment.length === 1);
    const member = make(topic, groupId);
    const ended = member.run(() => {});
    const told = () => warnings.filter((warning) => warning.startsWith(`group ${groupId} refuses`));
    await until("it is told", () => told().length > 0);
    expect(await waitOf(groupId)).toMatchObject({ code: "INCONSISTENT_GROUP_PROTOCOL" });
    expect(told()).toEqual([expect.stringContaining("Set `assignor` or `groupProtocol` to theirs")]);
    await other.close();
    await others;
    await until("it has joined", () => member.assignment.length === 1);
    expect(await waitOf(groupId)).toBeUndefined();
    await member.close();
    await ended;
  });

  test("another member with its groupInstanceId, under the protocol consumer, makes it wait", async () => {
    const topic = textTopic(await createTopic());
    const groupId = uniqueName();
    const options = { groupProtocol: "consumer", groupInstanceId: "one" } as const;
    const other = kafka.consumer(topic, { groupId, ...options });
    const others = other.run(() => {});
    await until("the other has it", () => other.assignment.length === 1);
    const member = make(topic, groupId, options);
    const ended = member.run(() => {});
    await until("it waits", async () => (await waitOf(groupId))?.code === "UNRELEASED_INSTANCE_ID");
    await other.close();
    await others;
    await until("it has joined", () => member.assignment.length === 1);
    await member.close();
    await ended;
  });
});

test.concurrent.each(["classic", "consumer"] as const)(
  "a group with more members than partitions is told apart after 30 s, under the protocol %s",
  async (groupProtocol) => {
    const topic = textTopic(await createTopic());
    const groupId = uniqueName();
    const first = kafka.consumer(topic, { groupId, groupProtocol });
    void first.run(() => {});
    await until("the first has it", () => first.assignment.length === 1);
    const second = kafka.consumer(topic, { groupId, groupProtocol });
    void second.run(() => {});
    const told = () => warnings.filter((warning) => warning.startsWith(`group ${groupId}`));
    await until("it is told", () => told().length > 0, 60_000);
    expect(told()).toEqual([expect.stringContaining("more members than partitions")]);
    expect(await waitOf(groupId)).toMatchObject({ code: "NO_PARTITIONS" });
    await first.close();
    await until("the second has it", () => second.assignment.length === 1);
    expect(await waitOf(groupId)).toBeUndefined();
    await second.close();
  },
  120_000,
);
