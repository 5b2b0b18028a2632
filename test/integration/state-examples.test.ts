import { afterEach, expect, inject, test } from "vitest";
import { type RunningProgram, runProgram } from "../support/run-example.js";

const running: RunningProgram[] = [];

function run(file: string): RunningProgram {
  const program = runProgram(`examples/${file}`, { KAFKA_BROKERS: inject("brokers") });
  running.push(program);
  return program;
}

async function ends(program: RunningProgram): Promise<void> {
  program.process.kill("SIGTERM");
  expect(await program.ended).toBe(0);
}

afterEach(async () => {
  for (const { process } of running) process.kill("SIGKILL");
  await Promise.all(running.splice(0).map(({ ended }) => ended));
});

test("account-totals.ts goes on with its totals when it is started again", async () => {
  const first = run("account-totals.ts");
  const [, payments = "0", cents = "0"] =
    /samwel: (\d+) payments, (-?\d+) cents/.exec(await first.printed(/samwel: \d+ payments, -?\d+ cents/)) ??
    [];
  await ends(first);
  const second = run("account-totals.ts");
  // Each start pays twice.
  const before = Number(payments) - 1;
  await second.printed(new RegExp(`samwel: ${before + 4} payments, ${Number(cents) - 1_000 + 1_400} cents`));
  await ends(second);
}, 90_000);

test("deduplicate.ts passes an order on once", async () => {
  const program = run("deduplicate.ts");
  const id = /(order-\d+) is passed on/.exec(await program.printed(/order-\d+ is passed on/))?.[1];
  await program.printed(new RegExp(`(${id} came again[^]*){2}`));
  expect(program.output().match(new RegExp(`${id} is passed on`, "g"))).toHaveLength(1);
  await ends(program);
}, 60_000);

test("enrolments-per-minute.ts prints each minute once, when it has closed", async () => {
  const program = run("enrolments-per-minute.ts");
  await program.printed(/Data Engineering: 3 enrolled|Data Engineering: [12] enrolled/, 40_000);
  await ends(program);
}, 90_000);

test("join-with-table.ts finds the fee of every student's course", async () => {
  const program = run("join-with-table.ts");
  await program.printed(/Samwel takes Data Engineering for 900/);
  await program.printed(/Alice takes AI Engineering for 1200/);
  await program.printed(/John takes Cloud Computing for 800/);
  await ends(program);
}, 60_000);
