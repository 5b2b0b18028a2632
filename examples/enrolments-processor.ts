/**
 * Turns students into enrolments, exactly once. Run it several times with different names, stop one, kill
 * one with `kill -9`, start it again: every student is enrolled once.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/enrolments-processor.ts one
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/enrolments-processor.ts two
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/students-producer.ts
 */
import { defineTopic, Kafka } from "typed-kafka";
import { z } from "zod";
import { students } from "./students.js";

const enrolments = defineTopic("enrolments", {
  value: z.object({ studentId: z.number().int(), course: z.string() }),
  keyOf: ({ course }) => course,
});

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics([students, enrolments]);

// Each instance has a name of its own and keeps it when it is started again.
const name = process.argv[2] ?? "one";
// #region processor
const enroller = kafka.processor(students, { groupId: "enrol", transactionalId: `enrol-${name}` });

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void kafka.close());
}

await enroller.run(async ({ value: student }, tx) => {
  await tx.send(enrolments, { value: { studentId: student.id, course: student.course } });
  console.log(`${name} enrols ${student.name} in ${student.course}`);
});
// #endregion processor
