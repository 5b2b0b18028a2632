import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, inject, it } from "vitest";
import { createTopic } from "../support/topics.js";
import { type RunningProgram, runProgram } from "../support/run-example.js";

const running: RunningProgram[] = [];

function run(file: string, environment: Readonly<Record<string, string>> = {}): RunningProgram {
  const program = runProgram(`examples/${file}`, environment);
  running.push(program);
  return program;
}

afterEach(async () => {
  for (const { process } of running) process.kill("SIGKILL");
  await Promise.all(running.splice(0).map(({ ended }) => ended));
});

describe("the students examples", () => {
  it("run as a demo on the embedded cluster, and the process ends by itself", async () => {
    const demo = run("students-demo.ts", { KAFKA_BROKERS: "" });
    expect(await demo.ended).toBe(0);
    for (const name of ["Samwel", "Alice", "John"]) {
      expect(demo.output()).toMatch(
        new RegExp(`sent .*"name":"${name}".* to students\\[\\d\\] at offset \\d`),
      );
      expect(demo.output()).toMatch(
        new RegExp(`received .*"name":"${name}".* from students\\[\\d\\] at offset \\d`),
      );
    }
  });

  it("run as two processes on a real broker; the consumer ends on SIGTERM", async () => {
    const brokers = { KAFKA_BROKERS: inject("brokers") };
    await createTopic({ name: "students", partitions: 3 });
    const consumer = run("students-consumer.ts", brokers);
    const producer = run("students-producer.ts", brokers);
    expect(await producer.ended).toBe(0);
    await consumer.printed(/received Samwel, Data Engineering \(id 1\)/);
    await consumer.printed(/received Alice, AI Engineering \(id 2\)/);
    await consumer.printed(/received John, Cloud Computing \(id 3\)/);
    consumer.process.kill("SIGTERM");
    expect(await consumer.ended).toBe(0);
  });
});

describe("every example", () => {
  it.each(readdirSync("examples").filter((name) => name.endsWith(".ts")))(
    "%s is short and imports the package by its name",
    (name) => {
      const text = readFileSync(`examples/${name}`, "utf8");
      expect(text.split("\n").length).toBeLessThanOrEqual(80);
      expect(text).toMatch(/from "typed-kafka"/);
      expect(text).not.toMatch(/from "\.\.\//);
    },
  );
});
