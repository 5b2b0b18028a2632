// node --import tsx bench/state-size.mjs [--entries n] [--steps fill,read,memory,disk,restart], after `npm run build`
//
// Fills a changelog, reads it with `kafka.read`, restores it into a store in memory and into one on disk, and starts
// with that one again, each in a fresh process: how long it takes, memory, and the longest pause of the event loop while
// it restores and while the processor works: by the clock, and in processor time of its thread, in which other programs
// do not count (Linux). Some of the steps at a time: with KAFKA_BROKERS, and the same --group and --directory.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { defineStore, defineTopic, integer, Kafka } from "../dist/index.js";

const { values: flags } = parseArgs({
  options: {
    entries: { type: "string", default: "10000000" },
    steps: { type: "string", default: "fill,read,memory,disk,restart" },
    group: { type: "string", default: `size-${Date.now().toString(36)}` },
    directory: { type: "string" },
    measure: { type: "string" },
  },
});
const totals = defineStore("totals", { value: integer() });
const workRecords = 200_000;
const keyOf = (number) => `customer-${String(number).padStart(8, "0")}`;
const inputOf = (group) => defineTopic(`${group}.input`, { value: integer() });
const mb = (bytes) => Math.round(bytes / 2 ** 20);

async function measureAll(entries, steps) {
  const { findOrStartBroker } = await import("../test/support/broker.ts");
  const { brokers, close } = await findOrStartBroker();
  const directory = flags.directory ?? mkdtempSync(join(tmpdir(), "typed-kafka-size-"));
  try {
    if (steps.includes("fill")) await fill(brokers, flags.group, entries);
    for (const step of steps.filter((each) => each !== "fill")) {
      const stateDirectory = step === "disk" || step === "restart" ? directory : undefined;
      const job = JSON.stringify({ brokers, group: flags.group, entries, step, stateDirectory });
      const args = ["--expose-gc", import.meta.filename, "--measure", job];
      const { status } = spawnSync(process.execPath, args, { stdio: "inherit", timeout: 600_000 });
      if (status !== 0) throw new Error(`a measurement ended with ${status}`);
    }
  } finally {
    await close();
    if (flags.directory === undefined) rmSync(directory, { recursive: true, force: true });
  }
}

async function fill(brokers, group, entries) {
  const kafka = new Kafka({ brokers });
  const changelog = totals.changelog(group);
  const input = inputOf(group);
  const producer = kafka.producer();
  await kafka.admin().ensureTopics([
    { ...changelog, partitions: 8 },
    { ...input, partitions: 8 },
  ]);
  await producer.sendAll(
    changelog,
    records(entries, (number) => number),
  );
  await producer.sendAll(
    input,
    records(3 * workRecords, (number) => Math.imul(number, 48_271) % entries),
  );
  await kafka.close();
}

function* records(count, keyNumber) {
  for (let number = 0; number < count; number += 1)
    yield { key: keyOf(Math.abs(keyNumber(number))), value: number };
}

async function measure({ brokers, group, entries, step, stateDirectory }) {
  const pauses = new Pauses();
  globalThis.gc();
  const before = process.memoryUsage();
  let begun = performance.now();
  const tell = (what, extra) => {
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    console.log(JSON.stringify({ step, what, seconds, ...pauses.take(), ...extra }));
    begun = performance.now();
  };
  const begin = () => {
    begun = performance.now();
    pauses.begin();
  };
  const logger = {
    debug: () => undefined,
    info: (message) => {
      if (message === "stores are restored") tell("restore", grown(before, entries));
    },
    warn: console.warn,
    error: console.error,
  };
  const kafka = new Kafka({ brokers, logger });
  if (step === "read") return readAll(kafka, group, begin, tell);
  let worked = 0;
  const processor = kafka.processor(inputOf(group), {
    groupId: group,
    transactionalId: group,
    stores: [totals],
    stateDirectory,
    onRebalance: ({ type }) => {
      if (type === "assigned") begin();
    },
  });
  await processor.run((record, tx) => {
    const store = tx.store(totals);
    store.set(record.key, (store.get(record.key) ?? 0) + 1);
    worked += 1;
    if (worked !== workRecords) return;
    tell("work", grown(before, entries));
    // A process that is killed leaves a transaction open, and the next restore waits for its end.
    void kafka.close();
  });
}

async function readAll(kafka, group, begin, tell) {
  begin();
  let records = 0;
  for await (const _record of kafka.read(totals.changelog(group))) records += 1;
  tell("read", { records });
  await kafka.close();
}

/** As it is now, garbage and fetched records included; an entry's share is of what came since the start. */
function grown(before, entries) {
  const { rss, heapUsed } = process.memoryUsage();
  return {
    rssMb: mb(rss),
    heapMb: mb(heapUsed),
    peakMb: Math.round(process.resourceUsage().maxRSS / 1024),
    rssBytesAnEntry: Math.round((rss - before.rss) / entries),
  };
}

/** How long timers wait: the longest times between looks that are to come every 5 ms. */
class Pauses {
  #last = { ms: 0, cpuMs: 0 };
  #longest = { ms: 0, cpuMs: 0 };

  begin() {
    this.#last = { ms: performance.now(), cpuMs: cpuMs() };
    setInterval(() => this.#look(), 5).unref();
  }

  take() {
    this.#look();
    const { ms, cpuMs: cpu } = this.#longest;
    this.#longest = { ms: 0, cpuMs: 0 };
    return { longestMs: Math.round(ms), longestCpuMs: Math.round(cpu) };
  }

  #look() {
    const now = { ms: performance.now(), cpuMs: cpuMs() };
    for (const of of ["ms", "cpuMs"])
      this.#longest[of] = Math.max(this.#longest[of], now[of] - this.#last[of]);
    this.#last = now;
  }
}

/** What the thread of the event loop has used, in milliseconds; 0 where there is no /proc. */
function cpuMs() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0;
  }
}

if (flags.measure === undefined) await measureAll(Number(flags.entries), flags.steps.split(","));
else await measure(JSON.parse(flags.measure));
