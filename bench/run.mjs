// npm run bench -- [--quick] [--only row,row] [--passes n] [--minutes n] [--out folder]
//
// Starts a broker, gives every row's work to every peer in turn, each time in a fresh process, and writes
// docs/benchmarks.md with its plots. `--quick` only sees that everything runs: tiny counts, two processes at
// a time, and the report goes to bench/out.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findOrStartBroker } from "../test/support/broker.ts";
import { install } from "./install.mjs";
import { describeMachine } from "./machine.mjs";
import { writeReport } from "./report.mjs";
import { peers, rows } from "./rows.mjs";

const here = import.meta.dirname;
const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    passes: { type: "string" },
    minutes: { type: "string", default: "20" },
    out: { type: "string" },
  },
});
const begun = performance.now();
const elapsed = () => (performance.now() - begun) / 1000;
// What a last row and the report may still take.
const timeIsShort = (seconds) => elapsed() + seconds + 15 > Number(flags.minutes) * 60;

/** A member that is there hears of a new one with its next heartbeat, and the partitions move in two steps. */
const joinedAfterMs = 10_000;

const runtimes = install();
const chosen = rows
  .filter(({ id }) => flags.only === undefined || flags.only.split(",").includes(id))
  .map(scale);
if (chosen.length === 0) throw new Error(`no such row; there are ${rows.map(({ id }) => id).join(", ")}`);

const kafka = await findOrStartBroker();
const unique = Date.now().toString(36);
const topics = new Map();
/** What stores on disk are kept in. */
const scratch = mkdtempSync(join(tmpdir(), "typed-kafka-bench-"));
/** By row, then by entry: the result of each pass. */
const results = new Map(chosen.map((row) => [row.id, row.entries.map(() => [])]));
const failures = [];

try {
  await passes();
} finally {
  await kafka.close();
  rmSync(scratch, { recursive: true, force: true });
}

const partial = flags.quick || flags.only !== undefined;
const folder = flags.out ?? join(here, partial ? "out" : "../docs");
mkdirSync(join(folder, "benchmarks"), { recursive: true });
const report = {
  machine: { ...describeMachine(runtimes), broker: kafka.runsOn },
  command: `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(" ")}` : ""}`,
  minutes: elapsed() / 60,
  rows: chosen.map((row) => ({ ...row, results: results.get(row.id) })),
};
await writeReport(report, folder);
console.log(`${failures.length} failed; ${Math.round(elapsed())} s; the report is in ${folder}`);
// That another client fails is in the report, and no failure of this one.
process.exit(failures.some(({ peer }) => peer === "typed-kafka") ? 1 : 0);

async function passes() {
  if (!flags.quick) await warmUp();
  for (let pass = 0; pass < Number(flags.passes ?? (flags.quick ? 1 : 3)); pass += 1) {
    for (const row of chosen) {
      if (pass >= (row.passes ?? 3)) continue;
      if (pass > 0 && timeIsShort(row.took)) {
        console.log(`pass ${pass + 1} of ${row.id} is left out: the time is over`);
        continue;
      }
      const start = elapsed();
      await measureRow(row, pass);
      row.took = elapsed() - start;
      console.log(`  took ${row.took.toFixed(0)} s`);
    }
  }
}

/** The broker's Java compiles itself while it serves its first requests: they are nobody's. */
async function warmUp() {
  const topic = `bench-${unique}-warm-up`;
  const job = { brokers: kafka.brokers, peer: "bare", topic, group: topic, records: 300_000, seconds: 5 };
  const spec = { name: topic, partitions: 8, fill: 300_000, size: 100 };
  await runChild({ ...job, call: "prepare", topics: [spec] });
  await runChild({ ...job, call: "consumeEach" });
  await runChild({ ...job, call: "produceBatches", batch: 1000, inFlight: 10 });
}

async function readOnce(topic, records) {
  const job = { brokers: kafka.brokers, peer: "bare", topic, group: `${topic}-first`, records, seconds: 2 };
  await runChild({ ...job, call: "consumeEach" });
}

async function measureRow(row, pass) {
  console.log(`\n${row.id}, pass ${pass + 1}: ${row.title}`);
  const jobs = await jobsOf(row, pass);
  const work = async () => {
    for (const [index, entry, job] of jobs) {
      const result = await measureEntry(entry, job);
      results.get(row.id)[index].push(result);
      if (result.error !== undefined) failures.push(entry);
      console.log(`  ${entry.label.padEnd(34)} ${summary(result)}`);
    }
  };
  // One at a time, unless nobody looks at the times.
  await Promise.all(flags.quick ? [work(), work()] : [work()]);
}

/** Makes the topics of a row and says what each entry has to do: an iterator, which several may share. */
async function jobsOf(row, pass) {
  const missing = [];
  const topicFor = (spec, suffix) => {
    const isShared = (spec.fill ?? 0) > 0;
    const key = isShared ? JSON.stringify(spec) : `${row.id}-${pass}${suffix}`;
    let name = topics.get(key);
    if (name === undefined) {
      name = `bench-${unique}-${topics.size}${spec.suffix ?? ""}`;
      topics.set(key, name);
      missing.push({ name, ...spec });
    }
    return name;
  };
  const jobs = [];
  for (const [index, entry] of row.entries.entries()) {
    if (runtimes[peers[entry.peer].runtime] === undefined) continue;
    const spec = entry.topic ?? row.topic;
    const apart = spec.own === true ? `-${index}` : entry.x === undefined ? "" : `-${entry.x}`;
    const job = {
      brokers: kafka.brokers,
      brokerPid: kafka.pid,
      peer: entry.peer,
      env: entry.env,
      call: entry.call ?? row.call,
      topic: topicFor(spec, apart),
      group: `bench-${unique}-${row.id}-${pass}-${index}`,
      scratch: join(scratch, `${row.id}-${pass}-${index}`),
      seconds: flags.quick ? 0.5 : 2.5,
      ...row.job,
      ...entry.job,
    };
    if (row.output === true) job.output = topicFor({ partitions: 8 }, `${apart}-output`);
    jobs.push([index, entry, job]);
  }
  if (missing.length > 0) {
    const prepared = await runChild({
      brokers: kafka.brokers,
      peer: "bare",
      call: "prepare",
      topics: missing,
    });
    if (prepared.error !== undefined) throw new Error(prepared.error);
    // What the broker still does with what it was given, and a first reading, are not the first peer's burden.
    if (!flags.quick) for (const { name, fill = 0 } of missing) if (fill > 0) await readOnce(name, fill);
  }
  // Each pass begins with another peer: being the first is no advantage and no burden.
  const from = row.show === "marks" ? 0 : Math.floor((pass * jobs.length) / 3);
  return [...jobs.slice(from), ...jobs.slice(0, from)].values();
}

async function measureEntry(entry, job) {
  const { processes } = entry;
  if (processes === undefined) return runChild(job);
  // All have joined the group when they begin, and none leaves it before the last has ended.
  const together = { ...job, startAt: Date.now() + joinedAfterMs };
  let allTold;
  const told = new Promise((resolve) => {
    allTold = resolve;
  });
  let left = processes;
  const onTold = () => {
    left -= 1;
    if (left === 0) allTold();
    return told;
  };
  const children = Array.from({ length: processes }, async () => {
    const result = await runChild(together, onTold);
    if (result.error !== undefined) allTold();
    return result;
  });
  const all = await Promise.all(children);
  const failed = all.find(({ error }) => error !== undefined);
  if (failed !== undefined) return failed;
  return { ...all[0], rate: all.reduce((sum, { rate }) => sum + rate, 0) };
}

/** One measurement in a process of its own, which is ended once it has told its result and `onTold` has resolved. */
function runChild(job, onTold = () => Promise.resolve()) {
  const { runtime } = peers[job.peer];
  const [command, ...args] = commandOf(runtime);
  const child = spawn(command, [...args, JSON.stringify(job)], {
    cwd: here,
    env: { ...process.env, ...job.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Promise((resolve) => {
    let output = "";
    let errors = "";
    let told;
    const tooLate = setTimeout(() => {
      told ??= { error: `told no result in time\n${errors.slice(-2000)}` };
      child.kill("SIGKILL");
    }, 200_000);
    child.stderr.on("data", (text) => {
      errors += text;
    });
    child.stdout.on("data", (text) => {
      output += text;
      const found = /\nRESULT (.*)\n/.exec(output);
      if (found === null || told !== undefined) return;
      told = JSON.parse(found[1]);
      void onTold().then(() => child.kill("SIGKILL"));
    });
    child.once("close", (code, signal) => {
      clearTimeout(tooLate);
      resolve(told ?? { error: `ended with ${code ?? signal}\n${(errors + output).slice(-2000)}` });
    });
  });
}

function commandOf(runtime) {
  if (runtime === "java") return ["java", "-Xmx256m", "-cp", runtimes.java, "CountByKey"];
  const script = runtime === "python" ? "peers/confluent_kafka_python.py" : "measure.mjs";
  return [runtimes[runtime], join(here, script)];
}

function summary(result) {
  if (result.error !== undefined) return `failed: ${result.error}`;
  const parts = [];
  const add = (name, value, digits = 0) => {
    if (value !== undefined) parts.push(`${name} ${value.toFixed(digits)}`);
  };
  add("records/s", result.rate);
  add("p50 ms", result.p50, 2);
  add("p99 ms", result.p99, 2);
  add("p99.9 ms", result.p999, 2);
  add("CPU s per million", result.cpuPerMillion, 2);
  add("main thread", result.mainCpuPerMillion, 2);
  add("broker", result.brokerCpuPerMillion, 2);
  add("cores", result.cores, 2);
  add("import ms", result.importMs);
  add("first ms", result.firstMs);
  add("peak MB", result.peakMb);
  return parts.join(", ");
}

/** Gives entries their full form, and the quick run its small counts. */
function scale(row) {
  const entries = row.entries.map((entry) => {
    const full = typeof entry === "string" ? { peer: entry } : entry;
    return { label: peers[full.peer].label, ...full };
  });
  if (!flags.quick) return { ...row, entries };
  const few = 20_000;
  const small = (spec) =>
    spec && { ...spec, ...(spec.fill > 0 && { fill: few }), ...(spec.keys > few && { keys: few }) };
  const shrink = ({ records, rate, ...job } = {}) => ({
    ...job,
    ...(records !== undefined && { records: Math.min(records, 5_000) }),
    ...(rate !== undefined && { rate: Math.min(rate, 1_000) }),
    ...(job.seconds !== undefined && { seconds: 1 }),
    ...(job.every !== undefined && { every: 500 }),
  });
  const isEnd = ({ x }) => x === undefined || x === row.entries[0].x || x === row.entries.at(-1).x;
  return {
    ...row,
    topic: small(row.topic),
    job: shrink(row.job),
    entries: entries
      .filter(isEnd)
      .map((entry) => ({ ...entry, topic: small(entry.topic), job: shrink(entry.job) })),
  };
}
