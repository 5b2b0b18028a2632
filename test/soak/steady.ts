/**
 * `npm run test:soak:steady`: every kind of client at a steady rate for hours, in one process, on three brokers of
 * which one restarts every ten minutes. Watches what must not grow, and fails if it does, or if a record is lost,
 * doubled or out of order. Arguments, with their defaults:
 *
 *     --minutes 240   --rate 100 (records a second)   --roll 10 (minutes)   --out .kafka/soak
 *
 * `samples.csv` has the curves, `summary.json` the slopes, `log.txt` what the clients logged.
 */
import { createWriteStream, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { LogFields, Logger } from "typed-kafka";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { type Allowance, type Sample, trends } from "./growth.js";
import { SteadyLoad } from "./steady-load.js";

const { values: given } = parseArgs({
  options: {
    minutes: { type: "string", default: "240" },
    rate: { type: "string", default: "100" },
    roll: { type: "string", default: "10" },
    out: { type: "string", default: join(".kafka", "soak") },
  },
});
const seconds = Number(given.minutes) * 60;
const rate = Number(given.rate);
const rollSeconds = Number(given.roll) * 60;
const sampleSeconds = Math.min(10, seconds / 60);
/** Caches, code that is compiled, and the allocator's arenas fill meanwhile. */
const warmUpSeconds = Math.min(20 * 60, seconds / 4);

const allowances: Readonly<Record<string, Allowance>> = {
  rssMb: { absolute: 15, relative: 0.08 },
  heapMb: { absolute: 3, relative: 0.08 },
  externalMb: { absolute: 3, relative: 0.08 },
  handles: { absolute: 2, relative: 0 },
  files: { absolute: 3, relative: 0.03 },
  threads: { absolute: 2, relative: 0.03 },
  consumerLag: { absolute: rate * 2, relative: 0 },
  processorLag: { absolute: rate * 2, relative: 0 },
  tableLag: { absolute: rate * 2, relative: 0 },
};

mkdirSync(given.out, { recursive: true });
const log = createWriteStream(join(given.out, "log.txt"));
const csv = createWriteStream(join(given.out, "samples.csv"));
const cluster = await startKafka({ nodes: 3, properties: { "log.retention.check.interval.ms": 60_000 } });
const load = await SteadyLoad.start(cluster.brokers, rate, loggerTo());
const samples: Sample[] = [];
const began = performance.now();
const elapsed = (): number => (performance.now() - began) / 1_000;
let isRolling = false;
const rolling = roll(cluster).catch((error: unknown) => error);

const failures: unknown[] = [];
try {
  while (elapsed() < seconds) {
    await sleep(sampleSeconds * 1_000);
    load.check();
    await sample();
  }
  const rolled = await rolling;
  if (rolled !== undefined) failures.push(rolled);
  await load.close();
} catch (error) {
  failures.push(error);
}
await cluster.close("SIGTERM");
const found = trends(samples, warmUpSeconds, allowances);
const grows = found.filter((trend) => trend.grows).map(({ name }) => name);
const summary = {
  minutes: Number(given.minutes),
  rate,
  counts: load.count,
  wrongs: load.wrongs,
  grows,
  trends: found,
};
writeFileSync(join(given.out, "summary.json"), JSON.stringify(summary, undefined, 2));
console.table(found);
console.log(JSON.stringify(load.count));
for (const name of grows) console.error(`${name} grows`);
if (load.count.wrong > 0) {
  console.error(`${load.count.wrong} records are lost, doubled or out of order, beginning with:`);
  console.error(load.wrongs.join("\n"));
}
for (const failure of failures) console.error(failure);
process.exit(grows.length > 0 || load.count.wrong > 0 || failures.length > 0 ? 1 : 0);

/** One broker after the other, in order: stopped, away for a while, and started again. */
async function roll({ nodes }: KafkaCluster): Promise<void> {
  for (let round = 1; (round + 0.5) * rollSeconds < seconds; round += 1) {
    await sleep(Math.max(0, round * rollSeconds - elapsed()) * 1_000);
    const node = nodes[round % nodes.length];
    isRolling = true;
    await node?.kill("SIGTERM");
    await sleep(10_000);
    await node?.start();
    // Until the other brokers and the clients have noticed.
    await sleep(20_000);
    isRolling = false;
  }
}

async function sample(): Promise<void> {
  const lag = await load.lag();
  globalThis.gc?.();
  const memory = process.memoryUsage();
  const mb = (bytes: number): number => Math.round(bytes / 1e4) / 100;
  const values = {
    rssMb: mb(memory.rss),
    heapMb: mb(memory.heapUsed),
    externalMb: mb(memory.external),
    arrayBuffersMb: mb(memory.arrayBuffers),
    handles: process.getActiveResourcesInfo().length,
    files: countIn("/proc/self/fd"),
    threads: countIn("/proc/self/task"),
    consumerLag: lag.consumer,
    processorLag: lag.processor,
    tableLag: lag.table,
    ...load.count,
  };
  const at = Math.round(elapsed());
  if (samples.length === 0 && csv.bytesWritten === 0)
    csv.write(`seconds,rolling,${Object.keys(values).join(",")}\n`);
  csv.write(`${at},${Number(isRolling)},${Object.values(values).join(",")}\n`);
  // While a broker is away, clients have other connections, and lag.
  if (!isRolling && !Object.values(values).some(Number.isNaN)) samples.push({ seconds: at, values });
}

/** 0 where the system has no such folder. */
function countIn(folder: string): number {
  try {
    return readdirSync(folder).length;
  } catch {
    return 0;
  }
}

function loggerTo(): Logger {
  const write =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      log.write(`${new Date().toISOString()} ${level} ${message} ${JSON.stringify(fields ?? {})}\n`);
    };
  return { debug: () => undefined, info: write("info"), warn: write("warn"), error: write("error") };
}
