/**
 * Joins a stream with a table: each student is announced with the fee of their course, which is looked up in a topic
 * that is kept as a map.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/join-with-table.ts
 */
import { defineTopic, Kafka } from "typed-kafka";
import { z } from "zod";
import { enrolled, students } from "./students.js";

const courses = defineTopic("courses", {
  value: z.object({ fee: z.number().int() }),
  tombstones: true,
  config: { "cleanup.policy": "compact" },
});

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics([students, courses]);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());

const producer = kafka.producer();
await producer.send(courses, [
  { key: "Data Engineering", value: { fee: 900 } },
  { key: "AI Engineering", value: { fee: 1_200 } },
  { key: "Cloud Computing", value: { fee: 800 } },
]);
await producer.send(
  students,
  enrolled.map((value) => ({ value })),
);

// #region join
const fees = kafka.table(courses);
// Everything that was in the topic by now: no student is joined with a table that is half full.
await fees.ready();

const announcer = kafka.consumer(students, { groupId: "announcer" });
await announcer.run(({ value: { name, course } }) => {
  const fee = fees.get(course)?.fee;
  console.log(`${name} takes ${course}${fee === undefined ? "" : ` for ${fee}`}`);
});
// #endregion join
