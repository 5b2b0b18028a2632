/**
 * Runs processors as processes of their own under faults, while records come in, and says what became of
 * the records: lost, doubled, out of order. See test/faults/long/processor.test.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { defineTopic, Kafka, type ProcessorOptions, string } from "typed-kafka";
import { expect } from "vitest";
import { programArguments } from "./program-arguments.js";
import { wrongCounts } from "./counts-by-key.js";
import { silent } from "./silent.js";
import { createTopic, uniqueName } from "./topics.js";
import type { WorkerSettings } from "./processor-worker.js";

/** Where in a transaction a worker is. */
export type Phase = "begun" | "produced" | "sending" | "committing" | "committed" | "aborted";

const partitions = 6;
const keys = 100;

/** One process with one processor. */
export class Worker {
  readonly #process: ChildProcess;
  readonly #onPhase = new Set<(phase: Phase) => void>();
  /** What it wrote, for a test that failed. */
  readonly log: string[] = [];
  /** The name of the error that its processor stopped with. */
  stoppedWith: string | undefined;
  commits = 0;
  aborts = 0;

  constructor(file: string, settings: WorkerSettings) {
    this.#process = spawn(
      process.execPath,
      programArguments(fileURLToPath(new URL(file, import.meta.url)), JSON.stringify(settings)),
      { stdio: ["ignore", "ignore", "pipe", "ipc"] },
    );
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log.push(text);
      if (this.log.length > 5_000) this.log.shift();
    });
    this.#process.on("message", (message: { phase?: Phase; stoppedWith?: string }) => {
      if (message.stoppedWith !== undefined) this.stoppedWith = message.stoppedWith;
      if (message.phase === "committed") this.commits += 1;
      if (message.phase === "aborted") this.aborts += 1;
      if (message.phase !== undefined) for (const tell of this.#onPhase) tell(message.phase);
    });
  }

  get isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  /** Sends the signal at the moment when the worker says that it has come to this phase. */
  async signalAt(phase: Phase, signal: NodeJS.Signals, withinMs = 60_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#onPhase.delete(tell);
        reject(
          new Error(
            `a worker did not come to "${phase}" within ${withinMs} ms:\n${this.log.slice(-40).join("")}`,
          ),
        );
      }, withinMs);
      const tell = (now: Phase): void => {
        if (now !== phase) return;
        this.signal(signal);
        clearTimeout(timer);
        this.#onPhase.delete(tell);
        resolve();
      };
      this.#onPhase.add(tell);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async ended(withinMs = 30_000): Promise<void> {
    if (!this.isAlive) return;
    const timeout = new AbortController();
    const exited = once(this.#process, "exit");
    const late = sleep(withinMs, "late", { signal: timeout.signal }).catch(() => "");
    const first = await Promise.race([exited, late]);
    timeout.abort();
    if (first === "late")
      throw new Error(`a worker did not end within ${withinMs} ms:\n${this.log.slice(-40).join("")}`);
  }

  /** Closes the processor gracefully. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.send("stop");
    // A native call that hangs (librdkafka #5456, over a minute) keeps its process from exiting.
    await this.ended(90_000);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended();
  }
}

export interface Scenario {
  readonly brokers: string;
  /** How many records come in at least; they go on coming until the faults are over. */
  readonly records: number;
  /** How many of them in a second. */
  readonly rate: number;
  readonly options: Partial<ProcessorOptions>;
  /** The workers count by key in a store; the verdict then says how many counts are wrong. */
  readonly counts?: boolean;
  /** Each worker keeps its stores in a directory of its own below this one. */
  readonly stateDirectory?: string;
  readonly workers?: number;
  readonly worker?: "processor-worker.ts" | "unguarded-worker.ts";
  readonly librdkafka?: WorkerSettings["librdkafka"];
  /** What is done to the workers, or to anything else, while the records come in. */
  readonly faults: (run: Run) => Promise<void>;
  /** How long all records may take to come out once the faults are over. */
  readonly settleMs?: number;
}

/** What the log says in the end, and what happened on the way. */
export interface Verdict {
  readonly records: number;
  readonly lost: number;
  readonly doubled: number;
  readonly disordered: number;
  /** The same, as the reader saw it that was there all the time. */
  readonly live: { readonly doubled: number; readonly disordered: number; readonly seen: number };
  /** Records that only a `read_uncommitted` reader sees: proof of faults inside transactions. */
  readonly extras: number;
  /** Of workers that count: how many keys have a wrong count, in the changelog and in what was sent last. */
  readonly wrongCounts: { readonly changelog: number; readonly sent: number } | undefined;
  readonly longestGapMs: number;
  readonly commits: number;
  readonly aborts: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly seconds: number;
  /** Workers that stopped by themselves. */
  readonly stopped: readonly string[];
}

/**
 * Nothing lost, doubled or out of order, neither in the end nor for a reader on the way. `stopped` are the
 * errors that workers stopped with.
 */
export function expectExactlyOnce(verdict: Verdict, stopped: readonly string[] = []): void {
  expect(verdict).toMatchObject({
    lost: 0,
    doubled: 0,
    disordered: 0,
    live: { doubled: 0, disordered: 0, seen: verdict.records },
    stopped,
  });
  if (verdict.wrongCounts !== undefined) expect(verdict.wrongCounts).toEqual({ changelog: 0, sent: 0 });
}

/** A run under way: the workers, and chance. */
export class Run {
  readonly workers: Worker[] = [];
  readonly faults: Record<string, number> = {};
  readonly seed: number;
  readonly groupId: string;
  readonly all: Worker[] = [];
  readonly #start: (index: number, identity: number) => Worker;
  readonly #random: () => number;

  constructor(seed: number, groupId: string, start: (index: number, identity: number) => Worker) {
    this.seed = seed;
    this.groupId = groupId;
    this.#start = start;
    this.#random = randomFrom(seed);
  }

  /**
   * Starts the worker of this number, again or for the first time. It has a transactional id of its own, or
   * that of the worker `identity`.
   */
  start(index: number, identity = index): Worker {
    const worker = this.#start(index, identity);
    this.workers[index] = worker;
    this.all.push(worker);
    return worker;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#random() * items.length)] as Item;
  }

  count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
  }

  /** Resolves when every worker has committed something. */
  async underWay(withinMs = 30_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (this.workers.some(({ commits }) => commits < 5)) {
      if (Date.now() > deadline) throw new Error(`not all workers were at work within ${withinMs} ms`);
      await sleep(50);
    }
  }

  worker(index: number): Worker {
    return this.workers[index] as Worker;
  }

  /** Kills a worker inside a transaction, at the phase or at one chosen by chance, and starts it again. */
  async kill(index: number, phase?: Phase): Promise<void> {
    await this.worker(index).signalAt(phase ?? this.pick(["produced", "sending", "committing"]), "SIGKILL");
    this.count("SIGKILL");
    await this.worker(index).ended();
    this.start(index);
  }

  /** Stops a worker inside a transaction for longer than its session, and lets it go on. */
  async freeze(index: number, ms: number, phase?: Phase): Promise<void> {
    await this.worker(index).signalAt(phase ?? this.pick(["produced", "sending"]), "SIGSTOP");
    this.count("SIGSTOP");
    await sleep(ms);
    this.worker(index).signal("SIGCONT");
  }

  /** Closes a worker gracefully and starts it again. */
  async leave(index: number): Promise<void> {
    this.count("leave");
    await this.worker(index).stop();
    this.start(index);
  }
}

/** The session of the members, in milliseconds, and a time for which a frozen one is past it. */
export const sessionTimeoutMs = 3_000;
export const pastSessionMs = 5_000;

/** One of each fault, inside transactions. */
export async function everyFault(run: Run): Promise<void> {
  await sleep(4_000);
  await run.kill(0, "produced");
  await run.freeze(1, pastSessionMs, "produced");
  run.start(3);
  run.count("join");
  await run.kill(2, "committing");
  await run.leave(0);
  await run.freeze(2, pastSessionMs, "sending");
  await run.worker(3).stop();
  run.count("leave");
  await run.kill(1, "sending");
}

/** Runs the scenario. */
export async function run(scenario: Scenario): Promise<Verdict> {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed} (SEED=${seed} repeats its choices)`);
  const { brokers } = scenario;
  const input = await createTopic({ brokers, partitions, name: uniqueName("in") });
  const output = await createTopic({ brokers, partitions, name: uniqueName("out") });
  const groupId = uniqueName("group");
  const ids = uniqueName("tx");
  const target = defineTopic(output, { value: string() });
  await using kafka = new Kafka({ brokers, logger: silent, connectTimeoutMs: 60_000 });

  const live = new Checker();
  let uncommitted = 0;
  const committedReader = kafka.consumer(target, { groupId: uniqueName("reader") });
  const uncommittedReader = kafka.consumer(target, {
    groupId: uniqueName("reader"),
    isolationLevel: "read_uncommitted",
  });
  const readers = [
    committedReader.run(({ value }) => {
      live.see(value);
    }),
    uncommittedReader.run(() => {
      uncommitted += 1;
    }),
  ];

  const began = Date.now();
  const run = new Run(
    seed,
    groupId,
    (index, identity) =>
      new Worker(`./${scenario.worker ?? "processor-worker.ts"}`, {
        brokers,
        input,
        output,
        librdkafka: scenario.librdkafka,
        counts: scenario.counts === true,
        options: {
          groupId,
          transactionalId: `${ids}-${identity}`,
          transactionTimeoutMs: 20_000,
          ...scenario.options,
          ...(scenario.stateDirectory !== undefined && {
            stateDirectory: `${scenario.stateDirectory}/${index}`,
          }),
          ...(scenario.options.groupInstanceId === undefined
            ? {}
            : { groupInstanceId: `${scenario.options.groupInstanceId}-${index}` }),
        },
      }),
  );
  try {
    for (let index = 0; index < (scenario.workers ?? 3); index += 1) run.start(index);
    let isOver = false;
    const sending = sendInput(kafka, input, scenario, () => isOver);
    // Where the faults fail, that is the error of the run.
    sending.catch(() => undefined);
    try {
      await scenario.faults(run);
    } finally {
      isOver = true;
    }
    const records = await sending;
    const deadline = Date.now() + (scenario.settleMs ?? 60_000);
    while (live.distinct < records && Date.now() < deadline) await sleep(100);
    // What is committed twice may come after what was seen once.
    await sleep(1_000);
    const stopped = run.workers.flatMap(({ stoppedWith }) => stoppedWith ?? []);
    await Promise.all(run.workers.map((worker) => worker.stop()));

    const end = new Checker();
    for await (const { value } of kafka.read(target)) end.see(value);
    await committedReader.close();
    await uncommittedReader.close();
    await Promise.all(readers);
    const verdict: Verdict = {
      records,
      lost: records - end.distinct,
      doubled: end.doubled,
      disordered: end.disordered,
      live: { doubled: live.doubled, disordered: live.disordered, seen: live.distinct },
      extras: uncommitted - end.total,
      wrongCounts:
        scenario.counts === true ? await wrongCounts(kafka, { input, output, groupId }) : undefined,
      longestGapMs: live.longestGapMs,
      commits: run.all.reduce((sum, { commits }) => sum + commits, 0),
      aborts: run.all.reduce((sum, { aborts }) => sum + aborts, 0),
      faults: run.faults,
      seed,
      seconds: Math.round((Date.now() - began) / 1_000),
      stopped,
    };
    console.log(JSON.stringify(verdict));
    if (verdict.lost > 0 || (scenario.worker === undefined && verdict.doubled > 0)) {
      for (const [index, worker] of run.all.entries())
        console.log(`--- worker ${index}\n${worker.log.join("")}`);
    }
    return verdict;
  } finally {
    await Promise.all(run.all.filter(({ isAlive }) => isAlive).map((worker) => worker.kill()));
  }
}

/** Sends at the rate until there are enough and the faults are over; resolves to how many it sent. */
async function sendInput(
  kafka: Kafka,
  topic: string,
  { records, rate }: Scenario,
  isOver: () => boolean,
): Promise<number> {
  const producer = kafka.producer({ deliveryTimeoutMs: 300_000 });
  const source = defineTopic(topic, { value: string() });
  const sends: Promise<unknown>[] = [];
  const began = Date.now();
  let sent = 0;
  while (sent < records || !isOver()) {
    const due = Math.ceil(((Date.now() - began) / 1_000) * rate);
    const batch: { key: string; value: string }[] = [];
    for (; sent < due; sent += 1) batch.push({ key: `key-${sent % keys}`, value: String(sent) });
    if (batch.length > 0) sends.push(producer.send(source, batch));
    await sleep(20);
  }
  await Promise.all(sends);
  await producer.close();
  return sent;
}

/** Looks at output records, `<partition>:<offset>:<value>` of the input: each once, and in order. */
class Checker {
  readonly #seen = new Map<string, number>();
  readonly #last = new Map<string, number>();
  #lastAt: number | undefined;
  total = 0;
  doubled = 0;
  disordered = 0;
  longestGapMs = 0;

  get distinct(): number {
    return this.#seen.size;
  }

  see(value: string): void {
    const now = Date.now();
    if (this.#lastAt !== undefined) this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastAt);
    this.#lastAt = now;
    this.total += 1;
    const [partition = "", offset = ""] = value.split(":");
    const id = `${partition}:${offset}`;
    const times = (this.#seen.get(id) ?? 0) + 1;
    this.#seen.set(id, times);
    if (times > 1) this.doubled += 1;
    if (Number(offset) <= (this.#last.get(partition) ?? -1)) this.disordered += 1;
    else this.#last.set(partition, Number(offset));
  }
}

/** Mulberry32: chance that a seed repeats. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
