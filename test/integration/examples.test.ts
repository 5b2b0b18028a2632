import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, inject, test } from "vitest";
import { until } from "../support/consuming.js";
import { freePort } from "../support/ports.js";
import { type RunningProgram, runProgram } from "../support/run-example.js";
import { startSchemaRegistry } from "../support/schema-registry.js";

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
    // Nobody has made the topic on brokers that have just been started: whichever of the two comes first does.
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

describe("the examples of failures", () => {
  test("dead-letters.ts bills around the order that fails, and bills that one when it was sent back", async () => {
    const program = run("dead-letters.ts", { KAFKA_BROKERS: inject("brokers") });
    await program.printed(/dead letter: no bills in XAU/);
    // The consumer may have it before the redrive says so.
    await program.printed(/sent back: 1, kept: 0/);
    await program.printed(/-2 is billed: 1 XAU/);
    expect(program.output()).toMatch(/-1 is billed: 2500 EUR/);
    expect(program.output()).toMatch(/-3 is billed: 900 EUR/);
    program.process.kill("SIGTERM");
    expect(await program.ended).toBe(0);
  });

  test("retry-topics.ts ships what fails twice at its third attempt, and the others before that", async () => {
    const program = run("retry-topics.ts", { KAFKA_BROKERS: inject("brokers") });
    await program.printed(/-2 is shipped from Basel, at attempt 3/, 40_000);
    const lines = program.output();
    const at = (text: string) => lines.search(text);
    for (const order of ["-1", "-3"]) {
      const shipped = at(`${order} is shipped from Bern, at attempt 1`);
      expect(shipped).toBeGreaterThanOrEqual(0);
      expect(shipped).toBeLessThan(at("-2 at attempt 2: Error: Basel does not answer"));
    }
    program.process.kill("SIGTERM");
    expect(await program.ended).toBe(0);
  });
});

test("avro.ts reads what both versions of its schema have written", async () => {
  const registry = await startSchemaRegistry();
  try {
    const program = run("avro.ts", {
      KAFKA_BROKERS: inject("brokers"),
      SCHEMA_REGISTRY_URL: `http://127.0.0.1:${registry.port}${registry.path}`,
    });
    expect(await program.ended, program.output()).toBe(0);
    expect(program.output()).toMatch(/Samwel graduated in \d{4}\n/);
    expect(program.output()).toMatch(/Alice graduated in \d{4}, with honours\n/);
  } finally {
    await registry.close();
  }
}, 300_000);

test("traces.ts prints the order and its bill as one trace", async () => {
  const program = run("traces.ts", { KAFKA_BROKERS: inject("brokers") });
  expect(await program.ended, program.output()).toBe(0);
  const traceOf = (span: string) =>
    new RegExp(`traceId: '(\\w+)',(?:(?!traceId)[^])*?name: '${span}'`).exec(program.output())?.[1];
  const order = traceOf("send traced-orders");
  expect(order).toBeDefined();
  expect(traceOf("process traced-orders")).toBe(order);
  expect(traceOf("send traced-bills")).toBe(order);
});

describe("the examples of services", () => {
  const start = async (file: string) => {
    const port = await freePort();
    const program = run(file, { KAFKA_BROKERS: inject("brokers"), HOST: "127.0.0.1", PORT: String(port) });
    return {
      program,
      ask: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init),
    };
  };
  const ends = async (program: RunningProgram) => {
    program.process.kill("SIGTERM");
    expect(await program.ended, program.output()).toBe(0);
  };

  test("fastify-service.ts takes orders, refuses what is none, tells its health and ends on SIGTERM", async () => {
    const { program, ask } = await start("fastify-service.ts");
    await program.printed(/Server listening/, 50_000);
    const post = (body: object) => {
      const headers = { "content-type": "application/json" };
      return ask("/orders", { method: "POST", headers, body: JSON.stringify(body) });
    };
    const id = `order-${Date.now()}`;
    expect((await post({ id, cents: 2_500 })).status).toBe(202);
    await program.printed(new RegExp(`"id":"${id}","cents":2500,"msg":"billed"`), 30_000);
    const refused = await post({ id, cents: "many" });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ issues: [{ path: ["cents"] }] });
    const health = await ask("/health");
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ brokers: true, clients: expect.arrayContaining([]) });
    await ends(program);
  });

  test("nestjs-service.ts announces a student, enrols it, tells its health and ends on SIGTERM", async () => {
    const { program, ask } = await start("nestjs-service.ts");
    // Nest says that it has started before it listens.
    const answers = async () => (await ask("/health").catch(() => undefined))?.ok === true;
    await until("the service answers", answers, 50_000);
    const name = `Samwel${Date.now()}`;
    expect((await ask(`/students/1/${name}`, { method: "POST" })).status).toBe(201);
    await program.printed(new RegExp(`enrolled ${name}`), 30_000);
    const health = await ask("/health");
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({
      clients: [expect.stringMatching(/^producer: /), expect.stringMatching(/^consumer: /)],
    });
    // Nest ends the process with the signal itself, once everything is closed.
    program.process.kill("SIGTERM");
    expect(await program.ended).toBeNull();
    expect(program.process.signalCode).toBe("SIGTERM");
    expect(program.output()).toContain("the consumer has left its group");
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
