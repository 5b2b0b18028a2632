/**
 * Sends three students to the topic `students`. Run it beside students-consumer.ts:
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/students-producer.ts
 */
import { Kafka } from "typed-kafka";
import { enrolled, students } from "./students.js";

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics(students);
const producer = kafka.producer();

const written = await producer.send(
  students,
  enrolled.map((student) => ({ value: student })),
);
for (const [index, { partition, offset }] of written.entries()) {
  console.log(`sent ${enrolled[index]?.name} to students[${partition}] at offset ${offset}`);
}

await kafka.close();
