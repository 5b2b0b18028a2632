import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { defineTopic, Kafka, string } from "typed-kafka";
import { Admin } from "../../src/admin/admin.js";
import { callCommand } from "../support/call-command.js";
import { until } from "../support/consuming.js";
import { joinGroup } from "../support/joined-group.js";
import { programArguments } from "../support/program-arguments.js";
import { silent } from "../support/silent.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const kafka = new Kafka({ brokers, logger: silent });
afterAll(() => kafka.close());

const call = (...args: string[]) => callCommand([...args, "-b", brokers]);
const hour = 3_600_000;
const began = Date.UTC(2026, 0, 1);

/** Six records an hour apart, in turn in two partitions; the keys are a and b. */
async function filled(): Promise<string> {
  const name = await createTopic({ partitions: 2 });
  await using producer = kafka.producer();
  await producer.send(
    defineTopic(name, { value: string() }),
    Array.from({ length: 6 }, (_, index) => ({
      value: `value-${index}`,
      key: index < 3 ? "a" : "b",
      partition: index % 2,
      timestamp: began + index * hour,
    })),
  );
  return name;
}

const valuesIn = (out: string) => (out.match(/value-\d/g) ?? []).map((text) => Number(text.slice(-1))).sort();

describe("topics", () => {
  test("lists a topic with partitions, replicas and records", async () => {
    const name = await filled();
    const { code, out } = await call("topics", name);
    expect(code).toBe(0);
    expect(out).toMatch(/^TOPIC +PARTITIONS +REPLICAS +RECORDS +WITHOUT LEADER\n/);
    expect(out.split("\n")[1]).toMatch(new RegExp(`^${name} +2 +1 +6 +0$`));
    expect((await call("topics")).out).toContain(name);
    expect(JSON.parse((await call("topics", "-t", name, "--json")).out)).toMatchObject([
      {
        name,
        records: 6,
        partitions: [
          { partition: 0, start: 0, end: 3 },
          { partition: 1, end: 3 },
        ],
      },
    ]);
  });

  test("one that is deleted after it was listed is left out", async () => {
    const name = await filled();
    vi.spyOn(Admin.prototype, "listTopics").mockResolvedValueOnce([name, uniqueName()]);
    onTestFinished(() => void vi.restoreAllMocks());
    expect(await call("topics")).toMatchObject({ code: 0, out: expect.stringContaining(name) });
  });

  test("one that does not exist is named", async () => {
    const name = uniqueName();
    expect(await call("topics", name)).toMatchObject({ code: 1, error: expect.stringContaining(name) });
  });

  test("Kafka's own are shown where they are asked for, and only there", async () => {
    await kafka.admin().resetOffsets(uniqueName(), await filled(), "latest");
    expect((await call("topics")).out).not.toContain("__consumer_offsets");
    expect((await call("topics", "--internal")).out).toContain("__consumer_offsets");
  });
});

describe("tail", () => {
  test.each<[readonly string[], readonly number[]]>([
    [[], [0, 1, 2, 3, 4, 5]],
    [["-e"], [0, 1, 2, 3, 4, 5]],
    [
      ["-o", "-1"],
      [4, 5],
    ],
    [
      ["-o", "1"],
      [2, 3, 4, 5],
    ],
    [["-o", "99"], []],
    [["--from", "end"], []],
    [
      ["--from", new Date(began + 3 * hour).toISOString()],
      [3, 4, 5],
    ],
    [
      ["--to", new Date(began + 3 * hour).toISOString()],
      [0, 1, 2],
    ],
    [
      ["--to", "1"],
      [0, 1],
    ],
    [
      ["-p", "1"],
      [1, 3, 5],
    ],
    [["-p", "1", "-o", "-2", "--to", "-1"], [3]],
    [
      ["--key", "a"],
      [0, 1, 2],
    ],
    [["--key", "nobody"], []],
  ])("prints what is asked for: %j", async (args, expected) => {
    const { code, out, error } = await call("tail", await filled(), ...args);
    expect(error).toMatch(expected.length > 0 ? /^$/ : /no records$/);
    expect(valuesIn(out)).toEqual(expected);
    expect(code).toBe(0);
  });

  test("an offset beyond the end of the log is told, with where the log ends", async () => {
    const name = await filled();
    const { error } = await call("tail", name, "-o", "99");
    expect(error).toContain(`--from 99 is beyond the end of the log: ${name}[0] at 3, ${name}[1] at 3\n`);
    expect(await call("tail", name, "-o", "99", "-p", "7")).toMatchObject({
      code: 1,
      error: expect.stringMatching(/^typed-kafka tail: .*the topic has 2 partitions/) as unknown,
    });
  });

  test("stops after so many that the filter lets through, and keeps their offsets", async () => {
    const { out } = await call("tail", await filled(), "--key", "b", "-p", "1", "-c", "1", "--json");
    expect(JSON.parse(out)).toMatchObject({ partition: 1, offset: 1, key: "b", value: "value-3" });
  });

  test("follows until it is interrupted", async () => {
    const name = await filled();
    const stop = new AbortController();
    let seen = 0;
    const running = callCommand(
      ["tail", "-b", brokers, "-t", name, "-f", "-o", "-1", "-K", "="],
      {},
      {
        signal: stop.signal,
        onOut: () => (seen += 1),
      },
    );
    await until("the last two are there", () => seen === 2);
    await using producer = kafka.producer();
    await producer.send(defineTopic(name, { value: string() }), { value: "value-9", key: "c" });
    await until("the new one is there", () => seen === 3);
    stop.abort();
    const { code, out } = await running;
    expect(out).toContain("c=value-9");
    expect(code).toBe(130);
  });
});

describe("groups", () => {
  test("lag by partition and in total", async () => {
    const [name, group] = [await filled(), uniqueName()];
    await kafka.admin().resetOffsets(group, name, { 0: 1, 1: 3 });
    const { code, out } = await call("lag", group);
    expect(out).toMatch(new RegExp(`^${name} +0 +1 +3 +2$`, "m"));
    expect(out).toMatch(/^total lag: 2$/m);
    expect(code).toBe(0);
    expect(JSON.parse((await call("lag", "-G", group, "--json")).out)).toMatchObject({ group, total: 2 });
    expect(await call("lag", uniqueName())).toMatchObject({
      code: 1,
      error: expect.stringContaining("committed nothing"),
    });
  });

  test("are listed with their state and members", async () => {
    const [name, group] = [await filled(), uniqueName()];
    const consumer = kafka.consumer(defineTopic(name, { value: string() }), { groupId: group });
    let seen = 0;
    const running = consumer.run(() => void (seen += 1));
    await until("it has joined", () => seen > 0);
    expect((await call("groups")).out).toMatch(new RegExp(`^${group} +stable +\\S+ +\\S+ +1$`, "m"));
    // A live group is not moved.
    const refused = await call("groups", "reset", group, "-t", name, "--to", "latest", "--yes");
    expect(refused).toMatchObject({ code: 1, error: expect.stringContaining("groups reset: ") });
    await consumer.close();
    await running;
  });

  test("are listed although one of them cannot be described, which says why", async () => {
    const groupId = uniqueName();
    const assignment = Buffer.from([0]);
    const member = await joinGroup(brokers, {
      groupId,
      protocolType: "consumer",
      protocol: "our-own",
      assignment,
    });
    const listed = await call("groups");
    expect(listed.code).toBe(0);
    expect(listed.out).toMatch(new RegExp(`^${groupId} +stable +classic +- +-$`, "m"));
    const why = expect.stringContaining("its members share out by an assignor of their own") as string;
    expect(listed.error).toEqual(why);
    const json = JSON.parse((await call("groups", "--json")).out) as unknown;
    expect(json).toContainEqual(expect.objectContaining({ groupId, state: "stable", error: why }));
    member.close();
  });

  test.each<[readonly string[], readonly [number, number]]>([
    [
      ["--to", "earliest"],
      [0, 0],
    ],
    [
      ["--to", "latest"],
      [3, 3],
    ],
    [
      ["--to", "1"],
      [1, 1],
    ],
    [
      ["-o", "-1"],
      [2, 2],
    ],
    [
      ["--to", new Date(began + 3 * hour).toISOString()],
      [2, 1],
    ],
    [
      ["--to", "2030-01-01"],
      [3, 3],
    ],
    [
      ["--to", "0", "-p", "1"],
      [2, 0],
    ],
  ])("are reset, but only with --yes: %j", async (args, expected) => {
    const [name, group] = [await filled(), uniqueName()];
    await kafka.admin().resetOffsets(group, name, { 0: 2, 1: 2 });
    const committed = async () => (await kafka.admin().groupLag(group, name)).map((each) => each.committed);
    const shown = await call("groups", "reset", group, "-t", name, ...args);
    expect(shown.out).toMatch(/^nothing was changed: --yes does it$/m);
    expect(await committed()).toEqual([2, 2]);
    expect(await call("groups", "reset", group, "-t", name, ...args, "--yes")).toMatchObject({ code: 0 });
    expect(await committed()).toEqual(expected);
  });

  test("that have committed nothing are shown as what may be a wrong name", async () => {
    const { code, error } = await call(
      ...["groups", "reset", "etl-gruop", "-t", await filled(), "--to", "latest"],
    );
    expect(error).toBe("group etl-gruop had committed nothing there: is its name right?");
    expect(code).toBe(0);
  });

  test("are not moved out of the log", async () => {
    const { code, error } = await call("groups", "reset", uniqueName(), "-t", await filled(), "--to", "99");
    expect(error).toContain("--to 99: not in the log");
    expect(code).toBe(2);
  });
});

test("check compares assignor and group protocol with what the group has", async () => {
  const [name, group] = [await filled(), uniqueName()];
  const consumer = kafka.consumer(defineTopic(name, { value: string() }), { groupId: group });
  let seen = 0;
  const running = consumer.run(() => void (seen += 1));
  await until("it has joined", () => seen > 0);
  const same = await call("check", "-t", name, "-G", group, "--assignor", "cooperative-sticky");
  expect(same.out).not.toContain("members use");
  const other = await call("check", "-t", name, "-G", group, "--assignor", "range");
  expect(other.out).toContain("its members use assignor cooperative-sticky, and this one range");
  const newer = await call("check", "-t", name, "-G", group, "--group-protocol", "consumer");
  expect(newer.out).toContain("of the group protocol consumer");
  expect(other.out).toContain("set --assignor cooperative-sticky");
  for (const { out } of [other, newer]) expect(out).not.toMatch(/kafka\.admin|: "/);
  await consumer.close();
  await running;
});

test("check names what whoever has the command can call", async () => {
  const { out, code } = await call("check", "-t", uniqueName(), "--json");
  expect(out).toContain("kafka-topics.sh --create --topic");
  expect(out).not.toContain("kafka.admin");
  expect(code).toBe(1);
});

describe("the program itself", () => {
  test("ends when nobody reads any more, and says nothing", async () => {
    const program = startCommand("tail", await filled(), "-f", "-o", "beginning", "-b", brokers);
    await once(program.child.stdout, "data");
    program.child.stdout.destroy();
    // What it is told next it cannot write.
    await using producer = kafka.producer();
    const more = setInterval(
      () => void producer.send(defineTopic(program.topic, { value: string() }), { value: "more" }),
      100,
    );
    expect(await program.ended).toEqual({ code: 0, signal: null, error: "" });
    clearInterval(more);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("ends with 130 at %s, and says nothing", async (signal) => {
    const program = startCommand("tail", await filled(), "-f", "-o", "beginning", "-b", brokers);
    await once(program.child.stdout, "data");
    program.child.kill(signal);
    expect(await program.ended).toEqual({ code: 130, signal: null, error: "" });
  });

  test("is ended by a signal while it looks for a broker, too", async () => {
    // It takes connections, and never says anything.
    const mute = createServer().listen(0, "127.0.0.1");
    const looked = once(mute, "connection");
    await once(mute, "listening");
    const { port } = mute.address() as AddressInfo;
    const program = startCommand("topics", "-b", `127.0.0.1:${port}`, "--timeout", "300000");
    await looked;
    program.child.kill("SIGINT");
    expect(await program.ended).toEqual({ code: 130, signal: null, error: "" });
    mute.close();
  });
});

/** `typed-kafka` in a process of its own. */
function startCommand(...args: readonly string[]) {
  const file = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const child = spawn(process.execPath, programArguments(file, ...args), {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = Promise.all([once(child, "exit"), text(child.stderr)]).then(([[code, signal], error]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    error,
  }));
  return { child, ended, topic: args[1] ?? "" };
}
