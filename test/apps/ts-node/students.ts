import assert from "node:assert/strict";
import { defineTopic, Kafka, type ValueOf } from "typed-kafka";
import { startEmbeddedKafka } from "typed-kafka/testing";
import { z } from "zod";

const students = defineTopic("students", {
  value: z.object({ id: z.number().int(), name: z.string() }),
  keyOf: (student) => String(student.id),
});
const samwel: ValueOf<typeof students> = { id: 1, name: "Samwel" };

async function main(): Promise<void> {
  const embedded = await startEmbeddedKafka();
  const kafka = new Kafka({ brokers: embedded.brokers });
  const { topic } = await kafka.producer().send(students, { value: samwel });
  assert.equal(topic, "students");
  for await (const { key, value } of kafka.consumer(students, { groupId: "etl-group" })) {
    assert.deepEqual({ key, value }, { key: "1", value: samwel });
    break;
  }
  await kafka.close();
  await embedded.close();
  console.log(`received ${samwel.name}`);
}

void main();
