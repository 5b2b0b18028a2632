import { Kafka } from "typed-kafka";
import { enrolled, students } from "./students.ts";

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics(students);

const written = await kafka.producer().send(
  students,
  enrolled.map((student) => ({ value: student })),
);
for (const { partition, offset } of written)
  console.log(`written to students[${partition}] at offset ${offset}`);

await kafka.close();
