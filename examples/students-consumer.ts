/**
 * Reads students in the group `etl-group` until Ctrl-C. Start it once more, and the two share the
 * topic's partitions; stop it and start it again, and it goes on where it was.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/students-consumer.ts
 */
import { Kafka } from "typed-kafka";
import { students } from "./students.js";

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics(students);
const consumer = kafka.consumer(students, { groupId: "etl-group" });

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void kafka.close());
}

await consumer.run(({ value, partition, offset }) => {
  console.log(
    `received ${value.name}, ${value.course} (id ${value.id}) from students[${partition}] at offset ${offset}`,
  );
});
