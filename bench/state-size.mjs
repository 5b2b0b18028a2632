// node --import tsx bench/state-size.mjs [--entries n], after `npm run build`
//
// Fills a changelog, restores it into a store in memory and into one on disk, each in a fresh process, and lets the
// processor work: memory, how long the restore takes, and the longest pause of the event loop in both: by the clock, and
// in processor time of its thread, in which other programs do not count (Linux).
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { defineStore, defineTopic, integer, Kafka } from "../dist/index.js";

const { values: flags } = parseArgs({
  options: { entries: { type: "string", default: "10000000" }, measure: { type: "string" } },
});
const totals = defineStore("totals", { value: integer() });
const workRecords = 200_000;
const keyOf = (number) => `customer-${String(number).padStart(8, "0")}`;
const inputOf = (group) => defineTopic(`${group}.input`, { value: integer() });
const mb = (bytes) => Math.round(bytes / 2 ** 20);

if (flags.measure === undefined) await measureBoth(Number(flags.entries));
else await measure(JSON.parse(flags.measure));

async function measureBoth(entries) {
  const { findOrStartBroker } = await import("../test/support/broker.ts");
  const broker = await findOrStartBroker();
  const directory = mkdtempSync(join(tmpdir(), "typed-kafka-size-"));
  try {
    const group = `size-${Date.now().toString(36)}`;
    await fill(broker.brokers, group, entries);
    for (const stateDirectory of [undefined, directory]) {
      const job = JSON.stringify({ brokers: broker.brokers, group, entries, stateDirectory });
      const args = ["--expose-gc", import.meta.filename, "--measure", job];
      const { status } = spawnSync(process.execPath, args, { stdio: "inherit", timeout: 600_000 });
      if (status !== 0) throw new Error(`a measurement ended with ${status}`);
    }
  } finally {
    await broker.close();
    rmSync(directory, { recursive: true, force: true });
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
    records(2 * workRecords, (number) => Math.imul(number, 48_271) % entries),
  );
  await kafka.close();
}

function* records(count, keyNumber) {
  for (let number = 0; number < count; number += 1)
    yield { key: keyOf(Math.abs(keyNumber(number))), value: number };
}

async function measure({ brokers, group, entries, stateDirectory }) {
  const pauses = new Pauses();
  globalThis.gc();
  const before = process.memoryUsage();
  const restored = new Map();
  let begun;
  let worked = 0;
  const tell = (what, extra) => {
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const store = stateDirectory ? "on disk" : "in memory";
    console.log(JSON.stringify({ store, what, seconds, ...pauses.take(), ...extra }));
    begun = performance.now();
  };
  const processor = new Kafka({ brokers }).processor(inputOf(group), {
    groupId: group,
    transactionalId: group,
    stores: [totals],
    stateDirectory,
    // The process before this one was of the same group, and did not leave it.
    sessionTimeoutMs: 6_000,
    onRebalance: ({ type }) => {
      if (type !== "assigned") return;
      begun = performance.now();
      pauses.begin();
    },
    onRestore: (progress) => {
      restored.set(progress.partition, progress);
      if (restored.size < 8 || [...restored.values()].some(({ done, total }) => done < total)) return;
      tell("restore", grown(before, entries));
    },
  });
  await processor.run((record, tx) => {
    const store = tx.store(totals);
    store.set(record.key, (store.get(record.key) ?? 0) + 1);
    worked += 1;
    if (worked < workRecords) return;
    tell("work", grown(before, entries));
    process.exit();
  });
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
