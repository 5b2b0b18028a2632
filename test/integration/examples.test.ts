import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, inject, test } from "vitest";
import { defineTopic, Kafka, string } from "typed-kafka";
import { type RunningProgram, runProgram } from "../support/run-example.js";
import { silent } from "../support/silent.js";

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
  test("run as a demo on the embedded cluster, and the process ends by itself", async () => {
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

  test("run as two processes on a real broker; the consumer ends on SIGTERM", async () => {
    // The examples' names are their own: on a cluster that stays, the topic may be there from the last run.
    const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
    await kafka.admin().ensureTopics(defineTopic("students", { value: string(), partitions: 3 }));
    await kafka.close();
    const brokers = { KAFKA_BROKERS: inject("brokers") };
    const consumer = run("students-consumer.ts", brokers);
    const producer = run("students-producer.ts", brokers);
    expect(await producer.ended).toBe(0);
    for (const [name, rest] of [
      ["Samwel", "Data Engineering \\(id 1\\)"],
      ["Alice", "AI Engineering \\(id 2\\)"],
      ["John", "Cloud Computing \\(id 3\\)"],
    ] as const) {
      const sent = new RegExp(`sent ${name} to students\\[(\\d)\\] at offset (\\d+)`).exec(producer.output());
      const position = `students\\[${sent?.[1]}\\] at offset ${sent?.[2]}\\b`;
      await consumer.printed(new RegExp(`received ${name}, ${rest} from ${position}`));
    }
    consumer.process.kill("SIGTERM");
    expect(await consumer.ended).toBe(0);
  });
});

describe("every example", () => {
  test.each(readdirSync("examples").filter((name) => name.endsWith(".ts")))(
    "%s is short and imports the package by its name",
    (name) => {
      const text = readFileSync(`examples/${name}`, "utf8");
      expect(text.split("\n").length).toBeLessThanOrEqual(80);
      expect(text).toMatch(/from "typed-kafka"/);
      expect(text).not.toMatch(/from "\.\.\//);
      expect(readFileSync("examples/README.md", "utf8")).toContain(`(${name})`);
    },
  );
});
