import { defineTopic, Kafka } from "typed-kafka";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type KafkaCluster, startKafka } from "../../support/kafka-cluster.js";
import { createTopic } from "../../support/topics.js";
import { type RunningProgram, runProgram } from "../../support/run-example.js";

let kafka: KafkaCluster;
const running: RunningProgram[] = [];

beforeAll(async () => {
  kafka = await startKafka();
});

afterAll(async () => {
  for (const { process } of running) process.kill("SIGKILL");
  await Promise.all(running.map(({ ended }) => ended));
  await kafka.close();
});

function start(example: string): RunningProgram {
  const program = runProgram(`examples/${example}`, { KAFKA_BROKERS: kafka.brokers });
  running.push(program);
  return program;
}

test("the payments example shows both entries of a transfer and nothing of one that failed", async () => {
  const payments = start("payments-transfer.ts");
  expect(await payments.ended).toBe(0);
  expect(payments.output()).toMatch(/rolled back: .*-2: the account closed takes no money/);
  expect(payments.output()).toMatch(/debits .*-1","account":"samwel"/);
  expect(payments.output()).toMatch(/credits .*-1","account":"alice"/);
  expect(payments.output()).not.toMatch(/(debits|credits) .*-2"/);
});

test("the enrolments example enrols every student once, also when it is killed and started again", async () => {
  await createTopic({ name: "students", partitions: 3, brokers: kafka.brokers });
  const first = start("enrolments-processor.ts");
  expect(await start("students-producer.ts").ended).toBe(0);
  await first.printed(/one enrols John in Cloud Computing/);
  first.process.kill("SIGKILL");
  await first.ended;

  const second = start("enrolments-processor.ts");
  expect(await start("students-producer.ts").ended).toBe(0);
  await second.printed(/one enrols Samwel[^]*one enrols John|one enrols John[^]*one enrols Samwel/, 90_000);
  const enrolments = defineTopic("enrolments", {
    value: z.object({ studentId: z.number(), course: z.string() }),
  });
  await using reading = new Kafka({ brokers: kafka.brokers });
  const enrolled = new Map<number, number>();
  const until = Date.now() + 60_000;
  while ([...enrolled.values()].reduce((sum, times) => sum + times, 0) < 6 && Date.now() < until) {
    enrolled.clear();
    for await (const { value } of reading.read(enrolments))
      enrolled.set(value.studentId, (enrolled.get(value.studentId) ?? 0) + 1);
  }
  second.process.kill("SIGTERM");
  expect(await second.ended).toBe(0);
  expect(Object.fromEntries(enrolled)).toEqual({ 1: 2, 2: 2, 3: 2 });
});
