import { describe, expect, inject, test } from "vitest";
import { runProgram, type RunningProgram } from "../support/run-example.js";
import { createTopic } from "../support/topics.js";

/** What ended the process: its exit code, or the signal. */
async function endOf(program: RunningProgram): Promise<number | NodeJS.Signals | null> {
  await program.ended;
  return program.process.exitCode ?? program.process.signalCode;
}

describe.each([
  ["the fast path", {}],
  ["the plain path", { TYPED_KAFKA_NATIVE: "off" }],
])("a process that ends while it sends and reads, on %s", (_, environment) => {
  async function begin(way: string): Promise<RunningProgram> {
    const topic = await createTopic({ partitions: 3 });
    return runProgram("test/support/programs/end-in-work.ts", {
      ...environment,
      KAFKA_BROKERS: inject("brokers"),
      TOPIC: topic,
      WAY: way,
    });
  }

  test("by process.exit, ends with its code", async () => {
    const program = await begin("exit");
    expect(await endOf(program), program.output()).toBe(3);
  });

  test("by an error that nobody catches, ends with that error", async () => {
    const program = await begin("throw");
    expect(await endOf(program), program.output()).toBe(1);
    expect(program.output()).toContain("thrown in the middle");
  });

  test.each(["SIGTERM", "SIGINT"] as const)("by %s, ends by it", async (signal) => {
    const program = await begin("signal");
    await program.printed(/in the middle/);
    program.process.kill(signal);
    expect(await endOf(program), program.output()).toBe(signal);
  });
});
