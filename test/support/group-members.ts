/**
 * Members of a consumer group, in this process or in others, that write down what they handle and when; for
 * tests of rebalances.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConsumerOptions, Kafka } from "typed-kafka";
import { textTopic, until } from "./consuming.js";
import { programArguments } from "./program-arguments.js";

export interface MemberOptions {
  readonly topic: string;
  readonly options: ConsumerOptions;
  /** How long a handler takes at most, in milliseconds. */
  readonly handlerMs: number;
}

/** A record handled: when, by the clock that all processes of the machine share, and in which stay of the partition. */
export interface Handled {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly start: number;
  readonly end: number;
  readonly tenure: number;
}

export type MemberEvent =
  | { readonly type: "assigned" | "revoked" | "lost"; readonly partitions: readonly number[] }
  | ({ readonly type: "handled" } & Handled);

export interface Member {
  readonly handled: readonly Handled[];
  readonly assigned: ReadonlySet<number>;
  readonly lost: ReadonlySet<number>;
  /** Shuts down gracefully. */
  readonly close: () => Promise<void>;
}

export interface ProcessMember extends Member {
  readonly signal: (signal: NodeJS.Signals) => void;
}

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Joins and handles records until the consumer is closed. */
export function startHandling(
  kafka: Kafka,
  { topic, options, handlerMs }: MemberOptions,
  onEvent: (event: MemberEvent) => void,
) {
  let tenure = 0;
  const consumer = kafka.consumer(textTopic(topic), {
    ...options,
    onRebalance: ({ type, partitions }) => {
      tenure += 1;
      onEvent({ type, partitions: partitions.map(({ partition }) => partition) });
    },
  });
  const ended = consumer.run(async ({ partition, offset, key }) => {
    const start = nowMs();
    const began = tenure;
    await sleep(Math.random() * handlerMs);
    onEvent({ type: "handled", partition, offset, key, start, end: nowMs(), tenure: began });
  });
  return { consumer, ended };
}

export async function startMember(kafka: Kafka, options: MemberOptions): Promise<Member> {
  const notes = takeNotes();
  const { consumer, ended } = startHandling(kafka, options, notes.add);
  ended.catch(() => {});
  await until("the member has partitions", () => notes.assigned.size > 0, 40_000);
  return {
    ...notes,
    close: async () => {
      await consumer.close();
      await ended;
    },
  };
}

export async function startProcessMember(brokers: string, options: MemberOptions): Promise<ProcessMember> {
  const notes = takeNotes();
  const program = new URL("consumer-worker.ts", import.meta.url).pathname;
  const worker = spawn(process.execPath, programArguments(program, JSON.stringify({ brokers, ...options })), {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exit = once(worker, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  createInterface({ input: worker.stdout }).on("line", (line) => {
    notes.add(JSON.parse(line) as MemberEvent);
  });
  await until(
    "the process has partitions",
    () => notes.assigned.size > 0 || worker.exitCode !== null,
    60_000,
  );
  return {
    ...notes,
    close: async () => {
      worker.stdin.end();
      const [code, signal] = await exit;
      if (code !== 0) throw new Error(`the member ended with ${code ?? signal}`);
    },
    signal: (signal) => void worker.kill(signal),
  };
}

function takeNotes() {
  const handled: Handled[] = [];
  const assigned = new Set<number>();
  const lost = new Set<number>();
  const add = (event: MemberEvent): void => {
    if (event.type === "handled") handled.push(event);
    else
      for (const partition of event.partitions) {
        if (event.type === "assigned") assigned.add(partition);
        else assigned.delete(partition);
        if (event.type === "lost") lost.add(partition);
      }
  };
  return { handled, assigned, lost, add };
}

/** What all members together did, by partition, in the order in which the handlers began. */
export function historyOf(
  members: readonly Member[],
): Map<number, (Handled & { readonly member: number })[]> {
  const history = new Map<number, (Handled & { readonly member: number })[]>();
  members.forEach(({ handled }, member) => {
    for (const each of handled) {
      const all = history.get(each.partition) ?? [];
      all.push({ ...each, member });
      history.set(each.partition, all);
    }
  });
  for (const all of history.values()) all.sort((one, other) => one.start - other.start);
  return history;
}

/** Where a partition had two handlers at once. */
export function overlaps(members: readonly Member[]): string[] {
  const found: string[] = [];
  for (const [partition, all] of historyOf(members))
    for (let index = 1; index < all.length; index += 1) {
      const before = all[index - 1];
      const after = all[index];
      if (before !== undefined && after !== undefined && after.start < before.end)
        found.push(
          `${partition}: ${before.offset} of member ${before.member}, ${after.offset} of member ${after.member}`,
        );
    }
  return found;
}

/** Where a member went back within one stay of a partition. */
export function disorder(members: readonly Member[]): string[] {
  const found: string[] = [];
  for (const [partition, all] of historyOf(members)) {
    const last = new Map<string, number>();
    for (const { member, tenure, offset } of all) {
      const stay = `${member}/${tenure}`;
      if (offset <= (last.get(stay) ?? -1))
        found.push(`${partition}: ${offset} after ${last.get(stay)} by ${stay}`);
      last.set(stay, offset);
    }
  }
  return found;
}

/** Waits until every record was handled by somebody. */
export async function untilAllHandled(members: readonly Member[], ends: readonly number[]): Promise<void> {
  const total = ends.reduce((sum, end) => sum + end);
  await until(
    "every record is handled",
    async () => {
      // Counting takes this process's time, in which a member may be waiting for its own.
      await sleep(200);
      if (members.reduce((sum, { handled }) => sum + handled.length, 0) < total) return false;
      return countsOf(members, ends).missing.length === 0;
    },
    60_000,
  );
}

/** Records of a partition that were handled more than once, and those that were not at all. */
export function countsOf(members: readonly Member[], ends: readonly number[]) {
  const duplicates: { partition: number; offset: number }[] = [];
  const missing: { partition: number; offset: number }[] = [];
  const history = historyOf(members);
  ends.forEach((end, partition) => {
    const times = new Map<number, number>();
    for (const { offset } of history.get(partition) ?? []) times.set(offset, (times.get(offset) ?? 0) + 1);
    for (let offset = 0; offset < end; offset += 1) {
      const count = times.get(offset) ?? 0;
      if (count === 0) missing.push({ partition, offset });
      if (count > 1) duplicates.push({ partition, offset });
    }
  });
  return { duplicates, missing };
}
