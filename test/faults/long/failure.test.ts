import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bytes, defineTopic, Kafka, string } from "typed-kafka";
import { within } from "../../support/consuming.js";
import { endOf } from "../../support/failure-run.js";
import type { FailureWorkerSettings } from "../../support/failure-worker.js";
import { failedTopic } from "../../support/dead-letters.js";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { programArguments } from "../../support/program-arguments.js";
import { silent } from "../../support/silent.js";
import { createTopic, uniqueName } from "../../support/topics.js";

const partitions = 4;
const phases = ["begun", "sending", "committing", "committed"] as const;

let cluster: KafkaCluster;
let kafka: Kafka;

beforeAll(async () => {
  cluster = await startKafka();
  kafka = new Kafka({ brokers: cluster.brokers, logger: silent });
});

afterAll(async () => {
  await kafka.close();
  await cluster.close();
});

function start(settings: FailureWorkerSettings): ChildProcess {
  return spawn(
    process.execPath,
    programArguments(
      fileURLToPath(new URL("../../support/failure-worker.ts", import.meta.url)),
      JSON.stringify(settings),
    ),
    { stdio: ["ignore", "ignore", "inherit", "ipc"] },
  );
}

/** Kills the worker at the moment when a transaction of it has come to this phase, after `afterMs` of work. */
async function killAt(worker: ChildProcess, phase: string, afterMs: number): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  await once(worker, "message", { signal });
  await sleep(afterMs);
  for (;;) {
    const [message] = (await once(worker, "message", { signal })) as [{ readonly phase: string }];
    if (message.phase === phase) break;
  }
  worker.kill("SIGKILL");
  if (worker.exitCode === null && worker.signalCode === null) await once(worker, "exit");
}

async function contentsOf(name: string) {
  const records = [];
  for await (const record of kafka.read(defineTopic(name, { value: bytes(), tombstones: true })))
    records.push(record);
  return records;
}

async function sendSlowly(input: string, records: number, isOver: () => boolean): Promise<void> {
  const topic = defineTopic(input, { value: string() });
  const producer = kafka.producer();
  for (let from = 0; from < records; from += 50) {
    // The last ones come when the faults are over, so that they hit work in full swing.
    while (from >= records * 0.9 && !isOver()) await sleep(50);
    await producer.send(
      topic,
      Array.from({ length: 50 }, (_, index) => {
        const id = from + index;
        return {
          key: String(id % 40),
          value: endOf(id) === "invalid" ? `no JSON: ${id}` : JSON.stringify({ id }),
        };
      }),
    );
    await sleep(150);
  }
}

/** Runs a worker over the records, kills it or the broker so many times, and says where each record ended. */
async function run(kind: FailureWorkerSettings["with"], records: number, kills: number, what = "worker") {
  const { brokers } = cluster;
  const settings = {
    brokers,
    input: await createTopic({ brokers, partitions }),
    output: await createTopic({ brokers, partitions }),
    groupId: uniqueName("failing"),
    with: kind,
  };
  let isOver = false;
  const sending = sendSlowly(settings.input, records, () => isOver);
  let worker = start(settings);
  for (let kill = 0; kill < kills; kill += 1) {
    if (what === "broker") {
      await once(worker, "message", { signal: AbortSignal.timeout(60_000) });
      await sleep(1_000);
      await cluster.nodes[0].kill();
      await cluster.nodes[0].start();
      continue;
    }
    await killAt(worker, phases[kill % phases.length] ?? "begun", 200 + 150 * (kill % 5));
    worker = start(settings);
  }
  isOver = true;
  await sending;
  const deadLetters = `${settings.input}.${settings.groupId}.dead-letter`;
  const deadline = Date.now() + 90_000;
  let output: string[] = [];
  let dead: Awaited<ReturnType<typeof contentsOf>> = [];
  while (new Set(output).size + dead.length < records && Date.now() < deadline) {
    await sleep(500);
    output = (await contentsOf(settings.output)).map(({ value }) => String(value));
    dead = await contentsOf(deadLetters);
  }
  // What would be doubled comes late: once more when everything is done.
  await sleep(2_000);
  worker.send("stop");
  if (worker.exitCode === null) await once(worker, "exit");
  output = (await contentsOf(settings.output)).map(({ value }) => String(value));
  dead = await contentsOf(deadLetters);
  return {
    output,
    dead: dead.map(({ value, headers }) => {
      const id = Number(/[0-9]+/.exec(String(value))?.[0]);
      return `${id} ${String(headers["dead-letter.reason"])}`;
    }),
  };
}

const sorted = (texts: readonly string[]) => texts.toSorted((a, b) => parseInt(a, 10) - parseInt(b, 10));
const ids = (records: number, where: "output" | "dead letters") =>
  Array.from({ length: records }, (_, id) => id).filter(
    (id) => (endOf(id) === "output") === (where === "output"),
  );

test("in a processor that is killed ten times, every one of 5,000 records ends once in the output or the dead letters", async () => {
  const { output, dead } = await run("processor", 5_000, 10);
  expect(sorted(output)).toEqual(ids(5_000, "output").map(String));
  expect(sorted(dead)).toEqual(ids(5_000, "dead letters").map((id) => `${id} ${endOf(id)}`));
});

test("in a consumer with retry topics that is killed, no record is lost, and no dead letter is doubled", async () => {
  const { output, dead } = await run("consumer", 2_000, 5);
  expect(sorted([...new Set(output)])).toEqual(ids(2_000, "output").map(String));
  expect(sorted(dead)).toEqual(ids(2_000, "dead letters").map((id) => `${id} ${endOf(id)}`));
});

test("in a processor whose broker dies three times, every record ends once in the output or the dead letters", async () => {
  const { output, dead } = await run("processor", 2_000, 3, "broker");
  expect(sorted(output)).toEqual(ids(2_000, "output").map(String));
  expect(sorted(dead)).toEqual(ids(2_000, "dead letters").map((id) => `${id} ${endOf(id)}`));
});

test("in a consumer with retry topics whose broker dies three times, no record is lost, and no dead letter is doubled", async () => {
  const { output, dead } = await run("consumer", 2_000, 3, "broker");
  expect(sorted([...new Set(output)])).toEqual(ids(2_000, "output").map(String));
  expect(sorted(dead)).toEqual(ids(2_000, "dead letters").map((id) => `${id} ${endOf(id)}`));
});

test("a redrive that is killed four times sends every dead letter back once", async () => {
  const { topic, groupId } = await failedTopic(kafka, 1_500, 3, cluster.brokers);
  const program = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
  for (let kill = 0; kill < 4; kill += 1) {
    const redrive = spawn(
      process.execPath,
      programArguments(
        ...([program, "dead-letters", "redrive", "--rate", "200"] as const),
        ...["--brokers", cluster.brokers, "--topic", topic.name, "--group", groupId],
      ),
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    // It says how far it has come about once a second.
    const hasBegun = new Promise<void>((resolve) => {
      redrive.stderr.on("data", (line: Buffer) => {
        if (/^[1-9]\d* of/m.test(line.toString())) resolve();
      });
    });
    await within(30_000, "the first dead letters", hasBegun);
    await sleep(100 * kill);
    redrive.kill("SIGKILL");
    if (redrive.signalCode === null) await once(redrive, "exit");
  }
  const { redriven } = await kafka.redrive(topic, { groupId });
  expect(redriven).toBeGreaterThan(0);
  expect(redriven).toBeLessThan(1_500);
  const values = (await contentsOf(topic.name))
    .filter(({ offset }) => offset >= 500)
    .map(({ value }) => String(value));
  expect(sorted(values)).toEqual(Array.from({ length: 1_500 }, (_, index) => String(index)));
});
