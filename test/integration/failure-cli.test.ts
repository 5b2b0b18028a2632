import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { defineTopic, Kafka, string } from "typed-kafka";
import { callCommand } from "../support/call-command.js";
import { failedTopic } from "../support/dead-letters.js";
import { silent } from "../support/silent.js";
import { runUnread } from "../support/unread-command.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
afterAll(() => kafka.close());

describe("the command dead-letters", () => {
  let failed: Awaited<ReturnType<typeof failedTopic>>;
  beforeAll(async () => {
    failed = await failedTopic(kafka, 4, 1);
  });

  async function call(...args: string[]) {
    const { topic, groupId } = failed;
    return callCommand(["dead-letters", ...args, "-b", brokers, "-t", topic.name, "-G", groupId]);
  }

  test("lists, shows, and sends back", async () => {
    const table = await call("list");
    expect(table.code).toBe(0);
    expect(table.out.split("\n")).toHaveLength(5);
    expect(table.out).toMatch(/^PARTITION +OFFSET +CAME FROM +FAILED +CALLS +ERROR +KEY +MESSAGE\n +0 +0 +/);
    expect(table.out).toContain(`${failed.topic.name}/0/0`);

    const json = JSON.parse((await call("list", "--json", "--error", "RangeError")).out) as object[];
    expect(json).toMatchObject([
      { partition: 0, offset: 0, key: "key-0", value: "0", errorName: "RangeError", attempts: 1 },
      { partition: 0, offset: 2, key: "key-2", value: "2" },
    ]);

    const one = await call("show", "--partition", "0", "--offset", "1");
    expect(one.out).toMatch(/^error +Error$/m);
    expect(one.out).toMatch(/^header trace +a$/m);
    expect(await call("show", "--partition", "0", "--offset", "99")).toMatchObject({ code: 1, out: "" });

    expect((await call("redrive", "--dry-run")).out).toBe("4 would be sent back, 0 would stay");
    expect((await call("redrive", "--limit", "1")).out).toBe("1 sent back, 0 stayed");
    expect(JSON.parse((await call("redrive", "--json")).out)).toEqual({
      redriven: 3,
      kept: 0,
      dryRun: false,
    });
    expect((await call("list")).out).toBe("no dead letters");
  });

  test("does its work to the end where nobody reads what it prints", async () => {
    const { topic, groupId } = await failedTopic(kafka, 4, 1);
    const options = ["--brokers", brokers, "--topic", topic.name, "--group", groupId];
    const list = ["dead-letters", "list", ...options];
    const redrive = ["dead-letters", "redrive", ...options];
    expect(await runUnread(["stdout"], list)).toEqual({ code: 0, error: "" });
    expect(await runUnread(["stdout", "stderr"], [...redrive, "--rate", "2"])).toMatchObject({ code: 0 });
    const left = await kafka.redrive(topic, { groupId, dryRun: true });
    expect(left).toEqual({ redriven: 0, kept: 0 });
  });

  test("what came from an offset is found by it, wherever it is written to", async () => {
    const { topic, groupId } = await failedTopic(kafka, 3, 1);
    const on = ["-b", brokers, "-t", topic.name, "-G", groupId];
    const letters = (word: string, ...args: string[]) => callCommand(["dead-letters", word, ...on, ...args]);
    expect((await letters("redrive", "--came-from", "0/2")).out).toBe("1 sent back, 2 stayed");
    // It was at offset 1 before.
    expect((await letters("show", "-p", "0", "-o", "1")).code).toBe(1);
    expect((await letters("show", "--came-from", "0/1")).out).toMatch(/^key +key-1$/m);
  });

  test("deletes, once it is told to", async () => {
    const { topic, groupId, letters } = await failedTopic(kafka, 4, 1);
    const remove = (...args: string[]) =>
      callCommand(["dead-letters", "delete", "-b", brokers, "-t", topic.name, "-G", groupId, ...args]);
    expect((await remove()).out).toBe("4 would be deleted: --yes does it");
    expect((await remove("-p", "0", "-o", "1", "--yes")).out).toBe("2 deleted");
    const [log] = await kafka.admin().logOffsets(letters);
    expect(log).toMatchObject({ start: 2 });

    // Records of others are never deleted.
    const producer = kafka.producer();
    await producer.send(defineTopic(letters, { value: string() }), { value: "not a dead letter" });
    expect(await remove("--yes")).toMatchObject({
      code: 1,
      error: expect.stringContaining("1 record of other"),
    });
    expect((await remove("--error", "RangeError")).code).toBe(2);
    expect((await kafka.admin().logOffsets(letters))[0]).toMatchObject({ start: 2 });
  });

  test("all of them are deleted where all are of the group", async () => {
    const { topic, groupId, letters } = await failedTopic(kafka, 3, 2);
    const args = [
      "dead-letters",
      "delete",
      "-b",
      brokers,
      "-t",
      topic.name,
      "-G",
      groupId,
      "--yes",
      "--json",
    ];
    expect(JSON.parse((await callCommand(args)).out)).toEqual({ deleted: 3, done: true });
    for (const { start, end } of await kafka.admin().logOffsets(letters)) expect(start).toBe(end);
  });

  test("called wrongly says how", async () => {
    expect(await call()).toMatchObject({ code: 2 });
    expect(await call("show")).toMatchObject({ code: 2 });
    expect(await call("list", "--limit", "many")).toMatchObject({ code: 2 });
  });
});
