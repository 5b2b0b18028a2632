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

describe.each(["consumer", "processor"] as const)("a group refuses a %s", (kind) => {
  const make = (topic: ReturnType<typeof textTopic>, groupId: string, options = {}) =>
    kind === "consumer"
      ? kafka.consumer(topic, { groupId, ...options })
      : kafka.processor(topic, { groupId, transactionalId: uniqueName(), ...options });

  test("a session timeout outside the brokers' limits rejects run, naming the option", async () => {
    const topic = textTopic(await createTopic());
    const hourMs = 3_600_000;
    const member = make(topic, uniqueName(), { sessionTimeoutMs: hourMs, maxPollIntervalMs: hourMs });
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
    expect(told()).toEqual([expect.stringContaining("Set `assignor` to theirs")]);
    await other.close();
    await others;
    await until("it has joined", () => member.assignment.length === 1);
    await member.close();
    await ended;
  });
});
