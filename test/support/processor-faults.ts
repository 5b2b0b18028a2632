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
import { countsByKey, wrongCounts } from "./counts-by-key.js";
import { settled } from "./settled.js";
import { silent } from "./silent.js";
import { timestampOf, windowsByKey, wrongWindows } from "./windows-by-key.js";
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
  /** How many of twenty records come in each input topic. Default: all of them in one topic. */
  readonly shares?: readonly number[];
  /** Which of the input topics the first workers have, by their index. Default: all. */
  readonly inputs?: readonly number[];
  /** The workers count by key in a store; the verdict then says how many counts are wrong. */
  readonly counts?: boolean;
  /** The workers count by key in windows of time; the verdict then says how many windows are wrong. */
  readonly windows?: boolean;
  /** Every fifth record fails at its first attempt. */
  readonly fails?: boolean;
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
  /** Of workers that count: how many keys have a wrong count, in the changelog and in what was sent. */
  readonly wrongCounts: { readonly changelog: number; readonly sent: number } | undefined;
  /** Of workers that count in windows: the same, and how many records were too late to count. */
  readonly wrongWindows:
    { readonly changelog: number; readonly sent: number; readonly late: number } | undefined;
  /**
   * How often a task had two owners: one that is back in the log after another, without having been assigned anew, or
   * that was at work, by the clock, after the one that follows it in the log. Of what was committed, and of all that was
   * sent, where processes that were stopped past their session are seen.
   */
  readonly overlaps: { readonly committed: number; readonly sent: number };
  /** How often tasks went from one owner to another. */
  readonly moves: number;
  /** Partitions whose input topics were handled last by different processes, or by none. */
  readonly divided: number;
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
    overlaps: { committed: 0 },
    stopped,
  });
  if (verdict.wrongCounts !== undefined) expect(verdict.wrongCounts).toEqual({ changelog: 0, sent: 0 });
  if (verdict.wrongWindows !== undefined)
    expect(verdict.wrongWindows).toMatchObject({ changelog: 0, sent: 0 });
}

/** A run under way: the workers, and chance. */
export class Run {
  readonly workers: Worker[] = [];
  readonly faults: Record<string, number> = {};
  readonly seed: number;
  readonly groupId: string;
  readonly all: Worker[] = [];
  /** Which of the input topics workers have that start from now on, by their index. */
  inputs: readonly number[];
  readonly #start: (index: number, identity: number) => Worker;
  readonly #random: () => number;

  constructor(
    seed: number,
    groupId: string,
    inputs: readonly number[],
    start: (index: number, identity: number) => Worker,
  ) {
    this.inputs = inputs;
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

/** A cluster on which members are lost after {@link sessionTimeoutMs}, by the protocol of Kafka 4 too, and brokers as soon. */
export const shortSessions = {
  nodes: 3,
  properties: {
    "group.consumer.session.timeout.ms": sessionTimeoutMs,
    "broker.session.timeout.ms": 3_000,
  },
} as const;

/** The ways to be a member of a group, by their names, with such sessions. */
export const memberships = [
  ["cooperative-sticky", { assignor: "cooperative-sticky", sessionTimeoutMs } as const],
  ["range", { assignor: "range", sessionTimeoutMs } as const],
  ["the protocol of Kafka 4", { groupProtocol: "consumer" } as const],
] as const;

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
  const shares = scenario.shares ?? [20];
  const inputs: string[] = [];
  for (const _ of shares) inputs.push(await createTopic({ brokers, partitions, name: uniqueName("in") }));
  const windows =
    scenario.windows === true ? await createTopic({ brokers, name: uniqueName("windows") }) : undefined;
  const output = await createTopic({ brokers, partitions, name: uniqueName("out") });
  const groupId = uniqueName("group");
  const ids = uniqueName("tx");
  const target = defineTopic(output, { value: string() });
  await using kafka = new Kafka({ brokers, logger: silent, connectTimeoutMs: 60_000 });

  const live = new Checker();
  const uncommitted = new Checker();
  const committedReader = kafka.consumer(target, { groupId: uniqueName("reader") });
  const uncommittedReader = kafka.consumer(target, {
    groupId: uniqueName("reader"),
    isolationLevel: "read_uncommitted",
  });
  const readers = [
    committedReader.run((record) => {
      live.see(record);
    }),
    uncommittedReader.run((record) => {
      uncommitted.see(record);
    }),
  ];

  const began = Date.now();
  const run: Run = new Run(
    seed,
    groupId,
    scenario.inputs ?? inputs.map((_, input) => input),
    (index, identity) =>
      new Worker(`./${scenario.worker ?? "processor-worker.ts"}`, {
        brokers,
        inputs: run.inputs.map((input) => inputs[input] ?? ""),
        output,
        windows,
        librdkafka: scenario.librdkafka,
        counts: scenario.counts === true,
        fails: scenario.fails === true,
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
    const sending = sendInput(kafka, inputs, scenario, () => isOver);
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
    const ended = run.workers.filter(({ stoppedWith }) => stoppedWith !== undefined);
    const stopped = ended.flatMap(({ stoppedWith }) => stoppedWith ?? []);
    await Promise.all(run.workers.map((worker) => worker.stop()));

    const changelogs = [
      ...(scenario.counts === true ? [countsByKey.changelog(groupId)] : []),
      ...(windows === undefined ? [] : [windowsByKey.changelog(groupId)]),
    ];
    await settled(brokers, [
      output,
      ...(windows === undefined ? [] : [windows]),
      ...changelogs.map(({ name }) => name),
    ]);
    const end = new Checker();
    for await (const record of kafka.read(target)) end.see(record);
    await committedReader.close();
    await uncommittedReader.close();
    await Promise.all(readers);
    const verdict: Verdict = {
      records,
      lost: records - end.distinct,
      doubled: end.doubled,
      disordered: end.disordered,
      live: { doubled: live.doubled, disordered: live.disordered, seen: live.distinct },
      extras: uncommitted.total - end.total,
      wrongCounts:
        scenario.counts === true ? await wrongCounts(kafka, { inputs, output, groupId }) : undefined,
      wrongWindows:
        windows === undefined ? undefined : await wrongWindows(kafka, { inputs, windows, groupId }),
      overlaps: { committed: end.overlaps, sent: uncommitted.overlaps },
      moves: end.moves,
      divided: end.dividedOver(inputs),
      longestGapMs: live.longestGapMs,
      commits: run.all.reduce((sum, { commits }) => sum + commits, 0),
      aborts: run.all.reduce((sum, { aborts }) => sum + aborts, 0),
      faults: run.faults,
      seed,
      seconds: Math.round((Date.now() - began) / 1_000),
      stopped,
    };
    console.log(JSON.stringify(verdict));
    for (const worker of ended) console.log(`--- stopped by itself\n${worker.log.slice(-40).join("")}`);
    if (verdict.lost > 0) console.log(await missingRecords(kafka, inputs, target, end, records));
    if (verdict.lost > 0 || (scenario.worker === undefined && verdict.doubled > 0)) {
      for (const [index, worker] of run.all.entries())
        console.log(`--- worker ${index}\n${worker.log.join("")}`);
    }
    return verdict;
  } finally {
    await Promise.all(run.all.filter(({ isAlive }) => isAlive).map((worker) => worker.kill()));
  }
}

/**
 * Of each record that did not come out: where it is in its input, when it was sent, and what came of it in transactions that
 * were rolled back; and what came out in front of it and behind it.
 */
async function missingRecords(
  kafka: Kafka,
  inputs: readonly string[],
  target: Parameters<Kafka["read"]>[0],
  end: Checker,
  records: number,
): Promise<string> {
  const tries = new Map<string, string[]>();
  const outputs = new Map<string, string>();
  for (const isolationLevel of ["read_uncommitted", "read_committed"] as const)
    for await (const { value, partition, offset } of kafka.read(target, { isolationLevel })) {
      const [from = "", at = "", id = "", ...owner] = String(value).split(":");
      const where = `${partition}@${offset} by ${owner.join(":")}`;
      if (isolationLevel === "read_committed") outputs.set(`${from}:${at}`, where);
      else tries.set(id, [...(tries.get(id) ?? []), where]);
    }
  const lines: string[] = [];
  const found = new Set<string>();
  for (const input of inputs)
    for await (const { value, partition, offset, timestamp } of kafka.read(
      defineTopic(input, { value: string() }),
    )) {
      found.add(value);
      if (end.has(value)) continue;
      const [before, behind] = [-1, 1].map(
        (step) => outputs.get(`${input}.${partition}:${offset + step}`) ?? "nothing",
      );
      const tried = tries.get(value)?.join(", ") ?? "never";
      lines.push(
        `${value} at ${partition}@${offset}, ${new Date(timestamp).toISOString()}; tried: ${tried}; before it ${before}, behind it ${behind}`,
      );
    }
  const unsent = Array.from({ length: records }, (_, id) => String(id)).filter((id) => !found.has(id));
  return [
    `${lines.length} of the input did not come out:`,
    ...lines,
    `not in the input: ${unsent.join(" ")}`,
  ].join("\n");
}

/** Sends at the rate until there are enough and the faults are over; resolves to how many it sent. */
async function sendInput(
  kafka: Kafka,
  topics: readonly string[],
  { records, rate, shares = [20], windows }: Scenario,
  isOver: () => boolean,
): Promise<number> {
  const producer = kafka.producer({ deliveryTimeoutMs: 300_000 });
  const sources = topics.map((topic) => defineTopic(topic, { value: string() }));
  /** By the last twentieth of its number, the topic of a record. */
  const turns = shares.flatMap((share, topic) => Array.from({ length: share }, () => topic));
  const sends: Promise<unknown>[] = [];
  const began = Date.now();
  let sent = 0;
  while (sent < records || !isOver()) {
    const due = Math.ceil(((Date.now() - began) / 1_000) * rate);
    const batches = sources.map((): { key: string; value: string; timestamp?: number }[] => []);
    for (; sent < due; sent += 1)
      batches[turns[sent % turns.length] ?? 0]?.push({
        key: `key-${Math.imul(sent, 7_919) % keys}`,
        value: String(sent),
        ...(windows === true && { timestamp: timestampOf(sent) }),
      });
    for (const [topic, batch] of batches.entries())
      if (batch.length > 0) sends.push(producer.send(sources[topic] as (typeof sources)[number], batch));
    await sleep(20);
  }
  await Promise.all(sends);
  if (windows === true) {
    // Closes every window before it.
    const last = Array.from({ length: partitions }, (_, partition) => ({
      key: `last-${partition}`,
      partition,
    }));
    const timestamp = Date.now() + 60_000;
    for (const source of sources)
      await producer.send(
        source,
        last.map((each) => ({ ...each, value: String((sent += 1)), timestamp })),
      );
  }
  await producer.close();
  return sent;
}

/**
 * Looks at output records, `<input>.<partition>:<offset>:<value>:<process>:<assignment>:<time>`, in the partition of
 * their task: each once, in order, and by one owner after the other.
 */
class Checker {
  readonly #seen = new Map<string, number>();
  readonly #last = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  readonly #tasks = new Map<
    number,
    { readonly owner: string; readonly time: number; readonly former: Set<string> }
  >();
  #lastAt: number | undefined;
  total = 0;
  doubled = 0;
  disordered = 0;
  overlaps = 0;
  moves = 0;
  longestGapMs = 0;

  get distinct(): number {
    return this.#seen.size;
  }

  has(id: string): boolean {
    return this.#seen.has(id);
  }

  see({ value, partition: task }: { readonly value: string; readonly partition: number }): void {
    const now = Date.now();
    if (this.#lastAt !== undefined) this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastAt);
    this.#lastAt = now;
    this.total += 1;
    const [partition = "", offset = "", id = "", process = "", assignment, time] = value.split(":");
    const times = (this.#seen.get(id) ?? 0) + 1;
    this.#seen.set(id, times);
    if (times > 1) this.doubled += 1;
    if (!partition.startsWith("retried")) {
      if (Number(offset) <= (this.#last.get(partition) ?? -1)) this.disordered += 1;
      else this.#last.set(partition, Number(offset));
    }
    this.#owners.set(partition, process);
    const owner = `${process}:${assignment}`;
    const before = this.#tasks.get(task);
    const former = before?.former ?? new Set();
    if (before !== undefined && before.owner !== owner) {
      this.moves += 1;
      former.add(before.owner);
      if (former.has(owner) || Number(time) < before.time) this.overlaps += 1;
    }
    this.#tasks.set(task, { owner, time: Number(time), former });
  }

  /** How many tasks do not have the same process as the last owner of each of their inputs. */
  dividedOver(inputs: readonly string[]): number {
    return Array.from({ length: partitions }, (_, task) =>
      inputs.map((input) => this.#owners.get(`${input}.${task}`)),
    ).filter(([first, ...others]) => first === undefined || others.some((owner) => owner !== first)).length;
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
