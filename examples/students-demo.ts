/**
 * Both sides in one process, on an embedded cluster or on the brokers in KAFKA_BROKERS:
 *
 *     npm run demo
 */
import { Kafka } from "typed-kafka";
import { startEmbeddedKafka } from "typed-kafka/testing";
import { enrolled, students } from "./students.js";

const embedded = process.env["KAFKA_BROKERS"] ? undefined : await startEmbeddedKafka();
const brokers = embedded?.brokers ?? process.env["KAFKA_BROKERS"] ?? "";
console.log(`brokers: ${brokers}${embedded ? " (embedded)" : ""}`);

const kafka = new Kafka({ brokers });
await kafka.admin().ensureTopics(students);

const producer = kafka.producer();
const written = await producer.send(
  students,
  enrolled.map((student) => ({ value: student })),
);
for (const [index, { topic, partition, offset }] of written.entries()) {
  console.log(`sent      ${JSON.stringify(enrolled[index])} to ${topic}[${partition}] at offset ${offset}`);
}

// A consumer takes every record that its group has not had yet; here the last one ends the loop.
const missing = new Set(written.map(({ partition, offset }) => `${partition}/${offset}`));
const consumer = kafka.consumer(students, { groupId: "etl-group" });
await consumer.run(({ topic, partition, offset, value }) => {
  console.log(`received  ${JSON.stringify(value)} from ${topic}[${partition}] at offset ${offset}`);
  missing.delete(`${partition}/${offset}`);
  if (missing.size === 0) void consumer.close();
});

await kafka.close();
await embedded?.close();
